package web_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
)

// sights is who sees which optional field: c customer, m merchant, r the courier (rider), p payment provider, o ops,
// t the tracking link; on an order that runs, one that was delivered and one that failed. A dash is nobody.
var sights = []struct{ field, running, delivered, failed string }{
	{"address", "cmro", "co", "co"},
	{"address.line", "cmro", "co", "co"},
	{"address.name", "cmro", "co", "co"},
	{"address.phone", "cmro", "o", "o"},
	{"trackingUrl", "co", "co", "co"},
	{"pin", "co", "co", "co"},
	{"notificationUrl", "co", "co", "co"},
	{"deliver", "co", "co", "co"},
	{"delivery.courier.courierId", "cmrpot", "cmrpot", "cmrpot"},
	{"delivery.courier.name", "cmrpot", "cmrpot", "cmrpot"},
	{"delivery.courier.phone", "cmro", "o", "o"},
	{"items.0.note", "cmro", "cmo", "cmo"},
	{"cancellationRequest.status", "cmrpot", "cmrpot", "cmrpot"},
	{"cancellationRequest.note", "cmro", "cmo", "cmo"},
	{"payment.paidAt", "cmpo", "cmpo", "cmpo"},
	{"payment.captured", "cmpo", "cmpo", "cmpo"},
	{"payment.refundDue", "-", "-", "cmpo"},
	{"payment.refunded", "-", "cmpo", "-"},
	{"delivery.photoRef", "-", "cro", "-"},
	{"delivery.disposition", "-", "-", "cmrpot"},
	{"problems.0.type", "cmrpot", "cmrpot", "cmrpot"},
	{"problems.0.note", "mro", "mro", "mro"},
	{"reason", "-", "-", "cmrpot"},
	{"reasonNote", "-", "-", "cmo"},
	{"estimatedTime", "cmrpot", "-", "-"},
}

// roleNames explains the letters of sights.
var roleNames = map[rune]string{
	'c': "the customer", 'm': "the merchant", 'r': "the courier", 'p': "the payment provider", 'o': "ops", 't': "the tracking link",
}

// secrets are what orderWithSecrets puts into an order, and what no event may tell.
var secrets = []string{
	"1 Century Ave", "+8613800000000", "+8617000000000", "no egg", "https://shop.example/hook", "changed my mind",
	"dog bites", "door locked", "photo-17", "tx_1", "Bearer", "trk_", `"pin"`, `"lat"`,
}

func TestVisibility(t *testing.T) {
	n := start(t)
	c := newCast(t)
	n.restaurant(c, "res_1", func(b map[string]any) { b["proof"] = "PIN" })

	running := n.orderWithSecrets(c)
	delivered := n.orderWithSecrets(c)
	n.act(delivered+"/deliver", c.courier, map[string]any{"pin": n.get(delivered, c.customer).text("pin"), "photoRef": "photo-17"})
	n.act(delivered+"/refunds", c.ops, map[string]any{"amount": 700, "reason": "late"})
	failed := n.orderWithSecrets(c)
	n.act(failed+"/fail", c.ops, map[string]any{"reason": "DAMAGED", "note": "door locked"})

	for _, state := range []struct {
		name, path string
		seenBy     func(i int) string
	}{
		{"WhileItRuns", running, func(i int) string { return sights[i].running }},
		{"OnceItWasDelivered", delivered, func(i int) string { return sights[i].delivered }},
		{"OnceItFailed", failed, func(i int) string { return sights[i].failed }},
	} {
		n.sub(state.name, func(n *node) {
			for letter, name := range roleNames {
				o := n.seenBy(c, letter, state.path)
				for i, s := range sights {
					if sees, may := o.get(s.field) != nil, strings.ContainsRune(state.seenBy(i), letter); sees != may {
						n.t.Errorf("%s sees %s: %v, want %v", name, s.field, sees, may)
					}
				}
			}
		})
	}

	n.sub("AListShowsNoMoreThanTheOrder", func(n *node) {
		for letter, caller := range map[rune]string{'c': c.customer, 'm': c.merchant, 'r': c.courier, 'o': c.ops} {
			list := n.get("/v1/orders", caller).want(200)
			for i := range 3 {
				at := fmt.Sprintf("items.%d.", i)
				one := n.seenBy(c, letter, "/v1/orders/"+list.text(at+"orderId"))
				for _, s := range sights {
					if got, want := list.get(at+s.field), one.get(s.field); (got == nil) != (want == nil) {
						n.t.Errorf("%s: %s is %v in the list and %v in the order", roleNames[letter], s.field, got, want)
					}
				}
			}
		}
	})

	n.sub("EventsAreTheSameForAllAndHoldNoSecret", func(n *node) {
		for _, path := range []string{running, delivered, failed} {
			first := n.get(path+"/events", c.customer).want(200)
			for _, caller := range []string{c.merchant, c.courier, c.ops, n.link(path, c.customer)} {
				if other := n.get(path+"/events", caller).want(200); !slices.Equal(first.Raw, other.Raw) {
					n.t.Errorf("the history differs:\n%s\n%s", first.Raw, other.Raw)
				}
			}
			for _, s := range secrets {
				if strings.Contains(string(first.Raw), s) {
					n.t.Errorf("the history tells %q:\n%s", s, first.Raw)
				}
			}
		}
	})

	n.sub("TheKeyOfTheLinkIsInNoOtherField", func(n *node) {
		for letter := range roleNames {
			raw := string(n.seenBy(c, letter, running).Raw)
			if want := strings.Count(sights[4].running, string(letter)); strings.Count(raw, orders.TrackPrefix) != want || strings.Contains(raw, "rackKey") {
				n.t.Errorf("%s is told the link %d times: %s", roleNames[letter], strings.Count(raw, orders.TrackPrefix), raw)
			}
		}
	})
}

// orderWithSecrets is on its way to the customer, with every optional field that a running order can have.
func (n *node) orderWithSecrets(c cast) string {
	n.t.Helper()
	path := n.order(c, "confirmed", fields("notificationUrl", "https://shop.example/hook", "deliver", "always"))
	n.now.pass(2 * time.Minute)
	n.post(path+"/cancel", c.customer, map[string]any{"reason": "OTHER", "note": "changed my mind"}).want(202)
	n.act(path+"/cancellation/deny", c.merchant, nil)
	n.put(path+"/courier", c.ops, map[string]any{"courierId": "cou_1", "name": "Wang", "vehicle": "bike", "phone": "+8617000000000"}).want(200)
	n.act(path+"/pickup", c.courier, map[string]any{"code": "17"})
	n.act(path+"/problem", c.courier, map[string]any{"type": "TRAFFIC", "note": "dog bites"})
	return path
}

// seenBy is the order as this role is shown it. The payment provider may not read, but is answered with an order when
// it repeats its payment.
func (n *node) seenBy(c cast, letter rune, path string) reply {
	n.t.Helper()
	switch letter {
	case 'p':
		return n.act(path+"/pay", c.payment, map[string]any{"amount": 5000, "transactionId": "tx_1"})
	case 't':
		return n.get(path, n.link(path, c.customer)).want(200)
	}
	return n.get(path, map[rune]string{'c': c.customer, 'm': c.merchant, 'r': c.courier, 'o': c.ops}[letter]).want(200)
}
