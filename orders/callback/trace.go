package callback

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"
)

// trace takes the times of one try. Its hooks come from the transport's goroutines too, and may come when the try is
// over: a connection that was dialled for it is finished for the next.
type trace struct {
	mu    sync.Mutex // guards the following
	begun time.Time
	reach Stage // how far it came
	conn  bool  // it has a connection
	reuse bool
	first time.Time // the answer began
	wrote time.Time
	sent  time.Time // the request's last byte
	mark  [3]time.Time
	t     Timings
}

const (
	markDNS = iota
	markConnect
	markTLS
)

func newTrace() *trace { return &trace{begun: time.Now(), reach: StageConnect} }

// at runs f under the lock.
func (t *trace) at(f func(now time.Time)) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	f(now)
}

// begin and end measure one part of the way to a connection, of which the last counts where there are several.
func (t *trace) begin(m int, s Stage) {
	t.at(func(now time.Time) {
		t.mark[m] = now
		if !t.conn {
			t.reach = s
		}
	})
}

func (t *trace) end(m int, d *time.Duration) {
	t.at(func(now time.Time) { *d = now.Sub(t.mark[m]) })
}

func (t *trace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { t.begin(markDNS, StageDNS) },
		DNSDone:           func(httptrace.DNSDoneInfo) { t.end(markDNS, &t.t.DNS) },
		ConnectStart:      func(string, string) { t.begin(markConnect, StageConnect) },
		ConnectDone:       func(string, string, error) { t.end(markConnect, &t.t.Connect) },
		TLSHandshakeStart: func() { t.begin(markTLS, StageTLS) },
		TLSHandshakeDone:  func(tls.ConnectionState, error) { t.end(markTLS, &t.t.TLS) },
		GotConn: func(i httptrace.GotConnInfo) {
			t.at(func(time.Time) { t.conn, t.reuse, t.reach = true, i.Reused, StageWrite })
		},
		WroteHeaders: func() { t.at(func(now time.Time) { t.wrote = now }) },
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			if i.Err == nil {
				t.at(func(now time.Time) { t.sent, t.reach = now, StageFirstByte })
			}
		},
		GotFirstResponseByte: func() { t.at(func(now time.Time) { t.first = now }) },
	}
}

// into writes what was measured.
func (t *trace) into(a *Answer) {
	t.at(func(now time.Time) {
		a.Timings, a.Wrote, a.Reused = t.t, t.wrote, t.reuse
		if t.reuse { // what was dialled meanwhile was not for this try
			a.Timings.DNS, a.Timings.Connect, a.Timings.TLS = 0, 0, 0
		}
		if sent := t.sent; !t.first.IsZero() {
			if sent.IsZero() || sent.After(t.first) { // the hooks of a quick answer pass each other
				sent = t.wrote
			}
			a.Timings.FirstByte = t.first.Sub(sent)
		}
		a.Timings.Total = now.Sub(t.begun)
	})
}

// stage is how far the try came, and whether an answer had begun.
func (t *trace) stage() (reach Stage, answered bool) {
	t.at(func(time.Time) { reach, answered = t.reach, !t.first.IsZero() })
	if answered { // some answer before they were asked
		reach = StageFirstByte
	}
	return reach, answered
}
