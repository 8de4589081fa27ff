package callback

import (
	"time"

	"doorbell/orders"
)

// tombsKept is how long a key is remembered at least: longer than any read takes.
const tombsKept = 10 * time.Second

// tombs remember the keys of rows that are over, and when that was by the store's clock, so that a read which began
// before does not bring them back. A row made later under the same key is another one: a replay. Two generations: the
// younger is filled, the older forgotten whole.
type tombs struct {
	young, old map[Key]time.Time
	turned     time.Time // our clock
}

// add remembers a key that is over since at.
func (t *tombs) add(k Key, at time.Time) {
	if now := time.Now(); now.Sub(t.turned) >= tombsKept {
		t.old, t.young, t.turned = t.young, map[Key]time.Time{}, now
	}
	t.young[k] = at
}

// keep lets a key that was added be remembered as if that were now: its end is stored only now.
func (t *tombs) keep(k Key) {
	if at, ok := t.old[k]; ok {
		t.add(k, at)
	}
}

func (t *tombs) has(r *Row) bool {
	at, ok := t.young[r.Key]
	if !ok {
		at, ok = t.old[r.Key]
	}
	return ok && !r.Made.After(at)
}

// acks remember who was shown what, for rows that come later than the ack.
type acks struct {
	young, old map[ackOf]shown
	turned     time.Time
}

type ackOf struct {
	order string
	role  orders.Role
}

type shown struct {
	seq   int64
	until time.Time
}

func (a *acks) add(k Ack, now time.Time) {
	if now.Sub(a.turned) >= ackKept {
		a.old, a.young, a.turned = a.young, map[ackOf]shown{}, now
	}
	of := ackOf{k.OrderID, k.Role}
	a.young[of] = shown{seq: max(k.Seq, a.young[of].seq), until: now.Add(ackKept)}
}

// of is the highest seq acked for an order by a role in the last ackKept.
func (a *acks) of(order string, role orders.Role, now time.Time) (seq int64, ok bool) {
	for _, m := range []map[ackOf]shown{a.young, a.old} {
		if s, found := m[ackOf{order, role}]; found && now.Before(s.until) {
			seq, ok = max(seq, s.seq), true
		}
	}
	return seq, ok
}
