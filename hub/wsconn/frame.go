package wsconn

import "encoding/binary"

// What of RFC 6455 section 5.2 we write ourselves; what clients say is taken apart by the library.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xa

	final      = 0x80 // of the first byte
	masked     = 0x80 // of the second
	maxControl = 125  // bytes in a control frame
	maxHeader  = 10   // of a frame that a server sends: no mask
)

// putHeader writes the header of an unmasked, final text frame into the end of h and returns where it begins.
func putHeader(h []byte, payload int) (start int) {
	switch {
	case payload < 126:
		start = maxHeader - 2
		h[start+1] = byte(payload)
	case payload <= 0xffff:
		start = maxHeader - 4
		h[start+1] = 126
		binary.BigEndian.PutUint16(h[start+2:], uint16(payload))
	default:
		start = 0
		h[start+1] = 127
		binary.BigEndian.PutUint64(h[start+2:], uint64(payload))
	}
	h[start] = final | opText
	return start
}

// controlFrame is a control frame of at most maxControl bytes.
func controlFrame(op byte, payload []byte) []byte {
	return append([]byte{final | op, byte(len(payload))}, payload...)
}

// closeFrame is a close frame with a code and a reason of at most 123 bytes.
func closeFrame(code int, reason string) []byte {
	return controlFrame(opClose, append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
}
