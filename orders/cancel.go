package orders

// cancelled ends the order: what came in is owed back, food on the road turns round.
func (t *step) cancelled(why Reason, a about) {
	unpaid := Void
	if why == PaymentTimeout {
		unpaid = Expired
	}
	a.cancel = t.o.Cancel.Open()
	a.amendment = a.amendment || t.o.Amendment.Open()
	t.end(Cancelled, why)
	t.settle(true, unpaid)
	if t.o.PickedUp() {
		t.o.Delivery.Status = Returning
	}
	t.emit(OrderCancelled, a)
}

// request sets the status of the cancellation request.
func (t *step) request(s RequestStatus) {
	r := *t.o.Cancel
	r.Status = s
	t.o.Cancel = &r
}

// cancelDone: it was cancelled so, or the customer's request waits or was granted.
func cancelDone(t *step, _ Command) bool {
	return t.o.EndAction == ActCancel || t.by.Role == RoleCustomer && (t.o.Cancel.Open() || t.requestIs(RequestApproved))
}

// canCancel: ops always, a customer until pick-up and while no request of its waits.
func canCancel(t *step, _ Command) bool {
	if t.by.Role == RoleOps {
		return !t.o.Status.Final()
	}
	return t.o.in(Pending, Confirmed, Preparing) && !t.o.Cancel.Open()
}

// cancel is rows 7, 8 and 24, and row 9 where the kitchen is already at work: then it is a request.
func cancel(t *step, cmd Command) error {
	c, o := cmd.(Cancel), &t.o
	if err := t.mayName(c.Reason); err != nil {
		return err
	}
	if t.by.Role == RoleOps || o.Status == Pending ||
		o.Status == Confirmed && t.now.Sub(o.ConfirmedAt) <= t.FreeCancel {
		o.EndNote = c.Note
		t.cancelled(c.Reason, about{outOfStock: c.OutOfStock})
		return nil
	}
	if o.Seq >= MaxEvents {
		return Errorf(Unprocessable, "the order has seen %d changes, the limit for requests", MaxEvents)
	}
	o.Cancel = &CancellationRequest{
		Status: RequestOpen, Reason: c.Reason, Note: c.Note, RequestedAt: t.now, AnswerBy: t.now.Add(t.CancelAnswer),
	}
	t.emit(OrderCancellationRequested, about{cancel: true})
	return nil
}

func requestOpen(t *step, _ Command) bool { return t.o.Cancel.Open() }

func approveDone(t *step, _ Command) bool { return t.requestIs(RequestApproved) }
func denyDone(t *step, _ Command) bool    { return t.requestIs(RequestDenied) }

func (t *step) requestIs(s RequestStatus) bool { return t.o.Cancel != nil && t.o.Cancel.Status == s }

// approve is row 9a.
func approve(t *step, _ Command) error {
	t.cancelled(CustomerRequestApproved, about{})
	return nil
}

// deny is row 9b.
func deny(t *step, _ Command) error {
	t.request(RequestDenied)
	t.emit(OrderCancellationDenied, about{cancel: true})
	return nil
}
