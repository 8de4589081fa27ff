package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"doorbell/orders"
)

const (
	// takeLease succeeds for whoever has the task, and for anybody once its time is over.
	takeLease = `INSERT INTO leases (task, node, until) VALUES ($1, $2, ` + nowText + ` + $3)
	ON CONFLICT (task) DO UPDATE SET node = excluded.node, until = excluded.until
	WHERE leases.node = excluded.node OR leases.until < ` + nowText + ` RETURNING node`
	giveLeases = `DELETE FROM leases WHERE node = $1`
)

// claimParts are the claims of a lease's time that a node makes: one may be late or lost.
const claimParts = 3

// Claim implements [orders.Store]. Who dies loses its tasks within LeaseFor, by the database's clock; Close gives them
// back at once.
func (s *Store) Claim(ctx context.Context, task string) (mine bool, again time.Duration, err error) {
	again = orders.LeaseFor / claimParts
	var node string
	switch err := s.pool.Row(ctx, takeLease, []any{task, s.node, orders.LeaseFor.Microseconds()}, &node); {
	case errors.Is(err, sql.ErrNoRows):
		return false, again, nil
	case err != nil:
		return false, again, s.Told(fmt.Errorf("claim %s: %w", task, err))
	}
	return true, again, nil
}

// giveBack ends all claims of this node.
func (s *Store) giveBack() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = s.pool.Exec(ctx, giveLeases, s.node) // or they run out
}
