package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/synclinehq/syncline"
)

// configure reads a DSN.
func configure(dsn string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// The parser's error repeats what it could not read, password and all.
		return nil, syncline.Errorf(syncline.InvalidArgument, "the ledger's URL is not one that PostgreSQL understands").
			Of(syncline.ClassConfig).Because("bad_url").Try("write it as postgres://user:password@host:5432/database, with special characters in the password percent-encoded")
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		cfg.MaxConns = 10
	}
	c := cfg.ConnConfig
	if c.ValidateConnect == nil {
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 10 * time.Second
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "syncline"
	}
	// When a context ends the server is told, so that the locks of a statement that waits
	// go at once; a server that does not hear loses the connection.
	c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 300 * time.Millisecond}
	}
	return cfg, nil
}

// server is what has to be known of one before it keeps a ledger.
type server struct {
	direct            bool // nobody stands between
	fsync, syncCommit string
}

const askTimeout = 20 * time.Second

func ask(ctx context.Context, cfg *pgx.ConnConfig) (server, error) {
	ctx, stop := context.WithTimeout(ctx, askTimeout)
	defer stop()
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return server{}, err
	}
	defer func() { _ = conn.Close(ctx) }()
	var s server
	var pid uint32
	err = conn.QueryRow(ctx, `select pg_backend_pid(), current_setting('fsync'), current_setting('synchronous_commit')`,
		pgx.QueryExecModeSimpleProtocol).Scan(&pid, &s.fsync, &s.syncCommit)
	// A pooler gives its clients keys of its own to cancel with.
	s.direct = pid == conn.PgConn().PID()
	return s, err
}

func (s server) durable() error {
	for setting, value := range map[string]string{"fsync": s.fsync, "synchronous_commit": s.syncCommit} {
		if value == "off" {
			return syncline.Errorf(syncline.FailedPrecondition, "the server of the ledger has %s = off: after a crash it would have forgotten what it acknowledged", setting).
				Of(syncline.ClassConfig).Because("not_durable").Try("set %s = on, or say that you accept data loss", setting)
		}
	}
	return nil
}

// limits end what a process that stopped would hold for ever, in words for "set".
var limits = []string{"statement_timeout = '10s'", "lock_timeout = '8s'", "idle_in_transaction_session_timeout = '15s'"}

// kinds are the transactions of a store.
type kinds struct{ view, update, beat, bare kind }

// kind is how a transaction begins, and what its statements mean.
type kind struct {
	begin []string // nothing: each statement is a transaction of its own
	words *dictionary
}

// adapt makes connections, and what begins their transactions, fit for what is between.
// Statements that are prepared by name, and settings that a session remembers, are
// cheaper; a pooler in transaction mode would hand both to somebody else.
func (s server) adapt(cfg *pgxpool.Config) kinds {
	var local []string
	for _, l := range limits {
		local = append(local, "set local "+l)
	}
	if s.direct {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
		cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.Exec(ctx, "set "+strings.Join(limits, "; set "))
			return err
		}
		local = nil
	} else {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	begin := func(text string, more ...string) []string { return append(append([]string{text}, more...), local...) }
	return kinds{
		view:   kind{begin("begin isolation level repeatable read read only"), reading},
		update: kind{begin("begin"), writing},
		beat:   kind{begin("begin", "set local synchronous_commit = off"), writing}, // the next beat says it again
		bare:   kind{nil, reading},
	}
}
