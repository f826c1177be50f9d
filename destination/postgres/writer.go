package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/pgurl"
	"github.com/synclinehq/syncline/rows"
)

// writer writes one entity. Its own session does everything but the lanes' work.
type writer struct {
	db     *database
	target destination.Target
	name   name
	stage  name
	cp     checkpoints
	stream string
	token  int64
	conn   *pgx.Conn
	shape  *shape // of the rows that lanes write; set by Takeover
	// direct: lanes copy straight into the stage or the target, not by way of a table of
	// their own.
	direct      bool
	partitioned bool
}

var _ destination.Writer = (*writer)(nil)

// Open looks at the target and refuses what cannot work. It changes nothing.
func (d *database) Open(ctx context.Context, t destination.Target) (destination.Writer, error) {
	w, err := d.writer(t)
	if err != nil {
		return nil, err
	}
	if _, err := w.look(ctx); err != nil {
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

func (d *database) writer(t destination.Target) (*writer, error) {
	n, err := parseName(t.Table, d.Schema)
	if err != nil {
		return nil, err
	}
	if err := checkTarget(t); err != nil {
		return nil, err
	}
	return &writer{
		db: d, target: t, name: n, stage: stageName(n.schema, t.Fence.Stream, t.Load),
		cp: checkpointsIn(n.schema), stream: t.Fence.Stream, token: t.Fence.Token,
	}, nil
}

// look shows how the entity's columns would land in the target as it is now.
func (w *writer) look(ctx context.Context) (s *shape, err error) {
	if w.conn, err = w.db.connect(ctx); err != nil {
		return nil, err
	}
	err = w.transact(ctx, "look at "+w.name.text(), func(tx pgx.Tx) error {
		_, s, err = w.meet(ctx, tx)
		return err
	})
	return s, err
}

// meet describes the target as it is now and how the entity's columns land in it.
func (w *writer) meet(ctx context.Context, tx pgx.Tx) (have *table, s *shape, err error) {
	err = inFull(ctx, tx, func() error {
		if have, err = describe(ctx, tx, w.name); err != nil {
			return err
		}
		if w.target.Versions && (have == nil || !have.keyed(w.target.Entity.Key)) {
			w.target.Entity.Key = nil
		}
		s, err = meet(ctx, tx, w.target, have)
		return err
	})
	if err == nil {
		err = w.checkKey(have, s)
	}
	if err == nil {
		err = w.checkWindow(have)
	}
	return have, s, err
}

// transact runs fn in one transaction on the writer's session and says what was being done
// when it fails. A session that is gone may have been ended by a newer holder.
func (w *writer) transact(ctx context.Context, doing string, fn func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, w.conn, fn)
	if err != nil && pgurl.Lost(err) && ctx.Err() == nil {
		if lost := w.revive(ctx); errors.Is(lost, syncline.ErrLeaseLost) {
			return lost
		}
	}
	return classed(ctx, err, "%s", doing)
}

func checkTarget(t destination.Target) error {
	for _, f := range t.Entity.Schema.Fields() {
		if err := checkName("column", f.Name); err != nil {
			return err
		}
	}
	for _, k := range t.Entity.Key {
		if !t.Entity.Schema.HasField(k) {
			return syncline.Errorf(syncline.InvalidArgument, "the key column %q of %s is not among its columns", k, t.Entity.Name).Of(syncline.ClassConfig).
				Try("name a column that is there")
		}
	}
	if t.Disposition == syncline.Upsert && len(t.Entity.Key) == 0 {
		return syncline.Errorf(syncline.InvalidArgument, "%s has no key, so its rows cannot be matched with those of %s", t.Entity.Name, t.Table).
			Of(syncline.ClassConfig).Try("name its key (--key id), or write with replace or append")
	}
	if t.Window != nil && t.Disposition == syncline.Replace && !t.Entity.Schema.HasField(t.Cursor) {
		return syncline.Errorf(syncline.InvalidArgument, "a stretch of %s can only be replaced along a cursor", t.Entity.Name).
			Of(syncline.ClassConfig).Try("name the cursor (--cursor updated_at)")
	}
	return nil
}

// checkKey refuses a key that the target does not have as a column: ignored, or computed.
func (w *writer) checkKey(have *table, s *shape) error {
	names := s.names()
	for _, k := range s.key {
		if !slices.Contains(names, k) {
			return syncline.Errorf(syncline.FailedPrecondition, "%s cannot take the key column %q", w.name.text(), k).Of(syncline.ClassConfig).
				Try("add the column to the table, or choose another key")
		}
	}
	if w.target.Disposition != syncline.Upsert || have == nil || have.keyed(s.key) {
		return nil
	}
	if !have.owned {
		return w.noUnique()
	}
	return nil
}

func (w *writer) noUnique() error {
	return syncline.Errorf(syncline.FailedPrecondition, "%s has no unique index on its key (%s), which upsert needs", w.name.text(), list("", w.target.Entity.Key)).
		Of(syncline.ClassDestination).Try("create unique index on %s (%s)", w.name.quoted(), list("", w.target.Entity.Key))
}

// Takeover raises the token, ends older holders' sessions, and only then touches what they
// may have had locked.
func (w *writer) Takeover(ctx context.Context) (rows.Standing, error) {
	if err := w.cp.ensure(ctx, w.conn, w.name.schema); err != nil {
		return rows.Standing{}, classed(ctx, err, "create the checkpoint table %s", w.cp.quoted)
	}
	old, err := w.raise(ctx, w.conn)
	if err == nil {
		err = w.terminate(ctx, w.conn, old)
	}
	if err != nil {
		return rows.Standing{}, classed(ctx, err, "take over %s", w.name.text())
	}
	var at rows.Standing
	err = w.transact(ctx, "take over "+w.name.text(), func(tx pgx.Tx) (err error) {
		at, err = w.settle(ctx, tx)
		return err
	})
	return at, err
}

// settle brings checkpoints, stage and target to where this load goes on, while the fence
// is locked: a newer holder would have to end this session first.
func (w *writer) settle(ctx context.Context, tx pgx.Tx) (rows.Standing, error) {
	f, err := w.cp.fence(ctx, tx, w.stream, "for update")
	if err != nil {
		return rows.Standing{}, err
	}
	if f.Token != w.token {
		return rows.Standing{}, syncline.ErrLeaseLost
	}
	have, s, err := w.meet(ctx, tx)
	if err != nil {
		return rows.Standing{}, err
	}
	w.shape = s
	at := rows.Standing{Load: w.target.Load}
	if at.Mark, err = w.mark(ctx, tx, f, have); err != nil {
		return at, err
	}
	if f.Load == w.target.Load && f.Done {
		at.Published, at.Total, at.Swept, at.Counts = true, f.Counts.Total, f.Counts.Swept, f.Counts.Counts
		return at, w.dropStages(ctx, tx, "")
	}
	if at.Parts, err = w.goOn(ctx, tx, f); err != nil {
		return at, err
	}
	return at, w.begin(ctx, tx, f, have, at.Mark)
}

// mark is void when the target is not the one it was published for: dropped and made
// anew, truncated, or emptied. An append cannot absorb what it reads again, so there a
// table that was merely rewritten (VACUUM FULL) keeps its mark.
func (w *writer) mark(ctx context.Context, tx pgx.Tx, f fence, have *table) ([]byte, error) {
	if f.Mark == nil {
		return nil, nil
	}
	var why string
	switch {
	case have == nil:
		why = "is gone"
	case !sameTable(f.TargetID, have):
		why = "was made anew"
	case f.TargetID != have.identity() && w.target.Disposition != syncline.Append && !w.target.Versions:
		why = "was truncated or rewritten"
	default:
		empty, err := have.isEmpty(ctx, tx)
		if err != nil || !empty {
			return f.Mark, err
		}
		why = "was emptied"
	}
	w.target.Note(syncline.Warning, "%s %s since the last load: it is filled from the beginning", w.name.text(), why)
	return nil, nil
}

func sameTable(id string, have *table) bool {
	var oid uint32
	_, err := fmt.Sscanf(id, "%d/", &oid)
	return err == nil && oid == have.oid
}

// goOn says which parts stand. Nothing stands of another load, of one that begins anew,
// and of one whose stage is gone or no longer of the entity's shape.
func (w *writer) goOn(ctx context.Context, tx pgx.Tx, f fence) (map[string]rows.Position, error) {
	stands := f.Load == w.target.Load && !w.target.Restart
	if stands && w.staged() {
		fits, err := w.stageFits(ctx, tx)
		if err != nil {
			return nil, err
		}
		if stands = fits; !fits {
			w.target.Note(syncline.Warning, "the stage of %s is gone or has other columns than the source now: the load begins anew", w.name.text())
		}
	}
	if !stands {
		return nil, w.forget(ctx, tx)
	}
	parts, err := w.cp.parts(ctx, tx, w.stream)
	if err != nil {
		return nil, err
	}
	positions := map[string]rows.Position{}
	for id, p := range parts {
		positions[id] = p.Position
	}
	return positions, w.dropStages(ctx, tx, w.stage.table)
}

// forget drops all stages and parts of the stream.
func (w *writer) forget(ctx context.Context, tx pgx.Tx) error {
	if err := w.dropStages(ctx, tx, ""); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "delete from "+w.cp.quoted+" where stream = $1 and part <> ''", w.stream)
	return err
}

// dropStages drops the stages of the stream, save one and what belongs to it.
func (w *writer) dropStages(ctx context.Context, tx pgx.Tx, save string) error {
	found, err := tx.Query(ctx, `select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and c.relkind = 'r' and starts_with(c.relname::text, $2) and ($3 = '' or not starts_with(c.relname::text, $3))`, w.name.schema, streamPrefix(w.stream), save)
	if err != nil {
		return err
	}
	stages, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, s := range stages {
		if _, err := tx.Exec(ctx, "drop table "+(name{w.name.schema, s}).quoted()); err != nil {
			return err
		}
	}
	return nil
}

// begin makes what the load needs that is not there, and gives the stream to it. A mark
// that is void is forgotten for good: a target that is half filled again looks like any.
func (w *writer) begin(ctx context.Context, tx pgx.Tx, f fence, have *table, mark []byte) error {
	have, err := w.make(ctx, tx, f, have)
	if err != nil {
		return err
	}
	id := f.TargetID
	if mark != nil { // widening a column has rewritten the table
		id = have.identity()
	}
	_, err = tx.Exec(ctx, "update "+w.cp.quoted+` set load = $3, done = false, counts = '{}', mark = $4, target_id = $5, updated_at = now()
		where stream = $1 and part = '' and token = $2`, w.stream, w.token, w.target.Load, mark, id)
	return err
}

func (w *writer) make(ctx context.Context, tx pgx.Tx, f fence, have *table) (*table, error) {
	if w.target.Disposition == syncline.Replace {
		w.settleOn(have)
		return have, w.makeStage(ctx, tx, w.shape.create(w.stage))
	}
	have, err := w.makeTarget(ctx, tx, f, have)
	if err == nil && w.sweeps() {
		err = w.makeStage(ctx, tx, w.shape.createSeen(w.stage))
	}
	return have, err
}

// staged reports whether a table of this load's own holds what has come so far.
func (w *writer) staged() bool {
	return w.target.Disposition == syncline.Replace || w.sweeps()
}

// sweeps reports whether rows that this load does not see are deleted at its end.
func (w *writer) sweeps() bool {
	return w.target.Disposition == syncline.Upsert && w.target.Deletes == syncline.DeletesHard && w.target.Mode == syncline.ModeFull && w.target.Window == nil
}

// Discard gives the load up.
func (w *writer) Discard(ctx context.Context) error {
	return w.transact(ctx, "discard the load of "+w.name.text(), func(tx pgx.Tx) error {
		f, err := w.cp.fence(ctx, tx, w.stream, "for update")
		if err != nil {
			return err
		}
		if f.Token != w.token {
			return syncline.ErrLeaseLost
		}
		if f.Done {
			return nil
		}
		if err := w.forget(ctx, tx); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "update "+w.cp.quoted+" set load = '', updated_at = now() where stream = $1 and part = ''", w.stream)
		return err
	})
}

func (w *writer) Close() error {
	shut(w.conn)
	return nil
}

// shut ends a session without waiting for what it is doing.
func shut(conn *pgx.Conn) {
	if conn == nil {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer stop()
	_ = conn.Close(ctx) // whatever is open is rolled back with the session
}
