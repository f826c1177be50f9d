package sqlitefile

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"modernc.org/libc"
	libctypes "modernc.org/libc/sys/types"
	engine "modernc.org/sqlite/lib"
)

// Class is the storage class of one value.
type Class int32

// The five storage classes.
const (
	Integer Class = engine.SQLITE_INTEGER
	Real    Class = engine.SQLITE_FLOAT
	Text    Class = engine.SQLITE_TEXT
	Blob    Class = engine.SQLITE_BLOB
	Null    Class = engine.SQLITE_NULL
)

func (c Class) String() string {
	return map[Class]string{Integer: "an integer", Real: "a real", Text: "a text", Blob: "a blob", Null: "NULL"}[c]
}

// Stmt is a prepared statement. Bound text and blobs are copied into memory of the
// engine's that is used again after Reset.
type Stmt struct {
	c       *Conn
	p       uintptr
	err     error // of a Bind; Step returns it
	stepped bool  // a row of this execution was given out
	memory  []block
}

type block struct {
	p         uintptr
	used, cap int
}

// Prepare compiles one statement.
func (c *Conn) Prepare(sql string) (*Stmt, error) {
	s, rest, err := c.prepare(sql)
	if err == nil && strings.TrimSpace(rest) != "" {
		s.Close()
		return nil, fmt.Errorf("more than one statement: %s", rest)
	}
	return s, err
}

func (c *Conn) prepare(sql string) (s *Stmt, rest string, err error) {
	if strings.ContainsRune(sql, 0) {
		return nil, "", fmt.Errorf("a name with a NUL cannot be used in SQLite: %q", sql)
	}
	text, err := libc.CString(sql)
	if err != nil {
		return nil, "", err
	}
	defer libc.Xfree(c.tls, text)
	out := libc.Xmalloc(c.tls, 16)
	defer libc.Xfree(c.tls, out)
	begun := time.Now()
	for {
		rc := engine.Xsqlite3_prepare_v2(c.tls, c.db, text, int32(len(sql)+1), out, out+8)
		if rc == engine.SQLITE_OK {
			break
		}
		if !busy(rc) {
			return nil, "", c.fail(rc)
		}
		if err := c.wait(begun, rc); err != nil {
			return nil, "", err
		}
	}
	tail := *(*uintptr)(at(out + 8))
	s = &Stmt{c: c, p: *(*uintptr)(at(out))}
	c.stmts[s] = true
	return s, sql[tail-text:], nil
}

// Exec runs all statements of sql, the same args bound to each, and gives no rows.
func (c *Conn) Exec(sql string, args ...any) error {
	for strings.TrimSpace(sql) != "" {
		s, rest, err := c.prepare(sql)
		if err != nil {
			return err
		}
		sql = rest
		if s.p == 0 { // a comment
			s.Close()
			continue
		}
		if err := s.run(args, func(*Stmt) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// Each runs one statement and hands over every row of it.
func (c *Conn) Each(row func(*Stmt) error, sql string, args ...any) error {
	s, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	return s.run(args, row)
}

// Int runs one statement and returns the first column of its first row; 0 without one.
func (c *Conn) Int(sql string, args ...any) (n int64, err error) {
	err = c.Each(func(s *Stmt) error { n = s.Int(0); return nil }, sql, args...)
	return n, err
}

func (s *Stmt) run(args []any, row func(*Stmt) error) error {
	defer s.Close()
	for i, v := range args {
		s.Bind(i+1, v)
	}
	for {
		more, err := s.Step()
		if err != nil || !more {
			return err
		}
		if err := row(s); err != nil {
			return err
		}
	}
}

// Step goes to the next row and reports whether there is one. A lock that somebody else
// holds is waited for as long as no row was given out.
func (s *Stmt) Step() (bool, error) {
	if s.err != nil {
		return false, s.err
	}
	var begun time.Time
	for {
		if !s.stepped {
			if s.c.ctx.Err() != nil {
				return false, context.Cause(s.c.ctx)
			}
		}
		rc := engine.Xsqlite3_step(s.c.tls, s.p)
		switch {
		case rc == engine.SQLITE_ROW:
			s.stepped = true
			return true, nil
		case rc == engine.SQLITE_DONE:
			s.stepped = false
			return false, nil
		case !busy(rc) || s.stepped:
			return false, s.c.fail(rc)
		}
		if begun.IsZero() {
			begun = time.Now()
		}
		if err := s.c.wait(begun, rc); err != nil {
			return false, err
		}
		engine.Xsqlite3_reset(s.c.tls, s.p)
	}
}

// most is how much memory a statement keeps for its next values.
const most = 1 << 20

// Reset makes the statement ready for other values.
func (s *Stmt) Reset() {
	engine.Xsqlite3_reset(s.c.tls, s.p) // its code repeats what Step said
	s.err, s.stepped = nil, false
	if n := len(s.memory) - 1; n > 0 {
		for _, b := range s.memory[:n] {
			libc.Xfree(s.c.tls, b.p)
		}
		s.memory = append(s.memory[:0], s.memory[n]) // the largest
	}
	if len(s.memory) > 0 {
		s.memory[0].used = 0
		if s.memory[0].cap > most {
			libc.Xfree(s.c.tls, s.memory[0].p)
			s.memory = s.memory[:0]
		}
	}
}

// Close frees the statement, as the end of its connection does; a second call does
// nothing.
func (s *Stmt) Close() {
	if !s.c.stmts[s] {
		return
	}
	delete(s.c.stmts, s)
	if s.p != 0 {
		engine.Xsqlite3_finalize(s.c.tls, s.p) // its code repeats what Step said
		s.p = 0
	}
	for _, b := range s.memory {
		libc.Xfree(s.c.tls, b.p)
	}
	s.memory = nil
}

// BindNull binds NULL to parameter i, counted from 1.
func (s *Stmt) BindNull(i int) { s.bound(i, engine.Xsqlite3_bind_null(s.c.tls, s.p, int32(i))) }

// BindInt binds an integer.
func (s *Stmt) BindInt(i int, v int64) {
	s.bound(i, engine.Xsqlite3_bind_int64(s.c.tls, s.p, int32(i), v))
}

// BindReal binds a real. The engine would turn NaN into NULL.
func (s *Stmt) BindReal(i int, v float64) {
	s.bound(i, engine.Xsqlite3_bind_double(s.c.tls, s.p, int32(i), v))
}

// BindText binds text, which may hold NUL.
func (s *Stmt) BindText(i int, v string) {
	s.bound(i, engine.Xsqlite3_bind_text(s.c.tls, s.p, int32(i), s.keep(v), int32(len(v)), 0))
}

// BindBlob binds a blob.
func (s *Stmt) BindBlob(i int, v []byte) {
	p := s.keep(unsafe.String(unsafe.SliceData(v), len(v)))
	s.bound(i, engine.Xsqlite3_bind_blob(s.c.tls, s.p, int32(i), p, int32(len(v)), 0))
}

// Bind binds a value of one of the types that the other Bind functions take.
func (s *Stmt) Bind(i int, v any) {
	switch v := v.(type) {
	case nil:
		s.BindNull(i)
	case int:
		s.BindInt(i, int64(v))
	case int64:
		s.BindInt(i, v)
	case bool:
		s.BindInt(i, map[bool]int64{true: 1}[v])
	case float64:
		s.BindReal(i, v)
	case string:
		s.BindText(i, v)
	case []byte:
		if v == nil {
			s.BindNull(i)
			return
		}
		s.BindBlob(i, v)
	default:
		s.err = fmt.Errorf("bind parameter %d: %T is no SQLite value", i, v)
	}
}

func (s *Stmt) bound(i int, rc int32) {
	if rc != engine.SQLITE_OK && s.err == nil {
		s.err = fmt.Errorf("bind parameter %d: %w", i, s.c.fail(rc))
	}
}

// keep copies v to where it stays until Reset. Never a nil address: that would be NULL.
func (s *Stmt) keep(v string) uintptr {
	n := len(s.memory) - 1
	if n < 0 || s.memory[n].cap-s.memory[n].used < len(v)+1 {
		size := max(64<<10, len(v)+1)
		if n >= 0 {
			size = max(size, 2*s.memory[n].cap)
		}
		p := libc.Xmalloc(s.c.tls, libctypes.Size_t(size))
		if p == 0 {
			panic("out of memory")
		}
		s.memory = append(s.memory, block{p: p, cap: size})
		n++
	}
	b := &s.memory[n]
	p := b.p + uintptr(b.used)
	copy(unsafe.Slice((*byte)(at(p)), b.cap-b.used), v)
	b.used += len(v) + 1
	return p
}

// Columns counts the columns of a row.
func (s *Stmt) Columns() int { return int(engine.Xsqlite3_column_count(s.c.tls, s.p)) }

// Class is the storage class of column i, counted from 0. Ask it before Text or Blob,
// which may convert.
func (s *Stmt) Class(i int) Class { return Class(engine.Xsqlite3_column_type(s.c.tls, s.p, int32(i))) }

// Int is column i as an integer.
func (s *Stmt) Int(i int) int64 { return engine.Xsqlite3_column_int64(s.c.tls, s.p, int32(i)) }

// Real is column i as a real.
func (s *Stmt) Real(i int) float64 { return engine.Xsqlite3_column_double(s.c.tls, s.p, int32(i)) }

// Text is the text of column i as UTF-8, valid until the next Step or Reset.
func (s *Stmt) Text(i int) []byte {
	return s.bytes(i, engine.Xsqlite3_column_text(s.c.tls, s.p, int32(i)))
}

// Blob is the blob of column i, valid until the next Step or Reset.
func (s *Stmt) Blob(i int) []byte {
	return s.bytes(i, engine.Xsqlite3_column_blob(s.c.tls, s.p, int32(i)))
}

// String is the text of column i, to keep.
func (s *Stmt) String(i int) string { return string(s.Text(i)) }

func (s *Stmt) bytes(i int, p uintptr) []byte {
	n := engine.Xsqlite3_column_bytes(s.c.tls, s.p, int32(i))
	if p == 0 || n <= 0 {
		return nil
	}
	return unsafe.Slice((*byte)(at(p)), int(n))
}
