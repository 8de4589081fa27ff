package sqlite

import (
	"context"
	"os"
	"strconv"
	"sync"
	"testing"

	"doorbell/orders"
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
	storetest.BenchmarkCommit(b, benched(b, marks), marks, read)
}

// benched is a running store on a real disk.
func benched(b *testing.B, p orders.Publisher) *Store {
	s, err := Open(b.Context(), Config{Dir: benchDir(b), Publisher: p})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = s.Run(ctx) })
	b.Cleanup(func() {
		cancel()
		run.Wait()
		_ = s.Close()
	})
	return s
}

// BenchmarkTracks is storetest's, as the following are: what the store takes, what it is to take, and what a node has in
// a busy hour.
func BenchmarkTracks(b *testing.B) {
	for _, perSecond := range []int{0, 24_000, 2_500} {
		b.Run(strconv.Itoa(perSecond), func(b *testing.B) { storetest.BenchmarkTracks(b, benched(b, nil), perSecond) })
	}
}

func BenchmarkThin(b *testing.B)          { storetest.BenchmarkThin(b, benched(b, nil)) }
func BenchmarkDeviceByToken(b *testing.B) { storetest.BenchmarkDeviceByToken(b, benched(b, nil)) }
