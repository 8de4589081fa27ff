package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

// tables are the tables of a schema whose name has this form.
func tables(t testing.TB, url, schema, form string) (names []string) {
	t.Helper()
	rows, err := connected(t, url).Query(context.Background(),
		`SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename ~ $2 ORDER BY tablename`, schema, form)
	if err != nil {
		t.Fatal(err)
	}
	if names, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		t.Fatal(err)
	}
	return names
}

func TestPartitionsAreMadeAheadAndOnDemand(t *testing.T) {
	url := shared.Database(t)
	s := opened(t, url)
	running(t, s)
	ahead := tables(t, url, "public", `^orders_\d{8}$`)
	if len(ahead) != daysAhead+2 || ahead[len(ahead)-1] != partitionName("orders", dayOf(s.Clock()).AddDate(0, 0, daysAhead)) {
		t.Errorf("made ahead: %v", ahead)
	}
	for _, at := range []time.Time{
		time.Date(2020, 2, 29, 23, 59, 59, 999e6, time.UTC), time.Date(2020, 3, 1, 0, 0, 0, 0, time.UTC), s.Clock().AddDate(0, 1, 0),
	} {
		o := place(t, s, storetest.Draft{At: at})
		where := partitionName("orders", dayOf(at))
		if n := number(t, url, `SELECT COUNT(*) FROM `+where+` WHERE id = $1`, o.ID); n != 1 {
			t.Errorf("%s does not have the order placed at %v", where, at)
		}
		if n := number(t, url, `SELECT COUNT(*) FROM `+partitionName("events", dayOf(at))+` WHERE order_id = $1`, o.ID); n != o.Seq {
			t.Errorf("%d events in the partition", n)
		}
	}
	if n := number(t, url, `SELECT COUNT(*) FROM pg_partitioned_table WHERE partdefid <> 0`); n != 0 {
		t.Error("there is a DEFAULT partition: no other can be detached without a lock then")
	}
}

// TestMakingPartitionsLocksNobodyOut: not even somebody who reads or writes for long.
func TestMakingPartitionsLocksNobodyOut(t *testing.T) {
	url := shared.Database(t)
	s := opened(t, url)
	running(t, s)
	o := place(t, s, storetest.Draft{})
	tx, err := connected(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `UPDATE orders SET seq = seq WHERE id = $1`, o.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.partitions.make(t.Context(), []time.Time{time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)}); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotMakePartitionsSaysSo(t *testing.T) {
	url := shared.Database(t)
	s := opened(t, url)
	execute(t, url, `DROP TABLE events CASCADE`)
	if err := s.partitions.makeAhead(t.Context(), s.Clock().AddDate(0, 1, 0)); err == nil {
		t.Error("made partitions of a table that is gone")
	}
}

// ended places an order and cancels it.
func ended(t *testing.T, s *Store, at time.Time) orders.Order {
	t.Helper()
	place := place(t, s, storetest.Draft{At: at})
	o, err := s.Order(t.Context(), place.ID)
	if err != nil {
		t.Fatal(err)
	}
	next, ev := storetest.Apply(t, o, orders.Cancel{Reason: orders.Admin}, storetest.Ops, o.UpdatedAt.Add(time.Minute))
	if err := s.Commit(t.Context(), storetest.Change(o, next, ev)); err != nil {
		t.Fatal(err)
	}
	return next
}

func TestDaysAreArchived(t *testing.T) {
	url := shared.Database(t)
	s := opened(t, url)
	running(t, s)
	day := func(n int) time.Time { return storetest.Start.AddDate(0, 0, n) }
	archive := func(until time.Time, want int) {
		t.Helper()
		if n, err := s.Archive(t.Context(), until, 3); n != want || err != nil {
			t.Errorf("archived %d, %v, want %d", n, err, want)
		}
	}
	var whole []orders.Order
	for range 5 {
		whole = append(whole, ended(t, s, day(0)))
	}
	open := place(t, s, storetest.Draft{At: day(1)})
	beside := ended(t, s, day(1))

	archive(day(1), 5) // the whole day at once, though the limit is 3
	if got := tables(t, url, "archive", `_20260314`); fmt.Sprint(got) != "[events_20260314 orders_20260314]" {
		t.Errorf("archived as %v", got)
	}
	for _, o := range whole {
		if got, ev := archived(t, url, o.ID); got.Seq != o.Seq || int64(len(ev)) != o.Seq {
			t.Errorf("archived %+v with %d events", got, len(ev))
		}
	}
	archive(day(3), 0) // an order of the day still runs: it waits
	archive(day(5), 1) // and after two days the others go without it
	if got, _ := archived(t, url, beside.ID); got.ID != beside.ID {
		t.Errorf("archived %+v", got)
	}
	if _, err := s.Order(t.Context(), open.ID); err != nil {
		t.Errorf("the running order: %v", err)
	}

	// An order that comes in late for a day that was archived gets a partition, and goes to the common table then.
	late := ended(t, s, day(0))
	archive(day(5), 1)
	if n := number(t, url, `SELECT COUNT(*) FROM archive.orders WHERE id = $1`, late.ID); n != 1 {
		t.Error("the late order is not in the archive")
	}
	if got := tables(t, url, "public", `_20260314`); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

// TestArchivingGoesOnWhereItWasCutOff: behind each step that a crash may be the last one.
func TestArchivingGoesOnWhereItWasCutOff(t *testing.T) {
	for name, cut := range map[string]string{
		"OrdersDetached": `ALTER TABLE orders DETACH PARTITION orders_20260314`,
		"BothDetached":   `ALTER TABLE orders DETACH PARTITION orders_20260314; ALTER TABLE events DETACH PARTITION events_20260314`,
		"OrdersMoved":    `ALTER TABLE orders DETACH PARTITION orders_20260314; ALTER TABLE orders_20260314 SET SCHEMA archive`,
	} {
		t.Run(name, func(t *testing.T) {
			url := shared.Database(t)
			s := opened(t, url)
			running(t, s)
			o := ended(t, s, storetest.Start)
			execute(t, url, cut)
			if _, err := s.Archive(t.Context(), storetest.Start.AddDate(0, 0, 1), 10); err != nil {
				t.Error(err)
			}
			if got, ev := archived(t, url, o.ID); got.Seq != o.Seq || int64(len(ev)) != o.Seq {
				t.Errorf("archived %+v with %d events", got, len(ev))
			}
			place(t, s, storetest.Draft{}) // the day begins anew
			if n := number(t, url, `SELECT COUNT(*) FROM events`); n == 0 {
				t.Error("no events")
			}
		})
	}
}

// TestArchivingLosesNobody: orders are placed and read while days are detached.
func TestArchivingLosesNobody(t *testing.T) {
	url := shared.Database(t)
	s := opened(t, url)
	running(t, s)
	for n := range 3 {
		ended(t, s, storetest.Start.AddDate(0, 0, -n-1))
	}
	stop := placing(t, s, 8) // today's, by the suite's calendar
	if n, err := s.Archive(t.Context(), dayOf(storetest.Start), 10); n != 3 || err != nil {
		t.Errorf("archived %d, %v", n, err)
	}
	acked := stop()
	for id := range acked {
		if _, err := s.Order(t.Context(), id); err != nil {
			t.Errorf("order %s: %v", id, err)
		}
	}
	if n := number(t, url, `SELECT COUNT(*) FROM orders`); n != int64(len(acked)) {
		t.Errorf("%d orders, %d were acknowledged", n, len(acked))
	}
}
