package ride_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"doorbell/hub/track"
	"doorbell/hub/track/ride"
)

// Wanted of a node: 4,800 posts a second of five fixes, and 5,000 of one, on two cores with everything else.
func BenchmarkPost_FiveFixes(b *testing.B) { benchmarkPost(b, 5, 1) }

func BenchmarkPost_OneFix(b *testing.B) { benchmarkPost(b, 1, 1) }

func BenchmarkPost_OneFixThreeOrders(b *testing.B) { benchmarkPost(b, 1, 3) }

func benchmarkPost(b *testing.B, fixes, orders int) {
	const couriers = 1000
	w := newWorld(b, 1, ride.Config{Rate: 1e9})
	w.local = ride.NewLocal(nobody{}, w, w.Now)
	w.nodes[0] = ride.New(ride.Config{Store: w, Channel: w.local, Commands: w, Now: w.Now, Rate: 1e9})
	ids := make([]string, couriers)
	for i := range ids {
		ids[i] = fmt.Sprint("cou_", i)
		for range orders {
			w.picked(ids[i], 90_000)
		}
	}
	now, batch := w.Now(), make([]track.Point, fixes)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%couriers == 0 {
			now = now.Add(5 * time.Second)
		}
		for j := range batch {
			batch[j] = fixAt(now.Add(time.Duration(j-fixes)*time.Second), float64(i/couriers%2000*15+j*3))
		}
		if _, err := w.nodes[0].Post(context.Background(), ids[i%couriers], "phone", batch, now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*fixes)/b.Elapsed().Seconds(), "fixes/s")
}

// BenchmarkHeard is paid on every node for every change in the whole system.
func BenchmarkHeard(b *testing.B) {
	w := newWorld(b, 1, ride.Config{})
	w.picked("cou_1", 1000)
	w.post("cou_1", w.fix(0))
	for b.Loop() {
		w.nodes[0].Heard("cou_2", "cou_3")
	}
}

// TestMemoryPerCourier: what an active courier with an order costs its node.
func TestMemoryPerCourier(t *testing.T) {
	const couriers, most = 5000, 2 << 10
	w := newWorld(t, 1, ride.Config{Rate: 1})
	w.local = ride.NewLocal(nobody{}, w, w.Now)
	ids := make([]string, couriers)
	for i := range ids {
		ids[i] = fmt.Sprint("cou_", i)
	}
	o := w.picked("x", 1000)
	one := w.orders[o]
	only := &single{world: w}
	svc := ride.New(ride.Config{Store: only, Channel: w.local, Now: w.Now, Rate: 1})
	for i, id := range ids {
		c := one
		c.ID = fmt.Sprint("ord_", i)
		courier := *one.Delivery.Courier
		courier.ID = id
		c.Delivery.Courier = &courier
		w.orders[c.ID] = c
		w.local.Publish(&c, nil)
	}
	before := heap()
	for i := range 30 {
		now := w.wait(5 * time.Second).Now()
		for j, id := range ids {
			only.order = fmt.Sprint("ord_", j)
			if _, err := svc.Post(context.Background(), id, "phone", points(fixAt(now, float64(i*20))), now); err != nil {
				t.Fatal(err)
			}
		}
	}
	each := (int64(heap()) - int64(before)) / couriers
	t.Logf("%d bytes", each)
	if each > most && !raceEnabled {
		t.Errorf("a courier takes %d bytes", each)
	}
	runtime.KeepAlive(svc)
	runtime.KeepAlive(w)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
