package ride

import (
	"encoding/binary"
	"time"

	"doorbell/hub/track"
)

const (
	// MaxOrders is how many orders of one courier are looked after: more do not fit in a bag.
	MaxOrders = 20
	// MaxData is more than a courier's memory ever takes, in bytes.
	MaxData = 2048
)

// memory is what is kept of a courier between posts, wherever they land.
type memory struct {
	state  track.State
	orders []orderMemory // of those it carried at the last post; at most MaxOrders
}

// orderMemory is what is kept of an order as long as this courier carries it.
type orderMemory struct {
	key   uint64 // of the order's id
	fence track.FenceMemory
	told  track.Estimate // zero: none yet

	arrives  time.Time // as the merchant was told
	distance int       // as the merchant was told, metres
}

// of is what is kept of an order; zero if that is nothing.
func (m *memory) of(key uint64) orderMemory {
	for i := range m.orders {
		if m.orders[i].key == key {
			return m.orders[i]
		}
	}
	return orderMemory{key: key}
}

// keyOf is an order's id in eight bytes (FNV-1a). Two orders of one courier that share one would share estimates; with a
// handful that is not going to happen.
func keyOf(id string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	return h
}

// memoryVersion is the first byte of an encoded memory. A memory of another version is not read, see track.Decode.
const memoryVersion = 1

// append appends the encoded memory to b: the version, the state behind its length in two bytes, then each order.
func (m *memory) append(b []byte) []byte {
	b = append(b, memoryVersion, 0, 0)
	start := len(b)
	b = m.state.Append(b)
	binary.LittleEndian.PutUint16(b[start-2:], uint16(len(b)-start))
	for i := range m.orders {
		o := &m.orders[i]
		b = binary.LittleEndian.AppendUint64(b, o.key)
		b = append(b, 0)
		at := len(b)
		b = o.fence.Append(b)
		b[at-1] = byte(len(b) - at)
		for _, t := range [...]time.Time{o.told.At, o.told.Earliest, o.told.Latest, o.arrives} {
			b = binary.LittleEndian.AppendUint64(b, uint64(track.MilliOf(t)))
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(o.distance))
	}
	return b
}

// decodeMemory reads what append wrote. What is not that is left out.
func decodeMemory(b []byte) (m memory) {
	if len(b) < 3 || b[0] != memoryVersion {
		return m
	}
	n := int(binary.LittleEndian.Uint16(b[1:]))
	if b = b[3:]; len(b) < n {
		return m
	}
	m.state = track.Decode(b[:n])
	b = b[n:]
	const around = 8 + 1 + 4*8 + 4 // an order without its fence
	if len(b) > around {
		m.orders = make([]orderMemory, 0, min(len(b)/around, MaxOrders))
	}
	for len(b) >= around && len(m.orders) < MaxOrders {
		o := orderMemory{key: binary.LittleEndian.Uint64(b)}
		fence := int(b[8])
		if len(b) < around+fence {
			return m
		}
		o.fence = track.DecodeFence(b[9 : 9+fence])
		b = b[9+fence:]
		for i, t := range [...]*time.Time{&o.told.At, &o.told.Earliest, &o.told.Latest, &o.arrives} {
			*t = track.UnixMilli(binary.LittleEndian.Uint64(b[8*i:])).Time()
		}
		o.distance = int(binary.LittleEndian.Uint32(b[32:]))
		b = b[36:]
		m.orders = append(m.orders, o)
	}
	return m
}
