package bus

import (
	"context"
	"math/rand/v2"
	"strconv"
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

// Position is what is to be told of one order's courier.
type Position struct {
	Order, Courier string
	Epoch          int64 // Delivery.Epoch of the order
	Riding         bool  // picked up; else the courier is on its way to the merchant
	// Point is what followers are handed. Its bytes 2 to 9 are the time of the fix, the highest first: what is older than
	// the last one is not sent. nil: it is only asked whether the window is open.
	Point []byte

	Answer PositionAnswer // set by SaveCourier
	cmd    *redis.Cmd
}

// PositionAnswer is what became of a Position.
type PositionAnswer int

const (
	PositionFailed PositionAnswer = iota // Redis, or the store, could not be asked
	PositionSent                         // on its way to all who follow; without a point: the window is open
	PositionClosed                       // the order is not this courier's, in this epoch, at this part of the way
	PositionOlder                        // a later one is out
)

// courierKept is how long what is remembered of a courier outlives its last post.
const courierKept = 30 * time.Minute

// LoadCourier reads what SaveCourier kept of a courier last; nothing, with mark 0, where there is nothing. Unavailable.
func (r *Redis) LoadCourier(ctx context.Context, courier string) (data []byte, mark uint64, err error) {
	g, c := r.generation(), r.data.Load()
	if g == nil || c == nil {
		return nil, 0, unavailable(nil)
	}
	answer, err := c.HMGet(ctx, r.name[partitionOf(courier)].courier(g.ID, courier), "m", "d").Result()
	if err != nil {
		return nil, 0, unavailable(err)
	}
	m, there := text(answer, 0)
	d, _ := text(answer, 1)
	if mark, err = strconv.ParseUint(m, 10, 64); !there || err != nil {
		return nil, 0, nil
	}
	return []byte(d), mark, nil
}

// SaveCourier keeps data of a courier if mark is still what LoadCourier gave, and hands positions to whoever follows
// their orders, all in one round trip; each Position has its Answer then. lost says that somebody else saved in between.
// Unavailable: whether data was kept is not known.
func (r *Redis) SaveCourier(ctx context.Context, courier string, mark uint64, data []byte, positions []Position) (lost bool, err error) {
	g, c := r.generation(), r.data.Load()
	if g == nil || c == nil {
		return false, unavailable(nil)
	}
	n := r.name[partitionOf(courier)]
	keys := []string{n.marker(), n.courier(g.ID, courier)}
	args := []any{g.ID, strconv.FormatUint(mark, 10), strconv.FormatUint(newMark(), 10), data, courierKept.Milliseconds()}
	var kept *redis.Cmd
	send := func() {
		_, _ = c.Pipelined(ctx, func(p redis.Pipeliner) error { // each answer has its error
			kept = p.EvalSha(ctx, saveCourier.Hash(), keys, args...)
			r.sendPositions(ctx, p, g.ID, positions)
			return nil
		})
	}
	send()
	if unknownScript(kept.Err()) && loadScripts(ctx, c) == nil {
		send()
	}
	answer, err := kept.Int64()
	if err != nil {
		return false, unavailable(err)
	}
	if answer == answerRefused {
		r.poke()
		return false, unavailable(nil)
	}
	r.askAgain(ctx, g.ID, c, positions)
	return answer == answerOld, nil
}

// newMark is a mark that no other save has: 63 random bits, never 0.
func newMark() uint64 { return rand.Uint64()>>1 | 1 }

// sendPositions puts positions into a pipeline, and their answers where answerOf finds them.
func (r *Redis) sendPositions(ctx context.Context, p redis.Pipeliner, gen string, positions []Position) {
	for i := range positions {
		at := &positions[i]
		n := r.name[partitionOf(at.Order)]
		at.cmd = p.EvalSha(ctx, publishPosition.Hash(), []string{n.marker(), n.order(gen, at.Order), n.position(gen, at.Order)},
			gen, window(at.Riding, at.Courier, at.Epoch), at.Point, positionKept.Milliseconds(), n.positions(at.Order), r.send)
	}
}

// askAgain reads the answers, and tries once more what Redis knows nothing of: all windows are closed in a new
// generation, until somebody reads from the database whether they are.
func (r *Redis) askAgain(ctx context.Context, gen string, c *client, positions []Position) {
	var unknown []*Position
	for i := range positions {
		if at := &positions[i]; !at.answered() && r.keepOrder(ctx, at.Order) == nil {
			unknown = append(unknown, at)
		}
	}
	if len(unknown) == 0 {
		return
	}
	again := make([]Position, len(unknown))
	for i, at := range unknown {
		again[i] = *at
	}
	_, _ = c.Pipelined(ctx, func(p redis.Pipeliner) error {
		r.sendPositions(ctx, p, gen, again)
		return nil
	})
	for i, at := range unknown {
		again[i].answered()
		at.Answer = again[i].Answer
	}
}

// answered reads what the script said, and reports whether it knew the order.
func (p *Position) answered() bool {
	answer, err := p.cmd.Int64()
	p.cmd, p.Answer = nil, PositionFailed
	switch {
	case err != nil, answer == answerRefused:
	case answer == answerUnknown:
		return false
	case answer == 0:
		p.Answer = PositionClosed
	case answer == answerOlder:
		p.Answer = PositionOlder
	default:
		p.Answer = PositionSent
	}
	return true
}

// keepOrder keeps what the database knows of an order. It is published with that: who committed it may not have come to
// that yet, and would find it there already.
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

// window is how a window is kept: by part of the way, epoch and courier. Nobody's is "".
func window(riding bool, courier string, epoch int64) string {
	part := "approach "
	if riding {
		part = "riding "
	}
	return part + itoa(epoch) + " " + courier
}

func windowOf(o *orders.Order) string {
	if courier, epoch, open := o.Window(); open {
		return window(true, courier, epoch)
	}
	if c := o.Delivery.Courier; c != nil && !o.Status.Final() {
		return window(false, c.ID, o.Delivery.Epoch)
	}
	return ""
}

func unavailable(err error) error {
	e := orders.Errorf(orders.Unavailable, "live updates are not available, try again")
	e.Err = err
	return e
}
