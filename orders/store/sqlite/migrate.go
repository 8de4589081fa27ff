package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"doorbell/orders/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaLevel is the newest migration this program knows. A migration adds first; what it makes needless is taken away
// a release later, and that migration raises the row 'needs' of the table meta, so that programs which would miss it
// refuse the database. All others work with a database that a newer program has added to.
const schemaLevel = 3

// migrate brings the database to schemaLevel, or leaves a newer one as it is.
func migrate(ctx context.Context, db *sql.DB) error {
	if err := checkLevel(ctx, db); err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	at, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the schema level: %w", err)
	}
	if at >= schemaLevel {
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// checkLevel refuses a database that has lost what this program needs.
func checkLevel(ctx context.Context, db *sql.DB) error {
	needs, err := needsLevel(ctx, db)
	if err != nil {
		return err
	}
	if needs > schemaLevel {
		return fmt.Errorf("the database needs a program of schema level %d and this one has %d: "+
			"start the doorbell that used it last, or a newer one, or restore a backup made before that upgrade",
			needs, schemaLevel)
	}
	return nil
}

// needsLevel is the lowest schema level that can work with the database, 0 for an empty one.
func needsLevel(ctx context.Context, db *sql.DB) (needs int64, err error) {
	var tables int
	if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_schema WHERE name = 'meta'`).Scan(&tables); err != nil {
		return 0, fmt.Errorf("read the schema: %w", err)
	}
	if tables == 0 {
		return 0, nil
	}
	err = db.QueryRowContext(ctx, store.ReadNeeds).Scan(&needs)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errors.New("the database's table meta has no row 'needs': it is not one of doorbell's")
	}
	return needs, err
}
