package postgres

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

// BenchmarkCommit is storetest's, with the outbox of a node among many. AndRead reads the order before each change, as a
// service does.
func BenchmarkCommit(b *testing.B) {
	b.Run("Alone", func(b *testing.B) { benchmarkCommit(b, false) })
	b.Run("AndRead", func(b *testing.B) { benchmarkCommit(b, true) })
}

func benchmarkCommit(b *testing.B, read bool) {
	marks := new(storetest.Marks)
	url := shared.Database(b)
	s := opened(b, url, func(c *Config) { c.Publisher = marks })
	stop := running(b, s)
	storetest.BenchmarkCommit(b, s, marks, read)
	stop()
	for _, c := range s.sessions { // their ends make the server count
		_ = c.Close()
	}
	// How many of the updates of orders wrote to no index.
	b.ReportMetric(float64(number(b, url, `SELECT (100 * SUM(n_tup_hot_upd) / GREATEST(SUM(n_tup_upd), 1))::bigint
		FROM pg_stat_user_tables WHERE relname LIKE 'orders\_%'`)), "%hot")
}

// BenchmarkSeqs compares 20,000 watched orders with the database, as every hub node does when there is another
// generation: a thousand at a time. One op is all of them.
func BenchmarkSeqs(b *testing.B) {
	url := shared.Database(b)
	s := opened(b, url)
	execute(b, url, `INSERT INTO orders SELECT $1 || lpad(n::text, 8, '0'), 1, 'c', 'PENDING', 'PAID', 'r', 'c', '',
		1, 0, 0, 1, 1, repeat('x', 1500) FROM generate_series(1, 20000) n`, orders.NewID(s.Clock())[:32])
	rows, err := connected(b, url).Query(context.Background(), `SELECT id FROM orders`)
	if err != nil {
		b.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for page := range slices.Chunk(ids, orders.MaxSeqs) {
			seqs, err := s.Seqs(context.Background(), page)
			if err != nil || len(seqs) != len(page) {
				b.Fatal(len(seqs), err)
			}
		}
	}
}

// BenchmarkTracks is storetest's, as the following are: what the store takes, what it is to take, and what a node has in
// a busy hour.
func BenchmarkTracks(b *testing.B) {
	for _, perSecond := range []int{0, 24_000, 2_500} {
		b.Run(strconv.Itoa(perSecond), func(b *testing.B) { storetest.BenchmarkTracks(b, benched(b), perSecond) })
	}
}

func BenchmarkThin(b *testing.B)          { storetest.BenchmarkThin(b, benched(b)) }
func BenchmarkDeviceByToken(b *testing.B) { storetest.BenchmarkDeviceByToken(b, benched(b)) }

// benched is a running store.
func benched(b *testing.B) *Store {
	s := opened(b, shared.Database(b))
	running(b, s)
	return s
}
