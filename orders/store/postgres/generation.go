package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"doorbell/orders"
)

const (
	addGeneration   = `INSERT INTO bus (one, generation, run) VALUES (1, $1, '') ON CONFLICT (one) DO NOTHING`
	readGeneration  = `SELECT generation, run FROM bus WHERE one = 1`
	renewGeneration = `UPDATE bus SET generation = $1, run = $2 WHERE one = 1 AND generation = $3`
)

// newGeneration is a generation's id: a UUIDv7 that is later than the one before, whatever the clock says.
func newGeneration(now time.Time, old string) string {
	if before := orders.PlacedAt(orders.IDPrefix + old); !now.After(before) {
		now = before.Add(time.Millisecond)
	}
	return strings.TrimPrefix(orders.NewID(now.Add(time.Millisecond)), orders.IDPrefix)
}

// Generation implements [orders.Generations].
func (s *Store) Generation(ctx context.Context) (g orders.Generation, err error) {
	for range 2 {
		err = s.pool.Row(ctx, readGeneration, nil, &g.ID, &g.Run)
		if err == nil || !errors.Is(err, sql.ErrNoRows) {
			break
		}
		if _, err = s.pool.Exec(ctx, addGeneration, newGeneration(s.Clock(), "")); err != nil {
			break
		}
	}
	if err != nil {
		return orders.Generation{}, s.Told(fmt.Errorf("read the generation: %w", err))
	}
	return g, nil
}

// RenewGeneration implements [orders.Generations]: of nodes that want to renew the same one, the first does.
func (s *Store) RenewGeneration(ctx context.Context, old, run string) (orders.Generation, error) {
	if _, err := s.pool.Exec(ctx, renewGeneration, newGeneration(s.Clock(), old), run, old); err != nil {
		return orders.Generation{}, s.Told(fmt.Errorf("renew the generation: %w", err))
	}
	return s.Generation(ctx)
}
