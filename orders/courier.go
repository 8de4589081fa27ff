package orders

import (
	"crypto/subtle"
	"time"
)

func assignDone(t *step, cmd Command) bool {
	c := t.o.Delivery.Courier
	return c != nil && c.ID == cmd.(Assign).Courier.ID && !t.o.Status.Final()
}

func canAssign(t *step, _ Command) bool { return t.o.in(Confirmed, Preparing, OnDelivery) }

// assign is rows 13 and 14. From this event on only the new courier feeds the order; after pick-up its window opens
// with the event.
func assign(t *step, cmd Command) error {
	c, d := cmd.(Assign).Courier, &t.o.Delivery
	d.takeFromCourier()
	d.Courier, d.AssignedAt = &c, t.now
	d.ArrivedAtMerchantAt, d.ArrivedAtCustomerAt = time.Time{}, time.Time{}
	d.Epoch++
	d.Status = Assigned
	if t.o.Status == OnDelivery {
		d.Status = PickedUp
	}
	t.o.CourierBy = time.Time{}
	t.emit(CourierAssigned, about{})
	return nil
}

// takeFromCourier leaves the order with nobody, and notes who had it.
func (d *Delivery) takeFromCourier() {
	d.Previous = ""
	if d.Courier != nil {
		d.Previous = d.Courier.ID
	}
	d.Courier = nil
}

func unassignDone(t *step, _ Command) bool {
	return t.o.Delivery.Courier == nil && t.o.Delivery.Epoch > 0 && !t.o.Status.Final()
}

// canUnassign: a courier may give an order back before pick-up, ops at any time.
func canUnassign(t *step, _ Command) bool {
	if t.o.Delivery.Courier == nil {
		return false
	}
	return t.o.in(Confirmed, Preparing) || t.o.Status == OnDelivery && t.by.Role == RoleOps
}

// unassign is row 14: the order's clock for finding a courier starts anew.
func unassign(t *step, _ Command) error {
	d := &t.o.Delivery
	d.takeFromCourier()
	d.Status = Unassigned
	d.ArrivedAtMerchantAt, d.ArrivedAtCustomerAt = time.Time{}, time.Time{}
	d.Epoch++
	if t.o.Status != OnDelivery {
		t.o.CourierBy = t.now.Add(t.CourierBy)
	}
	t.emit(CourierUnassigned, about{})
	return nil
}

// stop is the place a command means: the one it names, else the next on the way.
func (t *step) stop(c Command) Stop {
	var s Stop
	switch c := c.(type) {
	case Arrive:
		s = c.Stop
	case Nearby:
		s = c.Stop
	}
	if s != "" {
		return s
	}
	if t.o.PickedUp() {
		return StopCustomer
	}
	return StopMerchant
}

func arriveDone(t *step, c Command) bool {
	if t.o.Status.Final() {
		return false
	}
	if t.stop(c) == StopMerchant {
		return isSet(t.o.Delivery.ArrivedAtMerchantAt)
	}
	return isSet(t.o.Delivery.ArrivedAtCustomerAt)
}

func canArrive(t *step, c Command) bool {
	if t.stop(c) == StopMerchant {
		return t.o.in(Confirmed, Preparing) && t.o.Delivery.Status == Assigned
	}
	return t.o.Status == OnDelivery && t.o.Delivery.Status == PickedUp
}

// arrive is rows 15 and 18.
func arrive(t *step, c Command) error {
	d := &t.o.Delivery
	if t.stop(c) == StopMerchant {
		d.Status, d.ArrivedAtMerchantAt = AtMerchant, t.now
		t.emit(CourierArrivedAtMerchant, about{})
		return nil
	}
	d.Status, d.ArrivedAtCustomerAt = AtCustomer, t.now
	t.emit(CourierArrivedAtCustomer, about{})
	return nil
}

func nearbyDone(t *step, c Command) bool {
	d := &t.o.Delivery
	told := d.NearbyCustomerEpoch
	if t.stop(c) == StopMerchant {
		told = d.NearbyMerchantEpoch
	}
	return told > 0 && told == d.Epoch
}

func canBeNear(t *step, c Command) bool { return canArrive(t, c) }

// nearby is row 17, once per leg and courier.
func nearby(t *step, c Command) error {
	d, s := &t.o.Delivery, t.stop(c)
	if s == StopMerchant {
		d.NearbyMerchantEpoch = d.Epoch
	} else {
		d.NearbyCustomerEpoch = d.Epoch
	}
	d.NearbyAt = t.now
	t.emit(CourierNearby, about{leg: s})
	return nil
}

func pickupDone(t *step, _ Command) bool { return t.o.PickedUp() && t.o.Status == OnDelivery }

func canPickup(t *step, _ Command) bool {
	return t.o.in(Confirmed, Preparing) && t.o.Delivery.Courier != nil && !t.o.Amendment.Open()
}

// pickup is row 16: the position window opens. A request to cancel that still waits is denied by it.
func pickup(t *step, cmd Command) error {
	if t.o.Cancel.Open() {
		t.request(RequestDenied)
		t.emitBy(System, OrderCancellationDenied, about{cancel: true})
	}
	o := &t.o
	o.Status, o.CourierBy = OnDelivery, time.Time{}
	o.Delivery.Status, o.Delivery.PickedUpAt, o.Delivery.PickupCode = PickedUp, t.now, cmd.(Pickup).Code
	t.emit(OrderOnDelivery, about{})
	return nil
}

func onDelivery(t *step, _ Command) bool { return t.o.Status == OnDelivery }

func deliverDone(t *step, _ Command) bool { return t.o.Status == Completed }

// canDeliver: somebody must have the food, unless ops settles it. A courier without tries left is not told that it may;
// one that tries is told why not.
func canDeliver(t *step, c Command) bool {
	if c == nil && t.by.Role == RoleCourier && t.o.Proof == ProofPIN && t.o.WrongPINs >= MaxPINTries {
		return false
	}
	return t.o.Status == OnDelivery && (t.o.Delivery.Courier != nil || t.by.Role == RoleOps)
}

// deliver is row 19: the window closes. A courier shows the proof the restaurant asks for; the customer's own word and
// ops need none.
func deliver(t *step, cmd Command) error {
	c, o := cmd.(Hand), &t.o
	if t.by.Role == RoleCourier {
		if err := t.proof(c); err != nil {
			return err
		}
	}
	o.Delivery.PhotoRef = c.PhotoRef
	t.end(Completed, "")
	o.Delivery.Status = Delivered
	if o.Payment.Status == CashDue {
		o.Payment.Status, o.Payment.PaidAt, o.Payment.Captured = Paid, t.now, o.Total
	}
	t.emit(OrderCompleted, about{})
	return nil
}

// proof checks what a courier shows at the door. Wrong PINs are counted; past MaxPINTries only ops may go on.
func (t *step) proof(c Hand) error {
	switch t.o.Proof {
	case ProofPhoto:
		if c.PhotoRef == "" {
			return fieldErr("/photoRef", "this restaurant asks for a photo")
		}
	case ProofPIN:
		if t.o.WrongPINs >= MaxPINTries {
			e := fieldErr("/pin", "too many wrong PINs: ops must complete this order")
			e.Code = CodePINLocked
			return e
		}
		if c.PIN == "" {
			return fieldErr("/pin", "this restaurant asks for the customer's PIN")
		}
		if subtle.ConstantTimeCompare([]byte(c.PIN), []byte(t.o.PIN)) != 1 {
			t.o.WrongPINs++
			e := fieldErr("/pin", "wrong PIN, %d tries left", MaxPINTries-t.o.WrongPINs)
			e.Code = CodeWrongPIN
			return e
		}
	}
	return nil
}

// problem is row 20: the list only grows.
func problem(t *step, cmd Command) error {
	c, o := cmd.(ReportProblem), &t.o
	if len(o.Problems) >= MaxEntries {
		return Errorf(Unprocessable, "the order has %d problems, the limit", MaxEntries)
	}
	o.Problems = append(o.Problems[:len(o.Problems):len(o.Problems)], Problem{c.Type, c.Note, t.now})
	t.emit(DeliveryProblem, about{problemType: c.Type})
	return nil
}

func failDone(t *step, _ Command) bool { return t.o.Status == Failed }

// canFail: ops at any time; a courier after the wait at the door and an attempt to reach the customer.
func canFail(t *step, _ Command) bool {
	if t.o.Status != OnDelivery {
		return false
	}
	if t.by.Role == RoleOps {
		return true
	}
	at := t.o.Delivery.ArrivedAtCustomerAt
	if !isSet(at) || t.now.Before(at.Add(t.ContactWait)) {
		return false
	}
	for _, p := range t.o.Problems {
		if p.Type == ContactAttempt && !p.At.Before(t.o.Delivery.AssignedAt) { // by this courier, not the one before
			return true
		}
	}
	return false
}

// fail is row 21: the window closes; refunded unless it was the customer's fault.
func fail(t *step, cmd Command) error {
	c, o := cmd.(Fail), &t.o
	if err := t.mayName(c.Reason); err != nil {
		return err
	}
	o.EndNote = c.Note
	t.end(Failed, c.Reason)
	t.settle(!c.Reason.customersFault(), Void)
	o.Delivery.Disposition = or(c.Disposition, DispositionReturn)
	o.Delivery.Status = Returning
	if o.Delivery.Disposition == DispositionDispose {
		o.Delivery.Status, o.Delivery.ReturnedOrDisposedAt = Disposed, t.now
	}
	t.emit(OrderFailed, about{})
	return nil
}

func returnDone(t *step, _ Command) bool { return t.o.Delivery.Status == Returned }

func isReturning(t *step, _ Command) bool { return t.o.Delivery.Status == Returning }

// returned is row 22.
func returned(t *step, _ Command) error {
	t.o.Delivery.Status, t.o.Delivery.ReturnedOrDisposedAt = Returned, t.now
	t.emit(DeliveryReturned, about{})
	return nil
}
