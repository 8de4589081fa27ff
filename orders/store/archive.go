package store

import (
	"context"
	"errors"

	"doorbell/orders"
)

// Ended is an order that is over, and the mark it had when it was copied to the archive.
type Ended struct {
	ID       string
	ChangeID string
}

// DropEnded deletes orders that were copied to the archive, with their events, and counts what it deleted. One that was
// changed after it was copied stays. Errors: Unavailable.
func (s *Store) DropEnded(ctx context.Context, ended []Ended) (n int, err error) {
	var sent []*change
	for _, e := range ended {
		args := []any{e.ID, e.ChangeID}
		c := newChange(Step{dropEndedEvents, args}, Step{dropEndedTimer, args}, Step{dropEndedOrder, args})
		c.lock = "o/" + e.ID
		c.verdict = func(touched []int64) error {
			if touched[2] == 0 {
				return orders.ErrLost
			}
			return nil
		}
		if err = s.submit(ctx, c); err != nil {
			break
		}
		sent = append(sent, c)
	}
	for _, c := range sent {
		switch e := s.wait(ctx, c); {
		case e == nil:
			n++
		case !errors.Is(e, orders.ErrLost):
			err = errors.Join(err, e)
		}
	}
	return n, err
}
