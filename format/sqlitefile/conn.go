// Package sqlitefile reaches SQLite files: connections and statements without an
// allocation per value, errors a person can act on, and the URLs that name a file. It
// uses the engine below modernc's database/sql driver, because that driver turns text
// into times and allocates every value.
package sqlitefile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
	"unsafe"

	"modernc.org/libc"
	_ "modernc.org/sqlite" // its start-up prepares the engine on every platform
	engine "modernc.org/sqlite/lib"

	"github.com/synclinehq/syncline"
)

// Patience is how long a file that somebody else has locked is waited for.
const Patience = 10 * time.Second

// Conn is one connection to a file, for one goroutine at a time. Nothing here opens a
// database file by other means: closing any descriptor of it would drop every lock this
// process holds on it (POSIX advisory locks).
type Conn struct {
	path     string
	class    syncline.Class
	tls      *libc.TLS
	db       uintptr
	patience time.Duration
	stmts    map[*Stmt]bool
	ctx      context.Context // of the Watch in progress
	mu       sync.Mutex      // between an interrupt and Close
}

// OpenRead opens an existing file. It is never created; nothing can be written.
func OpenRead(path string) (*Conn, error) { return openRead(path, false) }

func openRead(path string, linkless bool) (*Conn, error) {
	c := &Conn{path: path, class: syncline.ClassSource, patience: Patience, stmts: map[*Stmt]bool{}, ctx: context.Background()}
	if err := regular(path); err != nil {
		return nil, err
	}
	if err := c.open(0, linkless); err != nil {
		return nil, err
	}
	// Read-write under a promise not to write: a journal that a crashed writer left
	// behind has to be rolled back before anything can be read.
	if err := c.Exec("pragma query_only = on"); err != nil {
		return nil, c.abandon(err)
	}
	return c, nil
}

// OpenWrite opens a file and makes it when it is missing. Its folder must be there.
func OpenWrite(path string) (*Conn, error) { return openWrite(path, false) }

func openWrite(path string, linkless bool) (*Conn, error) {
	c := &Conn{path: path, class: syncline.ClassDestination, patience: Patience, stmts: map[*Stmt]bool{}, ctx: context.Background()}
	if err := Writable(path); err != nil {
		return nil, err
	}
	if err := c.open(engine.SQLITE_OPEN_CREATE, linkless); err != nil {
		return nil, err
	}
	return c, nil
}

// Exists reports whether there is a file.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Writable says why there cannot be a database file, as far as can be told without opening
// or making it.
func Writable(path string) error {
	if err := regular(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return folder(path)
}

func regular(path string) error {
	if strings.ContainsRune(path, 0) {
		return syncline.Errorf(syncline.InvalidArgument, "the path %q holds a NUL", path).Of(syncline.ClassConfig).Try("name the file without it")
	}
	at, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return syncline.Errorf(syncline.NotFound, "there is no file %s: %w", path, fs.ErrNotExist).Of(syncline.ClassConfig).Try("check the path; a source is never created")
	case err != nil:
		return syncline.Errorf(syncline.PermissionDenied, "look at %s: %w", path, err).Of(syncline.ClassConfig).Try("let this user read the file and its folder")
	case at.IsDir():
		return syncline.Errorf(syncline.InvalidArgument, "%s is a folder, not a SQLite file", path).Of(syncline.ClassConfig).Try("name a file, for example %s/data.db", strings.TrimSuffix(path, "/"))
	case !at.Mode().IsRegular():
		return syncline.Errorf(syncline.InvalidArgument, "%s is not a regular file", path).Of(syncline.ClassConfig).Try("name a SQLite file")
	}
	return nil
}

// open refuses a path that holds a link if it is to be linkless.
func (c *Conn) open(flags int32, linkless bool) error {
	c.tls = libc.NewTLS()
	name, err := libc.CString(c.path)
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, name)
	out := libc.Xmalloc(c.tls, 8)
	defer libc.Xfree(c.tls, out)
	// One goroutine at a time, so no lock around every call.
	if linkless {
		flags |= engine.SQLITE_OPEN_NOFOLLOW
	}
	flags |= engine.SQLITE_OPEN_READWRITE | engine.SQLITE_OPEN_NOMUTEX | engine.SQLITE_OPEN_EXRESCODE
	rc := engine.Xsqlite3_open_v2(c.tls, name, out, flags, 0)
	c.db = *(*uintptr)(at(out))
	if rc != engine.SQLITE_OK {
		return c.abandon(c.fail(rc))
	}
	// "text" is an identifier in SQL, never a string by accident.
	args := libc.NewVaList(int32(0), uintptr(0))
	defer libc.Xfree(c.tls, args)
	engine.Xsqlite3_db_config(c.tls, c.db, engine.SQLITE_DBCONFIG_DQS_DML, args)
	return nil
}

// abandon closes a connection that is of no use, for the reason given.
func (c *Conn) abandon(err error) error {
	_ = c.Close()
	return err
}

// Path is the file.
func (c *Conn) Path() string { return c.path }

// Patient sets how long a lock is waited for, instead of Patience.
func (c *Conn) Patient(d time.Duration) { c.patience = d }

// Watch makes everything up to the call of stop end with ctx: a statement in the middle
// of its work is interrupted, a wait for a lock given up.
func (c *Conn) Watch(ctx context.Context) (stop func()) {
	outer := c.ctx
	c.ctx = ctx
	ended := make(chan struct{})
	off := context.AfterFunc(ctx, func() {
		defer close(ended)
		c.interrupt()
	})
	return func() {
		if !off() {
			<-ended
		}
		c.ctx = outer
	}
}

func (c *Conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.db == 0 {
		return
	}
	tls := libc.NewTLS() // c.tls belongs to the goroutine that is being interrupted
	defer tls.Close()
	engine.Xsqlite3_interrupt(tls, c.db)
}

// Close rolls back what is open and lets go of the file.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.stmts {
		s.Close()
	}
	if c.db != 0 {
		if rc := engine.Xsqlite3_close_v2(c.tls, c.db); rc != engine.SQLITE_OK {
			return c.fail(rc)
		}
		c.db = 0
	}
	if c.tls != nil {
		c.tls.Close()
		c.tls = nil
	}
	return nil
}

// Changes counts the rows that the last insert, update or delete changed.
func (c *Conn) Changes() int64 { return engine.Xsqlite3_changes64(c.tls, c.db) }

// InTx reports whether a transaction is open. A full disk may have ended it.
func (c *Conn) InTx() bool { return engine.Xsqlite3_get_autocommit(c.tls, c.db) == 0 }

// Update runs fn in one immediate transaction: it holds the file's write lock from the
// start, so what fn reads cannot change before it commits.
func (c *Conn) Update(fn func() error) error {
	return c.within("begin immediate", fn)
}

// View runs fn in one read transaction: it sees one state of the file.
func (c *Conn) View(fn func() error) error {
	return c.within("begin", fn)
}

func (c *Conn) within(begin string, fn func() error) error {
	if err := c.Exec(begin); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		err = c.Exec("commit")
	}
	if err != nil {
		c.Rollback()
	}
	return err
}

// Rollback ends an open transaction without keeping anything of it, also when the
// watched context has ended.
func (c *Conn) Rollback() {
	if !c.InTx() {
		return
	}
	defer func(ctx context.Context) { c.ctx = ctx }(c.ctx)
	c.ctx = context.Background()
	// The engine rolls back in memory what it cannot on disk; a failure here leaves a
	// journal that the next opener rolls back.
	_ = c.Exec("rollback")
}

// at turns an address of the engine's own memory into a pointer.
func at(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }
