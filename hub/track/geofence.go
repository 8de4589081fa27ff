package track

import (
	"encoding/binary"
	"time"

	"doorbell/orders"
)

// Stop is a place that a courier goes to for an order: the merchant before pick-up, then the customer.
type Stop struct {
	OrderID  string
	Kind     orders.Stop
	Epoch    int64 // Delivery.Epoch of the order: another courier, another memory
	Lat, Lon float64
	Travel   time.Duration // what is left of the way there, if somebody knows; 0 = unknown
	Memory   FenceMemory   // of this order, as Geofence left it
}

// Crossing is something to tell the order's state machine, which checks again that it was not told before.
type Crossing struct {
	OrderID string
	Stop    orders.Stop
	Kind    CrossingKind
}

// CrossingKind says which command a Crossing is: orders.Nearby or orders.Arrive.
type CrossingKind uint8

const (
	IsNearby   CrossingKind = iota + 1 // within 300 m of the stop, or two minutes by travel time
	HasArrived                         // two fixes within 80 m of it, 10 to 20 s apart
)

func (k CrossingKind) String() string {
	switch k {
	case IsNearby:
		return "nearby"
	case HasArrived:
		return "arrived"
	}
	return "unknown"
}

// FenceMemory is what the geofence remembers of one order: kept beside the courier's State, 27 bytes when encoded. The
// zero value has seen nothing. Each crossing comes once for an order's stop and courier epoch. Keep the memory only once
// the crossings were told, or what failed in between is never told by the geofence; whoever knows better what was told
// keeps it after Retell.
type FenceMemory struct {
	kind  orders.Stop
	epoch int64
	told  CrossingKind // bits: 1 << kind

	// The first and the last fix within the radius of arrival, since the stop was last left. That two are enough: while
	// no pair is far enough apart, all lie within ArrivedLeast of each other.
	first, last UnixMilli
}

// Retell has every crossing come again with the next fix that shows it.
func (m *FenceMemory) Retell() { m.told = 0 }

// Geofence looks at a post's fixes, those of Result.History, and appends what they mean for the courier's stops to dst.
// It changes the stops' memories. Fixes that Accept did not mark as Fence are passed over.
func Geofence(dst []Crossing, stops []Stop, history []Point, lim Limits) []Crossing {
	for i := range history {
		p := &history[i]
		if p.Flags&Fence == 0 {
			continue
		}
		for j := range stops {
			dst = stops[j].see(dst, p, &lim)
		}
	}
	return dst
}

func (s *Stop) see(dst []Crossing, p *Point, lim *Limits) []Crossing {
	if !OnEarth(s.Lat, s.Lon) {
		return dst // nobody knows where it is
	}
	m := &s.Memory
	if m.kind != s.Kind || m.epoch != s.Epoch {
		*m = FenceMemory{kind: s.Kind, epoch: s.Epoch}
	}
	metres := Distance(s.Lat, s.Lon, p.Lat, p.Lon)
	if metres <= lim.Nearby || s.Travel > 0 && s.Travel <= lim.NearbyTravel {
		dst = s.tell(dst, IsNearby)
	}
	if m.arrived(p.At, metres, lim) {
		dst = s.tell(dst, HasArrived)
	}
	return dst
}

func (s *Stop) tell(dst []Crossing, k CrossingKind) []Crossing {
	if s.Memory.told&(1<<k) != 0 {
		return dst
	}
	s.Memory.told |= 1 << k
	return append(dst, Crossing{OrderID: s.OrderID, Stop: s.Kind, Kind: k})
}

// arrived reports whether this fix is the second of two that show an arrival. Between the radius and Leave times the
// radius nothing changes: a fix beside the house is no reason to begin anew.
func (m *FenceMemory) arrived(at UnixMilli, metres float64, lim *Limits) bool {
	switch {
	case metres > lim.Arrived*lim.Leave:
		m.first, m.last = 0, 0
		return false
	case metres > lim.Arrived || at < m.last:
		return false
	}
	for _, earlier := range [...]UnixMilli{m.first, m.last} {
		if d := at.Sub(earlier); earlier != 0 && d >= lim.ArrivedLeast && d <= lim.ArrivedMost {
			return true
		}
	}
	if m.first == 0 || at.Sub(m.first) > lim.ArrivedMost {
		m.first = at
	}
	m.last = at
	return false
}

// fenceVersion is the first byte of an encoded FenceMemory.
const fenceVersion = 1

// fenceBytes is version, stop, told, epoch, first, last.
const fenceBytes = 1 + 1 + 1 + 8 + 8 + 8

// Append appends the encoded memory to b.
func (m *FenceMemory) Append(b []byte) []byte {
	kind := byte(0)
	if m.kind != "" {
		kind = m.kind[0] // M or C
	}
	b = append(b, fenceVersion, kind, byte(m.told))
	b = binary.LittleEndian.AppendUint64(b, uint64(m.epoch))
	b = binary.LittleEndian.AppendUint64(b, uint64(m.first))
	return binary.LittleEndian.AppendUint64(b, uint64(m.last))
}

// DecodeFence reads an encoded memory. What is not one is the zero memory: the state machine still tells each crossing
// once.
func DecodeFence(b []byte) FenceMemory {
	if len(b) != fenceBytes || b[0] != fenceVersion {
		return FenceMemory{}
	}
	m := FenceMemory{
		told:  CrossingKind(b[2]),
		epoch: int64(binary.LittleEndian.Uint64(b[3:])),
		first: UnixMilli(binary.LittleEndian.Uint64(b[11:])),
		last:  UnixMilli(binary.LittleEndian.Uint64(b[19:])),
	}
	switch b[1] {
	case 'M':
		m.kind = orders.StopMerchant
	case 'C':
		m.kind = orders.StopCustomer
	default:
		return FenceMemory{}
	}
	return m
}
