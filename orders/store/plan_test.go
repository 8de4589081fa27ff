package store

import (
	"strings"
	"testing"
	"time"

	"doorbell/orders"
)

// TestQueriesFollowAnIndex: no list sorts, and none but the operators' own walks the table.
func TestQueriesFollowAnIndex(t *testing.T) {
	s := opened(t)
	before := orders.NewID(time.Now())
	listed := func(q orders.Query, restaurant string) string {
		f := filterOf(q, before)
		if restaurant != "" {
			f.add(`restaurant_id = $%d`, restaurant)
		}
		text, _ := f.text(`change_id, doc`, 50)
		return text
	}
	for _, c := range []struct{ name, query, index string }{
		{"OfACustomer", listed(orders.Query{Customer: "c"}, ""), "orders_customer"},
		{"OfACourier", listed(orders.Query{Courier: "c"}, ""), "orders_courier"},
		{"OfACourierRunning", listed(orders.Query{Courier: "c", Running: true}, ""), "orders_courier_running"},
		{"OfARestaurant", listed(orders.Query{Restaurants: []string{"r"}}, "r"), "orders_restaurant"},
		{"OfARestaurantRunning", listed(orders.Query{Restaurants: []string{"r"}, Running: true}, "r"), "orders_restaurant_running"},
		{"OfARestaurantByStatus", listed(orders.Query{Restaurants: []string{"r"}, Status: orders.Pending}, "r"), "orders_restaurant"},
		{"OfEverybody", listed(orders.Query{}, ""), "sqlite_autoindex_orders_1"},
		{"Unpaid", readUnpaid, "orders_unpaid"},
		{"Ended", readEnded, "orders_ended"},
		{"Due", readTimers, "timers_due"},
		{"Events", readEvents, "sqlite_autoindex_events_1"},
		{"OldKeys", texts[dropKeys], "idempotency_created"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := s.readers.Query(`EXPLAIN QUERY PLAN `+c.query, make([]any, strings.Count(c.query, "$"))...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = rows.Close() }()
			var plan string
			for rows.Next() {
				var id, parent, unused int
				var detail string
				if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
					t.Fatal(err)
				}
				plan += detail + "\n"
			}
			if !strings.Contains(plan, c.index+" ") && !strings.Contains(plan, c.index+"\n") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("not by %s:\n%s\n%s", c.index, plan, c.query)
			}
		})
	}
}
