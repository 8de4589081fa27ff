package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// load is the customers, merchants and couriers who take orders through their lives at a steady rate.
type load struct {
	people
	rest   *rest
	book   *book
	placed func(o order) // tells that an order is there

	think time.Duration // between two requests of one worker
	gate  sync.RWMutex  // held for reading during a request, so that pause waits for those under way
	name  string        // of the world: part of every Idempotency-Key
}

// pause stops the load between requests and returns when nothing is under way.
func (l *load) pause() { l.gate.Lock() }

// resume lets it go on.
func (l *load) resume() { l.gate.Unlock() }

// run runs workers until ctx ends.
func (l *load) run(ctx context.Context, workers int) {
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				l.life(ctx, i, fmt.Sprintf("%s-%d-%d", l.name, w, i))
			}
		})
	}
	all.Wait()
}

// slower is how much longer some take between two requests.
const slower = 5

// step is one request about an order.
type step struct {
	name, method, token string
	body                any
	courier             string // whom it assigns
}

// life is one order's. note is its Idempotency-Key and the note on its line.
func (l *load) life(ctx context.Context, i int, note string) {
	pick := func(p []person) person { return p[rand.IntN(len(p))] }
	customer, merchant, courier := pick(l.customers), pick(l.merchants), pick(l.couriers)
	cash := rand.IntN(4) == 0
	path, ok := l.place(ctx, customer, merchant, cash, note)
	if !ok {
		return
	}
	pay := step{name: "pay", token: l.payment.token, body: js{"amount": 3000, "transactionId": "tx_" + note}}
	delay := func(n int) step {
		return step{name: "delay", token: merchant.token, body: js{"prepMinutes": n}}
	}
	way := []step{
		{name: "confirm", token: merchant.token, body: js{"prepMinutes": 10}},
		delay(20 + rand.IntN(20)),
		{name: "prepare", token: merchant.token, body: js{}},
		{name: "courier", method: "PUT", token: l.ops.token, body: js{"courierId": courier.id, "name": "Wang"}, courier: courier.id},
		{name: "ready", token: merchant.token, body: js{}},
		{name: "pickup", token: courier.token, body: js{}},
		{name: "deliver", token: courier.token, body: js{}},
	}
	if !cash {
		way = append([]step{pay}, way...)
	}
	switch i % 8 {
	case 3: // its clock runs out: the payment's, or the merchant's where it is cash
		way = nil
	case 5: // the merchant never answers
		way = way[:len(way)-7]
	case 6: // the customer thinks better of it
		way = append(way[:len(way)-7], step{name: "cancel", token: customer.token, body: js{"reason": "CUSTOMER_CANCELLED"}})
	}
	for _, s := range way {
		if i%8 == 7 { // a slow kitchen: its orders live through most faults
			l.rest.pace(ctx, slower*l.think)
		}
		if !l.take(ctx, path, note, s) {
			return
		}
	}
}

// place places an order and returns its path.
func (l *load) place(ctx context.Context, customer, merchant person, cash bool, note string) (path string, ok bool) {
	method := "WECHAT"
	if cash {
		method = "CASH"
	}
	wish := js{
		"restaurantId": merchant.id, "paymentMethod": method,
		"items":   []js{{"itemId": "rice", "name": "Rice", "unitPrice": 1500, "quantity": 2, "note": note}},
		"address": js{"line": "1 Century Ave", "lat": 31.24, "lon": 121.48},
	}
	defer l.rest.pace(ctx, l.think)
	l.gate.RLock()
	defer l.gate.RUnlock()
	a, err := l.rest.do(ctx, "POST", "/v1/orders", customer.token, wish, "Idempotency-Key", note)
	if err != nil {
		l.lost(ctx, err)
		return "", false
	}
	if a.code != 201 {
		l.book.unanswered(fmt.Errorf("placing %s was answered %v", note, a))
		return "", false
	}
	o, err := l.book.heard(note, "", a)
	if err != nil {
		l.book.unanswered(err)
		return "", false
	}
	l.placed(o)
	return "/v1/orders/" + o.OrderID, true
}

// take sends one request about an order and reports whether the order goes on.
func (l *load) take(ctx context.Context, path, note string, s step) bool {
	if s.method == "" {
		s.method = "POST"
	}
	defer l.rest.pace(ctx, l.think)
	l.gate.RLock()
	defer l.gate.RUnlock()
	a, err := l.rest.do(ctx, s.method, path+"/"+s.name, s.token, s.body)
	if err != nil {
		l.lost(ctx, err)
		return false
	}
	if a.code/100 != 2 {
		l.book.refuse(path[len("/v1/orders/"):], s.name, a)
		return false
	}
	if _, err := l.book.heard(note, s.courier, a); err != nil {
		l.book.unanswered(err)
		return false
	}
	return true
}

// lost notes a request without an answer, unless the world ends.
func (l *load) lost(ctx context.Context, err error) {
	if ctx.Err() == nil {
		l.book.unanswered(err)
	}
}

// pace is the time in which a person does something else.
func (r *rest) pace(ctx context.Context, think time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(think/2 + rand.N(think)):
	}
}
