package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/synclinehq/syncline/format/sqlitefile"
)

// cacheKiB bounds the pages a connection keeps: a key that is built in no order wants
// more of them than the engine's 2 MiB. The engine's memory is handed out in powers of
// two, so a page and what is noted of it take twice their size: this is 16 MiB in all.
const cacheKiB = 8 << 10

// pageBytes is the size of the pages of a file that is made: half as many pages as the
// engine's own 4 KiB are half as many calls to write, log and copy them.
const pageBytes = 8 << 10

// logBytes is how long the write-ahead log grows before it is copied into the file, which
// costs two waits for the disk: not after every batch.
const logBytes = 32 << 20

// file is the one writer of this process on a file. SQLite lets one write at a time
// anyway; one connection spares the waiting for each other's locks.
type file struct {
	path string
	at   sqlitefile.Settings // path, and the root it is in
	turn chan struct{}       // holds one token: whose turn it is
	conn *sqlitefile.Conn
	is   os.FileInfo // of the file behind conn
	refs int
}

var files = struct {
	sync.Mutex
	open map[sqlitefile.Settings]*file
}{open: map[sqlitefile.Settings]*file{}}

// share gives the file's writer to one more holder, who calls release.
func share(at sqlitefile.Settings) (*file, error) {
	if at.Root == "" {
		at.Path = canonical(at.Path)
	}
	path, err := at.Real()
	if err != nil {
		return nil, err
	}
	files.Lock()
	defer files.Unlock()
	f := files.open[at]
	if f == nil {
		f = &file{path: path, at: at, turn: make(chan struct{}, 1)}
		files.open[at] = f
	}
	f.refs++
	return f, nil
}

// hold is share for somebody who has it already.
func (f *file) hold() *file {
	files.Lock()
	defer files.Unlock()
	f.refs++
	return f
}

func (f *file) release() {
	if !f.last() {
		return
	}
	f.turn <- struct{}{} // after a call that its caller did not wait for
	defer func() { <-f.turn }()
	if f.conn != nil {
		_ = f.conn.Close() // nothing is open in it, and what was committed is safe
		f.conn = nil
	}
}

func (f *file) last() bool {
	files.Lock()
	defer files.Unlock()
	if f.refs--; f.refs > 0 {
		return false
	}
	delete(files.open, f.at)
	return true
}

// canonical makes one name of several for a file, also for one that is not there yet.
func canonical(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// use runs fn on the connection when it is its turn. fn leaves no transaction open.
func (f *file) use(ctx context.Context, fn func(*sqlitefile.Conn) error) error {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-f.turn }()
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if err := f.connect(ctx); err != nil {
		return err
	}
	defer f.conn.Watch(ctx)()
	defer f.conn.Rollback() // of what a panic left open
	return fn(f.conn)
}

// idle runs fn when nobody uses the connection, which may be none.
func (f *file) idle(fn func(*sqlitefile.Conn)) {
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	fn(f.conn)
}

// connect opens the file, anew when another one stands under its name: writing on would
// go to a file that nobody sees.
func (f *file) connect(ctx context.Context) error {
	now, err := os.Stat(f.path)
	if f.conn != nil && err == nil && os.SameFile(now, f.is) {
		return nil
	}
	if f.conn != nil {
		_ = f.conn.Close()
		f.conn = nil
	}
	c, err := f.at.OpenWrite()
	if err != nil {
		return err
	}
	if err := prepare(ctx, c); err != nil {
		_ = c.Close()
		return err
	}
	if f.is, err = os.Stat(f.path); err != nil {
		_ = c.Close()
		return err
	}
	f.conn = c
	return nil
}

func prepare(ctx context.Context, c *sqlitefile.Conn) error {
	defer c.Watch(ctx)()
	for _, pragma := range []string{
		"page_size = " + strconv.Itoa(pageBytes), // of a file that has none yet
		// Readers go on reading while a load is written.
		"journal_mode = wal",
		// A commit that has returned survives the loss of power.
		"synchronous = full",
		"journal_size_limit = 67108864",
		// Rows go by their parents' names: a table that is replaced under its name keeps
		// its references, and nothing cascades meanwhile.
		"foreign_keys = off",
		"legacy_alter_table = on",
		// The few rows of a batch look up the many of the table, never the other way round.
		"automatic_index = off",
	} {
		if err := c.Exec("pragma " + pragma); err != nil {
			return err
		}
	}
	if err := c.Exec("pragma cache_size = -" + strconv.Itoa(cacheKiB)); err != nil {
		return err
	}
	size, err := c.Int("pragma main.page_size")
	if err != nil {
		return err
	}
	return c.Exec("pragma wal_autocheckpoint = " + strconv.FormatInt(logBytes/max(size, 512), 10))
}
