// Package postgres is PostgreSQL as a destination. Rows arrive by COPY; rows, position and
// counts of a part become durable in one transaction, guarded by the token of its holder.
package postgres

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/pgurl"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/spec"
)

const kind = "postgres"

var fields = append(slices.Clone(pgurl.Fields), spec.Field{
	Name: "schema", Label: "Schema", Type: spec.String, Default: "public",
	Help: "schema in which entities land whose name does not say one",
})

var settingsSpec = spec.Spec{
	Kind: kind, Summary: "tables of a PostgreSQL database, written by COPY, replaced at once and whole",
	Fields: fields, Schemes: pgurl.Schemes,
	FromURL: func(u *url.URL) (json.RawMessage, error) { return pgurl.FromURL(kind, fields, u) },
	Show:    show,
	Local:   pgurl.Local,
}

// Kind is PostgreSQL among the destinations.
var Kind = destination.Kind{Spec: settingsSpec, Open: open}

type settings struct {
	pgurl.Settings
	Schema string `json:"schema"`
}

// show tells two schemas of one database apart: they are different places.
func show(doc json.RawMessage) string {
	var s struct{ Schema string }
	_ = json.Unmarshal(doc, &s) // what does not fit is refused where it is used
	if s.Schema == "" || s.Schema == "public" {
		return pgurl.Show(doc)
	}
	u, err := url.Parse(pgurl.Show(doc))
	if err != nil {
		return pgurl.Show(doc)
	}
	q := u.Query()
	q.Set("schema", s.Schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// database is an open destination. Every writer and every lane has a session of its own.
type database struct {
	env source.Env
	settings

	mu    sync.Mutex
	spare *pgx.Conn // has looked at something, and is good for what comes next
}

var (
	_ destination.Destination = (*database)(nil)
	_ source.Checker          = (*database)(nil)
)

func open(ctx context.Context, env source.Env, doc json.RawMessage) (destination.Destination, error) {
	d := &database{env: env}
	if err := settingsSpec.Decode(doc, &d.settings); err != nil {
		return nil, err
	}
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	d.keep(conn)
	return d, nil
}

// session is what every session of a destination runs under. The server's own limit on
// statements is lifted: building the keys of a large table takes as long as it takes, and
// every statement ends with its context. A holder that is stopped between two statements
// is ended by the server; one that is stopped within COPY is not, by any of these, and is
// terminated by its successor.
var session = map[string]string{
	"statement_timeout":                   "0",
	"lock_timeout":                        "30s",
	"idle_in_transaction_session_timeout": "15min",
	"synchronous_commit":                  "on",
	"default_transaction_isolation":       "read committed",
	"default_transaction_read_only":       "off",
	"standard_conforming_strings":         "on",
}

func (d *database) connect(ctx context.Context) (*pgx.Conn, error) {
	if c := d.kept(); c != nil {
		return c, nil
	}
	return pgurl.Connect(ctx, d.env.Dial, d.Settings, session)
}

// Lands keeps an entity's name. A file lands without its extension.
func (d *database) Lands(entity string) string {
	if base := withoutExtension(entity); base != entity {
		// A file that was written from a table of the schema public goes back there.
		return name{table: strings.TrimPrefix(base, "public.")}.text()
	}
	return entity
}

// keep leaves a session, in no transaction, to the next who connects.
func (d *database) keep(c *pgx.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	shut(d.spare)
	d.spare = c
}

func (d *database) kept() *pgx.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.spare
	d.spare = nil
	return c
}

func (d *database) Close() error {
	shut(d.kept())
	return nil
}

// classed says whose errors these are.
func classed(ctx context.Context, err error, what string, args ...any) error {
	return pgurl.Error(ctx, syncline.ClassDestination, err, what, args...)
}
