package transfer

import (
	"cmp"
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
	if o.disposition, err = disposition(s, e, mode, window); err != nil {
		return o, err
	}
	// Rows outside a window, or behind a mark, were not seen because nobody looked.
	if mode == syncline.ModeFull && window == nil && o.disposition == syncline.Upsert {
		o.deletes = s.Deletes
	}
	o.deletes = cmp.Or(o.deletes, syncline.DeletesIgnore)
	o.query = source.Query{Entity: e, Mode: mode, Cursor: s.Cursor, Window: window, SplitByKey: s.Split == "key"}
	o.query.Tail = mode == syncline.ModeIncremental && o.disposition == syncline.Append
	if mode == syncline.ModeIncremental && !o.query.Tail {
		o.query.Overlap = overlap(s, e)
	}
	return o, nil
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
	if s.Cursor != "" {
		return nil // the source refuses one that is not there or has no order
	}
	if mode == syncline.ModeIncremental && len(e.Cursors) > 0 {
		return config("%s is to be read incrementally, by no cursor", e.Name).
			Try("name the column that moves with every change, as in --cursor %s; it could be: %s", e.Cursors[0], strings.Join(e.Cursors, ", "))
	}
	if window != nil {
		return config("a stretch of %s cannot be read again without a cursor", e.Name).Try("give the entity a cursor that is a time")
	}
	return nil
}

func disposition(s syncline.EntitySpec, e source.Entity, mode syncline.Mode, window *syncline.Window) (syncline.Disposition, error) {
	d := cmp.Or(s.Write, byDefault(e, mode, window))
	switch {
	case d == syncline.Upsert && len(e.Key) == 0:
		return d, config("%s has no key, which upsert needs to find the rows it updates", e.Name).
			Try("name the columns that identify a row, as in --key id, or use --write replace or append")
	case d == syncline.Replace && mode == syncline.ModeIncremental:
		return d, config("an incremental read of %s brings only what is new; replace would remove the rest", e.Name).
			Try("use --write upsert or append, or --mode full")
	case d == syncline.Replace && window != nil:
		return d, config("replacing %s by one stretch of it would remove the rest", e.Name).
			Try("use write: upsert with a key for backfills")
	}
	return d, nil
}

func byDefault(e source.Entity, mode syncline.Mode, window *syncline.Window) syncline.Disposition {
	switch {
	case mode == syncline.ModeFull && window == nil:
		return syncline.Replace
	case len(e.Key) > 0:
		return syncline.Upsert
	}
	return syncline.Append
}

func overlap(s syncline.EntitySpec, e source.Entity) time.Duration {
	if s.Overlap != nil {
		return *s.Overlap
	}
	for _, f := range e.Schema.Fields() {
		if f.Name != s.Cursor {
			continue
		}
		switch f.Type.ID() {
		case arrow.TIMESTAMP, arrow.DATE32, arrow.DATE64:
			return defaultOverlap
		}
	}
	return 0
}

func config(format string, args ...any) *syncline.Error {
	return syncline.Errorf(syncline.InvalidArgument, format, args...).Of(syncline.ClassConfig)
}
