package bus_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"doorbell/hub"
	"doorbell/hub/bus"
	"doorbell/hub/bus/redistest"
	"doorbell/orders"
)

// counting is people who want nothing, and a count of what came.
type counting struct {
	bus.Receiver
	wants chan struct{}
}

func (c counting) Deliver(hub.Change)            {}
func (c counting) Compare(context.Context) error { return nil }
func (c counting) Restaurants()                  {}
func (c counting) RereadRevocations()            {}
func (c counting) Degrade(string)                {}
func (c counting) Recover()                      {}
func (c counting) Wants(_, _, _, _ string) bool  { c.wants <- struct{}{}; return false }

// BenchmarkRedis is the cost of a status event to Redis, with an order of the usual size: CPU of the server, in µs an
// event, for a number of receiving nodes.
func BenchmarkRedis(b *testing.B) {
	for _, nodes := range []int{1, 2, 20} {
		b.Run(strconv.Itoa(nodes), func(b *testing.B) {
			server, store := redistest.Start(b), newMemory()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			heard := make(chan struct{}, 1<<16)
			var all []*bus.Redis
			ended := make(chan error, nodes)
			for i := range nodes {
				n, err := bus.NewRedis(bus.RedisConfig{URL: server.URL(), Publishes: i == 0, Receives: true, Log: zerolog.Nop()})
				if err != nil {
					b.Fatal(err)
				}
				n.Bind(store.as(strconv.Itoa(i)), counting{wants: heard})
				go func() { ended <- n.Run(ctx) }()
				all = append(all, n)
			}
			defer func() {
				cancel()
				for range nodes {
					<-ended
				}
			}()
			list := make([]*orders.Order, 1000)
			for i := range list {
				o := &orders.Order{
					ID: orders.NewID(time.Now()), Status: orders.Preparing, Restaurant: "res_1", Customer: "cus_1",
					Address: orders.Address{Line: "1 Long Street, behind the second door", Name: "Somebody"},
				}
				for k := range 5 {
					o.Items = append(o.Items, orders.Item{ItemID: strconv.Itoa(k), Name: "a dish with a long name", Quantity: 1, UnitPrice: 1800})
				}
				for k := range 8 {
					o.Timeline = append(o.Timeline, orders.TimelineEntry{Seq: int64(k), Type: orders.OrderPreparing})
				}
				list[i] = o
			}
			envelope := []byte(strings.Repeat("x", 480))
			events := 0
			publish := func() {
				o := list[events%len(list)]
				next := *o
				next.Seq++
				list[events%len(list)] = &next
				e := orders.Event{OrderID: o.ID, Seq: next.Seq, Type: orders.OrderPreparing, Envelope: envelope}
				all[0].PublishGroup(orders.Group{Orders: []orders.Committed{{Order: &next, Events: []orders.Event{e}}}})
				events++
			}
			for begun := 0; begun < nodes; { // until every node hears
				publish()
				begun = 0
				for t := time.After(50 * time.Millisecond); begun < nodes; begun++ {
					select {
					case <-heard:
						continue
					case <-t:
					}
					break
				}
			}
			for len(heard) > 0 {
				<-heard
			}
			before := cpu(b, server.Client())
			b.ResetTimer()
			for range b.N {
				for all[0].Waiting() > 8 { // about what a node of the design has on the way at its peak
					<-time.After(100 * time.Microsecond)
				}
				publish()
			}
			for range b.N * nodes {
				<-heard
			}
			b.StopTimer()
			b.ReportMetric((cpu(b, server.Client())-before)*1e6/float64(b.N), "redis-µs/event")
		})
	}
}

// cpu is the CPU that a Redis has used, in seconds.
func cpu(b *testing.B, c *redis.Client) (seconds float64) {
	info, err := c.Info(context.Background(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(info) {
		if name, v, _ := strings.Cut(strings.TrimSpace(line), ":"); name == "used_cpu_sys" || name == "used_cpu_user" {
			s, _ := strconv.ParseFloat(v, 64)
			seconds += s
		}
	}
	return seconds
}
