package orders

// canPay: cash never passes the provider; everything else may arrive at any time, wanted or not.
func canPay(t *step, c Command) bool {
	if t.o.Method == Cash {
		return false
	}
	return c != nil || t.o.Payment.Status == Unpaid // a late payment is taken, but not asked for
}

func payDone(t *step, c Command) bool {
	for _, r := range t.o.Payment.In {
		if r.TransactionID == c.(Pay).TransactionID {
			return true
		}
	}
	return false
}

// pay is row 2, and row 3b for money that comes too late or twice: it is recorded and owed back.
func pay(t *step, cmd Command) error {
	c, p := cmd.(Pay), &t.o.Payment
	switch {
	case c.Currency != "" && c.Currency != t.o.Currency:
		return fieldErr("/currency", "the order is in %s", t.o.Currency)
	case p.Status == Unpaid && c.Amount != t.o.Total:
		return fieldErr("/amount", "the order's total is %d", t.o.Total)
	case c.Amount < 1 || c.Amount > MaxItems*MaxQuantity*MaxUnitPrice:
		return fieldErr("/amount", "no order costs this much or little")
	case len(p.In) >= MaxEntries:
		return Errorf(Unprocessable, "the order has %d payments, the limit", MaxEntries)
	}
	p.In = append(p.In[:len(p.In):len(p.In)], Receipt{c.TransactionID, c.Amount, t.now})
	p.Captured += c.Amount
	if p.Status == Unpaid {
		p.Status, p.PaidAt = Paid, t.now
		t.startAcceptClock()
		t.emit(OrderPaid, about{})
		return t.autoAccept()
	}
	t.owe(c.Amount)
	t.emit(PaymentRefundRequested, about{refund: c.Amount})
	return nil
}

// owe notes money that must go back, never more than is still here.
func (t *step) owe(amount int64) {
	p := &t.o.Payment
	if due := min(p.RefundDue+amount, p.Captured-p.Refunded); due > p.RefundDue {
		p.RefundDue, p.Status = due, RefundPending
	}
}

// settle closes the money of an order that ends without being delivered.
func (t *step) settle(refundAll bool, unpaid PaymentStatus) {
	p := &t.o.Payment
	if p.Status == Unpaid || p.Status == CashDue {
		p.Status = unpaid
	}
	if refundAll {
		t.owe(p.Captured - p.Refunded)
	}
}

func refundDone(t *step, _ Command) bool { return t.o.Payment.Status == Refunded }

func canRefund(t *step, _ Command) bool {
	p := t.o.Payment
	return p.RefundDue > 0 || t.o.Status.Final() && p.Captured > p.Refunded
}

// refund is row 25: money that went back. While the order runs, only what is owed may go.
func refund(t *step, cmd Command) error {
	c, p := cmd.(RefundMade), &t.o.Payment
	most := p.Captured - p.Refunded
	if !t.o.Status.Final() {
		most = p.RefundDue
	}
	switch {
	case c.Amount < 1 || c.Amount > most:
		return fieldErr("/amount", "must be 1 to %d, what may still go back", most)
	case len(p.Out) >= MaxEntries:
		return Errorf(Unprocessable, "the order has %d refunds, the limit", MaxEntries)
	}
	p.Out = append(p.Out[:len(p.Out):len(p.Out)], Refund{c.Amount, c.Reason, t.now})
	p.Refunded += c.Amount
	p.RefundDue = max(0, p.RefundDue-c.Amount)
	p.Status = PartiallyRefunded // also while more is owed: RefundDue says how much
	if p.Refunded == p.Captured {
		p.Status = Refunded
	}
	t.emit(PaymentRefunded, about{refund: c.Amount})
	return nil
}
