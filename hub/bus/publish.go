package bus

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"doorbell/orders"
)

const (
	maxWaiting   = 4096            // messages of a node that wait to be published; an order waits in a few KiB
	publishBatch = 128             // of one round trip
	lastWords    = 2 * time.Second // for what waits when the bus stops
	keptEvents   = 8               // last events of an order that Redis keeps

	streamKept     = 30 * time.Second // of a partition's stream
	runningKept    = 24 * time.Hour   // of an order that has not ended, after its last change
	endedKept      = 10 * time.Minute // of one that has; later readers use the database
	restaurantKept = time.Hour
)

// outbound is what waits to be published in one partition. One goroutine at a time empties it, so nothing in it passes
// anything else.
type outbound struct {
	mu      sync.Mutex // guards the following
	queue   []parcel   // oldest first
	running bool       // somebody empties it
}

// parcel is one message to be published. One of order, restaurant and sub is what it is about.
type parcel struct {
	order      *orders.Order
	events     []orders.Event
	restaurant *orders.Restaurant
	revocation orders.Revocation
	at         time.Time // of the commit
	group      *group
}

// group is a row of the outbox that waits for all that it was about.
type group struct {
	row    string
	left   atomic.Int64 // parcels that are not out
	failed atomic.Bool  // one could not be published
}

// PublishGroup publishes what was committed. It does not wait: what finds no room, or no Redis, is left to the outbox.
func (r *Redis) PublishGroup(g orders.Group) {
	for _, v := range g.Restaurants {
		r.floors.raise(v.ID, v.Version)
	}
	n := int64(len(g.Orders) + len(g.Restaurants) + len(g.Revocations))
	if n == 0 || !r.cfg.Publishes {
		return
	}
	switch {
	case r.generation() == nil || r.health.away.Load():
		r.m.dropped.WithLabelValues("away").Add(float64(n))
		return
	case r.waiting.Add(n) > maxWaiting:
		r.waiting.Add(-n)
		r.m.dropped.WithLabelValues("full").Add(float64(n))
		return
	}
	now := time.Now()
	waits := &group{row: g.Row}
	waits.left.Store(n)
	for _, c := range g.Orders {
		r.enqueue(partitionOf(c.Order.ID), parcel{order: c.Order, events: c.Events, at: now, group: waits})
	}
	for _, v := range g.Restaurants {
		r.enqueue(notices, parcel{restaurant: v, at: now, group: waits})
	}
	for _, v := range g.Revocations {
		r.enqueue(notices, parcel{revocation: v, at: now, group: waits})
	}
}

func (r *Redis) enqueue(partition int, p parcel) {
	o := &r.out[partition]
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(o.queue, p)
	if o.running {
		return
	}
	if o.running = r.workers.run(func() { r.empty(partition) }); !o.running {
		o.queue = nil
		r.done(&p, false)
	}
}

// empty publishes what waits in a partition, until nothing does.
func (r *Redis) empty(partition int) {
	o := &r.out[partition]
	var batch []parcel
	for {
		o.mu.Lock()
		n := min(len(o.queue), publishBatch)
		batch = append(batch[:0], o.queue[:n]...)
		clear(o.queue[:n])
		if o.queue = o.queue[n:]; n == 0 {
			o.queue, o.running = nil, false
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		r.publish(partition, batch)
		clear(batch)
	}
}

// publish publishes parcels of a partition in one round trip, or two where Redis has forgotten the scripts.
func (r *Redis) publish(partition int, batch []parcel) {
	g, c := r.generation(), r.data.Load()
	if g == nil || c == nil {
		for i := range batch {
			r.done(&batch[i], false)
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if partition == notices {
		r.keepRestaurants(ctx, c, g.ID, batch) // before anybody is told to read them again
	}
	send := func() (answers []*redis.Cmd) {
		_, _ = c.Pipelined(ctx, func(p redis.Pipeliner) error { // each answer has its error
			for i := range batch {
				script, keys, args := r.prepare(g.ID, &batch[i])
				answers = append(answers, p.EvalSha(ctx, script.Hash(), keys, args...))
			}
			return nil
		})
		return answers
	}
	answers := send()
	if unknownScript(answers[0].Err()) && loadScripts(ctx, c) == nil {
		answers = send()
	}
	for i, a := range answers {
		n, err := a.Int64()
		r.count(n, err, &batch[i])
		r.done(&batch[i], err == nil && n != answerRefused)
	}
}

// count notes what became of a parcel.
func (r *Redis) count(answer int64, err error, p *parcel) {
	r.health.trouble.note(time.Now(), err)
	switch {
	case err != nil:
		r.m.failed.Inc()
		r.log.Debug().Err(err).Msg("a message could not be published")
		if redis.HasErrorPrefix(err, "") && !r.health.late.Load() { // Redis answered, so it may not be what it should be
			r.poke()
		}
	case answer == answerRefused:
		r.m.refused.Inc()
		r.poke()
	case answer > 0:
		kind := "order"
		if p.order == nil {
			kind = "notice"
		}
		r.m.published.WithLabelValues(kind).Inc()
		r.m.publish.Observe(time.Since(p.at).Seconds())
	}
}

// done notes that a parcel is out, or that it is not.
func (r *Redis) done(p *parcel, out bool) {
	r.waiting.Add(-1)
	if !out {
		p.group.failed.Store(true)
	}
	if p.group.left.Add(-1) > 0 || p.group.failed.Load() || p.group.row == "" {
		return
	}
	select {
	case r.marks <- p.group.row:
	default: // it is published once more, to nobody's harm
	}
}

// prepare is the script that publishes a parcel, with its keys and arguments.
func (r *Redis) prepare(gen string, p *parcel) (script *redis.Script, keys []string, args []any) {
	if p.order != nil {
		keys, args = r.publishArgs(gen, p.order, p.events, p.at)
		return publishOrder, keys, args
	}
	message := []byte(nil)
	if p.restaurant != nil {
		message = appendRestaurantNotice(nil, gen, p.at, p.restaurant.ID, p.restaurant.Version)
	} else {
		message = appendRevocation(nil, gen, p.at, p.revocation)
	}
	keys, args = r.noticeArgs(gen, message)
	return publishNotice, keys, args
}

// publishArgs is what publishOrder takes.
func (r *Redis) publishArgs(gen string, o *orders.Order, events []orders.Event, at time.Time) (keys []string, args []any) {
	n := r.name[partitionOf(o.ID)]
	keys = []string{n.marker(), n.order(gen, o.ID), n.counter(gen), n.stream(gen), n.position(gen, o.ID)}
	w := o.Ownership()
	own := appendOwn(make([]byte, 0, 192), w)
	encoded := make([][]byte, len(events))
	for i := range events {
		encoded[i] = appendEvent(make([]byte, 0, len(events[i].Envelope)+64), &events[i])
	}
	doc, err := json.Marshal(o)
	if err != nil {
		doc = nil // readers ask the database; the store has encoded it before, so this does not happen
	}
	kept := runningKept
	if !w.EndedAt.IsZero() {
		kept = endedKept
	}
	args = make([]any, 0, 7+2*(2+keptEvents))
	args = append(args, gen, o.Seq, windowOf(o), kept.Milliseconds(), n.channel(),
		appendChange(make([]byte, 0, 1024), gen, at, o.Delivery.Previous, own, encoded), r.send, "o", own, "d", doc)
	for i := max(0, len(events)-keptEvents); i < len(events); i++ {
		args = append(args, eventField(events[i].Seq), encoded[i])
	}
	return keys, args
}

// noticeArgs is what publishNotice takes.
func (r *Redis) noticeArgs(gen string, message []byte) (keys []string, args []any) {
	n := r.name[notices]
	return []string{n.marker(), n.counter(gen), n.stream(gen)}, []any{gen, n.channel(), message, r.send}
}

// eventFields are the fields of an order's last events.
var eventFields = [keptEvents]string{"e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7"}

func eventField(seq int64) string { return eventFields[uint64(seq)%keptEvents] }
