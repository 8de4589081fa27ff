package track_test

import (
	"testing"

	"doorbell/hub/track"
)

// Batches of five fixes five seconds apart, as a phone on delivery sends them. Wanted: 1 M fixes a second and core.
func BenchmarkAccept_FiveAPost(b *testing.B) { benchmarkAccept(b, 5) }

func BenchmarkAccept_One(b *testing.B) { benchmarkAccept(b, 1) }

func BenchmarkAccept_AThousand(b *testing.B) { benchmarkAccept(b, 1000) }

func benchmarkAccept(b *testing.B, n int) {
	var s track.State
	points := make([]track.Point, n)
	now := 0.0
	b.ReportAllocs()
	for b.Loop() {
		for i := range points {
			now += 5
			points[i] = at(now, float64(int(now)%20_000))
		}
		s, _ = track.Accept(s, points, after(now), track.DefaultLimits)
	}
	b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "points/s")
}

// The same batch again: from an app that never hears our answer.
func BenchmarkAccept_SameThousand(b *testing.B) {
	points := make([]track.Point, 1000)
	for i := range points {
		points[i] = at(float64(i), float64(i))
	}
	s, _ := track.Accept(track.State{}, points, after(1000), track.DefaultLimits)
	b.ReportAllocs()
	for b.Loop() {
		s, _ = track.Accept(s, points, after(2000), track.DefaultLimits)
	}
}

func BenchmarkState_Encode(b *testing.B) {
	s, _ := track.Accept(track.State{}, []track.Point{at(0, 0), at(1, 1), at(2, far)}, after(3), track.DefaultLimits)
	buf := make([]byte, 0, track.MaxStateBytes)
	b.ReportAllocs()
	for b.Loop() {
		buf = s.Append(buf[:0])
	}
}

func BenchmarkState_Decode(b *testing.B) {
	s, _ := track.Accept(track.State{}, []track.Point{at(0, 0), at(1, 1), at(2, far)}, after(3), track.DefaultLimits)
	buf := s.Encode()
	b.ReportAllocs()
	for b.Loop() {
		s = track.Decode(buf)
	}
}
