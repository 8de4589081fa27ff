package sqlite

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"doorbell/orders"
)

// TestSweepsThinAndDropTracks, as old as they have to be by the store's clock.
func TestSweepsThinAndDropTracks(t *testing.T) {
	s := opened(t)
	running(t, s)
	now := s.reader.Now().Truncate(time.Minute)
	old := map[string]time.Time{
		"young": now.Add(-orders.TrackFull + 10*time.Minute),
		"thin":  now.Add(-orders.TrackFull - 10*time.Minute),
		"gone":  now.Add(-orders.TrackThin - 10*time.Minute),
	}
	for name, at := range old {
		var fixes []orders.TrackFix
		for i := range 24 { // two minutes
			fixes = append(fixes, orders.TrackFix{Order: name, Courier: "cou_1", At: at.Add(time.Duration(i) * 5 * time.Second)})
		}
		if err := s.AddTrack(t.Context(), fixes); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var sweeps sync.WaitGroup
	defer sweeps.Wait()
	sweeps.Go(func() {
		service := orders.NewService(s, orders.Config{Now: s.reader.Now})
		if err := service.RunSweeps(ctx, 0, func(err error) { t.Error(err) }); err != nil {
			t.Error(err)
		}
	})
	defer cancel()
	want := fmt.Sprint(map[string]int{"young": 24, "thin": 2, "gone": 0})
	left := ""
	for end := time.Now().Add(10 * time.Second); left != want && time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		n := map[string]int{}
		for name := range old {
			fixes, err := s.Track(t.Context(), name, time.Time{}, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			n[name] = len(fixes)
		}
		left = fmt.Sprint(n)
	}
	if left != want {
		t.Errorf("left %s, want %s", left, want)
	}
}
