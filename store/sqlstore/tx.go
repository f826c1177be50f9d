package sqlstore

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
)

// Tx is a transaction of the ledger on either database.
type Tx struct {
	s   Session
	f   *Flavor
	now func() (time.Time, error)
	at  time.Time // what now answered
	// was are the versions that rows in the caller's hands had before they were put.
	was []versioned
}

type versioned struct {
	at      *int64
	version int64
}

func (t *Tx) version(at *int64, v int64) {
	t.was = append(t.was, versioned{at, *at})
	*at = v
}

// Undone gives rows back the versions they had: the transaction is to be made again.
func (t *Tx) Undone() {
	for i := len(t.was) - 1; i >= 0; i-- {
		*t.was[i].at = t.was[i].version
	}
	t.was = nil
}

var _ syncline.Tx = (*Tx)(nil)

// NewTx makes a transaction of an open session. now is asked at most once; without it
// the database's clock is.
func NewTx(s Session, f *Flavor, now func() (time.Time, error)) *Tx {
	t := &Tx{s: s, f: f, now: now}
	if now == nil {
		t.now = t.clock
	}
	return t
}

// Now is what every row written in this transaction may be stamped with.
func (t *Tx) Now() (time.Time, error) {
	if !t.at.IsZero() {
		return t.at, nil
	}
	at, err := t.now()
	if err != nil {
		return time.Time{}, fmt.Errorf("read the ledger's clock: %w", err)
	}
	t.at = at
	return at, nil
}

func (t *Tx) clock() (time.Time, error) {
	var us int64
	_, err := t.one(t.f.Clock, nil, &us)
	return fromMicros(us), err
}

// Call runs fn and turns a panic into an error: other people's changes may share the
// connection that fn used.
func Call(fn func(syncline.Tx) error, t *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a transaction of the ledger: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(t)
}

// one reads a single row into dest and reports whether there is one.
func (t *Tx) one(stmt string, args []any, dest ...any) (bool, error) {
	found := false
	err := t.s.Query(func(scan Scan) error {
		found = true
		return scan(dest...)
	}, stmt, args...)
	return found, err
}

// list reads all rows by a function that makes a value of one.
func list[T any](t *Tx, from func(Scan) (T, error), stmt string, args ...any) ([]T, error) {
	var all []T
	err := t.s.Query(func(scan Scan) error {
		v, err := from(scan)
		if err == nil {
			all = append(all, v)
		}
		return err
	}, stmt, args...)
	return all, err
}

// also asks the database's clock along with other questions, unless it is known. What
// locks goes first: a change is stamped when it has its turn.
func (t *Tx) also(qs ...Question) []Question {
	if !t.at.IsZero() || t.f.Clock == "" {
		return qs
	}
	return append(qs, Question{Stmt: t.f.Clock, Row: func(scan Scan) error {
		var us int64
		err := scan(&us)
		t.at = fromMicros(us)
		return err
	}})
}

// into makes a question whose rows are collected.
func into[T any](all *[]T, from func(Scan) (T, error), stmt string, args ...any) Question {
	return Question{Stmt: stmt, Args: args, Row: func(scan Scan) error {
		v, err := from(scan)
		if err == nil {
			*all = append(*all, v)
		}
		return err
	}}
}

// first reads the first row, and nil where there is none.
func first[T any](t *Tx, from func(Scan) (*T, error), stmt string, args ...any) (*T, error) {
	all, err := list(t, from, stmt, args...)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

func text(scan Scan) (string, error) {
	var s string
	err := scan(&s)
	return s, err
}

// doc writes v as the document of a row.
func doc(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", syncline.Errorf(syncline.InvalidArgument, "write %T as JSON: %w", v, err)
	}
	return utf8(string(b)), nil
}

// utf8 mends what a client's raw JSON may hold: one of the databases keeps only text.
func utf8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// page is how many rows a filter may select.
func page(limit int) int {
	switch {
	case limit <= 0:
		return 100
	case limit > 1000:
		return 1000
	}
	return limit
}

// most is how many rows a caller wants at most.
func most(limit int) int {
	if limit <= 0 {
		return 1000
	}
	return limit
}

// micros is a time as columns hold it; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// orNull is a time as columns hold it that leave the zero time out.
func orNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
