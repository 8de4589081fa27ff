package orders

import "time"

// Due is when the order's next clock runs out; zero for an order without a clock. The store keeps it beside the order,
// so a waiting order costs nothing.
func (o *Order) Due() time.Time {
	at, _ := o.next()
	return at
}

// next is the earliest clock and what it does.
func (o *Order) next() (at time.Time, fire func(*step)) {
	if o.Status.Final() {
		return time.Time{}, nil
	}
	consider := func(t time.Time, f func(*step)) {
		if isSet(t) && (at.IsZero() || t.Before(at)) {
			at, fire = t, f
		}
	}
	if o.Payment.Status == Unpaid {
		consider(o.Payment.PayBy, func(t *step) { t.cancelled(PaymentTimeout, about{}) }) // row 3
	}
	if o.Status == Pending && !o.Amendment.Open() { // an open amendment stops the merchant's clock
		consider(o.RemindAt, remind)
		consider(o.AcceptBy, func(t *step) { t.cancelled(MerchantTimeout, about{}) }) // row 6
	}
	if o.Amendment.Open() {
		consider(o.Amendment.AnswerBy, func(t *step) { t.answerByPolicy(AmendmentExpired) }) // row 12c
	}
	if o.Cancel.Open() {
		consider(o.Cancel.AnswerBy, func(t *step) { t.cancelled(CustomerRequestApproved, about{}) }) // row 9a
	}
	if o.in(Confirmed, Preparing) && o.Delivery.Courier == nil {
		consider(o.CourierBy, func(t *step) { t.cancelled(NoCourier, about{}) }) // row 23
	}
	consider(o.StaleAt, func(t *step) { t.cancelled(SystemReason, about{}) }) // rule 6
	return at, fire
}

// remind is the reminder of row 6. One that comes after the merchant's time is over is left out.
func remind(t *step) {
	t.o.RemindAt = time.Time{}
	if t.now.Before(t.o.AcceptBy) {
		t.emit(OrderAcceptanceDue, about{})
	}
}

func nothingDue(t *step, _ Command) bool {
	at := t.o.Due()
	return at.IsZero() || t.now.Before(at)
}

// tick fires every clock that has run out, the earliest first.
func tick(t *step, c Command) error {
	for !nothingDue(t, c) {
		_, fire := t.o.next()
		fire(t)
	}
	return nil
}
