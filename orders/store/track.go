package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"doorbell/orders"
)

const (
	// tracksLock is the lock of every change of tracks: a group holds at most one, and orders beside it.
	tracksLock = "tracks"
	// groupFixes is how many fixes share a transaction. That many take some 5 ms, for which the orders beside them wait,
	// too; four times as many would be written a quarter faster.
	groupFixes = 250
	// trackWriters is how many AddTrack may have their changes on the queue: the next one's are there when those of the
	// first are written. All others wait outside, where they are in nobody's way.
	trackWriters = 2
	// maxFixData is how many bytes of its writer's own a fix may have.
	maxFixData = 256
)

var _ orders.TrackStore = (*Store)(nil)

// AddTrack implements [orders.TrackStore]. After an error some of the fixes may be there: give it all of them again.
// More than [orders.MaxTrackFixes] are Internal, and so is one with too much data.
func (s *Store) AddTrack(ctx context.Context, fixes []orders.TrackFix) error {
	steps, err := fixSteps(fixes)
	if err != nil {
		return internal(err)
	}
	select {
	case s.tracks <- struct{}{}:
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	case <-s.stopped:
		return unavailable(errStopped)
	}
	defer func() { <-s.tracks }()
	var sent []*change
	for rows := range slices.Chunk(steps, groupFixes) {
		c := newChange(rows...)
		c.lock = tracksLock
		if err = s.submit(ctx, c); err != nil {
			break
		}
		sent = append(sent, c)
	}
	for _, c := range sent {
		if e := s.wait(ctx, c); err == nil {
			err = e
		}
	}
	return err
}

// fixSteps writes fixes in the order of their keys.
func fixSteps(fixes []orders.TrackFix) ([]Step, error) {
	if len(fixes) > orders.MaxTrackFixes {
		return nil, fmt.Errorf("%d fixes at a time, at most %d", len(fixes), orders.MaxTrackFixes)
	}
	steps := make([]Step, len(fixes))
	for i := range fixes {
		f := &fixes[i]
		if len(f.Data) > maxFixData {
			return nil, fmt.Errorf("a fix with %d bytes of data, at most %d", len(f.Data), maxFixData)
		}
		data := f.Data
		if data == nil {
			data = []byte{} // nil would be NULL
		}
		steps[i] = Step{addFix, []any{f.Order, micros(f.At), int64(f.Device), f.Courier, data}}
	}
	sortByFix(steps)
	return steps, nil
}

// sortByFix sorts steps whose arguments begin with the key of a fix by that, so that two nodes which write to the same
// fixes wait for each other and never in a circle.
func sortByFix(steps []Step) {
	slices.SortFunc(steps, func(a, b Step) int { return compareFixKeys(a.Args, b.Args) })
}

// compareFixKeys compares order, time and device.
func compareFixKeys(a, b []any) int {
	if d := strings.Compare(a[0].(string), b[0].(string)); d != 0 {
		return d
	}
	for i := 1; i <= 2; i++ {
		switch x, y := a[i].(int64), b[i].(int64); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
	}
	return 0
}

// Track implements [orders.TrackStore]. Pages hold at most 1000 fixes; those of one moment come in an order of their
// own, which is that of the pages, too. Before the first page come the zero time and device 0.
func (s *Store) Track(ctx context.Context, order string, after time.Time, device uint64, limit int) ([]orders.TrackFix, error) {
	at, dev := micros(after), int64(device)
	if after.IsZero() && device == 0 {
		at, dev = math.MinInt64, math.MinInt64
	}
	var out []orders.TrackFix
	err := s.each(ctx, readTrack, []any{order, at, dev, int64(PageSize(limit))}, func(scan Scan) error {
		f := orders.TrackFix{Order: order}
		var at, dev int64
		if err := scan(&at, &dev, &f.Courier, &f.Data); err != nil {
			return err
		}
		f.At, f.Device = fromMicros(at), uint64(dev)
		if len(f.Data) == 0 {
			f.Data = nil // engines differ
		}
		out = append(out, f)
		return nil
	})
	if err != nil {
		return nil, s.Told(err)
	}
	return out, nil
}
