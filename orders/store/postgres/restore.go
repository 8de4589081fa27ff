package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// restoreTries is how often a restore is begun that a node stood in the way of.
const restoreTries = 5

// ours are the tables of the live database, in the order in which a group locks them: so a restore waits for what is
// under way, and is never one of two that wait for each other.
const ours = `idempotency, device_owners, devices, orders, events, timers, restaurants, revocations, tracks, meta, outbox, leases, bus, goose_db_version`

// clearAll takes away what is there, also what came after the backup was made, in the restore's own transaction.
const clearAll = `SET lock_timeout = '20s';
DO $$
DECLARE name text;
BEGIN
	FOREACH name IN ARRAY string_to_array('` + ours + `', ', ') LOOP
		IF to_regclass(name) IS NOT NULL THEN
			EXECUTE 'LOCK TABLE ' || name || ' IN ACCESS EXCLUSIVE MODE';
		END IF;
	END LOOP;
	FOR name IN SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND pg_table_is_visible(c.oid)
		AND c.relname ~ '^(orders|events)_[0-9]{8}$' LOOP
		EXECUTE 'DROP TABLE ' || name;
	END LOOP;
END $$;
DROP TABLE IF EXISTS ` + ours + `;
DROP SCHEMA IF EXISTS archive CASCADE;
`

// Restore puts the backup src in the place of what the database holds: all of it or, if it fails, nothing. The nodes may
// run; for as long as it takes they answer Unavailable. It begins another generation in the same step, so every node
// then shows its clients what is true now. What it finds must be doorbell's, or empty.
func Restore(ctx context.Context, address, src string) error {
	cfg, err := parseURL(address)
	if err != nil {
		return err
	}
	if err := checkBackup(ctx, src); err != nil {
		return err
	}
	old, err := generationOf(ctx, cfg)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		err = restoreOnce(ctx, address, src, newGeneration(time.Now(), old))
		if err == nil {
			return migrateRestored(ctx, cfg)
		}
		if try == restoreTries || !strings.Contains(err.Error(), "deadlock detected") && !strings.Contains(err.Error(), "lock timeout") {
			return err
		}
	}
}

// migrateRestored brings what an older program had backed up to this program's schema: nodes that run look at that only
// when they start.
func migrateRestored(ctx context.Context, cfg *pgx.ConnConfig) error {
	db := &connector{base: cfg, node: "restore", warn: func(string) {}}
	l, err := db.connect(ctx, forDDL)
	if err == nil {
		defer l.bye()
		err = migrate(ctx, l)
	}
	if err != nil {
		return fmt.Errorf("the backup is restored, and its schema could not be brought up to date: restart a node, which does that: %w", err)
	}
	return nil
}

// checkBackup looks into the file before anything is touched.
func checkBackup(ctx context.Context, src string) error {
	if _, err := os.Stat(src); err != nil {
		return err
	}
	path, err := findProgram("pg_restore")
	if err != nil {
		return err
	}
	list := exec.CommandContext(ctx, path, "--list", src)
	var toc strings.Builder
	list.Stdout = &limited{&toc, 4 << 20}
	if err := run(list); err != nil {
		return fmt.Errorf("%s cannot be restored: %w", src, err)
	}
	for _, table := range []string{" TABLE DATA %s bus ", " TABLE %s orders "} {
		if !regexp.MustCompile(fmt.Sprintf(table, `\S+`)).MatchString(toc.String()) {
			return fmt.Errorf("%s is not a backup of doorbell's", src)
		}
	}
	return nil
}

// generationOf is the generation of a database, "" where there is none, and refuses a database of somebody else.
func generationOf(ctx context.Context, cfg *pgx.ConnConfig) (id string, err error) {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var orders, meta bool
	err = conn.QueryRow(ctx, `SELECT to_regclass('orders') IS NOT NULL, to_regclass('meta') IS NOT NULL`).Scan(&orders, &meta)
	switch {
	case err != nil:
		return "", err
	case orders && !meta:
		return "", errors.New("the database has a table orders that is not doorbell's: name another one")
	case !orders:
		return "", nil
	}
	err = conn.QueryRow(ctx, readGeneration).Scan(&id, new(string))
	if errors.Is(err, pgx.ErrNoRows) || codeOf(err) == codeNoTable {
		return "", nil
	}
	return id, err
}

// restoreOnce turns the backup into SQL and runs it, between what clears the database and what begins another
// generation, as one transaction.
func restoreOnce(ctx context.Context, address, src, generation string) error {
	restore, err := findProgram("pg_restore")
	if err != nil {
		return err
	}
	before, err := tempSQL(clearAll)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(before) }()
	after, err := tempSQL("RESET search_path;\n" + raiseText(generation) + "DELETE FROM leases;\n")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(after) }()
	psql, err := clientProgram(ctx, address, "psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1",
		"--file="+before, "--file=-", "--file="+after)
	if err != nil {
		return err
	}
	psql.Stdout = io.Discard
	return pipe(exec.CommandContext(ctx, restore, "--no-owner", "--no-privileges", "--file=-", src), psql)
}

// tempSQL is a temporary file with this text.
func tempSQL(text string) (path string, err error) {
	f, err := os.CreateTemp("", "doorbell-restore-*.sql")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text)
	return f.Name(), errors.Join(err, f.Close())
}

// pipe runs from into to. When from fails, to is killed: were its input to end instead, it would commit the half of it.
func pipe(from, to *exec.Cmd) error {
	out, err := from.StdoutPipe()
	if err != nil {
		return err
	}
	in, err := to.StdinPipe()
	if err != nil {
		return err
	}
	var fromSaid, toSaid bytes.Buffer
	from.Stderr, to.Stderr = &limited{&fromSaid, 4 << 10}, &limited{&toSaid, 4 << 10}
	if err := from.Start(); err != nil {
		return err
	}
	if err := to.Start(); err != nil {
		_ = from.Process.Kill()
		return errors.Join(err, from.Wait())
	}
	_, copied := io.Copy(in, out)
	if copied != nil { // who reads has given up, and says why
		_ = from.Process.Kill()
	}
	fromErr := from.Wait()
	if fromErr != nil && copied == nil {
		_ = to.Process.Kill()
	}
	_ = in.Close()
	toErr := to.Wait()
	switch {
	case fromErr != nil && copied == nil:
		return fmt.Errorf("read the backup: %w: %s", fromErr, bytes.TrimSpace(fromSaid.Bytes()))
	case toErr != nil:
		return fmt.Errorf("write the database: %w: %s", toErr, bytes.TrimSpace(toSaid.Bytes()))
	}
	return copied
}

// raiseText is the SQL that begins a generation, whatever there is.
func raiseText(generation string) string {
	return `INSERT INTO bus (one, generation, run) VALUES (1, '` + generation + `', '')
	ON CONFLICT (one) DO UPDATE SET generation = excluded.generation, run = excluded.run;
	`
}

// RaiseGeneration begins another generation of the bus, for an operator who has set the database back by other means than
// Restore: the nodes then compare what their clients were shown with what it holds.
func RaiseGeneration(ctx context.Context, address string) error {
	cfg, err := parseURL(address)
	if err != nil {
		return err
	}
	old, err := generationOf(ctx, cfg)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, raiseText(newGeneration(time.Now(), old)))
	if codeOf(err) == codeNoTable {
		return errors.New("the database is not one of doorbell's: a node makes it so when it starts")
	}
	return err
}
