package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"doorbell/orders"
)

// pages reads a whole list, a page at a time.
func (e Engine) pages(t *testing.T, q orders.Query) (ids []string) {
	t.Helper()
	for {
		page, next, err := e.List(t.Context(), q)
		if err != nil {
			t.Fatalf("list %+v: %v", q, err)
		}
		if q.Limit > 0 && len(page) > q.Limit || next != "" && len(page) != q.Limit {
			t.Fatalf("a page of %d with limit %d, next %q", len(page), q.Limit, next)
		}
		for _, o := range page {
			ids = append(ids, o.ID)
		}
		if next == "" {
			return ids
		}
		q.Cursor = next
	}
}

// placeMany places n orders, a second apart, and returns their ids, newest first.
func (e Engine) placeMany(t *testing.T, n int, d Draft) (ids []string) {
	t.Helper()
	for i := range n {
		d.At, d.ID = Start.Add(time.Duration(i)*time.Second), ""
		ids = append(ids, e.place(t, d).ID)
	}
	slices.Reverse(ids)
	return ids
}

func listPages(t *testing.T, e Engine) {
	e.start(t)
	ids := e.placeMany(t, 7, Draft{})
	for _, limit := range []int{0, 1, 2, 3, 7, 8} {
		if got := e.pages(t, orders.Query{Limit: limit}); !slices.Equal(got, ids) {
			t.Errorf("limit %d: got %v, want %v", limit, got, ids)
		}
		if got := e.pages(t, orders.Query{Customer: "cus_1", Limit: limit}); !slices.Equal(got, ids) {
			t.Errorf("of the customer, limit %d: got %v, want %v", limit, got, ids)
		}
	}
	page, _, err := e.List(t.Context(), orders.Query{Limit: 1})
	if err != nil || !reflect.DeepEqual(page[0], e.order(t, ids[0])) {
		t.Errorf("a listed order is not the order: %+v, %v", page, err)
	}
}

func listWhileAdding(t *testing.T, e Engine) {
	e.start(t)
	old := e.placeMany(t, 30, Draft{})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			o, ev := Place(t, Draft{At: Start.Add(time.Hour + time.Duration(i)*time.Second)})
			if err := e.Commit(t.Context(), Change(orders.Order{}, o, ev)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 5 {
		got := e.pages(t, orders.Query{Customer: "cus_1", Limit: 4})
		if !slices.IsSortedFunc(got, func(a, b string) int { return -compare(a, b) }) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("not newest first, or twice: %v", got)
		}
		if tail := got[max(0, len(got)-len(old)):]; !slices.Equal(tail, old) {
			t.Errorf("old orders were missed: %v", tail)
		}
	}
	close(stop)
	wg.Wait()
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func listFilters(t *testing.T, e Engine) {
	e.start(t)
	at := func(i int) time.Time { return Start.Add(time.Duration(i) * time.Hour) }
	unpaid := e.place(t, Draft{At: at(0)}).ID
	cash := e.place(t, Draft{At: at(1), Method: orders.Cash}).ID
	done := e.live(t, Draft{At: at(2)})
	theirs := e.place(t, Draft{At: at(3), Customer: "cus_2", Restaurant: "res_2", Method: orders.Cash}).ID

	back := e.place(t, Draft{At: at(4), Customer: "cus_3", Restaurant: "res_3", Method: orders.Cash})
	for _, s := range wholeLife[:4] {
		back = e.step(t, back, s.c, s.by)
	}
	back = e.step(t, back, orders.Fail{Reason: orders.Damaged}, Ops)
	riding := e.place(t, Draft{At: at(5), Customer: "cus_3", Restaurant: "res_3", Method: orders.Cash})
	for _, s := range wholeLife[:2] {
		riding = e.step(t, riding, s.c, s.by)
	}

	for _, c := range []struct {
		name string
		q    orders.Query
		want []string
	}{
		{"All", orders.Query{}, []string{riding.ID, back.ID, theirs, done.ID, cash, unpaid}},
		{"OfACustomer", orders.Query{Customer: "cus_1"}, []string{done.ID, cash, unpaid}},
		{"OfACustomerRunning", orders.Query{Customer: "cus_1", Running: true}, []string{cash, unpaid}},
		{"ByStatus", orders.Query{Status: orders.Completed}, []string{done.ID}},
		{"OfARestaurantWithoutTheUnpaid", orders.Query{Restaurants: []string{"res_1"}}, []string{done.ID, cash}},
		{"OfARestaurantRunning", orders.Query{Restaurants: []string{"res_1"}, Running: true}, []string{cash}},
		{"OfRestaurants", orders.Query{Restaurants: []string{"res_2", "res_1", "res_2"}}, []string{theirs, done.ID, cash}},
		{"OfNoRestaurant", orders.Query{Restaurants: []string{}}, nil},
		{"OfRestaurantsByStatus", orders.Query{Restaurants: []string{"res_1", "res_2"}, Status: orders.Pending}, []string{theirs, cash}},
		{"OfACourier", orders.Query{Courier: rider.ID}, []string{riding.ID, back.ID, done.ID}},
		{"OfACourierRunning", orders.Query{Courier: rider.ID, Running: true}, []string{riding.ID, back.ID}},
		{"OfARestaurantWithWhatComesBack", orders.Query{Restaurants: []string{"res_3"}, Running: true}, []string{riding.ID, back.ID}},
		{"OfACourierSinceTheEnd", orders.Query{Courier: rider.ID, CourierSince: done.EndedAt}, []string{riding.ID, back.ID}},
		{"OfACourierSinceBefore", orders.Query{Courier: rider.ID, CourierSince: done.EndedAt.Add(-time.Microsecond)},
			[]string{riding.ID, back.ID, done.ID}},
		{"OfACourierWhatItCarriesBack", orders.Query{Courier: rider.ID, CourierSince: back.EndedAt.Add(time.Hour)},
			[]string{riding.ID, back.ID}},
		{"OfAnotherCourier", orders.Query{Courier: "cou_9"}, nil},
		{"UpdatedAfter", orders.Query{UpdatedAfter: back.UpdatedAt}, []string{riding.ID}},
		{"UpdatedAfterJustBefore", orders.Query{UpdatedAfter: back.UpdatedAt.Add(-time.Microsecond)}, []string{riding.ID, back.ID}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for limit := range 3 {
				c.q.Limit = limit
				if got := e.pages(t, c.q); !slices.Equal(got, c.want) {
					t.Errorf("limit %d: got %v, want %v", limit, got, c.want)
				}
			}
		})
	}
}

func madeUpCursor(t *testing.T, e Engine) {
	for _, cursor := range []string{"x", "eyJpZCI6MX0", "AW9yZF8", "====", " ", "AQ", fmt.Sprint(Start)} {
		_, _, err := e.List(t.Context(), orders.Query{Cursor: cursor})
		wantKind(t, err, orders.Invalid)
		if oe, ok := err.(*orders.Error); !ok || len(oe.Fields) != 1 || oe.Fields[0].Pointer != "cursor" {
			t.Errorf("cursor %q: the error does not name the cursor: %+v", cursor, err)
		}
	}
}

func unpaid(t *testing.T, e Engine) {
	e.start(t)
	count := func(want int) {
		t.Helper()
		if n, err := e.UnpaidOrders(t.Context(), "cus_1"); n != want || err != nil {
			t.Errorf("%d unpaid, %v, want %d", n, err, want)
		}
	}
	count(0)
	a := e.place(t, Draft{})
	b := e.place(t, Draft{})
	e.place(t, Draft{Method: orders.Cash})
	e.place(t, Draft{Customer: "cus_2"})
	count(2)
	e.step(t, a, orders.Pay{Amount: a.Total, TransactionID: "tx"}, Payer)
	count(1)
	e.step(t, b, orders.Cancel{Reason: orders.Admin}, Ops)
	count(0)
}
