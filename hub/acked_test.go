package hub_test

import (
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"doorbell/hub"
	"doorbell/hub/wire"
	"doorbell/orders/store/storetest"
)

// The time from commit to acknowledgement is measured once for each message that was sent, on boards too.
func TestAck_IsMeasuredOnce(t *testing.T) {
	reg := prometheus.NewRegistry()
	inBubble(t, hub.Config{Registerer: reg}, func(w *world) {
		measured := func() uint64 {
			families, err := reg.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				if f.GetName() == "doorbell_hub_acked_seconds" {
					return f.GetMetric()[0].GetHistogram().GetSampleCount()
				}
			}
			t.Fatal("the metric is missing")
			return 0
		}
		id := w.confirmed(storetest.Draft{})
		c, m := w.connect(customer("cus_1")), w.connect(merchant("res_1"))
		w.watch(c, orderTopic(id), 0)
		w.watch(m, board(wire.TopicRestaurant, "res_1"), 0)
		synctest.Wait()
		w.handle(c, `{"op":"ack","topic":"order/`+id+`","seq":2}`) // a snapshot: nobody knows when that was committed
		if n := measured(); n != 0 {
			t.Errorf("a snapshot was measured %d times", n)
		}
		w.delayed(id)
		synctest.Wait()
		for _, who := range []*client{c, m, c, m} {
			w.handle(who, `{"op":"ack","topic":"order/`+id+`","seq":3}`)
		}
		if n := measured(); n != 2 {
			t.Errorf("two people acknowledged an event, each twice: measured %d times", n)
		}
	})
}
