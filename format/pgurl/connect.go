package pgurl

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/synclinehq/syncline"
)

// Dial opens a network connection; it is what a plugin's Env brings.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// connectTimeout bounds one connection attempt over all hosts.
const connectTimeout = 15 * time.Second

// Connect opens a session in UTC with ISO dates and sets the given parameters in it.
// When the context of a later call ends, the server is asked to cancel and the call
// returns within half a second.
func Connect(ctx context.Context, dial Dial, s Settings, parameters map[string]string) (*pgx.Conn, error) {
	return ConnectVia(ctx, dial, s, parameters, func(c net.Conn) net.Conn { return c })
}

// ConnectVia is Connect with via between the driver and the server, above TLS: it sees the
// protocol's messages.
func ConnectVia(ctx context.Context, dial Dial, s Settings, parameters map[string]string, via func(net.Conn) net.Conn) (*pgx.Conn, error) {
	cfg, err := s.config(dial)
	if err != nil {
		return nil, err
	}
	cfg.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, c net.Conn) (net.Conn, error) { return via(c), nil }
	ctx, stop := context.WithTimeout(ctx, connectTimeout)
	defer stop()
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, s.connectError(err)
	}
	if err := set(ctx, conn, parameters); err != nil {
		_ = conn.Close(ctx)
		return nil, s.connectError(err)
	}
	return conn, nil
}

// set gives a session its parameters in one round trip.
func set(ctx context.Context, conn *pgx.Conn, parameters map[string]string) error {
	if len(parameters) == 0 {
		return nil
	}
	names, values := []string{}, []string{}
	for name, value := range parameters {
		names, values = append(names, name), append(values, value)
	}
	_, err := conn.Exec(ctx, "select set_config(n, v, false) from unnest($1::text[], $2::text[]) p(n, v)", names, values)
	if err != nil {
		return fmt.Errorf("set the session's parameters: %w", err)
	}
	return nil
}

// config takes everything from the settings and nothing from the process's environment:
// a server must not hand its own PGPASSWORD to whatever host a pipeline names.
func (s Settings) config(dial Dial) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(s.dsn())
	if err != nil {
		return nil, s.configError(err)
	}
	cfg.DialFunc = pgconn.DialFunc(dial)
	// Names are resolved where the dialing is done, which may forbid what they resolve to.
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	cfg.ConnectTimeout = connectTimeout
	cfg.RuntimeParams = map[string]string{
		"application_name": "syncline", "client_encoding": "UTF8", "DateStyle": "ISO, YMD", "TimeZone": "UTC",
	}
	// Unnamed statements: they work behind a pooler and outlive a change of a table's columns.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 500 * time.Millisecond}
	}
	return cfg, nil
}

func (s Settings) dsn() string {
	var b strings.Builder
	set := func(name, value string) {
		value = strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value)
		fmt.Fprintf(&b, "%s='%s' ", name, value)
	}
	hosts, ports := s.servers()
	set("host", strings.Join(hosts, ","))
	set("port", strings.Join(ports, ","))
	set("user", s.User)
	set("password", s.Password.Reveal())
	set("dbname", s.Database)
	set("sslmode", s.SSLMode)
	set("sslrootcert", s.SSLRootCert)
	set("sslcert", s.SSLCert)
	set("sslkey", s.SSLKey)
	set("target_session_attrs", s.TargetSessionAttrs)
	set("passfile", "")
	return b.String()
}

// servers takes apart what Host names: each may have a port of its own.
func (s Settings) servers() (hosts, ports []string) {
	all := []string{s.Host}
	if !strings.HasPrefix(s.Host, "/") {
		all = strings.Split(s.Host, ",")
	}
	for _, one := range all {
		host, port := one, strconv.Itoa(s.Port)
		if h, p, err := net.SplitHostPort(one); err == nil {
			host, port = h, p
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	return hosts, ports
}

// Where names the database for a person.
func (s Settings) Where() string {
	return fmt.Sprintf("database %q at %s", s.Database, address(s.Host, s.Port))
}

func (s Settings) configError(err error) error {
	return syncline.Errorf(syncline.InvalidArgument, "settings of %s: %s", s.Where(), s.scrub(err.Error())).
		Of(syncline.ClassConfig).Try("check host, port and the TLS files")
}

// scrub is the last line of defence: no text of the driver's is known to hold a password.
func (s Settings) scrub(text string) string {
	if s.Password.Empty() {
		return text
	}
	return strings.ReplaceAll(text, s.Password.Reveal(), s.Password.String())
}
