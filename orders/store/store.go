package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"doorbell/orders"
)

// Config is what a Store needs to know.
type Config struct {
	Dir        string                // the data folder; made with mode 0700 if it is not there
	Publisher  orders.Publisher      // told of each committed change that has events, before its caller is; nil = nobody
	Log        zerolog.Logger        // the zero Logger is silent
	Registerer prometheus.Registerer // where doorbell_store_… is registered until Close; nil = nowhere
}

// queueLength is how many changes may wait beyond those whose callers wait to put theirs on the queue. Four groups.
const queueLength = 4 * maxGroup

// Store is the SQLite store of one process. Its methods may be called from any goroutine.
//
// A write waits for Run to take it. When the caller's context ends before the answer, the caller gets Unavailable, and
// the change may still be committed.
type Store struct {
	dir  string
	log  zerolog.Logger
	lock *os.File
	m    *metrics

	publisher   orders.Publisher
	writer      *writer // owned by Run
	readers     *sql.DB
	checkpoints *sql.DB
	reads       statementCache
	restaurants *restaurantCache
	unregister  func()

	queue    chan *change
	stopped  chan struct{} // closed when nothing on the queue will be written any more
	stop     sync.Once     // closes stopped
	running  atomic.Bool   // Run was called
	ended    chan struct{} // closed by Run when it returns
	written  atomic.Uint64 // groups committed, for the checkpoints
	archives sync.Mutex    // one Archive at a time
	close    sync.Once
}

var _ orders.Store = (*Store)(nil)

// Open locks the data folder, opens its database, and brings the schema up to date. It starts nothing: writes wait
// for Run. It fails with a sentence for the operator when another process has the folder, or when the database needs a
// newer program.
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	dir, err := makeFolder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		dir: dir, log: cfg.Log, publisher: cfg.Publisher, restaurants: newRestaurantCache(), unregister: func() {},
		queue: make(chan *change, queueLength), stopped: make(chan struct{}), ended: make(chan struct{}),
	}
	s.m = newMetrics(func() int { return len(s.queue) })
	if s.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	if err := s.openDatabase(ctx); err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Join(dir, DatabaseFile), err)
	}
	if s.unregister, err = s.m.register(cfg.Registerer); err != nil {
		s.unregister = func() {}
		return nil, fmt.Errorf("register the store's metrics: %w", err)
	}
	return s, nil
}

func (s *Store) openDatabase(ctx context.Context) error {
	path := filepath.Join(s.dir, DatabaseFile)
	if err := makeFile(path); err != nil {
		return err
	}
	db, err := openWriter(path)
	if err != nil {
		return err
	}
	s.writer = &writer{db: db, log: s.log, m: s.m}
	if err := migrate(ctx, db); err != nil {
		return err
	}
	if err := s.writer.open(); err != nil {
		return err
	}
	if s.readers, err = openReaders(path); err != nil {
		return err
	}
	s.reads.db = s.readers
	if s.checkpoints, err = openCheckpointer(path); err != nil {
		return err
	}
	return s.readers.PingContext(ctx)
}

// Run writes until ctx ends. Then it commits what waits on the queue, and returns when every goroutine it started has
// ended; later writes answer Unavailable, reads go on until Close. It may be called once.
func (s *Store) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return errors.New("the store has been run already")
	}
	defer close(s.ended)
	var wg sync.WaitGroup
	wg.Go(func() { s.write(ctx) })
	wg.Go(func() { s.checkpoint(ctx) })
	wg.Wait()
	return nil
}

// write is the one goroutine that writes: it takes what is there, commits it, and looks again. While it waits for the
// disk the next group gathers, so nobody waits for a clock.
func (s *Store) write(ctx context.Context) {
	defer s.refuse()
	q := gatherer{held: map[string]struct{}{}}
	for ctx.Err() == nil {
		if s.writeNext(&q, s.queue) {
			continue
		}
		select {
		case c := <-s.queue:
			q.late = append(q.late, c)
		case <-ctx.Done():
		}
	}
	// What waits now is still committed, and what comes later is not, or a busy store would never end.
	rest := make(chan *change, queueLength)
	for range len(s.queue) {
		rest <- <-s.queue
	}
	for s.writeNext(&q, rest) {
	}
}

// writeNext writes a group of what is on the queue, and reports whether there was anything.
func (s *Store) writeNext(q *gatherer, queue <-chan *change) bool {
	g := q.gather(queue)
	if len(g) == 0 {
		return false
	}
	s.writer.write(g)
	s.written.Add(1)
	return true
}

// refuse ends writing: whoever waits or comes later is told so.
func (s *Store) refuse() { s.stop.Do(func() { close(s.stopped) }) }

// submit puts a change on the queue.
func (s *Store) submit(ctx context.Context, c *change) error {
	select {
	case <-s.stopped:
		return unavailable(errStopped)
	default:
	}
	select {
	case s.queue <- c:
		return nil
	case <-s.stopped:
		return unavailable(errStopped)
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	}
}

// wait is the answer to a submitted change.
func (s *Store) wait(ctx context.Context, c *change) error {
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	case <-s.stopped:
		select {
		case err := <-c.done: // answered before the end
			return err
		default:
			return unavailable(errStopped)
		}
	}
}

// do writes one change.
func (s *Store) do(ctx context.Context, c *change) error {
	if err := s.submit(ctx, c); err != nil {
		return err
	}
	return s.wait(ctx, c)
}

// Commit implements [orders.Store]. When ctx ends first it returns Unavailable, and the change may still be made.
func (s *Store) Commit(ctx context.Context, c orders.Commit) error {
	ch, err := orderChange(c)
	if err != nil {
		return internal(err)
	}
	if p := s.publisher; p != nil && len(c.Events) > 0 {
		ch.after = func(err error) {
			if err == nil {
				p.Publish(&c.Order, c.Events) // in the writer, so changes of one order are told in the order of their seq
			}
		}
	}
	return s.do(ctx, ch)
}

// Now is this machine's clock, in UTC and microseconds: only one process uses the folder.
func (s *Store) Now(context.Context) (time.Time, error) {
	return time.Now().UTC().Truncate(time.Microsecond), nil
}

// Ready writes a row and waits for its fsync: a full or broken disk answers Unavailable. Before Run it waits.
func (s *Store) Ready(ctx context.Context) error {
	return s.do(ctx, newChange(step{markReady, []any{time.Now().UnixMicro()}}))
}

// Close ends the store and unlocks its folder. If Run runs, its context must have ended: Close waits for it.
func (s *Store) Close() (err error) {
	s.close.Do(func() {
		if s.running.Load() {
			<-s.ended
		}
		s.refuse()
		s.unregister()
		s.reads.close()
		if s.writer != nil {
			s.writer.close()
			err = errors.Join(err, s.writer.db.Close())
		}
		for _, db := range []*sql.DB{s.readers, s.checkpoints} {
			if db != nil {
				err = errors.Join(err, db.Close())
			}
		}
		s.restaurants.close()
		if s.lock != nil {
			err = errors.Join(err, s.lock.Close()) // last: from here on the folder may be somebody else's
		}
	})
	return err
}
