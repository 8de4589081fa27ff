package redistest_test

import (
	"testing"

	"go.uber.org/goleak"

	"doorbell/hub/bus/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServer(t *testing.T) {
	s := redistest.Start(t)
	ctx := t.Context()
	set := func(v string) {
		t.Helper()
		if err := s.Client().Set(ctx, "k", v, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	want := func(v string) {
		t.Helper()
		if got, _ := s.Client().Get(ctx, "k").Result(); got != v {
			t.Fatalf("it holds %q, want %q", got, v)
		}
	}
	set("old")
	file := s.Save()
	set("new")
	want("new")
	s.RestoreFile(file)
	want("old")
	s.Flush()
	want("")
	set("lost")
	s.Kill()
	s.Start()
	want("")
	s.Stop()
	s.Start()
	want("")
}

func TestCluster(t *testing.T) {
	c := redistest.StartCluster(t)
	n, err := c.Servers[0].Client().ClusterCountKeysInSlot(t.Context(), 0).Result()
	if err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestSentinel(t *testing.T) {
	s := redistest.StartSentinel(t)
	if s.Primary() != s.Servers[0] {
		t.Error("the first server is not the primary")
	}
	s.Failover()
	if s.Primary() != s.Servers[1] {
		t.Error("the replica did not become the primary")
	}
}
