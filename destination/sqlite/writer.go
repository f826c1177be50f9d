package sqlite

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/sqlitetype"
	"github.com/synclinehq/syncline/rows"
)

// Writer writes one entity of one load.
type Writer struct {
	file  *file
	t     destination.Target
	stage string // of this load: rows of a replace, keys seen by an upsert that sweeps
	shape *shape // set by Takeover
	ended sync.Once
}

var _ destination.Writer = (*Writer)(nil)

// stages begins the names of all stages.
const stages = "_syncline_stage_"

func stageOf(stream, load string) string {
	sum := sha256.Sum256([]byte(stream + "\x00" + load))
	return stages + hex.EncodeToString(sum[:8])
}

// Open looks whether the entity and its table go together.
func (d *Destination) Open(ctx context.Context, t destination.Target) (destination.Writer, error) {
	if err := refuse(t); err != nil {
		return nil, err
	}
	w := &Writer{file: d.file.hold(), t: t, stage: stageOf(t.Fence.Stream, t.Load)}
	err := d.look(ctx, func(c *sqlitefile.Conn) error {
		there, err := describe(c, t.Table)
		if err == nil {
			_, err = fit(t, there)
		}
		return err
	})
	if err == nil && !sqlitefile.Exists(w.file.path) {
		_, err = fit(t, nil)
	}
	if err != nil {
		w.file.release()
		return nil, err
	}
	return w, nil
}

// refuse says what no table can make good.
func refuse(t destination.Target) error {
	wrong := func(format string, args ...any) *syncline.Error {
		return syncline.Errorf(syncline.InvalidArgument, format, args...).Of(syncline.ClassConfig)
	}
	if t.Format != rows.Arrow {
		return wrong("SQLite takes rows as Arrow, not as %s", t.Format)
	}
	for _, f := range t.Entity.Schema.Fields() {
		if strings.ContainsRune(f.Name+t.Table, 0) {
			return wrong("a name with a NUL cannot stand in SQLite: %q in %q", f.Name, t.Table).Try("rename the column, or leave the entity out")
		}
	}
	if t.Entity.Schema.NumFields() == 0 {
		return wrong("%s has no columns, and SQLite has no table without one", t.Entity.Name).Try("leave the entity out")
	}
	for _, k := range t.Entity.Key {
		if !t.Entity.Schema.HasField(k) {
			return wrong("%s has no column %q for its key", t.Entity.Name, k).Try("give a key of columns that there are: --key id")
		}
	}
	if t.Disposition == syncline.Upsert && len(t.Entity.Key) == 0 {
		return wrong("%s has no key to upsert by", t.Entity.Name).Try("name the columns that tell its rows apart: --key id; or write with --write append")
	}
	if t.Window == nil {
		return nil
	}
	i := t.Entity.Schema.FieldIndices(t.Cursor)
	if len(i) == 0 || !sqlitetype.Timed(t.Entity.Schema.Field(i[0]).Type) {
		return wrong("the window of %s needs a cursor that is a date or a timestamp, not %q", t.Entity.Name, t.Cursor).Try("give one: --cursor updated_at")
	}
	return nil
}

// Takeover raises the fence, and makes ready what this load writes to.
func (w *Writer) Takeover(ctx context.Context) (at rows.Standing, err error) {
	var there *table
	begun := false
	err = w.update(ctx, func(c *sqlitefile.Conn) error {
		at = rows.Standing{Load: w.t.Load}
		if err := c.Exec(makeCheckpoints); err != nil {
			return err
		}
		h, err := readHead(c, w.t.Fence.Stream)
		if err != nil {
			return err
		}
		if h.token > w.t.Fence.Token {
			return syncline.ErrLeaseLost
		}
		if there, err = describe(c, w.t.Table); err == nil {
			w.shape, err = fit(w.t, there)
		}
		if err != nil {
			return err
		}
		if at.Mark, err = w.mark(c, h, there); err != nil {
			return err
		}
		begun, err = w.stand(c, h, there, &at)
		return err
	})
	if err == nil && begun {
		w.say(there)
	}
	return at, err
}

// say tells a person what happens to the table for this load.
func (w *Writer) say(there *table) {
	if there == nil {
		w.t.Note(syncline.Info, "makes table %s", w.t.Table)
	}
	for _, p := range w.shape.added {
		w.t.Note(syncline.Info, "adds column %s %s to %s", p.Name, p.Declared, w.t.Table)
	}
	if there != nil && w.shape.sql != there.sql {
		w.t.Note(syncline.Info, "declares columns of %s wider", w.t.Table)
	}
	for _, p := range w.shape.columns {
		if !strings.EqualFold(p.Name, p.field.Name) {
			w.t.Note(syncline.Warning, "column %q lands in %q: SQLite takes names that differ in case for one", p.field.Name, p.Name)
		}
	}
}

// stand fills in where the load stands, and begins it when it is new or was lost.
func (w *Writer) stand(c *sqlitefile.Conn, h head, there *table, at *rows.Standing) (begun bool, err error) {
	if h.load == w.t.Load && h.last.Load == w.t.Load && h.load != "" {
		at.Published, at.Total, at.Swept, at.Counts = true, h.last.Total, h.last.Swept, h.last.Counts
		return false, w.write(c, h)
	}
	lost, err := w.lost(c, there)
	if err != nil {
		return false, err
	}
	if h.load != w.t.Load || w.t.Restart || lost {
		begun = true
		if err := w.begin(c, h); err != nil {
			return false, err
		}
	}
	parts, err := readParts(c, w.t.Fence.Stream, w.t.Load)
	if err != nil {
		return false, err
	}
	at.Parts = make(map[string]rows.Position, len(parts))
	for id, p := range parts {
		at.Parts[id] = p.at
	}
	if err := w.prepare(c, there); err != nil {
		return false, err
	}
	return begun, w.write(c, h)
}

func (w *Writer) write(c *sqlitefile.Conn, h head) error {
	h.load, h.token = w.t.Load, w.t.Fence.Token
	return writeHead(c, w.t.Fence.Stream, h)
}

// lost reports whether what earlier attempts wrote is gone: somebody dropped it.
func (w *Writer) lost(c *sqlitefile.Conn, there *table) (bool, error) {
	if !w.staged() && there == nil {
		return true, nil
	}
	if !w.staged() && !w.sweeps() {
		return false, nil
	}
	n, err := c.Int("select count(*) from main.sqlite_schema where type = 'table' and name = ?", w.stage)
	return n == 0, err
}

// begin drops what is left of another load, or of this one's false start.
func (w *Writer) begin(c *sqlitefile.Conn, h head) error {
	for _, stage := range []string{stageOf(w.t.Fence.Stream, h.load), w.stage} {
		if err := w.drop(c, stage, censusOf(stage)); err != nil {
			return err
		}
	}
	return dropParts(c, w.t.Fence.Stream)
}

func (w *Writer) drop(c *sqlitefile.Conn, tables ...string) error {
	for _, t := range tables {
		if err := c.Exec("drop table if exists main." + sqlitefile.Quote(t)); err != nil {
			return err
		}
	}
	return nil
}

// mark is the last published mark, if the table is still the one it was published for and
// nobody has emptied it.
func (w *Writer) mark(c *sqlitefile.Conn, h head, there *table) ([]byte, error) {
	if h.mark == nil {
		return nil, nil
	}
	if there == nil {
		w.t.Note(syncline.Warning, "%s was dropped since the last load: it is filled from the beginning", w.t.Table)
		return nil, nil
	}
	same, err := marked(c, there.name, h.targetID)
	if err != nil {
		return nil, err
	}
	empty, err := isEmpty(c, there.name)
	if err != nil {
		return nil, err
	}
	if !same || empty && h.last.Filled {
		w.t.Note(syncline.Warning, "%s was dropped or emptied since the last load: it is filled from the beginning", w.t.Table)
		return nil, nil
	}
	return h.mark, nil
}

// staged: rows are collected beside the table and shown by Publish.
func (w *Writer) staged() bool { return w.t.Disposition == syncline.Replace }

// sweeps: Publish removes the rows whose keys were not seen.
func (w *Writer) sweeps() bool {
	return w.t.Disposition == syncline.Upsert && w.t.Deletes == syncline.DeletesHard && w.t.Mode == syncline.ModeFull
}

// into is the table that rows are written to.
func (w *Writer) into() string {
	if w.staged() {
		return w.stage
	}
	return w.t.Table
}

// prepare makes the stage, or the table fit for rows.
func (w *Writer) prepare(c *sqlitefile.Conn, there *table) error {
	if !w.staged() {
		if err := w.fitTable(c, there); err != nil {
			return err
		}
		if !w.sweeps() {
			return nil
		}
		return w.makeKeys(c, w.stage)
	}
	n, err := c.Int("select count(*) from main.sqlite_schema where type = 'table' and name = ?", w.stage)
	if err != nil || n > 0 {
		return err
	}
	return w.makeStage(c, there)
}

// makeStage makes the stage as the table is, with its rules, or as the entity is.
func (w *Writer) makeStage(c *sqlitefile.Conn, there *table) error {
	if there == nil {
		return w.makeTable(c, w.shape.create(w.stage), w.stage)
	}
	if err := w.makeTable(c, rename(w.shape.sql, w.stage), w.stage); err != nil {
		return err
	}
	if err := w.addColumns(c, w.stage); err != nil {
		return err
	}
	// Indexes are built when all rows are there, but repeated keys are found as they come.
	stage, err := describe(c, w.stage)
	if err != nil || len(w.shape.key) == 0 || stage.isUnique(w.shape.key) {
		return err
	}
	return w.makeUnique(c, w.stage, w.stageKey())
}

// makeTable makes a table with this load's marker on it: while it is empty, that is free.
func (w *Writer) makeTable(c *sqlitefile.Conn, sql, name string) error {
	if err := c.Exec(sql); err != nil {
		return err
	}
	return setMarker(c, name, w.markerID())
}

// markerID is of this load alone.
func (w *Writer) markerID() string { return strings.TrimPrefix(w.stage, stages) }

// stageKey names the index that makes a stage's key unique where its table does it by an
// index of its own, or not at all.
func (w *Writer) stageKey() string { return w.stage + "_key" }

// fitTable makes the table, or brings the one there is up to the entity.
func (w *Writer) fitTable(c *sqlitefile.Conn, there *table) error {
	if there == nil {
		return w.makeTable(c, w.shape.create(w.t.Table), w.t.Table)
	}
	if err := w.redeclare(c, there); err != nil {
		return err
	}
	if err := w.addColumns(c, there.name); err != nil {
		return err
	}
	return w.ensureKey(c, there)
}

func (w *Writer) addColumns(c *sqlitefile.Conn, table string) error {
	for _, p := range w.shape.added {
		if err := c.Exec("alter table main." + sqlitefile.Quote(table) + " add column " + p.Definition()); err != nil {
			return err
		}
	}
	return nil
}

// redeclare changes the text of a table, which SQLite allows where nothing that is stored
// depends on it (https://www.sqlite.org/lang_altertable.html#otheralter).
func (w *Writer) redeclare(c *sqlitefile.Conn, there *table) error {
	if w.shape.sql == there.sql {
		return nil
	}
	version, err := c.Int("pragma main.schema_version")
	if err != nil {
		return err
	}
	if err := c.Exec("pragma writable_schema = on"); err != nil {
		return err
	}
	err = c.Exec("update main.sqlite_schema set sql = ? where type = 'table' and name = ?", w.shape.sql, there.name)
	if err == nil {
		err = c.Exec("pragma main.schema_version = " + strconv.FormatInt(version+1, 10))
	}
	if off := c.Exec("pragma writable_schema = reset"); err == nil {
		err = off
	}
	return err
}

// ensureKey makes the key unique where the table's own rules do not.
func (w *Writer) ensureKey(c *sqlitefile.Conn, there *table) error {
	if len(w.shape.key) == 0 || there.isUnique(w.shape.key) || w.t.Disposition == syncline.Append {
		return nil
	}
	name, err := freeName(c, strings.Join(append([]string{there.name}, w.shape.key...), "_")+"_key")
	if err != nil {
		return err
	}
	return w.makeUnique(c, there.name, name)
}

func (w *Writer) makeUnique(c *sqlitefile.Conn, table, name string) error {
	err := c.Exec("create unique index main." + sqlitefile.Quote(name) + " on " + sqlitefile.Quote(table) + " (" + sqlitefile.QuoteAll(w.shape.key) + ")")
	if _, broken := sqlitefile.Broken(err); broken {
		return syncline.Errorf(syncline.FailedPrecondition, "rows of %s are not told apart by the key (%s): %w", table, strings.Join(w.shape.key, ", "), err).
			Of(syncline.ClassDestination).Try("remove the rows that repeat a key, or give another key")
	}
	return err
}

// freeName finds a name that nothing in the file has.
func freeName(c *sqlitefile.Conn, name string) (string, error) {
	for try, n := name, int64(2); ; n++ {
		taken, err := c.Int("select count(*) from main.sqlite_schema where name = ? collate nocase", try)
		if err != nil || taken == 0 {
			return try, err
		}
		try = name + "_" + strconv.FormatInt(n, 10)
	}
}

// makeKeys makes a table of keys: of those that this load has brought, or that a census
// names. Two of them are the same if they are to the table that rows are written to.
func (w *Writer) makeKeys(c *sqlitefile.Conn, name string) error {
	var lines []string
	for _, p := range w.shape.columns {
		if !slices.Contains(w.shape.key, p.Name) {
			continue
		}
		as, err := collation(c, w.into(), p.Name)
		if err != nil {
			return err
		}
		lines = append(lines, sqlitefile.Quote(p.Name)+" "+p.Declared+" collate "+sqlitefile.Quote(as))
	}
	return c.Exec("create table if not exists main." + sqlitefile.Quote(name) + " (" + strings.Join(lines, ", ") +
		", primary key (" + sqlitefile.QuoteAll(w.shape.key) + ")) without rowid")
}

// Part opens the lane of one part.
func (w *Writer) Part(ctx context.Context, id string, token int64) (destination.Lane, error) {
	l := &lane{w: w, id: id, token: token}
	err := w.update(ctx, func(c *sqlitefile.Conn) error {
		if _, err := fenced(c, w.t.Fence.Stream, w.t.Load, token); err != nil {
			return err
		}
		parts, err := readParts(c, w.t.Fence.Stream, w.t.Load)
		if err != nil {
			return err
		}
		p := parts[id]
		if p.token > token {
			return syncline.ErrLeaseLost
		}
		p.token = token
		l.part = p
		return writePart(c, w.t.Fence.Stream, w.t.Load, id, p)
	})
	if err != nil {
		return nil, err
	}
	w.file.hold()
	l.spool = "_syncline_spool_" + strings.ToLower(rand.Text())
	return l, nil
}

// Discard removes the stage. What was published before stays published.
func (w *Writer) Discard(ctx context.Context) error {
	return w.update(ctx, func(c *sqlitefile.Conn) error {
		h, err := fenced(c, w.t.Fence.Stream, w.t.Load, w.t.Fence.Token)
		if err != nil {
			return err
		}
		if err := w.begin(c, h); err != nil {
			return err
		}
		h.load = h.last.Load
		return writeHead(c, w.t.Fence.Stream, h)
	})
}

// Close lets go of the file.
func (w *Writer) Close() error {
	w.ended.Do(w.file.release)
	return nil
}

// update runs fn in one transaction that holds the file's write lock from its start.
func (w *Writer) update(ctx context.Context, fn func(*sqlitefile.Conn) error) error {
	err := w.file.use(ctx, func(c *sqlitefile.Conn) error { return c.Update(func() error { return fn(c) }) })
	return w.explain(err)
}

// explain gives an error of the engine's that says nothing by itself its table.
func (w *Writer) explain(err error) error {
	e, ok := errors.AsType[*sqlitefile.Error](err)
	if !ok || syncline.CodeOf(err) != syncline.Internal {
		return err
	}
	return syncline.Errorf(syncline.FailedPrecondition, "write %s in %s: %w", w.t.Table, w.file.path, e).Of(syncline.ClassDestination).
		Try("if the table was changed meanwhile, run again; else look at it: sqlite3 %s .schema", w.file.path)
}
