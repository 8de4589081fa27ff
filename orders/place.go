package orders

import "time"

func isNew(t *step, _ Command) bool { return t.o.Seq == 0 }

// create is row 1: a PENDING order that waits for its money, or for the merchant when it is paid at the door.
func create(t *step, cmd Command) error {
	c := cmd.(Create)
	if err := checkItems(c.Items); err != nil {
		return err
	}
	if !c.Restaurant.InArea(c.Address.Lat, c.Address.Lon) {
		e := fieldErr("/address", "the restaurant does not deliver there")
		e.Code = CodeOutOfArea
		return e
	}
	t.o = Order{
		ID: c.ID, Status: Pending, Restaurant: c.Restaurant.ID, Customer: t.by.ID, Client: c.Client,
		RestaurantPlace: Place{c.Restaurant.Lat, c.Restaurant.Lon},
		Items:           c.Items, Total: total(c.Items), Currency: DefaultCurrency, Method: c.Method, Address: c.Address,
		Delivery:   Delivery{Status: Unassigned},
		AutoAccept: c.Restaurant.AutoAccept, PrepMinutes: c.Restaurant.prep(),
		SoldOutPolicy: or(c.SoldOutPolicy, PolicyAsk), NotificationURL: c.NotificationURL,
		Deliver: or(c.Deliver, DeliverUnlessAcked), Proof: or(c.Restaurant.Proof, ProofNone), TrackKey: c.TrackKey,
		CreatedAt: t.now, StaleAt: t.now.Add(t.Stale),
	}
	if t.o.Proof == ProofPIN {
		t.o.PIN = c.PIN
	}
	if c.Method == Cash {
		t.o.Payment.Status = CashDue
		t.startAcceptClock()
		t.emit(OrderCreated, about{items: true})
		return t.autoAccept()
	}
	t.o.Payment = Payment{Status: Unpaid, PayBy: t.now.Add(t.PayBy)}
	t.emit(OrderCreated, about{items: true})
	return nil
}

// checkItems guards the lines whatever door they came through.
func checkItems(items []Item) error {
	switch {
	case len(items) == 0:
		return fieldErr("/items", "an order needs at least one line")
	case len(items) > MaxItems:
		return fieldErr("/items", "at most %d lines", MaxItems)
	}
	for i, it := range items {
		switch at := "/items/" + itoa(i); {
		case it.Quantity < 1 || it.Quantity > MaxQuantity:
			return fieldErr(at+"/quantity", "must be 1 to %d", MaxQuantity)
		case it.UnitPrice < 0 || it.UnitPrice > MaxUnitPrice:
			return fieldErr(at+"/unitPrice", "must be 0 to %d", MaxUnitPrice)
		}
	}
	if total(items) == 0 {
		return fieldErr("/items", "the total must be more than 0")
	}
	return nil
}

// startAcceptClock gives the merchant its time, with a reminder at half of it.
func (t *step) startAcceptClock() {
	t.o.AcceptBy, t.o.RemindAt = t.now.Add(t.AcceptBy), t.now.Add(t.AcceptBy/2)
}

// autoAccept confirms in the name of a restaurant that takes every order.
func (t *step) autoAccept() error {
	if !t.o.AutoAccept {
		return nil
	}
	by := t.by
	t.by = System
	defer func() { t.by = by }()
	return confirm(t, Confirm{PrepMinutes: t.o.PrepMinutes})
}

// or is v, or what is meant when v is not given.
func or[T ~string](v, absent T) T {
	if v == "" {
		return absent
	}
	return v
}

func (o *Order) in(s ...Status) bool {
	for _, x := range s {
		if o.Status == x {
			return true
		}
	}
	return false
}

func isSet(t time.Time) bool { return !t.IsZero() }
