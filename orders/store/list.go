package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"doorbell/orders"
)

// filter is a list's WHERE with its arguments.
type filter struct {
	terms []string
	args  []any
}

// add puts in a term whose %d is the number of its argument.
func (f *filter) add(term string, arg any) {
	f.args = append(f.args, arg)
	f.terms = append(f.terms, fmt.Sprintf(term, len(f.args)))
}

// with is the filter and one term more; f stays as it is.
func (f filter) with(term string, arg any) filter {
	f.terms, f.args = slices.Clip(f.terms), slices.Clip(f.args)
	f.add(term, arg)
	return f
}

// text is the query for these columns, newest first.
func (f filter) text(columns string, limit int) (string, []any) {
	args := append(slices.Clip(f.args), int64(limit))
	where := ""
	if len(f.terms) > 0 {
		where = " WHERE " + strings.Join(f.terms, " AND ")
	}
	return fmt.Sprintf("SELECT %s FROM orders%s ORDER BY id DESC LIMIT $%d", columns, where, len(args)), args
}

// filterOf turns a query, but for its restaurants, into SQL. The terms without an argument repeat the conditions of
// partial indexes, or those would not be used.
func filterOf(q orders.Query, before string) filter {
	var f filter
	if before != "" {
		f.add(`id < $%d`, before)
	}
	if q.Customer != "" {
		f.add(`customer_id = $%d`, q.Customer)
	}
	if q.Courier != "" {
		f.terms = append(f.terms, `courier_id <> ''`)
		f.add(`courier_id = $%d`, q.Courier)
		if !q.Running && !q.CourierSince.IsZero() {
			f.add(`(ended_at = 0 OR ended_at > $%d OR is_returning = 1)`, micros(q.CourierSince))
		}
	}
	if q.Restaurants != nil {
		f.terms = append(f.terms, `shown_to_merchant = 1`)
	}
	if q.Running {
		f.terms = append(f.terms, `(ended_at = 0 OR is_returning = 1)`)
	}
	if q.Status != "" {
		f.add(`status = $%d`, string(q.Status))
	}
	if !q.UpdatedAfter.IsZero() {
		f.add(`updated_at > $%d`, micros(q.UpdatedAfter.Truncate(time.Microsecond)))
	}
	return f
}

// List implements [orders.Store]. Pages hold at most 1000 orders; a limit of 0 means that many. A courier's list has
// what it still carries back, too. Errors: Invalid naming cursor.
func (s *Store) List(ctx context.Context, q orders.Query) (page []orders.Order, next string, err error) {
	before := ""
	if q.Cursor != "" {
		if before, err = parseCursor(q.Cursor); err != nil {
			return nil, "", err
		}
	}
	page, next, err = s.list(ctx, q, filterOf(q, before), PageSize(q.Limit))
	if err != nil {
		return nil, "", s.Told(err)
	}
	return page, next, nil
}

// list reads one row more than the page holds: that tells whether another page follows.
func (s *Store) list(ctx context.Context, q orders.Query, f filter, limit int) (page []orders.Order, next string, err error) {
	restaurants := slices.Compact(slices.Sorted(slices.Values(q.Restaurants)))
	switch {
	case q.Restaurants != nil && len(restaurants) == 0:
		return nil, "", nil
	case len(restaurants) > 1:
		return s.listOfMany(ctx, restaurants, f, limit)
	case len(restaurants) == 1:
		f = f.with(`restaurant_id = $%d`, restaurants[0])
	}
	if page, err = s.ordersOf(ctx, f, limit+1); err != nil {
		return nil, "", err
	}
	if len(page) > limit {
		page = page[:limit]
		next = formatCursor(page[limit-1].ID)
	}
	return page, next, nil
}

// listOfMany is the list of several restaurants: the ids first, then the orders. One that changed in between, and is
// not what was asked for any more, is left out; so a page can be short though another follows.
func (s *Store) listOfMany(ctx context.Context, restaurants []string, f filter, limit int) (page []orders.Order, next string, err error) {
	ids, err := s.newestOf(ctx, restaurants, f, limit+1)
	if err != nil {
		return nil, "", err
	}
	if len(ids) > limit {
		ids = ids[:limit]
		next = formatCursor(ids[limit-1])
	}
	for _, id := range ids {
		o, err := s.ordersOf(ctx, f.with(`id = $%d`, id), 1)
		if err != nil {
			return nil, "", err
		}
		page = append(page, o...)
	}
	return page, next, nil
}

// newestOf merges the newest ids of several restaurants. Each is read from its own stretch of the index; one query
// over all of them would sort every order they ever had.
func (s *Store) newestOf(ctx context.Context, restaurants []string, f filter, limit int) (ids []string, err error) {
	for _, r := range restaurants {
		text, args := f.with(`restaurant_id = $%d`, r).text(`id`, limit)
		err := s.each(ctx, text, args, func(scan Scan) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		})
		if err != nil {
			return nil, err
		}
		slices.SortFunc(ids, func(a, b string) int { return strings.Compare(b, a) })
		ids = ids[:min(len(ids), limit)]
	}
	return ids, nil
}

func (s *Store) ordersOf(ctx context.Context, f filter, limit int) (out []orders.Order, err error) {
	text, args := f.text(`change_id, doc`, limit)
	err = s.each(ctx, text, args, func(scan Scan) error {
		var changeID string
		var doc sql.RawBytes
		if err := scan(&changeID, &doc); err != nil {
			return err
		}
		o, err := decodeOrder(changeID, doc)
		out = append(out, o)
		return err
	})
	return out, err
}
