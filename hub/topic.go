package hub

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"doorbell/hub/wire"
	"doorbell/orders"
)

// topicShard is a part of the watched topics. Topics nobody watches are not there.
type topicShard struct {
	mu     sync.RWMutex // guards the following
	byName map[wire.Topic]*topic
}

// topic is something that is watched on this node.
type topic struct {
	name wire.Topic

	mu     sync.Mutex // guards the following; taken before a session's
	subs   []*sub     // replaced, never changed in place: a fan-out walks its copy without the lock
	dead   bool       // the last watcher left: look it up anew
	latest int64      // of an order: the highest seq heard of

	doubted bool // of an order: the next load asks the database

	followed   bool    // of an order: the bus brings its positions
	followedAt int64   // by what was heard at this seq
	position   *latest // of an order: what was told of its courier; nil = nothing yet

	loadMu sync.Mutex               // one load at a time
	loaded atomic.Pointer[snapshot] // what the last load read, for others that ask soon; see kept
}

// snapshot is an order as it was read, encoded once per role.
type snapshot struct {
	own    orders.Ownership
	at     *Position // where its courier was last; nil = not known, or not to be seen
	readAt time.Time
	order  orders.Order
	mu     sync.Mutex // guards the following
	frames map[orders.Role]*Message
}

// snapshotLives is how long a snapshot may be handed to others: its estimatedTime grows old.
const snapshotLives = time.Second

// join adds a watcher to a topic, which is made if need be.
func (h *Hub) join(name wire.Topic, s *sub) {
	shard := &h.topics[h.shardOf(name.ID)]
	for {
		shard.mu.Lock()
		t := shard.byName[name]
		if t == nil {
			t = &topic{name: name}
			shard.byName[name] = t
		}
		shard.mu.Unlock()
		t.mu.Lock()
		if !t.dead {
			s.topic = t // before a publisher can find s
			t.subs = append(slices.Clip(t.subs), s)
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
	}
}

// part takes a watcher out of its topic, which goes with the last one.
func (h *Hub) part(s *sub) {
	t := s.topic
	t.mu.Lock()
	left := make([]*sub, 0, len(t.subs))
	for _, x := range t.subs {
		if x != s {
			left = append(left, x)
		}
	}
	t.subs = left
	t.dead = len(left) == 0
	dead := t.dead
	if dead {
		h.unfollow(t)
	}
	t.mu.Unlock()
	if !dead {
		return
	}
	shard := &h.topics[h.shardOf(t.name.ID)]
	shard.mu.Lock()
	if shard.byName[t.name] == t {
		delete(shard.byName, t.name)
	}
	shard.mu.Unlock()
}

// topic finds a watched topic, nil when nobody watches it.
func (h *Hub) topic(name wire.Topic) *topic {
	shard := &h.topics[h.shardOf(name.ID)]
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	return shard.byName[name]
}

// Topics is how many topics are watched here.
func (h *Hub) Topics() (n int) {
	for i := range h.topics {
		h.topics[i].mu.RLock()
		n += len(h.topics[i].byName)
		h.topics[i].mu.RUnlock()
	}
	return n
}

// heard notes a seq of the order and returns who watches it.
func (t *topic) heard(seq int64) []*sub {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seq > t.latest {
		t.latest = seq
	}
	return t.subs
}

// watchers is who watches the topic.
func (t *topic) watchers() []*sub {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.subs
}

// load reads the order of a topic, once for all who ask at the same time. What it returns is at least as new as
// anything the topic heard of before the call, and as atLeast where the database is.
func (h *Hub) load(ctx context.Context, t *topic, atLeast int64) (*snapshot, error) {
	t.loadMu.Lock()
	defer t.loadMu.Unlock()
	now := time.Now()
	t.mu.Lock()
	atLeast, doubted := max(atLeast, t.latest), t.doubted
	t.mu.Unlock()
	if l := t.loaded.Load(); l != nil && !doubted && l.youngAt(now) && l.own.Seq >= atLeast {
		return l, nil
	}
	o, err := h.readTopic(ctx, t, atLeast, doubted)
	if err != nil {
		return nil, err
	}
	l := newSnapshot(o, now)
	h.follow(t, &l.own)
	l.at = h.lastPosition(ctx, &l.own)
	if len(t.heard(o.Seq)) > 1 { // for the others; a topic with one watcher keeps nothing
		if t.loaded.Swap(l) == nil {
			h.kept.add(t)
		}
	}
	return l, nil
}

// readTopic reads the order of a topic, at least at this seq, and from the database if that was to be asked.
func (h *Hub) readTopic(ctx context.Context, t *topic, atLeast int64, doubted bool) (orders.Order, error) {
	if !doubted {
		return h.read(ctx, t.name.ID, atLeast)
	}
	o, err := h.cfg.Source.Order(ctx, t.name.ID)
	if err == nil {
		t.mu.Lock()
		t.doubted = false
		t.mu.Unlock()
	}
	return o, err
}

// kept is the topics that hold a snapshot for those who ask soon. It is thrown away once it is too old for that: the
// topics of idle sessions hold nothing.
type kept struct {
	mu     sync.Mutex // guards the following
	topics []*topic
}

func (k *kept) add(t *topic) {
	k.mu.Lock()
	k.topics = append(k.topics, t)
	k.mu.Unlock()
}

// drop throws away what has grown too old by now.
func (k *kept) drop(now time.Time) {
	k.mu.Lock()
	list := k.topics
	k.topics = nil
	k.mu.Unlock()
	for _, t := range list {
		// A load may put a newer one in its place meanwhile, and leaves the topic in this list.
		if l := t.loaded.Load(); l != nil && (l.youngAt(now) || !t.loaded.CompareAndSwap(l, nil)) {
			k.add(t)
		}
	}
}

// youngAt reports whether the snapshot may still be handed out.
func (s *snapshot) youngAt(now time.Time) bool { return now.Sub(s.readAt) < snapshotLives }

func newSnapshot(o orders.Order, now time.Time) *snapshot {
	return &snapshot{own: o.Ownership(), readAt: now, order: o, frames: map[orders.Role]*Message{}}
}

// message is the snapshot as a role may see it, in the order's own topic.
func (s *snapshot) message(h *Hub, role orders.Role) *Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.frames[role]
	if m == nil {
		view := h.cfg.View(&s.order, role, s.readAt)
		m = &Message{
			Frame: wire.AppendSnapshot(nil, wire.OrderTopic(s.order.ID), nil, s.order.Seq, view, s.at.seenBy(role)),
			Order: s.order.ID, Seq: s.order.Seq,
		}
		s.frames[role] = m
	}
	return m
}
