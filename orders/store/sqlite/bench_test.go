package sqlite

import (
	"context"
	"os"
	"sync"
	"testing"

	"doorbell/orders/store/storetest"
)

// benchDir is a folder on a real disk where there is one: a temporary folder may live in memory, whose fsync is free.
func benchDir(b *testing.B) string {
	dir, err := os.MkdirTemp(os.Getenv("DOORBELL_BENCH_DIR"), "store-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// BenchmarkCommit is storetest's. AndRead reads the order before each change, as a service does.
func BenchmarkCommit(b *testing.B) {
	b.Run("Alone", func(b *testing.B) { benchmarkCommit(b, false) })
	b.Run("AndRead", func(b *testing.B) { benchmarkCommit(b, true) })
}

func benchmarkCommit(b *testing.B, read bool) {
	marks := new(storetest.Marks)
	s, err := Open(b.Context(), Config{Dir: benchDir(b), Publisher: marks})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = s.Run(ctx) })
	defer run.Wait()
	defer cancel()
	storetest.BenchmarkCommit(b, s, marks, read)
}
