package sqlite

import (
	"context"
	"time"
)

// checkpointEvery is the pause between checkpoints. They run beside the writer: its commits stay short, and the WAL,
// which readers search, stays small.
const checkpointEvery = 2 * time.Second

// checkpoint moves what was committed from the WAL into the database file, as far as readers allow, until ctx ends.
func (s *Store) checkpoint(ctx context.Context) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	var done uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n := s.written.Load()
		if n == done {
			continue
		}
		if _, err := s.checkpoints.ExecContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`); err != nil {
			if ctx.Err() == nil {
				s.log.Warn().Err(err).Msg("a checkpoint failed and will be tried again")
			}
			continue
		}
		done = n
	}
}
