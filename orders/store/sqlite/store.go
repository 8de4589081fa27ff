package sqlite

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
	"doorbell/orders/store"
)

// Config is what a Store needs to know.
type Config struct {
	Dir        string                // the data folder; made with mode 0700 if it is not there
	Publisher  orders.Publisher      // told of each committed change that has events, before its caller is; nil = nobody
	Log        zerolog.Logger        // the zero Logger is silent
	Registerer prometheus.Registerer // where doorbell_store_… is registered until Close; nil = nowhere
}

// Store is the SQLite store of one process. Its methods may be called from any goroutine.
//
// A write waits for Run to take it. When the caller's context ends before the answer, the caller gets Unavailable, and
// the change may still be committed.
type Store struct {
	*store.Store
	dir  string
	log  zerolog.Logger
	lock *os.File

	session     *session // owned by Run
	reader      *reader
	checkpoints *sql.DB

	written  atomic.Uint64 // transactions, for the checkpoints
	archives sync.Mutex    // one Archive at a time
	close    sync.Once
}

var (
	_ orders.Store       = (*Store)(nil)
	_ orders.TrackStore  = (*Store)(nil)
	_ orders.DeviceStore = (*Store)(nil)
)

// Open locks the data folder, opens its database, and brings the schema up to date. It starts nothing: writes wait
// for Run. It fails with a sentence for the operator when another process has the folder, or when the database needs a
// newer program.
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	dir, err := makeFolder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, log: cfg.Log, reader: &reader{}}
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
	s.Store, err = store.New(store.Config{
		Engine: s.reader, Sessions: []store.Session{s.session}, Publisher: cfg.Publisher, Log: cfg.Log,
		Registerer: cfg.Registerer,
	})
	if err != nil {
		return nil, err
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
	s.session = &session{db: db, written: func() { s.written.Add(1) }}
	if err := migrate(ctx, db); err != nil {
		return err
	}
	if err := s.session.open(); err != nil {
		return err
	}
	if s.reader.db, err = openReaders(path); err != nil {
		return err
	}
	if s.checkpoints, err = openCheckpointer(path); err != nil {
		return err
	}
	return s.reader.db.PingContext(ctx)
}

// Run writes until ctx ends. Then it commits what waits on the queue, and returns when every goroutine it started has
// ended; later writes answer Unavailable, reads go on until Close. It may be called once.
func (s *Store) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		err = s.Store.Run(ctx)
	})
	wg.Go(func() { s.checkpoint(ctx) })
	wg.Wait()
	return err
}

// Now implements [orders.Store]: this machine's clock, in UTC and microseconds.
func (s *Store) Now(context.Context) (time.Time, error) { return s.reader.Now(), nil }

// Claim implements [orders.Store]: only one process uses the folder, so every task is its own.
func (s *Store) Claim(context.Context, string) (mine bool, again time.Duration, err error) {
	return true, 0, nil
}

// Close ends the store and unlocks its folder. If Run runs, its context must have ended: Close waits for it.
func (s *Store) Close() (err error) {
	s.close.Do(func() {
		switch {
		case s.Store != nil:
			err = s.Store.Close()
		case s.session != nil: // Open failed
			err = s.session.Close()
		}
		if s.reader.db != nil {
			err = errors.Join(err, s.reader.close())
		}
		if s.checkpoints != nil {
			err = errors.Join(err, s.checkpoints.Close())
		}
		if s.lock != nil {
			err = errors.Join(err, s.lock.Close()) // last: from here on the folder may be somebody else's
		}
	})
	return err
}
