package storetest

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"doorbell/orders"
)

// fixed is a fix of an order, so long after noon of the suite's day. Its data tells it from all others.
func fixed(order, courier string, at time.Duration, device uint64) orders.TrackFix {
	t := noon.Add(at)
	data := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli())), device)
	return orders.TrackFix{Order: order, Courier: courier, At: t, Device: device, Data: data}
}

var noon = Start.Truncate(12 * time.Hour)

// somewhere is a device whose hash has its highest bit set.
const somewhere = 0xfedc_ba98_7654_3210

// track reads a whole track, a page at a time.
func (e Engine) track(t *testing.T, order string, limit int) (all []orders.TrackFix) {
	t.Helper()
	var after orders.TrackFix
	for {
		page, err := e.Track(t.Context(), order, after.At, after.Device, limit)
		if err != nil || limit > 0 && len(page) > limit {
			t.Fatalf("a page of %d: %v", len(page), err)
		}
		if len(page) == 0 {
			return all
		}
		all, after = append(all, page...), page[len(page)-1]
	}
}

// wantTrack fails the test unless an order has these fixes.
func (e Engine) wantTrack(t *testing.T, order string, want []orders.TrackFix) {
	t.Helper()
	byTime := func(a, b orders.TrackFix) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Device, b.Device))
	}
	got, want := e.track(t, order, 0), slices.Clone(want)
	if !slices.IsSortedFunc(got, func(a, b orders.TrackFix) int { return a.At.Compare(b.At) }) {
		t.Error("not by time")
	}
	slices.SortFunc(got, byTime) // of one moment they come as the store likes
	slices.SortFunc(want, byTime)
	if len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("%d fixes, want %d:\ngot  %v\nwant %v", len(got), len(want), times(got), times(want))
	}
}

// times are short for fixes.
func times(fixes []orders.TrackFix) (out []string) {
	for _, f := range fixes {
		out = append(out, fmt.Sprintf("%v/%x", f.At.Sub(noon), f.Device))
	}
	return out
}

// addTrack writes fixes, which must be taken.
func (e Engine) addTrack(t *testing.T, fixes ...orders.TrackFix) {
	t.Helper()
	for page := range slices.Chunk(fixes, orders.MaxTrackFixes) {
		if err := e.AddTrack(t.Context(), page); err != nil {
			t.Fatal(err)
		}
	}
}

// every is a fix of an order every so often, for so long.
func every(order, courier string, step, until time.Duration) (out []orders.TrackFix) {
	for at := time.Duration(0); at < until; at += step {
		out = append(out, fixed(order, courier, at, 7))
	}
	return out
}

func trackPages(t *testing.T, e Engine) {
	e.start(t)
	a, b := orders.NewID(Start), orders.NewID(Start)
	ofA := every(a, "cou_1", 5*time.Second, 2*time.Minute)
	for _, device := range []uint64{0, 1, 1 << 63, somewhere, 1<<64 - 1} { // of one moment
		ofA = append(ofA, fixed(a, "cou_2", 3*time.Minute, device))
	}
	ofA[3].Data = nil
	ofA[4].Data = slices.Repeat([]byte{0xff}, 256)
	ofB := every(b, "cou_1", 5*time.Second, time.Minute)
	all := append(slices.Clone(ofA), ofB...)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	e.addTrack(t, all...)
	e.wantTrack(t, a, ofA)
	e.wantTrack(t, b, ofB)
	e.wantTrack(t, orders.NewID(Start), nil)
	for _, limit := range []int{1, 2, 3, 28, 29, 30} {
		if got := e.track(t, a, limit); !reflect.DeepEqual(got, e.track(t, a, 0)) {
			t.Errorf("limit %d: %v", limit, times(got))
		}
	}

	again := slices.Clone(all)
	for i := range again {
		again[i].Data = []byte("something else")
		again[i].Courier = "cou_3"
	}
	more := fixed(b, "cou_1", time.Hour, 7)
	e.addTrack(t, append(again, more, more)...)
	e.wantTrack(t, a, ofA)
	e.wantTrack(t, b, append(ofB, more))
}

// trackRace has writers bring the same fixes, each in an order of its own, while orders are placed.
func trackRace(t *testing.T, e Engine) {
	e.start(t)
	var all []orders.TrackFix
	ids := []string{orders.NewID(Start), orders.NewID(Start), orders.NewID(Start)}
	for _, id := range ids {
		all = append(all, every(id, "cou_1", 5*time.Second, 5*time.Minute)...)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			mine := slices.Clone(all)
			for range 5 {
				rand.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
				if err := e.AddTrack(t.Context(), mine); err != nil {
					t.Error(err)
				}
				o, ev := Place(t, Draft{})
				if err := e.Commit(t.Context(), Change(orders.Order{}, o, ev)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i, id := range ids {
		e.wantTrack(t, id, all[i*60:(i+1)*60])
	}
}

func trackRefused(t *testing.T, e Engine) {
	e.start(t)
	id := orders.NewID(Start)
	many := every(id, "cou_1", time.Second, (orders.MaxTrackFixes+1)*time.Second)
	wantKind(t, e.AddTrack(t.Context(), many), orders.Internal)
	large := fixed(id, "cou_1", 0, 7)
	large.Data = make([]byte, 257)
	wantKind(t, e.AddTrack(t.Context(), []orders.TrackFix{fixed(id, "cou_1", time.Second, 7), large}), orders.Internal)
	e.wantTrack(t, id, nil)
	if err := e.AddTrack(t.Context(), nil); err != nil {
		t.Errorf("no fixes: %v", err)
	}
	e.addTrack(t, many[:orders.MaxTrackFixes]...)
	e.wantTrack(t, id, many[:orders.MaxTrackFixes])
}

func trackRuns(t *testing.T, e Engine) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fixes := []orders.TrackFix{fixed(orders.NewID(Start), "cou_1", 0, 7)}
	wantKind(t, e.AddTrack(ctx, fixes), orders.Unavailable) // nothing writes yet

	errs := make(chan error)
	const writers = 20 // more than the queue is given at a time
	for range writers {
		go func() { errs <- e.AddTrack(t.Context(), fixes) }()
	}
	stop := e.start(t)
	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	e.wantTrack(t, fixes[0].Order, fixes)
	stop()
	wantKind(t, e.AddTrack(t.Context(), fixes), orders.Unavailable)
	_, err := e.DropTrack(t.Context(), fixes[0].Order)
	wantKind(t, err, orders.Unavailable)
}

// firsts are the first fixes of each minute of each order before t, and all of those behind.
func firsts(fixes []orders.TrackFix, t time.Time) (out []orders.TrackFix) {
	type minute struct {
		order string
		at    time.Time
	}
	seen := map[minute]bool{}
	fixes = slices.SortedFunc(slices.Values(fixes), func(a, b orders.TrackFix) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(int64(a.Device), int64(b.Device)))
	})
	for _, f := range fixes {
		m := minute{f.Order, f.At.Truncate(time.Minute)}
		if !f.At.Before(t) || !seen[m] {
			out = append(out, f)
		}
		seen[m] = true
	}
	return out
}

func trackThinned(t *testing.T, e Engine) {
	e.start(t)
	ids := []string{orders.NewID(Start), orders.NewID(Start.Add(time.Hour)), orders.NewID(Start)}
	var all []orders.TrackFix
	for range 800 {
		at := time.Duration(rand.IntN(30*60)) * time.Second // whole seconds: many fixes of one moment
		f := fixed(ids[rand.IntN(3)], fmt.Sprint("cou_", rand.IntN(2)), at, []uint64{7, somewhere}[rand.IntN(2)])
		if !slices.ContainsFunc(all, func(g orders.TrackFix) bool {
			return g.Order == f.Order && g.At.Equal(f.At) && g.Device == f.Device
		}) {
			all = append(all, f)
		}
	}
	all = append(all, fixed(ids[0], "cou_1", 20*time.Minute, 9), fixed(ids[0], "cou_1", 20*time.Minute-time.Millisecond, 9))
	e.addTrack(t, all...)
	for _, c := range []struct {
		t     time.Duration
		limit int
	}{{10*time.Minute + 59*time.Second, 1}, {15 * time.Minute, 7}, {20 * time.Minute, 100}, {20 * time.Minute, 1000}} {
		until := noon.Add(c.t)
		whole := until.Truncate(time.Minute) // a minute that still runs is left alone
		left := 0
		for _, id := range ids {
			for _, f := range e.track(t, id, 0) {
				if f.At.Before(whole) {
					left++
				}
			}
		}
		looked := 0
		for {
			n, err := e.ThinTracks(t.Context(), until, c.limit)
			if err != nil || n > c.limit {
				t.Fatalf("looked at %d with limit %d, %v", n, c.limit, err)
			}
			if looked += n; n < c.limit {
				break
			}
		}
		switch {
		case c.limit == 1 && looked != left:
			t.Errorf("looked at %d fixes of %d", looked, left)
		case c.limit == 1000 && looked != 0:
			t.Errorf("looked at %d fixes again", looked)
		}
		for _, id := range ids {
			of := slices.DeleteFunc(firsts(all, whole), func(f orders.TrackFix) bool { return f.Order != id })
			e.wantTrack(t, id, of)
		}
	}
}

func trackThinnedLate(t *testing.T, e Engine) {
	e.start(t)
	id := orders.NewID(Start)
	first := fixed(id, "cou_1", 10*time.Second, 7)
	e.addTrack(t, first, fixed(id, "cou_1", 20*time.Second, 7))
	thin := func(want int) {
		t.Helper()
		if n, err := e.ThinTracks(t.Context(), noon.Add(time.Minute), 100); n != want || err != nil {
			t.Errorf("looked at %d, %v, want %d", n, err, want)
		}
		e.wantTrack(t, id, []orders.TrackFix{first})
	}
	thin(2)
	thin(0)
	e.addTrack(t, fixed(id, "cou_1", 5*time.Second, 7), fixed(id, "cou_1", 30*time.Second, 7), first)
	thin(2)
}

func tracksDropped(t *testing.T, e Engine) {
	e.start(t)
	a, b := orders.NewID(Start), orders.NewID(Start)
	ofA, ofB := every(a, "cou_1", 20*time.Second, 10*time.Minute), every(b, "cou_2", 20*time.Second, 10*time.Minute)
	e.addTrack(t, append(slices.Clone(ofA), ofB...)...)
	if n, err := e.ThinTracks(t.Context(), noon.Add(5*time.Minute), 100); n != 30 || err != nil {
		t.Fatalf("looked at %d, %v", n, err)
	}
	until := noon.Add(6 * time.Minute)          // exclusive
	for _, want := range []int{4, 4, 4, 4, 0} { // five and five that are thinned, three and three that are not
		if n, err := e.DropTracks(t.Context(), until, 4); n != want || err != nil {
			t.Errorf("dropped %d, %v, want %d", n, err, want)
		}
	}
	e.wantTrack(t, a, ofA[18:])
	e.wantTrack(t, b, ofB[18:])
	if n, err := e.DropTracks(t.Context(), noon.Add(time.Hour), 0); n != 24 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
}

func trackDeleted(t *testing.T, e Engine) {
	e.start(t)
	a, b := orders.NewID(Start), orders.NewID(Start)
	ofB := every(b, "cou_1", time.Minute, time.Hour)
	e.addTrack(t, every(a, "cou_1", time.Second, 2500*time.Second)...)
	e.addTrack(t, ofB...)
	if _, err := e.ThinTracks(t.Context(), noon.Add(5*time.Minute), 1000); err != nil {
		t.Fatal(err)
	}
	was := len(e.track(t, a, 0))
	for _, want := range []int{was, 0} {
		if n, err := e.DropTrack(t.Context(), a); n != want || err != nil {
			t.Errorf("deleted %d, %v, want %d", n, err, want)
		}
	}
	e.wantTrack(t, a, nil)
	e.wantTrack(t, b, ofB)
	e.addTrack(t, fixed(a, "cou_1", 0, 7))
	e.wantTrack(t, a, []orders.TrackFix{fixed(a, "cou_1", 0, 7)})
}

func tracksOfCourier(t *testing.T, e Engine) {
	e.start(t)
	var ids []string
	var kept [][]orders.TrackFix
	for range 3 {
		id := orders.NewID(Start)
		others := every(id, "cou_2", 7*time.Second, time.Minute)
		for i := range others {
			others[i].Device = somewhere
		}
		e.addTrack(t, append(every(id, "cou_1", 10*time.Second, 100*time.Second), others...)...)
		ids, kept = append(ids, id), append(kept, others)
	}
	for _, want := range []int{12, 12, 6, 0} {
		if n, err := e.DropCourierTracks(t.Context(), "cou_1", 12); n != want || err != nil {
			t.Errorf("deleted %d, %v, want %d", n, err, want)
		}
	}
	if n, err := e.DropCourierTracks(t.Context(), "cou_9", 12); n != 0 || err != nil {
		t.Errorf("deleted %d of an unknown courier, %v", n, err)
	}
	for i, id := range ids {
		e.wantTrack(t, id, kept[i])
	}
}

// tracksAtOnce has everything happen to tracks at once: whatever comes first, of each minute one fix stays.
func tracksAtOnce(t *testing.T, e Engine) {
	e.start(t)
	id, gone := orders.NewID(Start), orders.NewID(Start)
	fixes := append(every(id, "cou_1", time.Second, 10*time.Minute), every(gone, "cou_2", time.Second, 6*time.Minute)...)
	rand.Shuffle(len(fixes), func(i, j int) { fixes[i], fixes[j] = fixes[j], fixes[i] })
	var writers, sweepers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		sweepers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := e.ThinTracks(t.Context(), noon.Add(time.Hour), 50); err != nil {
					t.Error(err)
					return
				}
				if _, err := e.DropTrack(t.Context(), gone); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for w := range 4 {
		writers.Go(func() {
			for page := range slices.Chunk(fixes[w*240:(w+1)*240], 20) {
				if err := e.AddTrack(t.Context(), page); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	sweepers.Wait()
	for {
		if n, err := e.ThinTracks(t.Context(), noon.Add(time.Hour), 1000); err != nil || n == 0 {
			break
		}
	}
	minutes := map[time.Time]int{}
	for _, f := range e.track(t, id, 0) {
		minutes[f.At.Truncate(time.Minute)]++
	}
	for m, n := range minutes {
		if n != 1 {
			t.Errorf("%d fixes of %v", n, m)
		}
	}
	if len(minutes) != 10 {
		t.Errorf("%d minutes of 10", len(minutes))
	}
}
