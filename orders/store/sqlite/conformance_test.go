package sqlite

import (
	"errors"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"doorbell/orders"
	"doorbell/orders/store"
	"doorbell/orders/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opened is an empty store in a folder of its own, closed with the test.
func opened(t *testing.T) *Store {
	t.Helper()
	return openedIn(t, t.TempDir())
}

func openedIn(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Dir: dir})
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

// breakNext lets the next COMMIT answer with an error, after it was made or undone for real.
func (s *Store) breakNext(made bool) {
	done := false
	s.session.aroundCommit = func(commit, undo func() error) error {
		if done {
			return commit()
		}
		done = true
		if made {
			return errors.Join(commit(), errors.New("the answer was lost"))
		}
		return errors.Join(undo(), errors.New("the commit failed"))
	}
}

// archived reads an order from its day's file.
func (s *Store) archived(t *testing.T, id string) (orders.Order, []orders.Event) {
	t.Helper()
	path := filepath.Join(s.dir, archiveDir, orders.PlacedAt(id).Format("2006-01-02")+".db")
	db, err := openReaders(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	day, err := store.New(store.Config{Engine: &reader{db: db}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = day.Close() }()
	o, err := day.Order(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	events, err := day.Events(t.Context(), id, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return o, events
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Engine {
		s := opened(t)
		return storetest.Engine{
			Store: s, Run: s.Run,
			Queued:      s.Queued,
			BreakCommit: s.breakNext,
			Archived:    s.archived,
		}
	})
}
