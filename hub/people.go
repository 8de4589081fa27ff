package hub

import (
	"slices"
	"sync"
	"time"

	"doorbell/orders"
)

// Identity is who a session speaks for, as its token said.
type Identity struct {
	orders.Caller
	ExpiresAt time.Time // the session ends then (4401); zero = never
	IssuedAt  time.Time // zero = the token did not say
}

// subject is whom limits and revocations count: the sub, or a tracking link's order.
func (i *Identity) subject() string { // reads nothing that a renewed token changes
	if i.Role == orders.RoleTracker {
		return "trk:" + i.OrderID
	}
	return i.ID
}

// peopleShard finds the sessions of a person.
type peopleShard struct {
	mu       sync.Mutex // guards the following
	sessions map[string][]*Session
	admitted map[string]int // places taken before the session is there
}

// Admit takes a place for one more session of this person, before the connection is upgraded. The place is given back
// by release, or taken over by Connect; calling release after that does nothing.
//
// Errors: Unavailable when the node is full, Exhausted when this person has too many sessions.
func (h *Hub) Admit(id Identity) (p *Place, err error) {
	n := h.sessions.Add(1)
	if h.shut.Load() { // looked at behind the count: Drain has either seen this session, or it is refused
		h.sessions.Add(-1)
		return nil, orders.Errorf(orders.Unavailable, "this node is stopping")
	}
	if h.cfg.MaxSessions > 0 && n > int64(h.cfg.MaxSessions) {
		h.sessions.Add(-1)
		h.m.refused.WithLabelValues("full").Inc()
		return nil, orders.Errorf(orders.Unavailable, "this node is full")
	}
	key := id.subject()
	shard := &h.people[h.shardOf(key)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if n := len(shard.sessions[key]) + shard.admitted[key]; h.cfg.MaxPerSubject > 0 && n >= h.cfg.MaxPerSubject &&
		id.Role != orders.RoleOps {
		h.sessions.Add(-1)
		h.m.refused.WithLabelValues("subject").Inc()
		return nil, orders.Errorf(orders.Exhausted, "at most %d sockets of one person", h.cfg.MaxPerSubject)
	}
	if shard.admitted == nil {
		shard.admitted = map[string]int{}
	}
	shard.admitted[key]++
	return &Place{hub: h, id: id}, nil
}

// Place is room for one session.
type Place struct {
	hub  *Hub
	id   Identity
	used bool
}

// Release gives the place back unless a session took it.
func (p *Place) Release() {
	if p.used {
		return
	}
	p.used = true
	p.leave()
	p.hub.sessions.Add(-1)
}

// leave takes the place out of the count of those being admitted.
func (p *Place) leave() {
	key := p.id.subject()
	shard := &p.hub.people[p.hub.shardOf(key)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.admitted[key]--; shard.admitted[key] <= 0 {
		delete(shard.admitted, key)
	}
}

func (h *Hub) enter(s *Session) {
	key := s.id.subject()
	shard := &h.people[h.shardOf(key)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	shard.sessions[key] = append(shard.sessions[key], s)
}

func (h *Hub) leave(s *Session) {
	key := s.id.subject()
	shard := &h.people[h.shardOf(key)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	left := slices.DeleteFunc(shard.sessions[key], func(x *Session) bool { return x == s })
	if len(left) == 0 {
		delete(shard.sessions, key)
	} else {
		shard.sessions[key] = left
	}
	h.sessions.Add(-1)
}

// Revoke ends the sessions of a sub whose tokens were issued at or before the second of t (4401).
func (h *Hub) Revoke(sub string, t time.Time) {
	shard := &h.people[h.shardOf(sub)]
	shard.mu.Lock()
	list := slices.Clone(shard.sessions[sub])
	shard.mu.Unlock()
	for _, s := range list {
		if issued := s.identity().IssuedAt; issued.IsZero() || issued.Unix() <= t.Unix() {
			s.End(TokenRevoked)
		}
	}
}
