package postgres

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
	"doorbell/orders/store/storetest"
)

// TestABackupIsRestoredWhileNodesRun: what came after it is gone, all of it, and the nodes go on by themselves.
func TestABackupIsRestoredWhileNodesRun(t *testing.T) {
	url := shared.Database(t)
	a, b := opened(t, url), opened(t, url)
	running(t, a)
	running(t, b)
	file := filepath.Join(t.TempDir(), "orders.dump")
	before := place(t, a, storetest.Draft{})
	old := ended(t, a, storetest.Start.AddDate(0, 0, -9))
	if _, err := a.PutRestaurant(t.Context(), orders.Restaurant{ID: "res_1", Name: "Before"}); err != nil {
		t.Fatal(err)
	}
	was, err := a.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop := placing(t, b, 4)
	if err := Backup(t.Context(), url, file); err != nil {
		t.Fatal(err)
	}
	stop()
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := Backup(t.Context(), url, file); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("a second backup: %v", err)
	}

	after := place(t, a, storetest.Draft{})
	place(t, a, storetest.Draft{At: storetest.Start.AddDate(1, 0, 0)}) // a partition that the backup does not have
	if n, err := a.Archive(t.Context(), storetest.Start.AddDate(0, 0, -5), 10); n != 1 || err != nil {
		t.Fatalf("archived %d, %v", n, err)
	}
	if _, err := a.PutRestaurant(t.Context(), orders.Restaurant{ID: "res_1", Version: 1, Name: "After"}); err != nil {
		t.Fatal(err)
	}
	renewed, err := a.RenewGeneration(t.Context(), was.ID, "run")
	if err != nil {
		t.Fatal(err)
	}
	stop = placing(t, b, 8)
	if err := Restore(t.Context(), url, file); err != nil {
		t.Fatal(err)
	}
	stop()

	for _, s := range []*Store{a, b} {
		eventually(t, "the node works", 5*time.Second, func() bool { return works(t, s) })
		if _, err := s.Order(t.Context(), after.ID); orders.KindOf(err) != orders.NotFound {
			t.Errorf("what came after the backup: %v", err)
		}
		for _, o := range []orders.Order{before, old} {
			if got, err := s.Order(t.Context(), o.ID); err != nil || got.Seq != o.Seq {
				t.Errorf("what was there before: %+v, %v", got, err)
			}
		}
		s.ForgetRestaurants() // as the bus says when there is another generation
		if r, err := s.Restaurant(t.Context(), "res_1"); err != nil || r.Name != "Before" || r.Version != 1 {
			t.Errorf("the restaurant: %+v, %v", r, err)
		}
		if g, err := s.Generation(t.Context()); err != nil || g.ID <= renewed.ID || g.Run != "" {
			t.Errorf("generation %+v, %v, before %+v", g, err, renewed)
		}
	}
	if got := tables(t, url, "archive", `_\d{8}$`); len(got) != 0 {
		t.Errorf("archived after the backup, and still there: %v", got)
	}
	if n, err := a.Archive(t.Context(), storetest.Start.AddDate(0, 0, -5), 10); n != 1 || err != nil {
		t.Errorf("archived %d, %v", n, err)
	}
}

func TestRestoreIntoAnEmptyDatabase(t *testing.T) {
	url, file := shared.Database(t), filepath.Join(t.TempDir(), "orders.dump")
	s := opened(t, url)
	running(t, s)
	o := place(t, s, storetest.Draft{})
	if err := Backup(t.Context(), url, file); err != nil {
		t.Fatal(err)
	}
	empty := shared.Database(t)
	if err := Restore(t.Context(), empty, file); err != nil {
		t.Fatal(err)
	}
	if _, err := opened(t, empty).Order(t.Context(), o.ID); err != nil {
		t.Error(err)
	}
}

// TestABackupOfAnOlderProgramIsBroughtUpToDate, for nodes that run meanwhile.
func TestABackupOfAnOlderProgramIsBroughtUpToDate(t *testing.T) {
	url, file := shared.Database(t), filepath.Join(t.TempDir(), "orders.dump")
	opened(t, url)
	execute(t, url, `DROP TABLE tracks, devices, device_owners`)
	execute(t, url, `DELETE FROM goose_db_version WHERE version_id > 1`)
	if err := Backup(t.Context(), url, file); err != nil {
		t.Fatal(err)
	}
	to := shared.Database(t)
	s := opened(t, to)
	running(t, s)
	if err := Restore(t.Context(), to, file); err != nil {
		t.Fatal(err)
	}
	fixes := []orders.TrackFix{{Order: orders.NewID(storetest.Start), Courier: "cou_1", At: storetest.Start}}
	eventually(t, "the node writes tracks", 5*time.Second, func() bool { return s.AddTrack(t.Context(), fixes) == nil })
}

func TestRestoreRefusesWhatIsNoBackup(t *testing.T) {
	url, dir := shared.Database(t), t.TempDir()
	s := opened(t, url)
	running(t, s)
	o := place(t, s, storetest.Draft{})
	good := filepath.Join(dir, "good.dump")
	if err := Backup(t.Context(), url, good); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty": nil, "text": []byte("SELECT 1;"), "cut": whole[:len(whole)*2/3], "late": whole[:len(whole)-20],
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Restore(t.Context(), url, file); err == nil {
			t.Errorf("%s was restored", name)
		}
		if _, err := s.Order(t.Context(), o.ID); err != nil {
			t.Errorf("after the refusal of %s: %v", name, err)
		}
	}
	if err := Restore(t.Context(), url, filepath.Join(dir, "absent")); err == nil {
		t.Error("restored from nothing")
	}
	foreign := shared.Database(t)
	execute(t, foreign, `CREATE TABLE orders (precious INT)`)
	if err := Restore(t.Context(), foreign, good); err == nil || !strings.Contains(err.Error(), "not doorbell's") {
		t.Errorf("over somebody else's table: %v", err)
	}
	if err := RaiseGeneration(t.Context(), foreign); err == nil {
		t.Error("raised the generation of a foreign database")
	}
}

// TestPasswordsStayOutOfTheListOfProcesses and of what pgx's own parameters libpq would stumble over.
func TestPasswordsStayOutOfTheListOfProcesses(t *testing.T) {
	for _, url := range []string{
		"postgres://u:s3cret@h1:5432,h2:5433/db?sslmode=disable&pool_max_conns=4&statement_cache_capacity=3",
		"postgres://u@h1:5432/db?password=s3cret",
	} {
		cmd, err := clientProgram(context.Background(), url, "pg_dump")
		if err != nil {
			t.Fatal(err)
		}
		line := strings.Join(cmd.Args, " ")
		if strings.Contains(line, "s3cret") || strings.Contains(line, "pool_") || strings.Contains(line, "_cache") || !strings.Contains(line, "u@h1") {
			t.Error(line)
		}
		if env := strings.Join(cmd.Env, "\n"); !strings.Contains(env, "\nPGPASSWORD=s3cret") {
			t.Error("the program does not get the password")
		}
	}
}

// TestAHalfReadBackupIsNotCommitted: the one who writes is stopped before it takes the end of its input for the end.
func TestAHalfReadBackupIsNotCommitted(t *testing.T) {
	out := filepath.Join(t.TempDir(), "committed")
	err := pipe(exec.Command("sh", "-c", "echo half; exit 3"), exec.Command("sh", "-c", `cat >/dev/null; sleep 1; touch "`+out+`"`))
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Error(err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("the writer took the half for the whole")
	}
}
