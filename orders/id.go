package orders

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strings"
	"time"
)

// IDPrefix begins every order id; a UUIDv7 (RFC 9562) follows, so ids sort by the time of placing.
const IDPrefix = "ord_"

// idLength is the length of an order id: prefix and 36 characters of UUID.
const idLength = len(IDPrefix) + 36

// NewID makes an order id for an order placed at t.
func NewID(t time.Time) string {
	var u [16]byte
	_, _ = rand.Read(u[6:]) // never fails, see crypto/rand
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(t.UnixMilli()))
	copy(u[:6], ms[2:])
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return formatID(u)
}

func formatID(u [16]byte) string {
	b := make([]byte, idLength)
	copy(b, IDPrefix)
	h := b[len(IDPrefix):]
	hex.Encode(h, u[:4])
	h[8] = '-'
	hex.Encode(h[9:], u[4:6])
	h[13] = '-'
	hex.Encode(h[14:], u[6:8])
	h[18] = '-'
	hex.Encode(h[19:], u[8:10])
	h[23] = '-'
	hex.Encode(h[24:], u[10:])
	return string(b)
}

// parseID is the 16 bytes of an order id. Only what NewID makes is one: lower case, version 7, RFC 9562's variant.
func parseID(id string) (u [16]byte, ok bool) {
	h, found := strings.CutPrefix(id, IDPrefix)
	digits := strings.ReplaceAll(h, "-", "")
	if !found || len(id) != idLength || len(digits) != 2*len(u) {
		return u, false
	}
	_, err := hex.Decode(u[:], []byte(digits))
	return u, err == nil && u[6]>>4 == 7 && u[8]>>6 == 2 && formatID(u) == id
}

// ValidID reports whether id has the form of an order id.
func ValidID(id string) bool {
	_, ok := parseID(id)
	return ok
}

// PlacedAt is the time in an order id, to the millisecond; zero for what is no order id.
func PlacedAt(id string) time.Time {
	u, ok := parseID(id)
	if !ok {
		return time.Time{}
	}
	var ms [8]byte
	copy(ms[2:], u[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC()
}

// TrackPrefix begins every tracking capability.
const TrackPrefix = "trk_"

// trackKeySize is the secret half of a tracking capability, in bytes: 128 bits.
const trackKeySize = 16

// TrackingToken is the capability that reads this one order: the order's 16 bytes and its random key, base64url.
func (o *Order) TrackingToken() string {
	u, ok := parseID(o.ID)
	if !ok || len(o.TrackKey) != trackKeySize {
		return ""
	}
	return TrackPrefix + base64.RawURLEncoding.EncodeToString(append(u[:], o.TrackKey...))
}

// ParseTrackingToken splits a tracking capability into the order it names and the key to compare. A capability has one
// spelling.
func ParseTrackingToken(s string) (orderID string, key []byte, ok bool) {
	enc, found := strings.CutPrefix(s, TrackPrefix)
	b, err := base64.RawURLEncoding.Strict().DecodeString(enc)
	if !found || err != nil || len(b) != 16+trackKeySize || len(enc) != base64.RawURLEncoding.EncodedLen(len(b)) {
		return "", nil, false // the decoder skips line breaks, hence the length
	}
	if orderID = formatID([16]byte(b[:16])); !ValidID(orderID) {
		return "", nil, false
	}
	return orderID, b[16:], true
}

func newTrackKey() []byte {
	b := make([]byte, trackKeySize)
	_, _ = rand.Read(b)
	return b
}

// newPIN is four random digits.
func newPIN() string {
	n, err := rand.Int(rand.Reader, big.NewInt(10_000))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	s := "000" + n.String()
	return s[len(s)-4:]
}
