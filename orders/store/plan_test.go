package store_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/orders/store"
	"doorbell/orders/store/sqlite"
)

// planned is a text and the index that it must follow.
type planned struct{ name, query, index string }

func plans() []planned {
	listed := func(q orders.Query, restaurant string) string {
		return store.ListText(q, restaurant, orders.NewID(time.Now()))
	}
	return []planned{
		{"OfACustomer", listed(orders.Query{Customer: "c"}, ""), "orders_customer"},
		{"OfACourier", listed(orders.Query{Courier: "c"}, ""), "orders_courier"},
		{"OfACourierRunning", listed(orders.Query{Courier: "c", Running: true}, ""), "orders_courier_running"},
		{"OfARestaurant", listed(orders.Query{Restaurants: []string{"r"}}, "r"), "orders_restaurant"},
		{"OfARestaurantRunning", listed(orders.Query{Restaurants: []string{"r"}, Running: true}, "r"), "orders_restaurant_running"},
		{"OfARestaurantByStatus", listed(orders.Query{Restaurants: []string{"r"}, Status: orders.Pending}, "r"), "orders_restaurant"},
		{"OfEverybody", listed(orders.Query{}, ""), "sqlite_autoindex_orders_1"},
		{"Unpaid", store.ReadUnpaid, "orders_unpaid"},
		{"Ended", store.ReadEnded, "orders_ended"},
		{"Due", store.ReadTimers, "timers_due"},
		{"Events", store.ReadEvents, "sqlite_autoindex_events_1"},
		{"OldKeys", store.DropKeysText, "idempotency_created"},
	}
}

// TestQueriesFollowAnIndex: no list sorts, and none but the operators' own walks the table.
func TestQueriesFollowAnIndex(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, sqlite.DatabaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, c := range plans() {
		t.Run(c.name, func(t *testing.T) {
			rows, err := db.Query(`EXPLAIN QUERY PLAN `+c.query, make([]any, strings.Count(c.query, "$"))...)
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
