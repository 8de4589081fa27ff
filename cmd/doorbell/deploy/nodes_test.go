package deploy

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"doorbell/orders"
)

// pace is how long a worker of load waits between requests: an order takes some hundred changes, and is to last.
const pace = 15 * time.Millisecond

// load sends requests through the gateway, changes and reads in turn, until stop is called, which says how many were
// answered as they should be, and in words what was not.
func (in *installation) load(p people, workers int, ids ...string) (stop func() (good int64, bad []string)) {
	var (
		good atomic.Int64
		mu   sync.Mutex
		bad  []string
		all  sync.WaitGroup
		end  = make(chan struct{})
	)
	for w := range workers {
		all.Go(func() {
			for i := w; ; i++ {
				select {
				case <-end:
					return
				case <-time.After(pace):
				}
				var a answer
				var err error
				what := ""
				switch id := ids[i%len(ids)]; i % 4 {
				case 0:
					what = "POST delay"
					a, err = in.try(in.http, "POST", in.gate.secure+"/v1/orders/"+id+"/delay", p.merchant, fmt.Sprintf(`{"prepMinutes":%d}`, 1+i%400))
				case 1:
					what = "POST order"
					a, err = in.try(in.http, "POST", in.gate.secure+"/v1/orders", p.customer, orderBody)
				case 2:
					what = "GET order"
					a, err = in.try(in.http, "GET", in.gate.secure+"/v1/orders/"+id, p.ops, "")
				default:
					what = "GET orders"
					a, err = in.try(in.http, "GET", in.gate.secure+"/v1/orders?limit=2", p.ops, "")
				}
				if err == nil && a.code/100 == 2 {
					good.Add(1)
					continue
				}
				mu.Lock()
				bad = append(bad, fmt.Sprintf("%s: %d %.200s %v", what, a.code, a.body, err))
				mu.Unlock()
			}
		})
	}
	return sync.OnceValues(func() (int64, []string) {
		close(end)
		all.Wait()
		return good.Load(), bad
	})
}

// noneFailed ends a load and fails the test unless all of it went well.
func noneFailed(t *testing.T, atLeast int64, stop func() (int64, []string)) {
	t.Helper()
	good, bad := stop()
	t.Logf("%d requests", good+int64(len(bad)))
	for _, b := range bad[:min(len(bad), 10)] {
		t.Error(b)
	}
	if len(bad) > 0 || good < atLeast {
		t.Errorf("%d requests failed, %d went well", len(bad), good)
	}
}

// TestNodesComeAndGoWithoutARestart lets nodes join and leave behind one running gateway, under load.
func TestNodesComeAndGoWithoutARestart(t *testing.T) {
	t.Parallel()
	in := install(t, 1, 1, "--drain", "5s")
	who := in.open()
	ids := []string{in.place(who), in.place(who)}
	first, firstHub := in.nodes[0], in.nodes[1]
	gatewayBefore := in.gate.cmd.Process.Pid

	stop := in.load(who, 6, ids...)
	second, secondHub := in.join("api"), in.join("hub")
	in.gate.has(2, 2)
	eventually(t, func() (bool, string) { return second.requests() > 20, "the node that joined gets no work" })
	first.leave()
	firstHub.leave()
	in.gate.has(1, 1)
	before := second.requests()
	eventually(t, func() (bool, string) { return second.requests() > before+50, "the node that is left gets no work" })
	noneFailed(t, 100, stop)

	// A node that is killed is named by DNS for some time: who is led there is led on.
	third := in.join("api")
	in.gate.has(2, 1)
	third.signal(syscall.SIGKILL)
	<-third.exited
	stop = in.load(who, 6, ids...)
	eventually(t, func() (bool, string) {
		return in.gate.active("api") == 1, "the gateway still gives work to a node that was killed"
	})
	noneFailed(t, 1, stop)
	in.dns.remove("api", third.addr)

	// Nobody is left: a problem that says to come back, and green again once there is one.
	second.leave()
	secondHub.leave()
	in.gate.has(0, 0)
	a, err := in.try(in.http, "GET", in.gate.secure+"/v1/orders/"+ids[0], who.ops, "")
	if err != nil {
		t.Fatal(err)
	}
	isProblem(t, a, 503, orders.Unavailable)
	if a.header.Get("Retry-After") == "" {
		t.Error("it does not say when to come back")
	}
	if code, _ := rawGet(t, in.gate.clear, "/readyz"); code != 503 {
		t.Errorf("without an api node the gateway's /readyz says %d", code)
	}
	in.join("api")
	in.gate.has(1, 0)
	in.do(200, "GET", "/v1/orders/"+ids[0], who.ops, "")
	if code, _ := rawGet(t, in.gate.clear, "/readyz"); code != 200 {
		t.Errorf("with an api node the gateway's /readyz says %d", code)
	}
	if !in.gate.running() || in.gate.cmd.Process.Pid != gatewayBefore {
		t.Error("the gateway is another")
	}
}
