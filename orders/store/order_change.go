package store

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"doorbell/orders"
)

// newChangeID makes the mark of one commit: 16 random bytes in hex.
func newChangeID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}

// orderChange encodes a commit. It is called by whoever commits, so that the committer only writes.
func orderChange(c orders.Commit) (*change, error) {
	o := &c.Order
	// Ownership is answered from columns and from the document: both say the same time.
	o.EndedAt = o.EndedAt.Truncate(time.Microsecond)
	doc, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode order %s: %w", o.ID, err)
	}
	id := newChangeID()

	ch := newChange()
	ch.rows = make([]Step, 0, len(c.Events)+3)
	ch.lock = "o/" + o.ID
	ch.probe, ch.mark = &Step{orderMark, []any{o.ID}}, id
	if k := c.Key; k != nil {
		ch.key = "k/" + k.Scope + "\x00" + k.Key
		ch.keys = []Step{{addKey, []any{k.Scope, k.Key, id, k.Hash, k.OrderID, int64(k.Status), k.Response, micros(k.At)}}}
	}
	ch.rows = append(ch.rows, orderRow(c, id, string(doc)))
	for i := range c.Events {
		ch.rows = append(ch.rows, eventRow(o.ID, id, &c.Events[i]))
	}
	if c.DueChanged {
		if due := o.Due(); due.IsZero() {
			ch.rows = append(ch.rows, Step{dropTimer, []any{o.ID, id}})
		} else {
			ch.rows = append(ch.rows, Step{setTimer, []any{o.ID, id, micros(due)}})
		}
	}
	if k := c.Key; k != nil {
		ch.rows = append(ch.rows, Step{takeKeyBack, []any{o.ID, id, k.Scope, k.Key}})
	}
	ch.verdict = func(touched []int64) error {
		if len(ch.keys) > 0 && touched[0] == 0 {
			return orders.ErrKeyTaken
		}
		if touched[len(ch.keys)] == 0 {
			return orders.ErrLost
		}
		return nil
	}
	return ch, nil
}

// orderRow is the one step of a commit that decides who wins.
func orderRow(c orders.Commit, id, doc string) Step {
	o := &c.Order
	own := o.Ownership()
	var s Step
	keyed := addKeyedOrder
	if c.BaseSeq == 0 {
		s = Step{addOrder, []any{
			o.ID, o.Seq, id, string(o.Status), string(o.Payment.Status), o.Restaurant, o.Customer, own.Courier,
			flag(own.ShownToMerchant), flag(own.Returning), micros(o.EndedAt), micros(o.CreatedAt), micros(o.UpdatedAt), doc,
		}}
	} else {
		keyed = setKeyedOrder
		s = Step{setOrder, []any{
			o.ID, c.BaseChange, c.BaseSeq, o.Seq, id, string(o.Status), string(o.Payment.Status), own.Courier,
			flag(own.ShownToMerchant), flag(own.Returning), micros(o.EndedAt), micros(o.UpdatedAt), doc,
		}}
	}
	if c.Key != nil {
		s.Stmt, s.Args = keyed, append(s.Args, c.Key.Scope, c.Key.Key)
	}
	return s
}

func eventRow(orderID, id string, e *orders.Event) Step {
	return Step{addEvent, []any{
		orderID, id, e.Seq, string(e.Type), micros(e.OccurredAt), micros(e.RecordedAt), string(e.Actor.Role), e.Actor.ID,
		string(e.Envelope),
	}}
}
