package hub

import (
	"time"

	"doorbell/hub/wire"
)

// retireGrace is how long a client may take to open its new socket after the moment its goaway named.
const retireGrace = 10 * time.Second

// look does what is due for a session: ping, the end of its token or its age, silence. It returns when to look again,
// zero when the session has ended.
func (s *Session) look(now time.Time) time.Time {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return time.Time{}
	}
	var end *Ending
	beat := s.hub.cfg.Heartbeat
	switch {
	case !s.id.ExpiresAt.IsZero() && !now.Before(s.id.ExpiresAt):
		end = &TokenEnded
	case !s.leaveAt.IsZero() && !now.Before(s.leaveAt):
		end = &GoingAway
	case !s.replay && now.Sub(s.heardAt) >= 2*beat+beat/2:
		end = &Silent
	}
	if end != nil {
		s.mu.Unlock()
		s.End(*end)
		return time.Time{}
	}
	if s.leaveAt.IsZero() && !now.Before(s.retireAt) {
		s.goaway(0, now)
	}
	if quiet := later(s.heardAt, s.pingedAt); now.Sub(quiet) >= beat {
		s.ping, s.pingedAt = true, now
		s.start()
	}
	next := s.next()
	s.mu.Unlock()
	return next
}

// next is when something is due for the session. Called with s.mu held.
func (s *Session) next() time.Time {
	beat := s.hub.cfg.Heartbeat
	next := later(s.heardAt, s.pingedAt).Add(beat)
	if !s.replay {
		next = earlier(next, s.heardAt.Add(2*beat+beat/2))
	}
	next = earlier(next, s.id.ExpiresAt)
	if s.leaveAt.IsZero() {
		next = earlier(next, s.retireAt)
	}
	return earlier(next, s.leaveAt)
}

// lookAgain tells the wheel that something is due earlier than it was.
func (s *Session) lookAgain() {
	s.mu.Lock()
	next, ended := s.next(), s.ended
	s.mu.Unlock()
	if !ended {
		s.hub.wheel.add(s, next, time.Now())
	}
}

// goaway asks the client to open another socket after wait, and gives it some time to leave this one. A stream cannot
// be asked: it ends at that moment. Called with s.mu held.
func (s *Session) goaway(wait time.Duration, now time.Time) {
	if s.replay {
		s.leaveAt = now.Add(wait)
		return
	}
	s.leaveAt = now.Add(wait + retireGrace)
	s.push(entry{m: &Message{Frame: wire.AppendGoaway(nil, wait)}})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earlier is the earlier of two moments; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
