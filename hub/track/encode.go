package track

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// MaxStateBytes is more than an encoded State ever takes.
const MaxStateBytes = 512

// stateVersion is the first byte of an encoded State. A State of another version is not read: the next few fixes make
// up for it, and nothing else hangs on it.
const stateVersion = 1

// Append appends the encoded state to b: the version, the fields in the order of the code below, a CRC-32 of all before.
func (s *State) Append(b []byte) []byte {
	start := len(b)
	w := writer{append(b, stateVersion)}
	w.u64(uint64(s.last.at))
	w.u32(uint32(s.last.ahead))
	w.f32(s.last.accuracy)
	w.f64(s.last.lat)
	w.f64(s.last.lon)
	w.u64(uint64(s.shown.at))
	w.f64(s.shown.lat)
	w.f64(s.shown.lon)
	w.u64(uint64(s.moved))
	w.f32(s.pace)
	w.flag(s.paced)
	w.u8(s.holding)
	for i := range s.held[:s.holding] {
		h := &s.held[i]
		w.point(&h.p)
		w.u32(uint32(h.ahead))
	}
	w.marks(s.recent.marks[:s.recent.n], s.recent.next)
	w.marks(s.posts.marks[:s.posts.n], s.posts.next)
	return binary.LittleEndian.AppendUint32(w.b, crc32.ChecksumIEEE(w.b[start:]))
}

// Encode is Append to nothing.
func (s *State) Encode() []byte { return s.Append(make([]byte, 0, MaxStateBytes)) }

// Decode reads an encoded state. Whatever is not one of this version, whole and unharmed, is the zero State: a courier's
// posts go on.
func Decode(b []byte) State {
	if len(b) < 5 || len(b) > MaxStateBytes || b[0] != stateVersion {
		return State{}
	}
	body := b[:len(b)-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(b[len(body):]) {
		return State{}
	}
	var s State
	r := reader{b: body[1:]}
	s.last.at = UnixMilli(r.u64())
	s.last.ahead = int32(r.u32())
	s.last.accuracy = r.f32()
	s.last.lat = r.f64()
	s.last.lon = r.f64()
	s.shown.at = UnixMilli(r.u64())
	s.shown.lat = r.f64()
	s.shown.lon = r.f64()
	s.moved = UnixMilli(r.u64())
	s.pace = r.f32()
	s.paced = r.u8() == 1
	if s.holding = r.u8(); int(s.holding) > len(s.held) {
		return State{}
	}
	for i := range s.held[:s.holding] {
		h := &s.held[i]
		r.point(&h.p)
		h.ahead = int32(r.u32())
	}
	s.recent.n, s.recent.next = r.marks(s.recent.marks[:])
	s.posts.n, s.posts.next = r.marks(s.posts.marks[:])
	if r.broken || len(r.b) > 0 {
		return State{}
	}
	return s
}

type writer struct{ b []byte }

func (w *writer) u8(v uint8)    { w.b = append(w.b, v) }
func (w *writer) u32(v uint32)  { w.b = binary.LittleEndian.AppendUint32(w.b, v) }
func (w *writer) u64(v uint64)  { w.b = binary.LittleEndian.AppendUint64(w.b, v) }
func (w *writer) f32(v float32) { w.u32(math.Float32bits(v)) }
func (w *writer) f64(v float64) { w.u64(math.Float64bits(v)) }

func (w *writer) flag(v bool) {
	if v {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

func (w *writer) point(p *Point) {
	w.u64(uint64(p.At))
	w.u64(uint64(p.ReceivedAt))
	w.f64(p.Lat)
	w.f64(p.Lon)
	w.f32(p.accuracy)
	w.f32(p.speed)
	w.f32(p.heading)
	w.f32(p.altitude)
	w.u32(p.Device)
	w.u8(p.battery)
	w.u8(uint8(p.has))
	w.u8(uint8(p.Flags))
}

func (w *writer) marks(m []uint64, next uint8) {
	w.u8(uint8(len(m)))
	w.u8(next)
	for _, v := range m {
		w.u64(v)
	}
}

// reader reads what writer wrote; past the end it gives zeros and is broken.
type reader struct {
	b      []byte
	broken bool
}

func (r *reader) next(n int) []byte {
	if len(r.b) < n {
		r.broken, r.b = true, nil
		return make([]byte, n)
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() uint8    { return r.next(1)[0] }
func (r *reader) u32() uint32  { return binary.LittleEndian.Uint32(r.next(4)) }
func (r *reader) u64() uint64  { return binary.LittleEndian.Uint64(r.next(8)) }
func (r *reader) f32() float32 { return math.Float32frombits(r.u32()) }
func (r *reader) f64() float64 { return math.Float64frombits(r.u64()) }

func (r *reader) point(p *Point) {
	p.At = UnixMilli(r.u64())
	p.ReceivedAt = UnixMilli(r.u64())
	p.Lat = r.f64()
	p.Lon = r.f64()
	p.accuracy = r.f32()
	p.speed = r.f32()
	p.heading = r.f32()
	p.altitude = r.f32()
	p.Device = r.u32()
	p.battery = r.u8()
	p.has = Field(r.u8())
	p.Flags = Flags(r.u8())
}

func (r *reader) marks(m []uint64) (n, next uint8) {
	n, next = r.u8(), r.u8()
	if int(n) > len(m) || int(next) >= len(m) {
		r.broken = true
		return 0, 0
	}
	for i := range m[:n] {
		m[i] = r.u64()
	}
	return n, next
}
