package sqlite

import (
	"bytes"
	"os/exec"
	"regexp"
	"testing"
)

// TestPlaceholdersGoByNumber keeps a change of driver from passing silently: in SQLite $N is a name, and some drivers
// count instead of reading it.
func TestPlaceholdersGoByNumber(t *testing.T) {
	s := opened(t)
	for _, c := range []struct {
		name, query string
		args        []any
		want        string
	}{
		{"InOrder", `SELECT $1 || $2`, []any{"a", "b"}, "ab"},
		{"OutOfOrder", `SELECT $2 || $1`, []any{"a", "b"}, "ba"},
		{"Reused", `SELECT $2 || $1 || $2`, []any{"a", "b"}, "bab"},
		{"WithAGap", `SELECT $3 || $1`, []any{"a", "b", "c"}, "ca"},
		{"TenAndMore", `SELECT $12 || $1 || $10 || $2 || $11`,
			[]any{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}, "lajbk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got string
			if err := s.reader.db.QueryRow(c.query, c.args...).Scan(&got); err != nil || got != c.want {
				t.Errorf("database/sql: got %q, %v, want %q", got, err, c.want)
			}
			stmt, err := s.reader.get(t.Context(), c.query)
			if err != nil {
				t.Fatal(err)
			}
			if err := stmt.QueryRow(c.args...).Scan(&got); err != nil || got != c.want {
				t.Errorf("prepared: got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

// TestLibcIsTheDriversOwn: the driver is C turned into Go against one exact version of libc; another one builds and
// then misbehaves.
func TestLibcIsTheDriversOwn(t *testing.T) {
	list := func(format, module string) string {
		out, err := exec.Command("go", "list", "-m", "-f", format, module).Output()
		if err != nil {
			t.Fatalf("go list -m %s: %v", module, err)
		}
		return string(bytes.TrimSpace(out))
	}
	used := list("{{.Version}}", "modernc.org/libc")
	edit, err := exec.Command("go", "mod", "edit", "-print", list("{{.GoMod}}", "modernc.org/sqlite")).Output()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`modernc\.org/libc (v\S+)`).FindSubmatch(edit)
	if m == nil || string(m[1]) != used {
		t.Errorf("go.mod has modernc.org/libc %s, the driver wants %s: pin that one", used, m)
	}
}
