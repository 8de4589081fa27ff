package orders

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of a Service.
const (
	casTries = 32 // times a change is applied anew after losing the compare-and-set, before Unavailable
)

// Service applies commands to stored orders. It is safe for concurrent use.
type Service struct {
	store  Store
	policy Policy
	now    func() time.Time
	unpaid int // UNPAID orders a customer may have; 0 = any number

	wake    chan time.Time // a clock earlier than the one RunTimers waits for; capacity 1
	waiting atomic.Int64   // the clock RunTimers waits for, µs since 1970; MaxInt64 while it looks

	mu      sync.Mutex
	placing map[string]*turn    // by customer, while an order of it is placed
	running map[string]struct{} // idempotency keys of requests under way, scope and key
}

// Config is what a Service needs to know. Zero fields take the default beside them.
type Config struct {
	Policy       Policy           // DefaultPolicy, where no clock is set
	Now          func() time.Time // time.Now, UTC
	UnpaidOrders int              // UNPAID orders a customer may have at a time; 0 = any number
}

// NewService makes a Service on a store. It starts nothing; see RunTimers.
func NewService(store Store, cfg Config) *Service {
	s := &Service{
		store: store, policy: cfg.Policy, now: cfg.Now, unpaid: cfg.UnpaidOrders,
		wake: make(chan time.Time, 1), placing: map[string]*turn{}, running: map[string]struct{}{},
	}
	s.waiting.Store(math.MaxInt64)
	clocks := s.policy
	clocks.Estimator = nil // compared to nothing else, since it may be of a type that cannot be
	if clocks == (Policy{}) {
		s.policy = DefaultPolicy
		s.policy.Estimator = cfg.Policy.Estimator
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// Now is the service's clock: UTC, in the microseconds that the store keeps.
func (s *Service) Now() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// AllowedActions is Policy.AllowedActions at this moment.
func (s *Service) AllowedActions(o *Order, by Actor) []string {
	return s.policy.AllowedActions(o, by, s.Now())
}

// Do applies a command for a caller and returns the order after it, with the events it caused (none for a repeat).
// A change that is returned was fsynced. match reports whether a seq is one the caller expects, nil = any.
//
// Errors: NotFound where the caller may not see the order, PreconditionFailed for another seq, and those of
// Policy.Apply and Store.Commit. Who loses against another change is judged anew by what that change left.
func (s *Service) Do(ctx context.Context, id string, c Command, by Caller, match func(seq int64) bool) (Order, []Event, error) {
	menu, err := s.menuFor(ctx, id, c)
	if err != nil {
		return Order{}, nil, err
	}
	if a, ok := c.(Amend); ok {
		a.Menu = menu
		c = a
	}
	return s.change(ctx, id, c, by.Actor, func(o *Order, now time.Time) error {
		if !o.Ownership().VisibleTo(by, now) {
			return unknownOrder()
		}
		if match != nil && !match(o.Seq) {
			return Errorf(PreconditionFailed, "the order is at seq %d", o.Seq)
		}
		return nil
	})
}

// DoAsSystem applies a command of a timer or the geofence.
func (s *Service) DoAsSystem(ctx context.Context, id string, c Command, now time.Time) (Order, []Event, error) {
	return s.changeAt(ctx, id, c, System, func() time.Time { return now }, nil)
}

func unknownOrder() *Error { return Errorf(NotFound, "no such order") }

func (s *Service) change(ctx context.Context, id string, c Command, by Actor, check func(*Order, time.Time) error) (Order, []Event, error) {
	return s.changeAt(ctx, id, c, by, s.Now, check)
}

// changeAt loads, checks, applies and commits, again and again until nobody else was faster.
func (s *Service) changeAt(ctx context.Context, id string, c Command, by Actor, clock func() time.Time, check func(*Order, time.Time) error) (Order, []Event, error) {
	for range casTries {
		o, err := s.store.Order(ctx, id)
		if err != nil {
			return Order{}, nil, err
		}
		now := clock()
		if check != nil {
			if err := check(&o, now); err != nil {
				return Order{}, nil, err
			}
		}
		next, events, refusal := s.policy.Apply(o, c, by, now)
		if events == nil && next.WrongPINs == o.WrongPINs && !(c.Action() == ActTick && s.stale(&o, now)) {
			return next, nil, refusal
		}
		err = s.commit(ctx, &o, next, events, c.Action() == ActTick)
		switch {
		case errors.Is(err, ErrLost):
			continue
		case err != nil:
			return Order{}, nil, err
		}
		return next, events, refusal
	}
	return Order{}, nil, Errorf(Unavailable, "too many changes of this order at once, try again")
}

// stale reports that a timer came up for an order without anything due, so its stored clock is wrong.
func (s *Service) stale(o *Order, now time.Time) bool {
	due := o.Due()
	return due.IsZero() || now.Before(due)
}

// commit stores what became of base, and wakes the timers when its next clock moved.
func (s *Service) commit(ctx context.Context, base *Order, next Order, events []Event, timer bool) error {
	due := next.Due()
	c := Commit{
		Order: next, BaseSeq: base.Seq, BaseChange: base.ChangeID, Events: events,
		DueChanged: timer || !due.Equal(base.Due()),
	}
	if err := s.store.Commit(ctx, c); err != nil {
		return err
	}
	if c.DueChanged && !due.IsZero() {
		s.poke(due)
	}
	return nil
}

// menuFor reads the restaurant whose menu a command needs, nil for most. What the menu says of the command is judged in
// Policy.Apply, behind everything that comes before it. An order that is not there is left to be found so there.
func (s *Service) menuFor(ctx context.Context, id string, c Command) (*Restaurant, error) {
	if a, ok := c.(Amend); !ok || a.Substitute == nil {
		return nil, nil
	}
	w, err := s.store.Ownership(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.store.Restaurant(ctx, w.Restaurant)
}
