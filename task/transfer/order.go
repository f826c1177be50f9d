package transfer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// defaultOverlap catches rows that are committed late with an older time.
const defaultOverlap = 5 * time.Minute

// order is what the pipeline asks for, made definite for one entity: what is read and how
// it is written.
type order struct {
	query       source.Query
	disposition syncline.Disposition
	deletes     syncline.Deletes
	columns     syncline.Columns
	retyped     []string // columns whose type the pipeline gives
	rekeyed     bool     // the key is the pipeline's word, not the source's
	// versions: rows are ordinarily appended, so one key may be there more than once.
	versions bool
	// repeats: what lies after the mark of an incremental append is read, and appended, again.
	repeats bool
}

// resolve settles defaults and refuses what contradicts itself.
func resolve(s syncline.EntitySpec, e source.Entity, window *syncline.Window) (order, error) {
	o := order{columns: cmp.Or(s.Columns, syncline.ColumnsAdd), rekeyed: len(s.Key) > 0 && !slices.Equal(s.Key, e.Key)}
	e, err := override(s, e)
	if err != nil {
		return o, err
	}
	for column := range s.Types {
		o.retyped = append(o.retyped, column)
	}
	slices.Sort(o.retyped)
	mode := cmp.Or(s.Mode, syncline.ModeFull)
	if err := checkCursor(s, e, mode, window); err != nil {
		return o, err
	}
	if o.disposition, err = disposition(s, e, mode); err != nil {
		return o, err
	}
	if window != nil {
		o.repeats = mode == syncline.ModeIncremental && o.disposition == syncline.Append
		return o.backfill(s, e, window), nil
	}
	// Rows behind a mark were not seen because nobody looked.
	if mode == syncline.ModeFull && o.disposition == syncline.Upsert {
		o.deletes = s.Deletes
	}
	o.deletes = cmp.Or(o.deletes, syncline.DeletesIgnore)
	o.query = source.Query{Entity: e, Mode: mode, Cursor: s.Cursor, SplitByKey: s.Split == "key"}
	o.query.Tail = mode == syncline.ModeIncremental && o.disposition == syncline.Append
	if mode == syncline.ModeIncremental && !o.query.Tail {
		o.query.Overlap = overlap(s, e)
	}
	return o, nil
}

// backfill is the order for one stretch of the cursor: all of it is read, whatever was read
// before, and it takes the place of what the target has there, however rows are ordinarily
// written.
func (o order) backfill(s syncline.EntitySpec, e source.Entity, window *syncline.Window) order {
	o.versions = o.disposition == syncline.Append
	o.disposition, o.deletes = syncline.Replace, syncline.DeletesIgnore
	o.query = source.Query{Entity: e, Mode: syncline.ModeFull, Cursor: s.Cursor, Window: window, SplitByKey: s.Split == "key"}
	return o
}

// override puts the pipeline's key and types in the place of the source's.
func override(s syncline.EntitySpec, e source.Entity) (source.Entity, error) {
	for _, column := range s.Key {
		if !e.Schema.HasField(column) {
			return e, noColumn(e, column, "key")
		}
	}
	if len(s.Key) > 0 {
		e.Key = s.Key
	}
	if len(s.Types) == 0 {
		return e, nil
	}
	fields := slices.Clone(e.Schema.Fields())
	for column, word := range s.Types {
		i := slices.IndexFunc(fields, func(f arrow.Field) bool { return f.Name == column })
		if i < 0 {
			return e, noColumn(e, column, "types")
		}
		t, err := rows.TypeWord(word)
		if err != nil {
			return e, err
		}
		fields[i] = rows.Field(column, t, fields[i].Nullable, "")
	}
	metadata := e.Schema.Metadata()
	e.Schema = arrow.NewSchema(fields, &metadata)
	return e, nil
}

func noColumn(e source.Entity, column, setting string) error {
	return syncline.Invalid(setting, "%s has no column %q, which %s names", e.Name, column, setting).
		Try("its columns: %s", strings.Join(columnNames(e), ", "))
}

func columnNames(e source.Entity) []string {
	var names []string
	for _, f := range e.Schema.Fields() {
		names = append(names, f.Name)
	}
	return names
}

// checkCursor does not choose a cursor by itself: one that does not move with every change
// would lose updates without a word.
func checkCursor(s syncline.EntitySpec, e source.Entity, mode syncline.Mode, window *syncline.Window) error {
	if window != nil {
		return checkTime(s, e)
	}
	if s.Cursor != "" || mode != syncline.ModeIncremental || len(e.Cursors) == 0 {
		return nil // the source refuses one that is not there or has no order
	}
	return config("%s is to be read incrementally, by no cursor", e.Name).
		Try("name the column that moves with every change, as in --cursor %s; it could be: %s", e.Cursors[0], strings.Join(e.Cursors, ", "))
}

// checkTime: a window is a stretch of a column of times.
func checkTime(s syncline.EntitySpec, e source.Entity) error {
	if timed(e, s.Cursor) {
		return nil
	}
	why := "without a cursor"
	if s.Cursor != "" {
		why = fmt.Sprintf("by %q, which is no column of times", s.Cursor)
	}
	return syncline.Invalid("cursor", "a stretch of %s cannot be read again %s", e.Name, why).Try("give the entity a cursor that is a date or a timestamp")
}

func timed(e source.Entity, column string) bool {
	for _, f := range e.Schema.Fields() {
		if f.Name != column {
			continue
		}
		switch f.Type.ID() {
		case arrow.TIMESTAMP, arrow.DATE32, arrow.DATE64:
			return true
		}
	}
	return false
}

func disposition(s syncline.EntitySpec, e source.Entity, mode syncline.Mode) (syncline.Disposition, error) {
	d := cmp.Or(s.Write, byDefault(e, mode))
	switch {
	case d == syncline.Upsert && len(e.Key) == 0:
		return d, config("%s has no key, which upsert needs to find the rows it updates", e.Name).
			Try("name the columns that identify a row, as in --key id, or use --write replace or append")
	case d == syncline.Replace && mode == syncline.ModeIncremental:
		return d, config("an incremental read of %s brings only what is new; replace would remove the rest", e.Name).
			Try("use --write upsert or append, or --mode full")
	}
	return d, nil
}

func byDefault(e source.Entity, mode syncline.Mode) syncline.Disposition {
	switch {
	case mode == syncline.ModeFull:
		return syncline.Replace
	case len(e.Key) > 0:
		return syncline.Upsert
	}
	return syncline.Append
}

func overlap(s syncline.EntitySpec, e source.Entity) time.Duration {
	switch {
	case s.Overlap != nil:
		return *s.Overlap
	case timed(e, s.Cursor):
		return defaultOverlap
	}
	return 0
}

func config(format string, args ...any) *syncline.Error {
	return syncline.Errorf(syncline.InvalidArgument, format, args...).Of(syncline.ClassConfig)
}
