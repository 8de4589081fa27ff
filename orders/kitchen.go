package orders

import (
	"slices"
	"time"
)

func confirmDone(t *step, _ Command) bool { return isSet(t.o.ConfirmedAt) && !t.o.Status.Final() }

// canDecide: the merchant may take or refuse what is paid, or paid at the door.
func canDecide(t *step, _ Command) bool { return t.o.Status == Pending && t.o.ShownToMerchant() }

// confirm is row 4.
func confirm(t *step, cmd Command) error {
	o, prep := &t.o, cmd.(Confirm).PrepMinutes
	if err := checkPrep(prep); err != nil {
		return err
	}
	o.Status, o.ConfirmedAt = Confirmed, t.now
	o.PrepMinutes, o.PrepFrom = prep, t.now
	o.AcceptBy, o.RemindAt = time.Time{}, time.Time{}
	o.CourierBy = t.now.Add(t.CourierBy)
	t.emit(OrderConfirmed, about{prep: true})
	return nil
}

func checkPrep(minutes int) error {
	if minutes < 1 || minutes > MaxPrep {
		return fieldErr("/prepMinutes", "must be 1 to %d", MaxPrep)
	}
	return nil
}

// reject is row 5.
func reject(t *step, cmd Command) error {
	c := cmd.(Reject)
	if err := t.mayName(c.Reason); err != nil {
		return err
	}
	t.o.EndNote = c.Note
	t.cancelled(c.Reason, about{outOfStock: c.OutOfStock})
	return nil
}

// mayName refuses a reason that is not this role's to give.
func (t *step) mayName(r Reason) error {
	mine := reasonsOf[t.act][t.by.Role]
	if !slices.Contains(mine, r) {
		return fieldErr("/reason", "role %s may give one of %v", t.by.Role, mine)
	}
	return nil
}

func prepareDone(t *step, _ Command) bool { return isSet(t.o.PreparingAt) && !t.o.Status.Final() }

func canPrepare(t *step, _ Command) bool { return t.o.Status == Confirmed }

// prepare is row 10.
func prepare(t *step, _ Command) error {
	t.o.Status, t.o.PreparingAt = Preparing, t.now
	t.emit(OrderPreparing, about{})
	return nil
}

// delayRepeat is how long the same prepMinutes counts as a repeat and not as a new promise.
const delayRepeat = time.Minute

func delayDone(t *step, c Command) bool {
	return !t.o.Status.Final() && t.o.PrepMinutes == c.(Delay).PrepMinutes && isSet(t.o.PrepFrom) &&
		t.now.Sub(t.o.PrepFrom) < delayRepeat
}

func canDelay(t *step, c Command) bool { return canReady(t, c) }

func delay(t *step, cmd Command) error {
	prep := cmd.(Delay).PrepMinutes
	if err := checkPrep(prep); err != nil {
		return err
	}
	t.o.PrepMinutes, t.o.PrepFrom = prep, t.now
	t.emit(OrderDelayed, about{prep: true})
	return nil
}

func readyDone(t *step, _ Command) bool { return isSet(t.o.ReadyAt) && !t.o.Status.Final() }

func canReady(t *step, _ Command) bool { return t.o.in(Confirmed, Preparing) && !isSet(t.o.ReadyAt) }

// ready is row 11; on a CONFIRMED order row 10 applies first.
func ready(t *step, _ Command) error {
	if t.o.Status == Confirmed {
		if err := prepare(t, nil); err != nil {
			return err
		}
	}
	t.o.ReadyAt = t.now
	t.emit(OrderReady, about{})
	return nil
}
