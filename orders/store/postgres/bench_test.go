package postgres

import (
	"testing"

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
	s := opened(b, shared.Database(b), func(c *Config) { c.Publisher = marks })
	running(b, s)
	storetest.BenchmarkCommit(b, s, marks, read)
}
