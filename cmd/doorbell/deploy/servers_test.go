package deploy

import (
	"slices"
	"strings"
	"testing"

	"doorbell/hub/bus/redistest"
	"doorbell/orders/store/pgtest"
)

// TestServersTakeTheirSettings starts Redis and Postgres with what compose.yaml gives them, since a setting that one does
// not know shows only when it starts.
func TestServersTakeTheirSettings(t *testing.T) {
	t.Parallel()
	p := project(t, nil)

	t.Run("redis", func(t *testing.T) {
		command := p.Services["redis"].Command
		if command[0] != "redis-server" {
			t.Fatalf("runs %q", command[0])
		}
		r := redistest.Start(t, command[1:]...)
		for setting, want := range map[string]string{
			"maxmemory-policy": "noeviction", // the bus must not lose a key unseen
			"save":             "",
			"appendonly":       "no",
		} {
			if got := r.Client().ConfigGet(t.Context(), setting).Val()[setting]; got != want {
				t.Errorf("%s is %q, want %q", setting, got, want)
			}
		}
		limits := r.Client().ConfigGet(t.Context(), "client-output-buffer-limit").Val()["client-output-buffer-limit"]
		if !strings.Contains(limits, "pubsub 67108864 16777216 30") {
			t.Errorf("client-output-buffer-limit is %q: a hub node that falls behind is not cut off in time", limits)
		}
		for _, given := range command[1:] {
			if name, ok := strings.CutPrefix(given, "--"); ok && len(r.Client().ConfigGet(t.Context(), name).Val()) == 0 {
				t.Errorf("it has no setting %q", name)
			}
		}
	})

	t.Run("postgres", func(t *testing.T) {
		var settings []string
		for _, word := range p.Services["postgres"].Command[1:] {
			if word != "-c" {
				settings = append(settings, word)
			}
		}
		if len(settings) == 0 {
			t.Fatal("no settings")
		}
		for _, unsafe := range []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off"} {
			if slices.Contains(settings, unsafe) {
				t.Errorf("%s: what was answered may be lost", unsafe)
			}
		}
		pgtest.Start(t, settings...).Exec(t, "SELECT 1")
	})
}
