package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// parseURL reads postgres://user:password@host:port,host:port/database?sslmode=… with libpq's parameters. An error names
// what is wrong, and never the password.
func parseURL(text string) (*pgx.ConnConfig, error) {
	if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") {
		return nil, errors.New("the address of Postgres is not a URL: give it as postgres://user:password@host:5432/database")
	}
	cfg, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("the address of Postgres cannot be read: %w", withoutURL(err))
	}
	if cfg.Database == "" {
		return nil, errors.New("the address of Postgres names no database: end it with /doorbell, or what yours is called")
	}
	if severalHosts(cfg) && cfg.ValidateConnect == nil {
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return cfg, nil
}

// withoutURL leaves the cause of a parse error, which repeats the URL.
func withoutURL(err error) error {
	var parse *pgconn.ParseConfigError
	var bad *url.Error
	switch {
	case errors.As(err, &bad):
		return bad.Err
	case errors.As(err, &parse) && parse.Unwrap() != nil:
		return parse.Unwrap()
	}
	return errors.New("it is not a valid URL of Postgres")
}

// severalHosts reports whether there is more than one place to connect to. Ways to connect to one host, with TLS and
// without, are places to pgx, too.
func severalHosts(cfg *pgx.ConnConfig) bool {
	for _, f := range cfg.Fallbacks {
		if f.Host != cfg.Host || f.Port != cfg.Port {
			return true
		}
	}
	return false
}
