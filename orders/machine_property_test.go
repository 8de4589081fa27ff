package orders_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"doorbell/orders"

	"pgregory.net/rapid"
)

// TestMachineKeepsItsPromises sends random commands, sensible and not, from random people at random times, and checks
// after each what must hold whatever happened.
func TestMachineKeepsItsPromises(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(rt)
		for range 10 + dice(rt, 60, "steps") {
			m.step(rt)
			if m.o.Status.Final() && dice(rt, 8, "enough") == 0 {
				break
			}
		}
		for what, n := range m.seen {
			seen[what] += n
		}
	})
	for _, typ := range orders.EventTypes {
		if seen[string(typ)] == 0 {
			t.Logf("no run told %s", typ)
		}
	}
	t.Logf("seen: %v", seen)
}

// model is what a careful observer remembers of an order.
type model struct {
	o     orders.Order
	now   time.Time
	txs   map[string]bool // transaction ids that were taken
	shown bool            // the merchant has seen it
	seen  map[string]int
}

// sentinels must not be in any envelope.
var sentinels = [][]byte{
	[]byte("line-of-address"), []byte("name-of-customer"), []byte("phone-of-customer"), []byte("phone-of-courier"), []byte("pin-of-order"),
	[]byte("note-of"), []byte("code-of-pickup"), []byte("photo-of-door"), []byte("sub-"), []byte("tx-of"), []byte("https://callback"),
	[]byte("client-of-order"), []byte("31.231"), []byte("121.475"), []byte(base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))),
}

var itemIDs = []string{"rice", "soup", "tea", "bun"}

func newModel(t *rapid.T) *model {
	c := order6000()
	c.Items = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) orders.Item {
		id := rapid.SampledFrom(itemIDs).Draw(t, "item")
		return orders.Item{ItemID: id, Name: id, Quantity: rapid.IntRange(1, 4).Draw(t, "quantity"), UnitPrice: rapid.Int64Range(0, 3000).Draw(t, "price"), Note: "note-of-line"}
	}), 1, 4).Draw(t, "items")
	c.Items[0].UnitPrice++
	c.Method = rapid.SampledFrom([]orders.PaymentMethod{orders.WeChat, orders.Alipay, orders.Cash}).Draw(t, "method")
	c.SoldOutPolicy = rapid.SampledFrom([]orders.SoldOutPolicy{"", orders.PolicyAsk, orders.PolicyRemove, orders.PolicySubstitute, orders.PolicyCancel}).Draw(t, "soldOutPolicy")
	c.Restaurant.Proof = rapid.SampledFrom([]orders.Proof{"", orders.ProofNone, orders.ProofPIN, orders.ProofPhoto}).Draw(t, "proof")
	c.Restaurant.AutoAccept = rapid.IntRange(0, 4).Draw(t, "autoAccept") == 0
	c.Restaurant.PrepMinutes = rapid.SampledFrom([]int{0, 1, 20, 480}).Draw(t, "prepMinutes")
	c.Client, c.NotificationURL = "client-of-order", "https://callback.example"
	m := &model{now: t0, txs: map[string]bool{}, seen: map[string]int{}}
	m.apply(t, customer, c)
	if m.o.Seq == 0 {
		t.Fatalf("no order")
	}
	return m
}

// step draws the next command and applies it: two times in three one that somebody may send now, else any from anybody.
func (m *model) step(t *rapid.T) {
	m.clock(t)
	if dice(t, 3, "sensible") > 0 {
		by, c := m.sensible(t)
		m.apply(t, by, c)
		return
	}
	m.apply(t, everybody[dice(t, len(everybody), "by")], m.draw(t))
}

// sensible draws from what people may do now. What ends the order is rare, so that most orders live to see something.
func (m *model) sensible(t *rapid.T) (orders.Actor, orders.Command) {
	type wish struct {
		by orders.Actor
		c  orders.Command
	}
	var wishes []wish
	for _, by := range everybody {
		for _, s := range pol.AllowedActions(&m.o, by, m.now) {
			n := 16
			switch s {
			case "cancel", "reject", "cancellation/approve":
				n = 1
			case "fail", "deliver", "problem":
				n = 6
			case "refunds":
				n = 2
			}
			for _, c := range meant(&m.o, by, s) {
				switch x := c.(type) {
				case orders.Assign:
					x.Courier = courier
					c = x
				case orders.Pay:
					x.TransactionID = "tx-of-sensible"
					c = x
				case orders.ReportProblem:
					x.Type = orders.ContactAttempt
					c = x
				case orders.Unassign:
					n = 1
				}
				wishes = append(wishes, slices.Repeat([]wish{{by, c}}, n)...)
			}
		}
	}
	for _, s := range []orders.Command{orders.Nearby{}, orders.Arrive{}} {
		if m.o.Delivery.Courier != nil && !m.o.Status.Final() {
			wishes = append(wishes, slices.Repeat([]wish{{system, s}}, 8)...)
		}
	}
	wishes = append(wishes, wish{payer, orders.Pay{Amount: 100, TransactionID: "tx-of-late"}}, wish{system, orders.Tick{}})
	w := wishes[dice(t, len(wishes), "wish")]
	return w.by, w.c
}

// laterOf is the order's clock: it never runs backwards.
func laterOf(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// dice draws from 0 to n-1, each as likely; rapid's own ranges prefer small numbers.
func dice(t *rapid.T, n int, label string) int {
	return rapid.Custom(func(t *rapid.T) int {
		v := 0
		for range 12 {
			v = v<<1 | one[rapid.Bool().Draw(t, "bit")]
		}
		return v % n
	}).Draw(t, label)
}

var one = map[bool]int{true: 1}

// clock moves: mostly on, sometimes back, sometimes to exactly when something is due, sometimes very far.
func (m *model) clock(t *rapid.T) {
	switch k := dice(t, 40, "clock"); {
	case k < 33:
		m.now = m.now.Add(rapid.SampledFrom([]time.Duration{0, us, time.Second, 20 * time.Second, time.Minute, 3 * time.Minute}).Draw(t, "by"))
	case k < 34:
		m.now = m.now.Add(rapid.SampledFrom([]time.Duration{5 * time.Minute, 8 * time.Minute, 16 * time.Minute, 40 * time.Minute}).Draw(t, "by"))
	case k < 36:
		m.now = m.now.Add(-rapid.SampledFrom([]time.Duration{us, time.Minute, time.Hour, 50 * time.Hour}).Draw(t, "back"))
	case k < 37:
		if d := m.o.Due(); !d.IsZero() {
			m.now = d.Add([]time.Duration{-us, 0, us}[dice(t, 3, "around")])
			m.apply(t, system, orders.Tick{})
		}
	case k == 38:
		m.now = m.now.Add(rapid.SampledFrom([]time.Duration{25 * time.Hour, 10_000 * time.Hour, 200_000 * time.Hour}).Draw(t, "jump"))
	case k == 39:
		m.apply(t, system, orders.Tick{})
	}
}

func drawCourier(t *rapid.T) orders.Courier {
	id := rapid.SampledFrom([]string{rider.ID, rider2.ID}).Draw(t, "courier")
	return orders.Courier{ID: id, Name: "Li", Vehicle: "BIKE", Phone: "phone-of-courier"}
}

// draw makes any command with any contents.
func (m *model) draw(t *rapid.T) orders.Command {
	amount := rapid.OneOf(rapid.Just(m.o.Total), rapid.Just(m.o.Payment.RefundDue), rapid.Int64Range(-5, 20_000), rapid.Int64())
	prep := rapid.OneOf(rapid.IntRange(1, 60), rapid.IntRange(-1, 600))
	reason := rapid.SampledFrom([]orders.Reason{
		"", "NONSENSE", orders.PaymentTimeout, orders.CustomerCancelled, orders.Duplicate, orders.StoreBusy, orders.ItemSoldOut, orders.Fraud,
		orders.NoCourier, orders.OtherReason, orders.CustomerUnreachable, orders.Damaged,
	})
	n := rapid.IntRange(-1, 4)
	item := rapid.SampledFrom(append(slices.Clone(itemIDs), "nope", ""))
	note := "note-of-command"
	switch dice(t, 24, "command") {
	case 0:
		c := order6000()
		c.ID = m.o.ID
		return c
	case 1:
		return orders.Pay{Amount: amount.Draw(t, "amount"), Currency: rapid.SampledFrom([]string{"", "CNY", "USD"}).Draw(t, "currency"),
			TransactionID: "tx-of-" + rapid.StringN(1, 1, 1).Draw(t, "tx")}
	case 2:
		return orders.RefundMade{Amount: amount.Draw(t, "amount"), Reason: "GOODWILL"}
	case 3:
		return orders.Confirm{PrepMinutes: prep.Draw(t, "prep")}
	case 4:
		return orders.Reject{Reason: reason.Draw(t, "reason"), OutOfStock: []string{"soup"}, Note: note}
	case 5:
		return orders.Prepare{}
	case 6:
		return orders.Delay{PrepMinutes: prep.Draw(t, "prep")}
	case 7:
		return orders.Ready{}
	case 8:
		a := orders.Amend{ItemID: item.Draw(t, "item"), Quantity: rapid.IntRange(-1, 5).Draw(t, "quantity"),
			Change: rapid.SampledFrom([]orders.Change{orders.ChangeRemove, orders.ChangeReduce, orders.ChangeSubstitute, "NONSENSE"}).Draw(t, "change")}
		if rapid.Bool().Draw(t, "substitute") {
			a.Substitute = &orders.Substitute{ItemID: item.Draw(t, "substituteItem"), Name: "Other", UnitPrice: rapid.Int64Range(-1, 5000).Draw(t, "price")}
		}
		return a
	case 9:
		return orders.AcceptAmendment{N: n.Draw(t, "n")}
	case 10:
		return orders.RejectAmendment{N: n.Draw(t, "n"), CancelOrder: rapid.IntRange(0, 3).Draw(t, "cancelOrder") == 0}
	case 11:
		return orders.Cancel{Reason: reason.Draw(t, "reason"), Note: note}
	case 12:
		return orders.ApproveCancellation{}
	case 13:
		return orders.DenyCancellation{}
	case 14:
		return orders.Assign{Courier: drawCourier(t)}
	case 15:
		return orders.Unassign{}
	case 16:
		return orders.Arrive{Stop: rapid.SampledFrom([]orders.Stop{"", orders.StopMerchant, orders.StopCustomer}).Draw(t, "stop")}
	case 17:
		return orders.Nearby{Stop: rapid.SampledFrom([]orders.Stop{"", orders.StopMerchant, orders.StopCustomer}).Draw(t, "stop")}
	case 18:
		return orders.Pickup{Code: "code-of-pickup"}
	case 19:
		return orders.Hand{PIN: rapid.SampledFrom([]string{"", "0000", "pin-of-order"}).Draw(t, "pin"), PhotoRef: rapid.SampledFrom([]string{"", "photo-of-door"}).Draw(t, "photo")}
	case 20:
		return orders.ReportProblem{Type: rapid.SampledFrom([]string{orders.ContactAttempt, "TRAFFIC"}).Draw(t, "type"), Note: "note-of-problem"}
	case 21:
		return orders.Fail{Reason: reason.Draw(t, "reason"), Disposition: rapid.SampledFrom([]orders.Disposition{"", orders.DispositionReturn, orders.DispositionDispose}).Draw(t, "disposition"), Note: note}
	case 22:
		return orders.ReturnMade{}
	}
	return orders.Tick{}
}

// apply applies a command and checks everything.
func (m *model) apply(t *rapid.T, by orders.Actor, c orders.Command) {
	was := m.o
	before := asJSON(t, was)
	listed := pol.AllowedActions(&was, by, laterOf(m.now, was.UpdatedAt))
	is, evs, err := foretelling.Apply(was, c, by, m.now)

	if asJSON(t, was) != before || asJSON(t, m.o) != before {
		t.Fatalf("%s changed the order it was given:\n%s\n%s", c.Action(), before, asJSON(t, was))
	}
	// The store keeps the JSON: from there the same must follow.
	var stored orders.Order
	if err := json.Unmarshal([]byte(before), &stored); err != nil {
		t.Fatal(err)
	}
	again, evs2, err2 := foretelling.Apply(stored, c, by, m.now)
	if asJSON(t, again) != asJSON(t, is) || len(evs2) != len(evs) || (err == nil) != (err2 == nil) {
		t.Fatalf("a stored order goes another way:\n%s\n%s", asJSON(t, is), asJSON(t, again))
	}
	for i := range evs {
		if !bytes.Equal(evs[i].Envelope, evs2[i].Envelope) {
			t.Fatalf("a stored order tells another story:\n%s\n%s", evs[i].Envelope, evs2[i].Envelope)
		}
	}
	// Two ways from one order share nothing: the loser of a compare-and-set must not write into the winner.
	kept := asJSON(t, is)
	_, _, _ = pol.Apply(was, orders.Pay{Amount: was.Total, TransactionID: "tx-of-fork"}, payer, m.now)
	_, _, _ = pol.Apply(was, orders.ReportProblem{Type: "FORK"}, ops, m.now)
	_, _, _ = pol.Apply(was, orders.RefundMade{Amount: 1, Reason: "FORK"}, ops, m.now)
	if asJSON(t, is) != kept {
		t.Fatalf("another way from the same order changed this one:\n%s\n%s", kept, asJSON(t, is))
	}
	m.permitted(t, by, c, err)
	if err != nil {
		m.refused(t, by, c, was, is, evs, err)
	} else {
		m.happened(t, by, c, was, is, evs)
	}
	if by.Role != orders.RoleSystem && was.Seq > 0 {
		truthful(t, &was, by, m.now, listed)
	}
	m.o = is
	m.holds(t)
}

func (m *model) permitted(t *rapid.T, by orders.Actor, c orders.Command, err error) {
	if mayEver(&m.o, by, c.Action()) == (orders.KindOf(err) == orders.Forbidden) {
		t.Fatalf("%s by %s %s: %v", c.Action(), by.Role, by.ID, err)
	}
}

// refused: an error changes nothing, but the count of wrong PINs.
func (m *model) refused(t *rapid.T, by orders.Actor, c orders.Command, was, is orders.Order, evs []orders.Event, err error) {
	var e *orders.Error
	if !as(err, &e) || e.Text == "" {
		t.Fatalf("%s: an error that is not the domain's: %v", c.Action(), err)
	}
	m.seen["error "+string(e.Kind)+" "+e.Code]++
	if e.Kind == orders.Conflict && (e.Code != orders.CodeInvalidTransition || e.CurrentStatus != was.Status || e.Action != c.Action() || e.AllowedActions == nil) {
		t.Fatalf("%s refused as %+v", c.Action(), e)
	}
	if !slices.Contains([]orders.Kind{orders.Conflict, orders.Forbidden, orders.Unprocessable, orders.NotFound}, e.Kind) {
		t.Fatalf("%s: kind %s", c.Action(), e.Kind)
	}
	if e.Code == orders.CodeWrongPIN {
		was.WrongPINs++
		if was.WrongPINs > orders.MaxPINTries {
			t.Fatalf("%d wrong PINs", was.WrongPINs)
		}
	}
	if len(evs) > 0 || asJSON(t, was) != asJSON(t, is) {
		t.Fatalf("%s by %s was refused (%v) but changed the order:\n%s\n%s", c.Action(), by.Role, err, asJSON(t, was), asJSON(t, is))
	}
}

// happened compares the order before and after a command that was taken.
func (m *model) happened(t *rapid.T, by orders.Actor, c orders.Command, was, is orders.Order, evs []orders.Event) {
	fail := func(what string) {
		t.Helper()
		t.Fatalf("%s (%s by %s):\n%s\n%s", what, c.Action(), by.Role, asJSON(t, was), asJSON(t, is))
	}
	if len(evs) == 0 && asJSON(t, was) != asJSON(t, is) {
		fail("changed without an event")
	}
	now := laterOf(m.now, was.UpdatedAt)
	epochs := int64(0)
	for i, e := range evs {
		m.seen[string(e.Type)]++
		if e.Seq != was.Seq+int64(i)+1 || e.OrderID != is.ID || !e.OccurredAt.Equal(now) || !e.RecordedAt.Equal(now) || !slices.Contains(orders.EventTypes, e.Type) {
			fail("event out of line")
		}
		if l := is.Timeline[len(was.Timeline)+i]; l.Seq != e.Seq || l.Type != e.Type || !l.At.Equal(now) || l.Role != e.Actor.Role {
			fail("the timeline tells another story")
		}
		if e.Type == orders.CourierAssigned || e.Type == orders.CourierUnassigned {
			epochs++
		}
		m.envelope(t, e, is, i == len(evs)-1)
	}
	m.seen["status "+string(is.Status)]++
	switch {
	case is.Seq != was.Seq+int64(len(evs)) || len(is.Timeline) != len(was.Timeline)+len(evs):
		fail("seq does not count the events")
	case !slices.Equal(is.Timeline[:len(was.Timeline)], was.Timeline):
		fail("the past changed")
	case len(evs) > 0 && !is.UpdatedAt.Equal(now) || is.UpdatedAt.Before(was.UpdatedAt):
		fail("the time is wrong")
	case was.Status.Final() && (is.Status != was.Status || is.Reason != was.Reason || !is.EndedAt.Equal(was.EndedAt) || is.EndAction != was.EndAction):
		fail("an ended order rose")
	case was.Seq > 0 && is.Delivery.Epoch != was.Delivery.Epoch+epochs:
		fail("the epoch does not count the couriers")
	case was.Seq > 0 && epochs == 0 && !reflect.DeepEqual(was.Delivery.Courier, is.Delivery.Courier):
		fail("another courier without a word")
	case len(is.Problems) < len(was.Problems) || !slices.Equal(is.Problems[:len(was.Problems)], was.Problems):
		fail("a problem was replaced")
	case len(is.Payment.In) < len(was.Payment.In) || !slices.Equal(is.Payment.In[:len(was.Payment.In)], was.Payment.In):
		fail("a payment was replaced")
	case len(is.Payment.Out) < len(was.Payment.Out) || !slices.Equal(is.Payment.Out[:len(was.Payment.Out)], was.Payment.Out):
		fail("a refund was replaced")
	case was.Seq > 0 && (is.ID != was.ID || is.Customer != was.Customer || is.Restaurant != was.Restaurant || is.Method != was.Method || is.Address != was.Address || is.PIN != was.PIN):
		fail("what never changes changed")
	}
	if p, ok := c.(orders.Pay); ok {
		m.paid(p, was, is, evs, fail)
	}
	m.repeated(t, by, c, was, is, fail)
}

// paid: each transaction counts once; what is not wanted is owed back.
func (m *model) paid(p orders.Pay, was, is orders.Order, evs []orders.Event, fail func(string)) {
	switch known := m.txs[p.TransactionID]; {
	case known && len(evs) > 0:
		fail("a transaction counted twice")
	case known:
	case is.Payment.Captured != was.Payment.Captured+p.Amount || len(is.Payment.In) != len(was.Payment.In)+1:
		fail("a payment was not recorded")
	case was.Payment.Status == orders.Unpaid && (is.Payment.Status != orders.Paid || is.Payment.RefundDue != 0):
		fail("the order is not paid")
	case was.Payment.Status != orders.Unpaid && (is.Payment.RefundDue != was.Payment.RefundDue+p.Amount || is.Payment.Status != orders.RefundPending || evs[0].Type != orders.PaymentRefundRequested):
		fail("a payment that nobody wanted is not owed back")
	}
	m.txs[p.TransactionID] = true
}

// repeated: what was done and is asked for again writes nothing. A problem and a partial refund are new each time.
func (m *model) repeated(t *rapid.T, by orders.Actor, c orders.Command, was, is orders.Order, fail func(string)) {
	switch c.(type) {
	case orders.ReportProblem, orders.RefundMade, orders.Create:
		return
	}
	if is.Seq == was.Seq || !mayEver(&is, by, c.Action()) { // a courier that gave the order back
		return
	}
	again, evs, err := pol.Apply(is, c, by, m.now)
	if err != nil || len(evs) > 0 || asJSON(t, again) != asJSON(t, is) {
		t.Logf("the repeat: %v, told %q", err, types(evs))
		fail("it was done again")
	}
}

// envelope: one order's event as anybody may read it.
func (m *model) envelope(t *rapid.T, e orders.Event, is orders.Order, last bool) {
	var v struct {
		EventID    string           `json:"eventId"`
		EventType  orders.EventType `json:"eventType"`
		Seq        int64            `json:"seq"`
		OccurredAt string           `json:"occurredAt"`
		Actor      map[string]any   `json:"actor"`
		Payload    struct {
			OrderID   string        `json:"orderId"`
			Status    orders.Status `json:"status"`
			Timestamp string        `json:"timestamp"`
			Delivery  struct {
				Status  orders.DeliveryStatus `json:"status"`
				Courier map[string]any        `json:"courier"`
			} `json:"delivery"`
			Payment struct {
				Status orders.PaymentStatus `json:"status"`
			} `json:"payment"`
			Reason orders.Reason `json:"reason"`
			ETAAt  time.Time     `json:"etaAt"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(e.Envelope, &v); err != nil {
		t.Fatalf("%v in %s", err, e.Envelope)
	}
	at := e.OccurredAt.UTC().Format(orders.TimeFormat)
	if v.EventID != orders.EventID(is.ID, e.Seq) || v.EventType != e.Type || v.Seq != e.Seq || v.OccurredAt != at || v.Payload.Timestamp != at ||
		v.Payload.OrderID != is.ID || len(v.Actor) != 1 || v.Actor["role"] != string(e.Actor.Role) {
		t.Fatalf("envelope of %s:%d: %s", e.Type, e.Seq, e.Envelope)
	}
	if last && (v.Payload.Status != is.Status || v.Payload.Reason != is.Reason || v.Payload.Delivery.Status != is.Delivery.Status || v.Payload.Payment.Status != is.Payment.Status) {
		t.Fatalf("the last envelope is not the order: %s\n%s", e.Envelope, asJSON(t, is))
	}
	if told := is.Timeline[e.Seq-1].ETAAt; !v.Payload.ETAAt.Equal(told) || v.Payload.Status.Final() && !told.IsZero() {
		t.Fatalf("the order foretold %v: %s", told, e.Envelope)
	}
	for _, s := range sentinels {
		if bytes.Contains(e.Envelope, s) {
			t.Fatalf("%q in %s", s, e.Envelope)
		}
	}
	for _, id := range []string{rider.ID, rider2.ID} { // the order's courier may be named, in one place
		n := strings.Count(string(e.Envelope), id)
		if n > 1 || n == 1 && v.Payload.Delivery.Courier["courierId"] != id {
			t.Fatalf("%s in %s", id, e.Envelope)
		}
	}
}

// holds: what is true of every order at every time.
func (m *model) holds(t *rapid.T) {
	o := &m.o
	fail := func(what string) {
		t.Helper()
		t.Fatalf("%s: %s", what, asJSON(t, o))
	}
	var lines, in, out int64
	ids := map[string]bool{}
	for _, it := range o.Items {
		lines += int64(it.Quantity) * it.UnitPrice
		if it.Quantity < 1 || it.UnitPrice < 0 {
			fail("a line of nothing")
		}
	}
	for _, r := range o.Payment.In {
		in += r.Amount
		if ids[r.TransactionID] {
			fail("a transaction twice")
		}
		ids[r.TransactionID] = true
	}
	for _, r := range o.Payment.Out {
		out += r.Amount
	}
	p, running := o.Payment, !o.Status.Final()
	switch {
	case p.Captured < 0 || p.RefundDue < 0 || p.Refunded < 0 || p.Refunded > p.Captured || p.RefundDue > p.Captured-p.Refunded:
		fail("the ledger is impossible")
	case out != p.Refunded:
		fail("refunds do not add up")
	case o.Method != orders.Cash && in != p.Captured:
		fail("payments do not add up")
	case o.Method == orders.Cash && (in != 0 || p.Captured != 0 && (o.Status != orders.Completed || p.Captured != o.Total)):
		fail("cash does not add up")
	case o.Total < 0 || o.Total != lines || len(o.Items) == 0:
		fail("the total is not the lines'")
	case running && o.Method != orders.Cash && o.ShownToMerchant() && p.Captured-p.Refunded-p.RefundDue != o.Total:
		fail("the customer pays another sum than the total")
	case o.Status == orders.Cancelled && p.Captured != p.Refunded+p.RefundDue:
		fail("a cancelled order keeps money")
	case p.Status == orders.RefundPending && p.RefundDue == 0:
		fail("nothing is owed, but pending")
	case p.Status == orders.Refunded && p.Refunded != p.Captured:
		fail("not all went back")
	case o.Status.Final() && (p.Status == orders.Unpaid || p.Status == orders.CashDue):
		fail("an ended order waits for money")
	case o.Status != orders.Pending && running && p.Status == orders.Unpaid:
		fail("an unpaid order runs")
	}
	id, epoch, open := o.Window()
	switch {
	case open != (o.Status == orders.OnDelivery && o.Delivery.Courier != nil):
		fail("the window is not open from pick-up to the end")
	case open && (id != o.Delivery.Courier.ID || epoch != o.Delivery.Epoch), !open && (id != "" || epoch != 0):
		fail("the window shows another courier")
	case o.Status == orders.OnDelivery && !o.PickedUp():
		fail("on delivery without a pick-up")
	case o.Delivery.Status == orders.Unassigned && o.Delivery.Courier != nil, o.Delivery.Status == orders.Assigned && o.Delivery.Courier == nil:
		fail("the courier and its status disagree")
	case o.Due().IsZero() != o.Status.Final():
		fail("the clock and the status disagree")
	case o.Status.Final() != !o.EndedAt.IsZero():
		fail("the end has no time")
	case o.Status.Final() && (o.Amendment.Open() || o.Cancel.Open()):
		fail("something is open after the end")
	case o.Status == orders.OnDelivery && (o.Amendment.Open() || o.Cancel.Open()):
		fail("something is open on the road")
	case (o.Reason != "") != (o.Status == orders.Cancelled || o.Status == orders.Failed):
		fail("the reason does not fit the status")
	case o.Amendment != nil && (o.Amendment.N < 1 || o.Amendment.AnswerBy.Before(o.Amendment.ProposedAt)):
		fail("the amendment is impossible")
	case o.WrongPINs > orders.MaxPINTries || o.Seq > orders.MaxEvents+20:
		fail("a limit does not hold")
	}
	if shown := o.ShownToMerchant(); m.shown && !shown {
		fail("hidden from the merchant again")
	} else {
		m.shown = shown
	}
	if running && p.Status == orders.Unpaid && m.shown {
		fail("the merchant sees an unpaid order")
	}
	for i, e := range o.Timeline {
		if e.Seq != int64(i)+1 || i > 0 && e.At.Before(o.Timeline[i-1].At) {
			fail("the timeline has a hole or runs backwards")
		}
		if !e.ETAAt.IsZero() && !e.ETAAt.After(e.At) {
			fail("an event told of an arrival that was over")
		}
	}
	m.foretold(t, fail)
	if n := len(o.Timeline); int64(n) != o.Seq || !o.Timeline[n-1].At.Equal(o.UpdatedAt) {
		fail("the timeline is not the order's")
	}
	once, _, err := pol.Apply(*o, orders.Tick{}, orders.System, m.now)
	if err != nil {
		fail("a tick was refused: " + err.Error())
	}
	twice, evs, err := pol.Apply(once, orders.Tick{}, orders.System, m.now)
	if err != nil || len(evs) > 0 || asJSON(t, twice) != asJSON(t, once) {
		fail("a second tick did something")
	}
	now := laterOf(m.now, o.UpdatedAt)
	if d := once.Due(); !d.IsZero() && !d.After(now) {
		fail("still due after a tick")
	}
}

// foretold: what is said of the arrival at any time after the last event.
func (m *model) foretold(t *rapid.T, fail func(string)) {
	o, now := &m.o, laterOf(m.now, m.o.UpdatedAt).Add(time.Duration(dice(t, 3600, "read after"))*time.Second)
	eta, told := o.ETA(wild{}, now), o.Timeline[len(o.Timeline)-1].ETAAt
	if eta == (orders.ETA{}) {
		return
	}
	put := eta.At.Sub(told)
	switch {
	case o.Status.Final():
		fail("it has ended and arrives yet")
	case !eta.Earliest.After(now), eta.At.Before(eta.Earliest), eta.Latest.Before(eta.At):
		fail("it arrives in the past, or before it can")
	case !told.IsZero() && put > 0 && put%time.Minute != 0:
		fail("it is put off by a part of a minute")
	case o.EstimatedMinutes(eta, now) < 1:
		fail("nothing is left of the way")
	}
}

// The same with lists that have room behind their end, as append leaves it.
func TestTwoWaysFromOneOrderShareNothing(t *testing.T) {
	money := timedOut(t)
	road := onDelivery(t)
	for _, id := range []string{"a", "b", "c"} {
		money.do(payer, orders.Pay{Amount: 9, TransactionID: id}).do(ops, orders.RefundMade{Amount: 1, Reason: id})
		road.do(rider, orders.ReportProblem{Type: id})
	}
	for _, c := range []struct {
		g        *play
		one, two orders.Command
	}{
		{money, orders.Pay{Amount: 1, TransactionID: "one"}, orders.Pay{Amount: 2, TransactionID: "two"}},
		{money, orders.RefundMade{Amount: 1, Reason: "one"}, orders.RefundMade{Amount: 2, Reason: "two"}},
		{road, orders.ReportProblem{Type: "one"}, orders.ReportProblem{Type: "two"}},
	} {
		first, _, err := c.g.try(ops, c.one)
		if _, pay := c.one.(orders.Pay); pay {
			first, _, err = c.g.try(payer, c.one)
		}
		if err != nil {
			t.Fatal(err)
		}
		kept := asJSON(t, first)
		_, _, _ = c.g.try(ops, c.two)
		_, _, _ = c.g.try(payer, c.two)
		if asJSON(t, first) != kept {
			t.Errorf("%s: the second way wrote into the first", c.one.Action())
		}
	}
}
