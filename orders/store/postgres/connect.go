package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// How long things may take. Together they keep every caller's wait below about five seconds.
const (
	connectTimeout = 2 * time.Second // for one host, from dialling to the end of the checks
	commitTimeout  = 3 * time.Second // for the transaction of a group
	readTimeout    = 3 * time.Second // for a read, waiting for a connection included
	// statementTimeout is the server's own, so that it says what became of a statement before nobody listens.
	statementTimeout = 2500 * time.Millisecond
	// lockTimeout is below Postgres's deadlock_timeout: a node that stands in the way of a restore gives way.
	lockTimeout = 900 * time.Millisecond
	// idleTimeout is for transactions; a node has none in which the server waits for it.
	idleTimeout = 5 * time.Second
	// ddlTimeout bounds one statement that makes, detaches or moves a partition.
	ddlTimeout = 30 * time.Second
	// retryPause is how long a failure to connect answers everybody else, too.
	retryPause = 200 * time.Millisecond
)

// use is what a connection is for. It decides the session's settings.
type use int

const (
	forReads  use = iota
	forWrites     // a committer's
	forDDL        // partitions and migrations
	forLock       // holds the installation's lock, and sees the server's settings change
)

// connector makes connections, and keeps callers from queueing up for a server that is away.
type connector struct {
	base *pgx.ConnConfig
	node string
	warn func(string) // hears of settings that are unwise, once

	refused atomic.Pointer[refusal] // why nothing may be read or written now; nil: it may. Set by the guard.

	mu     sync.Mutex // guards the following
	failed time.Time  // when the last attempt failed
	err    error      // with what
	warned bool
}

// link is a connection and its socket.
type link struct {
	*pgx.Conn
	socket net.Conn
}

// may is nil while this node may use the database, or the refusal inside an awayError.
func (c *connector) may() error {
	if says := c.refused.Load(); says != nil {
		return awayError{*says}
	}
	return nil
}

// connect makes a connection to a server that keeps what it is given. Errors: awayError, or refusal inside one.
func (c *connector) connect(ctx context.Context, u use) (*link, error) {
	if u != forLock { // the lock's connection is the one that finds out when it may be used again
		if err := c.may(); err != nil {
			return nil, err
		}
	}
	if err := c.known(); err != nil {
		return nil, err
	}
	l, err := c.dial(ctx, u)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		err = awayError{err}
		// A caller's own end says nothing about the server. And the guard tries so often that, of a server that has just
		// been restarted, callers would hear of what was before they came.
		if ctx.Err() == nil && u != forLock {
			c.failed, c.err = time.Now(), err
		}
		return nil, err
	}
	c.err = nil
	return l, nil
}

// known is a failure that has just been met, or nil.
func (c *connector) known() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil && time.Since(c.failed) < retryPause {
		return c.err
	}
	return nil
}

func (c *connector) dial(ctx context.Context, u use) (*link, error) {
	cfg := c.base.Copy()
	l := &link{}
	made := false
	cfg.ConnectTimeout = connectTimeout
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if made {
			// pgx asks the server to cancel what a connection that it gives up was doing. The server's own timeout does
			// that, and a server that is away would keep the socket and a goroutine for a quarter of a minute.
			return nil, errors.New("nothing is cancelled from here")
		}
		d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}}
		conn, err := d.DialContext(ctx, network, addr)
		l.socket = conn
		return conn, err
	}
	for name, value := range settings(u, c.node) {
		cfg.RuntimeParams[name] = value
	}
	cfg.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {}
	cfg.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error { return c.check(ctx, conn, u) }
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	made = true
	l.Conn = conn
	return l, nil
}

// settings are a session's.
func settings(u use, node string) map[string]string {
	ms := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	all := map[string]string{
		"application_name":                    "doorbell " + node,
		"statement_timeout":                   ms(statementTimeout),
		"lock_timeout":                        ms(lockTimeout),
		"idle_in_transaction_session_timeout": ms(idleTimeout),
		// The server lets go of what a node held that has fallen off the net.
		"tcp_keepalives_idle":     "5",
		"tcp_keepalives_interval": "2",
		"tcp_keepalives_count":    "3",
		"tcp_user_timeout":        "5000",
	}
	switch u {
	case forReads, forWrites:
		// Every text of the store follows an index, in its order. Postgres would now and then know better, by statistics
		// of tables that fill and empty faster than it counts.
		all["enable_seqscan"], all["enable_sort"] = "off", "off"
	}
	switch u {
	case forWrites:
		// The write path's statements touch one row each, whatever their arguments. Planning them anew for each row
		// would take longer than running them.
		all["plan_cache_mode"] = "force_generic_plan"
	case forDDL:
		all["statement_timeout"] = ms(ddlTimeout)
		all["lock_timeout"] = ms(2 * time.Second)
	}
	return all
}

// refusal says why a server is not one to keep orders on, and what to do.
type refusal string

func (r refusal) Error() string { return string(r) }

// check refuses a server that would lose what it confirmed, or does not know what this program needs. Whatever the
// session is for, but forLock, keeps the synchronous_commit it has now: a reload of the server's settings does not
// lower it. No session can keep fsync, so the guard checks again and again.
func (c *connector) check(ctx context.Context, conn *pgconn.PgConn, u use) error {
	synchronous := `set_config('synchronous_commit', current_setting('synchronous_commit'), false)`
	if u == forLock {
		synchronous = `current_setting('synchronous_commit')`
	}
	results, err := conn.Exec(ctx, `SELECT current_setting('server_version_num'), current_setting('fsync'),
		`+synchronous+`, pg_is_in_recovery(), current_setting('server_encoding'),
		current_setting('full_page_writes')`).ReadAll()
	if err != nil {
		return err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return errors.New("the server does not say how it is set")
	}
	var v [6]string
	for i, b := range results[0].Rows[0] {
		v[i] = string(b)
	}
	version, _ := strconv.Atoi(v[0])
	switch {
	case version < 140000:
		return refusal(fmt.Sprintf("Postgres %d is too old: upgrade it to 14 or newer", version/10000))
	case v[1] != "on":
		return refusal("Postgres runs with fsync=off and would lose orders with the power: set fsync = on for the server, reload it, and run sync on its machine")
	case v[2] == "off":
		return refusal("Postgres runs with synchronous_commit=off and would confirm orders before they are on disk: " +
			"set synchronous_commit = on for the server, this database and this user")
	case v[3] != "f":
		return refusal("this Postgres is a standby: give the address of the primary, or those of all servers in one URL, host1:5432,host2:5432")
	case v[4] != "UTF8":
		return refusal("the database is encoded in " + v[4] + ": make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0")
	}
	if v[5] != "on" {
		c.warnOnce("Postgres runs with full_page_writes=off: unless the file system never tears a page, set it to on")
	}
	return nil
}

func (c *connector) warnOnce(text string) {
	c.mu.Lock()
	again := c.warned
	c.warned = true
	c.mu.Unlock()
	if !again {
		c.warn(text)
	}
}

// drop ends a connection at once, whatever state it is in. pgx's own farewell would wait for an answer.
func (l *link) drop() {
	_ = l.socket.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.Close(ctx)
	<-l.PgConn().CleanupDone()
}

// bye ends a connection that is in order.
func (l *link) bye() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.Close(ctx)
	_ = l.socket.Close()
	<-l.PgConn().CleanupDone()
}
