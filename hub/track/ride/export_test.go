package ride

import (
	"context"

	"doorbell/hub/track"
)

// Tell shows a position without saving anything.
func (l *Local) Tell(ctx context.Context, sh *Shown) { l.tell(ctx, sh) }

// Memory is what is kept of a courier that carries some orders, as it is encoded.
func Memory(s track.State, ids []string) []byte {
	m := memory{state: s}
	for _, id := range ids {
		o := m.of(keyOf(id))
		o.told = track.Estimate{At: track.UnixMilli(1).Time(), Earliest: track.UnixMilli(2).Time(), Latest: track.UnixMilli(3).Time()}
		o.arrives, o.distance = track.UnixMilli(4).Time(), 50
		m.orders = append(m.orders, o)
	}
	return m.append(nil)
}

// Again is what is read from an encoded memory, encoded.
func Again(b []byte) []byte {
	m := decodeMemory(b)
	return m.append(nil)
}

// Forget drops what is idle, at once.
func (l *Local) Forget() {
	for i := range shards {
		l.forget(i)
	}
}

// Kept is how many couriers and orders a Local remembers.
func (l *Local) Kept() (couriers, orders int) {
	for i := range shards {
		l.couriers[i].mu.Lock()
		couriers += len(l.couriers[i].byID)
		l.couriers[i].mu.Unlock()
		l.orders[i].mu.Lock()
		orders += len(l.orders[i].byID)
		l.orders[i].mu.Unlock()
	}
	return couriers, orders
}
