package orders

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Policy is the clocks of the state machine, and who foretells arrivals. The zero Policy is of no use; see [DefaultPolicy].
type Policy struct {
	PayBy        time.Duration // for the customer to pay
	AcceptBy     time.Duration // for the merchant to accept; the reminder comes at half of it
	CourierBy    time.Duration // from the confirmation to a courier
	AmendmentBy  time.Duration // for the customer to answer an amendment
	CancelAnswer time.Duration // for the merchant to answer a request to cancel
	ContactWait  time.Duration // at the customer's door before a courier may give up
	FreeCancel   time.Duration // after the confirmation in which a customer may still cancel alone
	Stale        time.Duration // from placing: what still runs then is closed
	Estimator    Estimator     // nil = events tell no ETA, and estimatedTime is the kitchen's
}

// DefaultPolicy is the clocks of domain.md.
var DefaultPolicy = Policy{
	PayBy: 15 * time.Minute, AcceptBy: 10 * time.Minute, CourierBy: 30 * time.Minute, AmendmentBy: 3 * time.Minute,
	CancelAnswer: 15 * time.Minute, ContactWait: 7 * time.Minute, FreeCancel: time.Minute, Stale: 24 * time.Hour,
}

// Apply is the state machine: what becomes of o when actor by asks for c at now, and the events that lead there.
// It changes nothing it was given. No events and no error: what was asked for is already so.
//
// Errors: Forbidden where the role may never do this; Conflict with CodeInvalidTransition where the order's state
// refuses it; Unprocessable where what the command says is against a rule; NotFound for an amendment that never was.
// Only CodeWrongPIN comes with a changed order (its count of wrong PINs), which must be stored.
//
// A now before the order's last event counts as the time of that event, so times never run backwards.
func (p Policy) Apply(o Order, c Command, by Actor, now time.Time) (Order, []Event, error) {
	r, ok := rules[c.Action()]
	if !ok || !r.takes(&o, by) {
		return o, nil, Errorf(Forbidden, "role %s may not %s", by.Role, c.Action())
	}
	if o.Seq == 0 && c.Action() != ActCreate {
		return o, nil, unknownOrder()
	}
	now = later(now, o.UpdatedAt)
	t := step{Policy: p, o: o, by: by, now: now, act: c.Action()}
	if r.done != nil && r.done(&t, c) {
		return o, nil, nil
	}
	if !r.guard(&t, c) {
		return o, nil, p.refused(&o, c.Action(), by, now)
	}
	if r.atWill && o.Seq >= MaxEvents {
		return o, nil, Errorf(Unprocessable, "the order has seen %d changes, the limit for this kind", MaxEvents)
	}
	if err := r.apply(&t, c); err != nil {
		next := o
		next.WrongPINs = t.o.WrongPINs
		return next, nil, err
	}
	return t.o, t.events, nil
}

// rule is one action of the table in domain.md section 1.
type rule struct {
	roles []Role
	// done reports that the action was already done by the same kind of action: answered with the order, no event.
	// nil: each request is a new one.
	done func(t *step, c Command) bool
	// guard reports whether the state (and the clock) allows the action. c is nil when AllowedActions asks.
	guard func(t *step, c Command) bool
	apply func(t *step, c Command) error
	// atWill marks what the same person may do again and again; it ends at MaxEvents.
	atWill bool
}

// takes reports whether this actor may ever do it: the role, and for a courier that it is the order's.
func (r rule) takes(o *Order, by Actor) bool {
	if !slices.Contains(r.roles, by.Role) {
		return false
	}
	if by.Role == RoleCourier {
		return o.Delivery.Courier != nil && o.Delivery.Courier.ID == by.ID
	}
	return true
}

// step is one run of Apply: a working copy of the order and the events so far.
type step struct {
	Policy
	o      Order
	by     Actor
	now    time.Time
	act    Action
	events []Event
}

// emit closes one row of the table: seq rises, the timeline grows, the event is encoded.
func (t *step) emit(typ EventType, a about) { t.emitBy(t.by, typ, a) }

func (t *step) emitBy(by Actor, typ EventType, a about) {
	o := &t.o
	o.Seq++
	o.UpdatedAt = t.now
	eta := o.ETA(t.Estimator, t.now)
	o.Timeline = slices.Concat(o.Timeline, []TimelineEntry{{o.Seq, typ, t.now, by.Role, eta.At}}) // no room for more: it is kept
	t.events = append(t.events, Event{
		OrderID: o.ID, Seq: o.Seq, Type: typ, OccurredAt: t.now, RecordedAt: t.now, Actor: by,
		Envelope: encode(o, typ, t.now, by.Role, eta, a),
	})
}

// end makes the order final and closes whatever was open.
func (t *step) end(s Status, why Reason) {
	o := &t.o
	o.Status, o.Reason, o.EndedAt = s, why, t.now
	if t.by.Role != RoleSystem {
		o.EndAction = t.act
	}
	o.RemindAt, o.CourierBy = time.Time{}, time.Time{}
	if o.Amendment.Open() {
		t.amendment(AmendmentExpired)
	}
	if o.Cancel.Open() {
		t.request(RequestApproved)
	}
}

// refused is the Conflict that tells the caller what it may do instead.
func (p Policy) refused(o *Order, a Action, by Actor, now time.Time) *Error {
	e := Errorf(Conflict, "%s is not possible while the order is %s", a.segment(o), o.Status)
	e.Code, e.CurrentStatus, e.Action, e.ActionPath = CodeInvalidTransition, o.Status, a, a.segment(o)
	e.AllowedActions = p.AllowedActions(o, by, now)
	return e
}

// AllowedActions lists what this actor may do to the order now, as path segments below it; never nil.
func (p Policy) AllowedActions(o *Order, by Actor, now time.Time) []string {
	out := []string{}
	now = later(now, o.UpdatedAt)
	t := step{Policy: p, o: *o, by: by, now: now}
	for _, a := range actions {
		r := rules[a]
		if a == ActCreate || by.Role == RoleSystem || !r.takes(o, by) || !r.guard(&t, nil) {
			continue
		}
		if s := a.segment(o); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// segment is the action's path below this order.
func (a Action) segment(o *Order) string {
	n := 0
	if o.Amendment != nil {
		n = o.Amendment.N
	}
	return strings.Replace(a.Path(), "{n}", itoa(n), 1)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func itoa(n int) string { return strconv.Itoa(n) }
