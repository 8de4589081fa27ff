package postgres

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"doorbell/orders"
	"doorbell/orders/store"
	"doorbell/orders/store/pgtest"
	"doorbell/orders/store/storetest"
)

// shared is the server of the tests that only need a database.
var shared *pgtest.Server

func TestMain(m *testing.M) {
	var err error
	if shared, err = pgtest.Open(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	shared.Close()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// opened is a store on a database, closed with the test.
func opened(t testing.TB, url string, change ...func(*Config)) *Store {
	t.Helper()
	cfg := Config{URL: url, Node: uuid.NewString()}
	for _, c := range change {
		c(&cfg)
	}
	s, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// running starts the store; the returned function ends it.
func running(t testing.TB, s *Store) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

// place stores a new order.
func place(t testing.TB, s *Store, d storetest.Draft) orders.Order {
	t.Helper()
	o, ev := storetest.Place(t, d)
	if err := s.Commit(context.Background(), storetest.Change(orders.Order{}, o, ev)); err != nil {
		t.Fatal(err)
	}
	return o
}

// connected is a connection of the test's own.
func connected(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// breakNext lets the next COMMIT answer with an error, after it was made or undone for real.
func (s *Store) breakNext(made bool) { s.sessions[0].breakNext.Store(&brokenCommit{made}) }

// archived reads an order from its day's table, or from the one for single orders.
func archived(t *testing.T, url, id string) (orders.Order, []orders.Event) {
	t.Helper()
	conn := connected(t, url)
	for _, suffix := range []string{"_" + orders.PlacedAt(id).Format("20060102"), ""} {
		var there bool
		err := conn.QueryRow(t.Context(), `SELECT to_regclass($1) IS NOT NULL`, "archive.orders"+suffix).Scan(&there)
		if err != nil {
			t.Fatal(err)
		}
		if there {
			_ = conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT 1 FROM archive.orders`+suffix+` WHERE id = $1)`, id).Scan(&there)
		}
		if !there {
			continue
		}
		_, err = conn.Exec(t.Context(), `CREATE TEMP VIEW orders AS SELECT * FROM archive.orders`+suffix+`;
			CREATE TEMP VIEW events AS SELECT * FROM archive.events`+suffix)
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.New(store.Config{Engine: oneLink{pool: newPool(nil, newClock(nil)), conn: conn}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		o, err := s.Order(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		events, err := s.Events(t.Context(), id, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		return o, events
	}
	t.Fatalf("order %s is not in the archive", id)
	return orders.Order{}, nil
}

// oneLink reads on one connection, where temporary views stand in for the tables.
type oneLink struct {
	*pool
	conn *pgx.Conn
}

func (l oneLink) Row(ctx context.Context, text string, args []any, into ...any) error {
	return l.conn.QueryRow(ctx, text, args...).Scan(into...)
}

func (l oneLink) Each(ctx context.Context, text string, args []any, f func(store.Scan) error) error {
	rows, err := l.conn.Query(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Engine {
		url := shared.Database(t)
		s := opened(t, url)
		return storetest.Engine{
			Store: s, Run: s.Run,
			Queued:      s.Queued,
			BreakCommit: s.breakNext,
			Archived: func(t *testing.T, id string) (orders.Order, []orders.Event) {
				return archived(t, url, id)
			},
		}
	})
}
