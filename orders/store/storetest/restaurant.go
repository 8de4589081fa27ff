package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorbell/orders"
)

func revocations(t *testing.T, e Engine) {
	e.start(t)
	for _, r := range []struct {
		sub string
		at  time.Time
	}{{"a", Start}, {"b", Start}, {"a", Start.Add(time.Hour)}, {"b", Start.Add(-time.Hour)}} {
		if err := e.Revoke(t.Context(), r.sub, r.at); err != nil {
			t.Fatal(err)
		}
	}
	got, err := e.Revocations(t.Context())
	a, b := Start.Add(time.Hour).Truncate(time.Second), Start.Truncate(time.Second)
	if err != nil || len(got) != 2 || !got["a"].Equal(a) || !got["b"].Equal(b) {
		t.Errorf("revocations %v, %v", got, err)
	}
}

func restaurants(t *testing.T, e Engine) {
	e.start(t)
	_, err := e.Restaurant(t.Context(), "res_1")
	wantKind(t, err, orders.NotFound)

	r := orders.Restaurant{ID: "res_1", Name: "First", Menu: []orders.MenuItem{{ItemID: "a", Name: "Rice", UnitPrice: 300}}}
	put := func(r orders.Restaurant, version int64) *orders.Restaurant {
		t.Helper()
		got, err := e.PutRestaurant(t.Context(), r)
		if err != nil || got.Version != version {
			t.Fatalf("put: %+v, %v, want version %d", got, err, version)
		}
		read, err := e.Restaurant(t.Context(), r.ID)
		if err != nil || read.Version != version || read.Name != r.Name || read.UpdatedAt.IsZero() {
			t.Fatalf("read: %+v, %v", read, err)
		}
		return got
	}
	first := put(r, 1)
	r.Menu[0].Name = "changed by the caller afterwards"
	if read, _ := e.Restaurant(t.Context(), "res_1"); read.Menu[0].Name != "Rice" {
		t.Errorf("what is stored shares memory with the caller: %+v", read.Menu)
	}
	_, err = e.PutRestaurant(t.Context(), r) // version 0: it is there
	wantErr(t, err, orders.ErrLost)
	second := *first
	second.Name = "Second"
	put(second, 2)
	_, err = e.PutRestaurant(t.Context(), second) // version 1: it is at 2
	wantErr(t, err, orders.ErrLost)
	if read, _ := e.Restaurant(t.Context(), "res_1"); read == nil || read.Version != 2 {
		t.Errorf("after a lost write: %+v", read)
	}
	absent := orders.Restaurant{ID: "res_2", Version: 4}
	_, err = e.PutRestaurant(t.Context(), absent)
	wantErr(t, err, orders.ErrLost)
}

func restaurantRace(t *testing.T, e Engine) {
	e.start(t)
	for version := range int64(5) {
		var won atomic.Int64
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				r := orders.Restaurant{ID: "res_1", Name: fmt.Sprint(i), Version: version}
				switch _, err := e.PutRestaurant(t.Context(), r); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, orders.ErrLost):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("version %d had %d winners", version, won.Load())
		}
	}
}

// restaurantNeverStale reads all the time while versions rise: nobody may see a version older than one that a finished
// write had made before the read began.
func restaurantNeverStale(t *testing.T, e Engine) {
	e.start(t)
	var written atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				atLeast := written.Load()
				r, err := e.Restaurant(t.Context(), "res_1")
				switch {
				case atLeast == 0 && orders.KindOf(err) == orders.NotFound:
				case err != nil:
					t.Error(err)
					return
				case r.Version < atLeast:
					t.Errorf("read version %d after %d was written", r.Version, atLeast)
					return
				}
			}
		})
	}
	for v := range int64(50) {
		if _, err := e.PutRestaurant(t.Context(), orders.Restaurant{ID: "res_1", Version: v}); err != nil {
			t.Error(err)
		}
		written.Store(v + 1)
	}
	close(stop)
	wg.Wait()
}
