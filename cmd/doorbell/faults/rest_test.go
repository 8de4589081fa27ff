package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"doorbell/orders"
)

// rest is the part of all clients that speaks REST, as a careful client does: a node that does not answer, or answers
// that it cannot, is left for another, and the same request is sent again, which the API makes safe.
type rest struct {
	balancer *balancer
	client   *http.Client
	asked    atomic.Int64 // attempts that are over
	answered atomic.Int64 // of them, with anything below 500
}

// How long a client waits.
const (
	attemptTimeout = 4 * time.Second
	retryFor       = 60 * time.Second // longer than any fault
	retryPause     = 150 * time.Millisecond
)

func newREST(b *balancer) *rest {
	return &rest{balancer: b, client: &http.Client{Timeout: attemptTimeout, Transport: &http.Transport{
		MaxIdleConnsPerHost: 16, IdleConnTimeout: 10 * time.Second,
		DialContext: (&net.Dialer{Timeout: time.Second}).DialContext,
	}}}
}

type js = map[string]any

// answer is what a node said.
type answer struct {
	code   int
	header http.Header
	raw    []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.code, a.raw) }

// order is an order as ops see it, as far as the suite looks at it.
type order struct {
	OrderID, RestaurantID, CustomerID string
	Status                            orders.Status
	Seq                               int64
	Items                             []struct{ Note string }
	Payment                           struct {
		Status orders.PaymentStatus
		PayBy  time.Time
	}
	AcceptBy time.Time
	Delivery struct {
		Courier struct{ CourierID string }
	}
	Timeline []event
}

// event is one event of an order, of its timeline or its history.
type event struct {
	Seq        int64
	EventType  orders.EventType
	At         time.Time // in a timeline
	OccurredAt time.Time // in a history
	Actor      struct{ Role orders.Role }
}

// do sends a request until somebody answers it; the error is that of the last attempt when nobody did in time.
func (r *rest) do(ctx context.Context, method, path, token string, body any, headers ...string) (a answer, err error) {
	for end := time.Now().Add(retryFor); ; {
		a, err = r.try(ctx, method, path, token, body, headers...)
		if ctx.Err() == nil {
			r.asked.Add(1)
		}
		if err == nil && a.code < 500 {
			r.answered.Add(1)
			if a.code != http.StatusTooManyRequests && !stillRunning(a) {
				return a, nil
			}
		}
		if ctx.Err() != nil || time.Now().After(end) {
			return a, fmt.Errorf("%s %s: %v %w", method, path, a, errOr(err, context.DeadlineExceeded))
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryPause/2 + rand.N(retryPause)):
		}
	}
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// stillRunning reports whether an answer says that the first attempt under this Idempotency-Key is not over.
func stillRunning(a answer) bool {
	var p struct{ Code string }
	return a.code == http.StatusConflict && json.Unmarshal(a.raw, &p) == nil && p.Code == orders.CodeKeyRunning
}

// try sends a request once to some api node.
func (r *rest) try(ctx context.Context, method, path, token string, body any, headers ...string) (answer, error) {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.balancer.pick("api").at()+path, payload)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, raw}, err
}
