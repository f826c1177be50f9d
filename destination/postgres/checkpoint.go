package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
)

const checkpointTable = "_syncline_checkpoints"

// checkpoints is the table that keeps, beside the data, how far each part of each stream
// has come and who may write it. Part "" is the stream's fence: its load, its token, and
// once done what was published.
type checkpoints struct{ quoted string }

func checkpointsIn(schema string) checkpoints {
	return checkpoints{name{schema, checkpointTable}.quoted()}
}

const checkpointColumns = `
	stream text not null, part text not null, load text not null default '', token bigint not null,
	seq bigint not null default 0, position bytea, done boolean not null default false, counts jsonb not null default '{}',
	mark bytea, target_id text, pid integer, backend_start timestamptz, updated_at timestamptz not null default now(),
	primary key (stream, part)`

// ensure makes schema and table where they are missing. "create if not exists" is no
// protection against another first writer, so those queue for a lock.
func (c checkpoints) ensure(ctx context.Context, conn *pgx.Conn, schema string) error {
	var there, table bool
	err := conn.QueryRow(ctx, "select to_regnamespace($1) is not null, to_regclass($2) is not null", quote(schema), c.quoted).Scan(&there, &table)
	if err != nil || table {
		return err
	}
	statements := []string{"select pg_advisory_xact_lock(hashtext('" + checkpointTable + "'))"}
	if !there { // asked for only then, since it takes a privilege even when there is nothing to do
		statements = append(statements, "create schema if not exists "+quote(schema))
	}
	statements = append(statements, "create table if not exists "+c.quoted+" ("+checkpointColumns+")",
		"comment on table "+c.quoted+" is 'How far Syncline has come with each table; lives and dies with the data'")
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, s := range statements {
			if _, err := tx.Exec(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// counts of a part, with what only this destination needs to know.
type counts struct {
	syncline.Counts
	// Keyless rows were rejected before their key was known: they may be in the target.
	Keyless int64 `json:"keyless,omitempty"`
	// Total is the fence's: rows of the target after Publish, -1 unknown.
	Total int64 `json:"total,omitempty"`
}

// fence is the row of a stream.
type fence struct {
	Load     string
	Token    int64
	Done     bool
	Counts   counts
	Mark     []byte
	TargetID string
}

func (c checkpoints) fence(ctx context.Context, q querier, stream, lock string) (fence, error) {
	var f fence
	err := q.QueryRow(ctx, "select load, token, done, counts, mark, coalesce(target_id, '') from "+c.quoted+
		" where stream = $1 and part = '' "+lock, stream).Scan(&f.Load, &f.Token, &f.Done, &f.Counts, &f.Mark, &f.TargetID)
	if errors.Is(err, pgx.ErrNoRows) { // dropped by hand after Takeover: whose it is cannot be known
		return f, syncline.ErrLeaseLost
	}
	return f, err
}

// part is the row of one part.
type part struct {
	token, seq int64
	rows.Position
	counts  counts
	backend backend
}

// backend is a session of the server. The number alone is given out again and again.
type backend struct {
	pid   int32
	start time.Time
}

// parts reads those of a stream.
func (c checkpoints) parts(ctx context.Context, q querier, stream string) (map[string]part, error) {
	found, err := q.Query(ctx, "select part, token, seq, position, done, counts, coalesce(pid, 0), coalesce(backend_start, 'epoch') from "+
		c.quoted+" where stream = $1 and part <> ''", stream)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	all := map[string]part{}
	for found.Next() {
		var id string
		var p part
		if err := found.Scan(&id, &p.token, &p.seq, &p.Next, &p.Done, &p.counts, &p.backend.pid, &p.backend.start); err != nil {
			return nil, err
		}
		p.Counts = p.counts.Counts
		all[id] = p
	}
	return all, found.Err()
}

// self is the session itself, as others see it.
func self(ctx context.Context, q querier) (b backend, err error) {
	err = q.QueryRow(ctx, "select pid, backend_start from pg_stat_activity where pid = pg_backend_pid()").Scan(&b.pid, &b.start)
	if err != nil {
		return b, fmt.Errorf("look up the own session: %w", err)
	}
	return b, nil
}
