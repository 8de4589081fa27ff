package orders

import (
	"context"
	"time"
)

// Get reads an order for a caller. NotFound where it may not see it.
func (s *Service) Get(ctx context.Context, id string, by Caller) (Order, error) {
	o, err := s.store.Order(ctx, id)
	if err != nil {
		return Order{}, err
	}
	if !o.Ownership().VisibleTo(by, s.Now()) {
		return Order{}, unknownOrder()
	}
	return o, nil
}

// Visible reads what decides who may see an order, and fails with NotFound where the caller may not.
func (s *Service) Visible(ctx context.Context, id string, by Caller) (Ownership, error) {
	w, err := s.store.Ownership(ctx, id)
	if err != nil {
		return Ownership{}, err
	}
	if !w.VisibleTo(by, s.Now()) {
		return Ownership{}, unknownOrder()
	}
	return w, nil
}

// Events reads at most limit events of an order that the caller was found to see, after a seq, oldest first.
func (s *Service) Events(ctx context.Context, id string, after int64, limit int) ([]Event, error) {
	return s.store.Events(ctx, id, after, limit)
}

// ListFilter narrows a list; zero fields do not.
type ListFilter struct {
	Status       Status
	UpdatedAfter time.Time
	Running      bool
	Cursor       string
	Limit        int
}

// List reads a page of the orders that are the caller's to see, newest first. Forbidden for a role that has no list.
func (s *Service) List(ctx context.Context, by Caller, f ListFilter) (page []Order, next string, err error) {
	if !f.UpdatedAfter.IsZero() { // callers know times in milliseconds: the order whose time they give is not after it
		f.UpdatedAfter = f.UpdatedAfter.Truncate(time.Millisecond).Add(time.Millisecond - time.Microsecond)
	}
	q := Query{Status: f.Status, UpdatedAfter: f.UpdatedAfter, Running: f.Running, Cursor: f.Cursor, Limit: f.Limit}
	switch by.Role {
	case RoleCustomer:
		q.Customer = by.ID
	case RoleMerchant:
		q.Restaurants = by.Restaurants
	case RoleCourier:
		q.Courier, q.CourierSince = by.ID, s.Now().Add(-CourierReads)
	case RoleOps:
	default:
		return nil, "", Errorf(Forbidden, "role %s has no list of orders", by.Role)
	}
	return s.store.List(ctx, q)
}
