package postgres

import (
	"strings"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/orders/store"
)

// TestOldestWaiting: how long the oldest row waits, whatever was published before it, found by the index.
func TestOldestWaiting(t *testing.T) {
	url := shared.Database(t)
	s := opened(t, url)
	oldest := func() time.Duration {
		t.Helper()
		age, err := s.OldestWaiting(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return age
	}
	if age := oldest(); age != 0 {
		t.Errorf("nothing waits, and for %v", age)
	}
	execute(t, url, `INSERT INTO outbox (id, committed_at, about) VALUES ('new', `+nowText+` + 60000000, '{}')`)
	if age := oldest(); age <= 0 || age > time.Second {
		t.Errorf("a row from a clock that was ahead waits for %v", age)
	}
	execute(t, url, `INSERT INTO outbox (id, committed_at, published_at, about) VALUES ('out', `+nowText+` - 9000000, 1, '{}')`)
	execute(t, url, `INSERT INTO outbox (id, committed_at, about) VALUES ('old', `+nowText+` - 5000000, '{}')`)
	if age := oldest(); age < 5*time.Second || age > 9*time.Second {
		t.Errorf("five seconds are %v", age)
	}
	if err := s.MarkPublished(t.Context(), []string{"old", "new"}); err != nil {
		t.Fatal(err)
	}
	if age := oldest(); age != 0 {
		t.Errorf("all is out, and %v", age)
	}
	execute(t, url, `INSERT INTO outbox (id, committed_at, published_at, about)
	SELECT 'id' || n, n, n % 1000, '{}' FROM generate_series(1, 20000) n`)
	execute(t, url, `ANALYZE outbox`)
	var plan strings.Builder
	if err := s.pool.Each(t.Context(), `EXPLAIN `+oldestWaiting, nil, func(scan store.Scan) error {
		var line string
		err := scan(&line)
		plan.WriteString(line)
		return err
	}); err != nil || !strings.Contains(plan.String(), "outbox_waiting") {
		t.Errorf("the index is not used: %v\n%s", err, plan.String())
	}
}

var _ orders.Outbox = (*Store)(nil)
