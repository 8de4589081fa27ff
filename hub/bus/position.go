package bus

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"doorbell/orders"
)

// positionKept is how long the last position of an order may be shown.
const positionKept = 5 * time.Minute

// Follow has the positions of an order handed to the PositionReceiver, from soon on and until Unfollow was called as
// often. Nothing is subscribed for an order that nobody follows.
func (r *Redis) Follow(orderID string) { r.linkOf(partitionOf(orderID)).want(orderID, 1) }

// Unfollow takes one Follow back.
func (r *Redis) Unfollow(orderID string) { r.linkOf(partitionOf(orderID)).want(orderID, -1) }

func (l *link) want(id string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.follow[id]
	if now := was + n; now > 0 {
		l.follow[id] = now
	} else {
		delete(l.follow, id)
	}
	if (was > 0) == (was+n > 0) || l.sub == nil {
		return
	}
	l.turned = append(l.turned, id)
	select {
	case l.turnedCh <- struct{}{}:
	default:
	}
}

func (l *link) positions(id string) string { return l.r.name[partitionOf(id)].positions(id) }

// turn tells Redis which orders are followed now, of those that turned.
func (l *link) turn(ctx context.Context, sub *redis.PubSub) error {
	l.mu.Lock()
	var on, off []string
	for _, id := range l.turned {
		if l.follow[id] > 0 {
			on = append(on, l.positions(id))
		} else {
			off = append(off, l.positions(id))
		}
	}
	l.turned = nil
	l.mu.Unlock()
	if len(off) > 0 {
		err := error(nil)
		if l.r.at.kind == cluster {
			err = sub.SUnsubscribe(ctx, off...)
		} else {
			err = sub.Unsubscribe(ctx, off...)
		}
		if err != nil {
			return err
		}
	}
	return l.subscribe(ctx, sub, on)
}

// position hands on a position. Only the latest counts, so one that would overtake a change which is being read again
// is left out.
func (l *link) position(m *redis.Message) {
	to, ok := l.r.to.(PositionReceiver)
	if !ok {
		return
	}
	_, id, ok := strings.Cut(m.Channel, "}:position:")
	if !ok {
		return
	}
	p := &l.r.in[partitionOf(id)]
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.healing {
		to.Position(id, []byte(m.Payload))
	}
}

// PublishPosition hands a position of an order to whoever follows it, and keeps it as the last one, if the order's window
// is open for this courier and epoch (see [orders.Order.Window]). sent is false where it is not. Unavailable where Redis
// or the store cannot be asked.
func (r *Redis) PublishPosition(ctx context.Context, orderID, courier string, epoch int64, point []byte) (sent bool, err error) {
	for range 2 {
		answer, err := r.tryPosition(ctx, orderID, window(courier, epoch), point)
		switch {
		case err != nil:
			return false, err
		case answer == answerRefused:
			r.poke()
			return false, unavailable(nil)
		case answer != answerUnknown:
			return answer == 1, nil
		}
		// All windows are closed in a new generation, until somebody reads from the database whether they are.
		if err := r.keepOrder(ctx, orderID); err != nil {
			return false, err
		}
	}
	return false, unavailable(nil)
}

func (r *Redis) tryPosition(ctx context.Context, id, window string, point []byte) (answer int64, err error) {
	g, c := r.generation(), r.data.Load()
	if g == nil || c == nil {
		return 0, unavailable(nil)
	}
	n := r.name[partitionOf(id)]
	answer, err = publishPosition.Run(ctx, c, []string{n.marker(), n.order(g.ID, id), n.position(g.ID, id)},
		g.ID, window, point, positionKept.Milliseconds(), n.positions(id), r.send).Int64()
	if err != nil {
		err = unavailable(err)
	}
	return answer, err
}

// keepOrder keeps what the database knows of an order, and tells nobody.
func (r *Redis) keepOrder(ctx context.Context, id string) error {
	g, c := r.generation(), r.data.Load()
	if g == nil || c == nil {
		return unavailable(nil)
	}
	now, events, err := r.latest(ctx, id)
	if err != nil {
		return err
	}
	keys, args := r.publishArgs(g.ID, &now, events, time.Now())
	args[4] = "" // no channel
	if err := publishOrder.Run(ctx, c, keys, args...).Err(); err != nil {
		return unavailable(err)
	}
	return nil
}

// LastPosition is the last position that was published of an order whose window is open still. ok is false where there is
// none, none of the last five minutes, or Redis cannot be asked.
func (r *Redis) LastPosition(ctx context.Context, orderID string) (point []byte, ok bool) {
	g, c := r.generation(), r.data.Load()
	if g == nil || c == nil {
		return nil, false
	}
	point, err := c.Get(ctx, r.name[partitionOf(orderID)].position(g.ID, orderID)).Bytes()
	return point, err == nil
}

// window is how an open window is kept; a closed one is "".
func window(courier string, epoch int64) string { return itoa(epoch) + " " + courier }

func windowOf(o *orders.Order) string {
	if courier, epoch, open := o.Window(); open {
		return window(courier, epoch)
	}
	return ""
}

func unavailable(err error) error {
	e := orders.Errorf(orders.Unavailable, "live updates are not available, try again")
	e.Err = err
	return e
}
