package orders

import "slices"

// canAmend: the kitchen has it or is about to, nobody picked it up, and no other proposal waits.
func canAmend(t *step, _ Command) bool {
	return t.o.in(Pending, Confirmed, Preparing) && t.o.ShownToMerchant() && !t.o.Amendment.Open()
}

// amendDone: the same proposal waits, or has done its work.
func amendDone(t *step, cmd Command) bool {
	c, m := cmd.(Amend), t.o.Amendment
	if m == nil || m.ItemID != c.ItemID || m.Change != c.Change || m.Quantity != c.Quantity ||
		!sameSubstitute(m.Substitute, c) {
		return false
	}
	left := pieces(t.o.Items, c.ItemID)
	applied := left == 0 || c.Change == ChangeReduce && left == c.Quantity
	return m.Open() || applied || t.o.Status.Final() && t.o.Reason == ItemSoldOut
}

// sameSubstitute compares what was proposed with what is proposed now: by the item where a menu prices it, and whole
// where the proposal brings its own price.
func sameSubstitute(was *Substitute, c Amend) bool {
	if was == nil || c.Substitute == nil {
		return was == nil && c.Substitute == nil
	}
	if c.Menu != nil && len(c.Menu.Menu) > 0 {
		return was.ItemID == c.Substitute.ItemID
	}
	return *was == *c.Substitute
}

// pieces counts how many of an item the lines hold.
func pieces(items []Item, id string) (n int) {
	for _, it := range items {
		if it.ItemID == id {
			n += it.Quantity
		}
	}
	return n
}

// amend is row 12. The customer's policy may answer at once.
func amend(t *step, cmd Command) error {
	c, n := cmd.(Amend), 1
	have := pieces(t.o.Items, c.ItemID)
	switch s := c.Substitute; {
	case have == 0:
		return fieldErr("/itemId", "the order has no such item")
	case c.Change == ChangeReduce && (c.Quantity < 1 || c.Quantity >= have):
		return fieldErr("/quantity", "must be 1 to %d, fewer than ordered", have-1)
	case c.Change == ChangeSubstitute && s == nil:
		return fieldErr("/substitute", "needed for SUBSTITUTE")
	case c.Change != ChangeReduce && c.Quantity != 0:
		return fieldErr("/quantity", "belongs to REDUCE")
	case c.Change != ChangeSubstitute && s != nil:
		return fieldErr("/substitute", "belongs to SUBSTITUTE")
	case s != nil && s.ItemID == c.ItemID:
		return fieldErr("/substitute/itemId", "is the item it stands for")
	case s != nil && c.Menu != nil:
		priced, err := c.Menu.priceSubstitute(*s)
		if err != nil {
			return err
		}
		c.Substitute = &priced
	case s != nil && (s.UnitPrice < 0 || s.UnitPrice > MaxUnitPrice):
		return fieldErr("/substitute/unitPrice", "must be 0 to %d", MaxUnitPrice)
	}
	if t.o.Amendment != nil {
		n = t.o.Amendment.N + 1
	}
	t.o.Amendment = &Amendment{
		N: n, Status: AmendmentProposed, ItemID: c.ItemID, Change: c.Change, Quantity: c.Quantity,
		Substitute: c.Substitute, ProposedAt: t.now, AnswerBy: t.now.Add(t.AmendmentBy),
	}
	t.emit(OrderAmendmentProposed, about{amendment: true})
	if t.o.SoldOutPolicy == PolicyAsk {
		return nil
	}
	t.by = System
	t.answerByPolicy(AmendmentAccepted)
	return nil
}

// answerByPolicy answers the open amendment as the customer said beforehand; without a word it is REMOVE.
func (t *step) answerByPolicy(as AmendmentStatus) {
	switch m := t.o.Amendment; {
	case t.o.SoldOutPolicy == PolicyCancel:
		t.amendment(as)
		t.cancelled(ItemSoldOut, about{amendment: true})
	case t.o.SoldOutPolicy == PolicySubstitute || m.Change == ChangeReduce:
		t.amended(as, changed(t.o.Items, m, true))
	default:
		t.amended(as, without(t.o.Items, m.ItemID))
	}
}

// canAnswer: only the open amendment can be answered; one that never was is NotFound, told in apply.
func canAnswer(t *step, c Command) bool {
	if n := answers(c); n > 0 && (t.o.Amendment == nil || n > t.o.Amendment.N) {
		return true
	} else if n > 0 && n != t.o.Amendment.N {
		return false
	}
	return t.o.Amendment.Open()
}

// answers is the number of the amendment that a command answers, 0 for none.
func answers(c Command) int {
	switch c := c.(type) {
	case AcceptAmendment:
		return c.N
	case RejectAmendment:
		return c.N
	}
	return 0
}

func (t *step) answered(c Command, s AmendmentStatus) bool {
	m := t.o.Amendment
	return m != nil && m.N == answers(c) && m.Status == s
}

func acceptDone(t *step, c Command) bool  { return t.answered(c, AmendmentAccepted) }
func declineDone(t *step, c Command) bool { return t.answered(c, AmendmentRejected) }

// acceptAmendment is row 12a. What was paid beforehand never rises; what is paid at the door may, by consent.
func acceptAmendment(t *step, c Command) error {
	if err := t.knows(c); err != nil {
		return err
	}
	t.amended(AmendmentAccepted, changed(t.o.Items, t.o.Amendment, t.o.Method != Cash))
	return nil
}

// rejectAmendment is row 12b: the line goes, or the order if the customer says so.
func rejectAmendment(t *step, cmd Command) error {
	if err := t.knows(cmd); err != nil {
		return err
	}
	if cmd.(RejectAmendment).CancelOrder {
		t.amendment(AmendmentRejected)
		t.cancelled(ItemSoldOut, about{amendment: true})
		return nil
	}
	t.amended(AmendmentRejected, without(t.o.Items, t.o.Amendment.ItemID))
	return nil
}

func (t *step) knows(c Command) error {
	if m := t.o.Amendment; m == nil || m.N != answers(c) {
		return Errorf(NotFound, "the order has no amendment %d", answers(c))
	}
	return nil
}

// amended closes the amendment with new lines: the difference is owed back; no lines left ends the order.
func (t *step) amended(as AmendmentStatus, items []Item) {
	t.amendment(as)
	if len(items) == 0 {
		t.cancelled(ItemSoldOut, about{amendment: true})
		return
	}
	before := t.o.Total
	t.o.Items, t.o.Total = items, total(items)
	if before > t.o.Total {
		t.owe(before - t.o.Total)
	}
	t.emit(OrderAmended, about{amendment: true, items: true})
}

// amendment sets the amendment's status. A merchant's clock that waited for the answer gets its time back.
func (t *step) amendment(as AmendmentStatus) {
	m := *t.o.Amendment
	m.Status = as
	t.o.Amendment = &m
	if waited := t.now.Sub(m.ProposedAt); t.o.Status == Pending && isSet(t.o.AcceptBy) {
		t.o.AcceptBy = t.o.AcceptBy.Add(waited)
		if isSet(t.o.RemindAt) {
			t.o.RemindAt = t.o.RemindAt.Add(waited)
		}
	}
}

// without is the lines without an item.
func without(items []Item, id string) []Item {
	return slices.DeleteFunc(slices.Clone(items), func(it Item) bool { return it.ItemID == id })
}

// changed is the lines after an amendment. With noDearer a substitute costs at most what it stands for.
func changed(items []Item, m *Amendment, noDearer bool) []Item {
	switch m.Change {
	case ChangeReduce:
		return reduced(items, m.ItemID, m.Quantity)
	case ChangeSubstitute:
		out := slices.Clone(items)
		for i := range out {
			if out[i].ItemID != m.ItemID {
				continue
			}
			price := m.Substitute.UnitPrice
			if noDearer {
				price = min(price, out[i].UnitPrice)
			}
			out[i].ItemID, out[i].Name, out[i].UnitPrice = m.Substitute.ItemID, m.Substitute.Name, price
		}
		return out
	}
	return without(items, m.ItemID)
}

// reduced leaves so many pieces of an item, taking from its last lines first.
func reduced(items []Item, id string, left int) []Item {
	var out []Item
	for _, it := range items {
		if it.ItemID == id {
			it.Quantity = min(it.Quantity, left)
			left -= it.Quantity
		}
		if it.Quantity > 0 {
			out = append(out, it)
		}
	}
	return out
}
