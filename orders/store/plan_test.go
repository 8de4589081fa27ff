package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"doorbell/orders"
	"doorbell/orders/store"
	"doorbell/orders/store/pgtest"
	"doorbell/orders/store/postgres"
	"doorbell/orders/store/sqlite"
)

// planned is a text and the index that it must follow, in either engine.
type planned struct{ name, query, index, inPostgres string }

func plans() []planned {
	listed := func(q orders.Query, restaurant string) string {
		return store.ListText(q, restaurant, orders.NewID(time.Now()))
	}
	return []planned{
		{"OfACustomer", listed(orders.Query{Customer: "c"}, ""), "orders_customer", "customer_id_id_idx"},
		{"OfACourier", listed(orders.Query{Courier: "c"}, ""), "orders_courier", "courier_id_id_idx"},
		{"OfACourierRunning", listed(orders.Query{Courier: "c", Running: true}, ""), "orders_courier_running", "courier_id_id_idx"},
		{"OfARestaurant", listed(orders.Query{Restaurants: []string{"r"}}, "r"), "orders_restaurant", "restaurant_id_id_idx"},
		{"OfARestaurantRunning", listed(orders.Query{Restaurants: []string{"r"}, Running: true}, "r"), "orders_restaurant_running", "restaurant_id_id_idx"},
		{"OfARestaurantByStatus", listed(orders.Query{Restaurants: []string{"r"}, Status: orders.Pending}, "r"), "orders_restaurant", "restaurant_id_id_idx"},
		{"OfEverybody", listed(orders.Query{}, ""), "sqlite_autoindex_orders_1", "_pkey"},
		{"Unpaid", store.ReadUnpaid, "orders_unpaid", "customer_id_idx"},
		{"Ended", store.ReadEnded, "orders_ended", "ended_at_idx"},
		{"Due", store.ReadTimers, "timers_due", "timers_due"},
		{"Events", store.ReadEvents, "sqlite_autoindex_events_1", "_pkey"},
		{"OldKeys", store.DropKeysText, "idempotency_created", ""}, // Postgres has a text of its own

		{"Track", store.ReadTrack, "PRIMARY KEY", "tracks_pkey"},
		{"EndOfATrack", store.ReadTrackEnd, "PRIMARY KEY", "tracks_pkey"},
		{"DropATrack", store.DropTrackText, "PRIMARY KEY", "tracks_pkey"},
		{"FixesOfACourier", store.ReadCourierFixes, "tracks_courier", "tracks_courier"},
		{"FixesToThin", store.ReadFullEnd, "tracks_full", "tracks_full"},
		{"FixesToDrop", store.ReadThinEnd, "tracks_thin", "tracks_thin"},
		{"Thin", store.KeepFirstText, "tracks_full", "tracks_full"},
		{"ThinByTheOrdersOwnFixes", store.KeepFirstText, "PRIMARY KEY", "tracks_pkey"},
		{"DropTheOthers", store.DropOthersText, "tracks_full", "tracks_full"},
		{"DropThinned", store.DropThinText, "tracks_thin", "tracks_thin"},
		{"DropFull", store.DropFullText, "tracks_full", "tracks_full"},
		{"Devices", store.ReadDevices, "devices_courier", "devices_courier"},
		{"DevicesCounted", store.AddDeviceText, "devices_courier", "devices_courier"},
		{"DeviceByToken", store.ReadDeviceByToken, "devices_token", "devices_token"},
	}
}

// TestQueriesFollowAnIndex: on SQLite no list sorts, and none but the operators' own walks the table.
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

// TestPostgresFollowsAnIndex: the same in Postgres, with some days of orders, planned for any arguments and for these.
func TestPostgresFollowsAnIndex(t *testing.T) {
	ctx := context.Background()
	url := pgtest.Start(t).Database(t)
	s, err := postgres.Open(ctx, postgres.Config{URL: url, Node: "n"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	id := fill(t, conn)
	if _, err := conn.Exec(ctx, `SET enable_seqscan = off; SET enable_sort = off`); err != nil { // as the store's sessions
		t.Fatal(err)
	}
	for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
		if _, err := conn.Exec(ctx, `SET plan_cache_mode = `+mode); err != nil {
			t.Fatal(err)
		}
		for i, c := range plans() {
			if c.inPostgres == "" {
				continue
			}
			t.Run(mode+"/"+c.name, func(t *testing.T) {
				name := fmt.Sprintf("p_%s_%d", mode, i)
				sd, err := conn.Prepare(ctx, name, c.query)
				if err != nil {
					t.Fatal(err)
				}
				plan := explain(t, conn, name, id, sd.ParamOIDs)
				if !strings.Contains(plan, c.inPostgres) || strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort  (") {
					t.Errorf("not by %s:\n%s\n%s", c.inPostgres, plan, c.query)
				}
			})
		}
	}
}

// fill puts 200 orders on each of some days, with their timers, events and keys. It returns the beginning of an id.
func fill(t *testing.T, conn *pgx.Conn) (id string) {
	t.Helper()
	now := time.Now()
	for day := range 8 {
		id = orders.NewID(now.AddDate(0, 0, day))
		_, err := conn.Exec(context.Background(), `INSERT INTO orders SELECT $1 || lpad(n::text, 4, '0'), 1, 'c', 'PENDING',
			CASE WHEN n % 50 = 0 THEN 'UNPAID' ELSE 'PAID' END, 'r' || n % 40, 'c' || n % 100, CASE WHEN n % 3 = 0 THEN 'c' || n % 20 ELSE '' END,
			1, 0, CASE WHEN n % 20 = 0 THEN 0 ELSE n END, 1, 1, repeat('x', 1500) FROM generate_series(1, 200) n`, id[:len(id)-4])
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{
		`INSERT INTO events SELECT id, 1, 't', 1, 1, 'r', 'a', repeat('x', 500) FROM orders`,
		`INSERT INTO timers SELECT id, ended_at FROM orders`,
		`INSERT INTO idempotency SELECT 's', id, 'c', NULL, id, 201, NULL, n FROM (SELECT id, row_number() OVER () * 1000 AS n FROM orders) o`,
		`INSERT INTO tracks SELECT id, n * 5000000, 1, courier_id, n % 2, 'x' FROM orders, generate_series(1, 20) n`,
		`INSERT INTO devices SELECT 'd' || id, customer_id, 'd', decode(md5(id), 'hex'), 1, 0 FROM orders`,
		`ANALYZE`,
	} {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

// explain is the plan of a prepared statement whose text arguments are all an id.
func explain(t *testing.T, conn *pgx.Conn, name, id string, params []uint32) string {
	t.Helper()
	const byteaOID, textOID = 17, 25
	var args []string
	for _, oid := range params {
		switch oid {
		case textOID:
			args = append(args, "'"+id+"'")
		case byteaOID:
			args = append(args, `'50'`)
		default:
			args = append(args, `50`)
		}
	}
	call := name
	if len(args) > 0 {
		call += "(" + strings.Join(args, ", ") + ")"
	}
	rows, err := conn.Query(context.Background(), `EXPLAIN EXECUTE `+call, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
