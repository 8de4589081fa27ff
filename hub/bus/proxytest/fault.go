package proxytest

import "time"

// SetTarget sends connections made from now on to another "host:port"; those that are there stay where they are.
func (p *Proxy) SetTarget(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = addr
}

// Cut closes all connections and lets no new one live until Heal. The port stays the proxy's own, so a client that
// comes meanwhile is reset right after it connected, where a server that is gone would not let it connect.
func (p *Proxy) Cut() {
	p.turn(func() { p.state = cut })
	p.end((*link).close)
}

// Reset ends all connections with an RST in both directions. New ones go on as before.
func (p *Proxy) Reset() { p.end((*link).reset) }

// BlackHole lets connections stay open and take new ones, and lets no byte pass, nor the end of a connection, until
// Heal. What was sent meanwhile, up to what the kernels hold, passes then, as it does when a broken route comes back.
func (p *Proxy) BlackHole() { p.turn(func() { p.state = hole }) }

// Delay holds every byte back by d, in each direction; throughput stays. 0 is none.
func (p *Proxy) Delay(d time.Duration) { p.turn(func() { p.delay = d }) }

// Heal ends whatever Cut, BlackHole, Delay and OnReply began. A reply that an OnReply kept is not brought back.
func (p *Proxy) Heal() {
	p.turn(func() {
		p.state, p.delay = forwarding, 0
		if p.onReply != nil {
			p.onReply = Pass
		}
	})
}

// turn changes the state and tells all who wait on it.
func (p *Proxy) turn(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	close(p.changed)
	p.changed = make(chan struct{})
}

// due is when bytes read now may go on; the zero time is at once.
func (p *Proxy) due() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.delay == 0 {
		return time.Time{}
	}
	return time.Now().Add(p.delay)
}

// pass waits until bytes of a link may go on. It is false when the link ended before.
func (p *Proxy) pass(l *link, due time.Time) bool {
	for {
		p.mu.Lock()
		state, delay, changed := p.state, p.delay, p.changed
		p.mu.Unlock()
		wait := time.Until(due)
		if state != hole && (wait <= 0 || delay == 0) {
			return true
		}
		var late <-chan time.Time // nil while only Heal helps
		if state != hole {
			late = time.After(wait)
		}
		select {
		case <-late:
		case <-changed:
		case <-l.done:
			return false
		}
	}
}
