package postgres

import (
	"context"
	"sync"
	"testing"
	"time"

	"doorbell/orders"
)

// eventually waits until f says yes.
func eventually(t testing.TB, what string, within time.Duration, f func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !f(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// published keeps what a store publishes.
type published struct {
	mu     sync.Mutex
	groups []orders.Group
}

func (p *published) PublishGroup(g orders.Group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.groups = append(p.groups, g)
}

func (p *published) all() []orders.Group {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.groups[:len(p.groups):len(p.groups)]
}

// took is how long f ran.
func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// execute runs SQL on a connection of the test's own.
func execute(t testing.TB, url, sql string, args ...any) {
	t.Helper()
	if _, err := connected(t, url).Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// number reads one number.
func number(t testing.TB, url, sql string, args ...any) (n int64) {
	t.Helper()
	if err := connected(t, url).QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}
