package sqlitefile

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"modernc.org/libc"
	engine "modernc.org/sqlite/lib"

	"github.com/synclinehq/syncline"
)

// Error is what the engine said. Those that a person can act on come as
// *syncline.Error with this one inside.
type Error struct {
	Code int32 // extended result code
	Text string
	sys  syscall.Errno
}

func (e *Error) Error() string { return fmt.Sprintf("sqlite: %s (%d)", e.Text, e.Code) }

// Rule is what a row broke.
type Rule string

// The rules that a table may have for its rows.
const (
	Unique    Rule = "unique"
	NotNull   Rule = "not null"
	Datatype  Rule = "type" // of a STRICT table
	OtherRule Rule = "other"
)

// Broken reports whether err says that a row breaks a rule of its table, and which.
func Broken(err error) (Rule, bool) {
	e, is := errors.AsType[*Error](err)
	if !is || e.Code&0xff != engine.SQLITE_CONSTRAINT {
		return "", false
	}
	switch e.Code {
	case engine.SQLITE_CONSTRAINT_UNIQUE, engine.SQLITE_CONSTRAINT_PRIMARYKEY, engine.SQLITE_CONSTRAINT_ROWID:
		return Unique, true
	case engine.SQLITE_CONSTRAINT_NOTNULL:
		return NotNull, true
	case engine.SQLITE_CONSTRAINT_DATATYPE:
		return Datatype, true
	}
	return OtherRule, true
}

func busy(rc int32) bool {
	// A snapshot that is too old to be written on does not come back by waiting.
	return rc&0xff == engine.SQLITE_BUSY && rc != engine.SQLITE_BUSY_SNAPSHOT
}

// wait pauses before the next try, until patience or the context ends.
func (c *Conn) wait(begun time.Time, rc int32) error {
	waited := time.Since(begun)
	if waited >= c.patience {
		return c.fail(rc)
	}
	pause := min(50*time.Millisecond, max(time.Millisecond, waited/4))
	select {
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	case <-time.After(pause):
		return nil
	}
}

// fail turns a result code into an error.
func (c *Conn) fail(rc int32) error {
	if rc&0xff == engine.SQLITE_INTERRUPT && c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	e := &Error{Code: rc, Text: libc.GoString(engine.Xsqlite3_errstr(c.tls, rc))}
	if c.db != 0 && engine.Xsqlite3_extended_errcode(c.tls, c.db) == rc {
		e.Text = libc.GoString(engine.Xsqlite3_errmsg(c.tls, c.db))
		e.sys = syscall.Errno(engine.Xsqlite3_system_errno(c.tls, c.db))
	}
	if said := c.explain(e); said != nil {
		return said
	}
	return e
}

// explain says what a person can do; nil when the code alone does not tell.
func (c *Conn) explain(e *Error) error {
	full := e.Code&0xff == engine.SQLITE_FULL || e.Code&0xff == engine.SQLITE_IOERR && (e.sys == syscall.ENOSPC || e.sys == syscall.EDQUOT)
	switch {
	case full:
		return syncline.Errorf(syncline.ResourceExhausted, "no space left for %s: %w", c.path, e).Of(c.class).Because("no_space").
			Try("free space where %s is; the run goes on from where it stopped", c.path).Again()
	case busy(e.Code):
		return syncline.Errorf(syncline.Unavailable, "%s is locked by %s, for more than %s: %w", c.path, holders(c.path), c.patience, e).Of(c.class).
			Because("locked").Try("end the program that holds %s, or try again when it is done", c.path).Again()
	}
	switch e.Code & 0xff {
	case engine.SQLITE_NOTADB:
		return syncline.Errorf(syncline.InvalidArgument, "%s is not a SQLite database: %w", c.path, e).Of(syncline.ClassConfig).
			Try("check the path; an encrypted database cannot be read")
	case engine.SQLITE_CORRUPT:
		return syncline.Errorf(syncline.DataLoss, "%s is damaged: %w", c.path, e).Of(c.class).
			Try("run: sqlite3 %s 'pragma integrity_check', and restore the file", c.path)
	case engine.SQLITE_READONLY, engine.SQLITE_PERM, engine.SQLITE_CANTOPEN, engine.SQLITE_AUTH:
		return syncline.Errorf(syncline.PermissionDenied, "%s cannot be opened as needed: %w", c.path, e).Of(syncline.ClassConfig).
			Try("let this user write the file and its folder; SQLite keeps a journal beside it")
	case engine.SQLITE_IOERR:
		return syncline.Errorf(syncline.Unavailable, "read or write %s: %w", c.path, e).Of(c.class).
			Try("look at the disk that holds %s", c.path).Again()
	case engine.SQLITE_NOMEM:
		return syncline.Errorf(syncline.ResourceExhausted, "out of memory on %s: %w", c.path, e).Of(c.class).Again()
	}
	return nil
}
