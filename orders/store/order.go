package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"doorbell/orders"
)

// decodeOrder is an order from its row.
func decodeOrder(changeID string, doc []byte) (o orders.Order, err error) {
	if err := json.Unmarshal(doc, &o); err != nil {
		return o, fmt.Errorf("decode an order: %w", err)
	}
	o.ChangeID = changeID
	return o, nil
}

// notFound turns an empty answer into NotFound, and any other error into what the caller is told.
func (s *Store) notFound(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return orders.Errorf(orders.NotFound, "no such %s", what)
	}
	return s.Told(err)
}

// Order implements [orders.Store].
func (s *Store) Order(ctx context.Context, id string) (orders.Order, error) {
	var changeID string
	var doc []byte
	if err := s.row(ctx, readOrder, []any{id}, &changeID, &doc); err != nil {
		return orders.Order{}, s.notFound(err, "order")
	}
	o, err := decodeOrder(changeID, doc)
	if err != nil {
		return o, internal(err)
	}
	return o, nil
}

// Ownership implements [orders.Store]. It reads a few columns and no document.
func (s *Store) Ownership(ctx context.Context, id string) (orders.Ownership, error) {
	w := orders.Ownership{ID: id}
	var shown, returning, ended int64
	err := s.row(ctx, readOwnership, []any{id}, &w.Seq, &w.Status, &w.Restaurant, &w.Customer, &w.Courier,
		&shown, &returning, &ended)
	if err != nil {
		return orders.Ownership{}, s.notFound(err, "order")
	}
	w.ShownToMerchant, w.Returning, w.EndedAt = shown == 1, returning == 1, fromMicros(ended)
	return w, nil
}

// UnpaidOrders implements [orders.Store].
func (s *Store) UnpaidOrders(ctx context.Context, customer string) (n int, err error) {
	if err := s.row(ctx, readUnpaid, []any{customer}, &n); err != nil {
		return 0, s.Told(err)
	}
	return n, nil
}
