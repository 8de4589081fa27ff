package bus_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"doorbell/hub/bus"
	"doorbell/orders"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listener writes down what it is handed; it stalls until it may go on.
type listener struct {
	mu   sync.Mutex
	got  []string
	stop chan struct{} // nil: does not stall
}

func (l *listener) Publish(o *orders.Order, events []orders.Event) {
	if l.stop != nil {
		<-l.stop
	}
	l.mu.Lock()
	l.got = append(l.got, fmt.Sprint(o.ID, len(events)))
	l.mu.Unlock()
}

func run(ctx context.Context, l *bus.Local) (ended <-chan error) {
	c := make(chan error, 1)
	go func() { c <- l.Run(ctx) }()
	return c
}

// Every listener is handed everything, in order, and nobody who publishes waits for a listener.
func TestLocal(t *testing.T) {
	l := bus.NewLocal()
	slow, quick := &listener{stop: make(chan struct{})}, &listener{}
	l.Subscribe(slow)
	l.Subscribe(quick)
	ctx, cancel := context.WithCancel(t.Context())
	ended := run(ctx, l)
	var want []string
	for i := range 1000 {
		o := &orders.Order{ID: fmt.Sprint("ord_", i)}
		l.Publish(o, make([]orders.Event, i%3))
		want = append(want, fmt.Sprint(o.ID, i%3))
	}
	close(slow.stop)
	cancel() // what was handed in before is handed on
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !slices.Equal(slow.got, want) || !slices.Equal(quick.got, want) {
		t.Errorf("%d and %d of %d changes were handed on in order", len(slow.got), len(quick.got), len(want))
	}
}

// What is handed in before the end is handed on, however close they are.
func TestLocal_EndsWithAnEmptyQueue(t *testing.T) {
	for range 2000 {
		l := bus.NewLocal()
		all := &listener{}
		l.Subscribe(all)
		ctx, cancel := context.WithCancel(t.Context())
		ended := run(ctx, l)
		l.Publish(&orders.Order{ID: "ord_1"}, nil)
		cancel()
		<-ended
		if len(all.got) != 1 {
			t.Fatal("a change was left behind")
		}
	}
}

// Changes of one publisher keep their order among those of others.
func TestLocal_ManyPublishers(t *testing.T) {
	l := bus.NewLocal()
	all := &listener{}
	l.Subscribe(all)
	ctx, cancel := context.WithCancel(t.Context())
	ended := run(ctx, l)
	var wg sync.WaitGroup
	for p := range 8 {
		wg.Go(func() {
			for i := range 200 {
				l.Publish(&orders.Order{ID: fmt.Sprintf("%d %03d ", p, i)}, nil)
			}
		})
	}
	wg.Wait()
	cancel()
	<-ended
	next := map[byte]int{}
	for _, s := range all.got {
		if want := fmt.Sprintf("%c %03d 0", s[0], next[s[0]]); s != want {
			t.Fatalf("%q came, want %q", s, want)
		}
		next[s[0]]++
	}
	if len(all.got) != 1600 {
		t.Errorf("%d of 1600 came", len(all.got))
	}
}
