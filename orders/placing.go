package orders

import (
	"bytes"
	"context"
	"errors"
	"sync"
)

// Placement is a customer's wish to order.
type Placement struct {
	RestaurantID    string
	Items           []Item // UnitPrice -1 where the request had none
	Address         Address
	Method          PaymentMethod
	NotificationURL string // normalised by NormaliseURL, "" = none
	Deliver         Deliver
	SoldOutPolicy   SoldOutPolicy
	ExpectedTotal   *int64 // refuse another total; nil = any
	Key             *PlacementKey
}

// PlacementKey is an Idempotency-Key and how to word the answer that is kept with it.
type PlacementKey struct {
	Scope   string // sub and route
	Key     string
	Hash    []byte // SHA-256 of the request
	Respond func(*Order) (status int, body []byte)
}

// Placed is what Place answers: a new order, or the first answer to the same key.
type Placed struct {
	Order    Order // zero when Replayed
	Replayed *KeyRecord
}

// Place places an order for a customer. Errors: Unprocessable for what is against a rule (unknown restaurant or item,
// area, price, a key used with another body); Conflict for sold-out items and for a key whose first request still
// runs; Exhausted with too many unpaid orders.
func (s *Service) Place(ctx context.Context, by Caller, p Placement) (Placed, error) {
	if p.Key != nil {
		done, release, err := s.claimKey(ctx, p.Key)
		if err != nil {
			return Placed{}, err
		}
		if done != nil {
			return Placed{Replayed: done}, nil
		}
		defer release()
	}
	r, err := s.store.Restaurant(ctx, p.RestaurantID)
	if KindOf(err) == NotFound {
		return Placed{}, fieldErr("/restaurantId", "no such restaurant")
	} else if err != nil {
		return Placed{}, err
	}
	items, err := r.Price(p.Items)
	if err != nil {
		return Placed{}, err
	}
	if p.ExpectedTotal != nil && *p.ExpectedTotal != total(items) {
		e := fieldErr("/expectedTotal", "the total is %d", total(items))
		e.Code = CodePriceChanged
		return Placed{}, e
	}
	if p.Method != Cash {
		release, err := s.mayOwe(ctx, by.ID)
		if err != nil {
			return Placed{}, err
		}
		defer release()
	}
	return s.place(ctx, by, p, r, items)
}

func (s *Service) place(ctx context.Context, by Caller, p Placement, r *Restaurant, items []Item) (Placed, error) {
	now := s.Now()
	next, events, err := s.policy.Apply(Order{}, Create{
		ID: NewID(now), Restaurant: *r, Client: by.Client, Items: items, Method: p.Method, Address: p.Address,
		SoldOutPolicy: p.SoldOutPolicy, NotificationURL: p.NotificationURL, Deliver: p.Deliver,
		PIN: newPIN(), TrackKey: newTrackKey(),
	}, by.Actor, now)
	if err != nil {
		return Placed{}, err
	}
	c := Commit{Order: next, Events: events, DueChanged: true}
	if k := p.Key; k != nil {
		c.Key = &KeyRecord{Scope: k.Scope, Key: k.Key, Hash: k.Hash, OrderID: next.ID, At: now}
		c.Key.Status, c.Key.Response = k.Respond(&next)
	}
	err = s.store.Commit(ctx, c)
	if errors.Is(err, ErrKeyTaken) { // by another node, between our look and our write
		done, err := s.answered(ctx, p.Key)
		return Placed{Replayed: done}, err
	} else if err != nil {
		return Placed{}, err
	}
	s.poke(next.Due())
	return Placed{Order: next}, nil
}

// claimKey finds the first answer to a key, or makes this request the one that runs under it.
func (s *Service) claimKey(ctx context.Context, k *PlacementKey) (done *KeyRecord, release func(), err error) {
	id := k.Scope + "\x00" + k.Key
	s.mu.Lock()
	_, busy := s.running[id]
	if !busy {
		s.running[id] = struct{}{}
	}
	s.mu.Unlock()
	if busy {
		e := Errorf(Conflict, "a request with this Idempotency-Key is still running")
		e.Code = CodeKeyRunning
		return nil, nil, e
	}
	release = func() {
		s.mu.Lock()
		delete(s.running, id)
		s.mu.Unlock()
	}
	done, err = s.answered(ctx, k)
	if KindOf(err) == NotFound {
		return nil, release, nil
	}
	release()
	return done, nil, err
}

// answered reads the first answer to a key. Unprocessable when the key came with another request.
func (s *Service) answered(ctx context.Context, k *PlacementKey) (*KeyRecord, error) {
	done, err := s.store.Key(ctx, k.Scope, k.Key)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(done.Hash, k.Hash) {
		e := Errorf(Unprocessable, "this Idempotency-Key was used with another request")
		e.Code = CodeKeyReused
		return nil, e
	}
	return &done, nil
}

// mayOwe lets a customer place one more order that is not paid yet. Until release it places no other here, so that the
// stored orders are all there are to count.
func (s *Service) mayOwe(ctx context.Context, customer string) (release func(), err error) {
	if s.unpaid == 0 {
		return func() {}, nil
	}
	release = s.alone(customer)
	stored, err := s.store.UnpaidOrders(ctx, customer)
	if err == nil && stored >= s.unpaid {
		e := Errorf(Exhausted, "at most %d unpaid orders at a time", s.unpaid)
		e.Code = CodeUnpaidOrders
		err = e
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// turn is the right to place an order for a customer, and how many hold it or wait for it.
type turn struct {
	mu sync.Mutex
	n  int // guarded by Service.mu
}

// alone waits until nobody else places an order for this customer.
func (s *Service) alone(customer string) (release func()) {
	s.mu.Lock()
	t := s.placing[customer]
	if t == nil {
		t = &turn{}
		s.placing[customer] = t
	}
	t.n++
	s.mu.Unlock()
	t.mu.Lock()
	return func() {
		t.mu.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		if t.n--; t.n == 0 {
			delete(s.placing, customer)
		}
	}
}
