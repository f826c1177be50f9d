// Package app puts Syncline together: it opens the ledger or finds the process that holds
// it, and starts what a server or a worker is made of.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/builtin"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/client"
	"github.com/synclinehq/syncline/dialect/native"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/secret"
	"github.com/synclinehq/syncline/server"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/task/transfer"
)

const (
	inFlight    = 64 << 20 // bytes of rows on their way, of all runs of the process
	dialTimeout = 10 * time.Second
)

// Options of a process.
type Options struct {
	Data   string // data directory; "": the user's state directory
	Ledger string // a PostgreSQL URL; "": a SQLite file in the data directory
	// AcceptDataLoss takes a PostgreSQL ledger that may forget in a crash what it acknowledged.
	AcceptDataLoss bool
	// Lease is how long a worker that gives no sign of life keeps its runs; 0: 15 s. All
	// processes of a ledger must agree. It is there for tests, which cannot wait so long.
	Lease time.Duration

	// NoLoopback keeps pipelines' connections from this machine itself: for a server that
	// others reach, unless its configuration says allow_private. Link-local addresses and
	// clouds' metadata are kept from every process.
	NoLoopback bool

	// Settings of a server; InsecureHTTP and NoAuth are said on the command line alone.
	Settings     Settings
	InsecureHTTP bool // no TLS, although others than this machine can connect
	NoAuth       bool // no keys, on this machine only

	Server  bool   // keeps the ledger as long as it runs; a second one is refused
	Command string // what others read of this process: "syncline sync"

	LogTo    io.Writer // default: nowhere
	LogLevel slog.Level
	Terminal bool // the log goes to a person
}

// App is one process's way to a ledger. A SQLite ledger is held by one process at a time,
// whichever came first; the others reach it over a socket in the data directory, and one
// of them takes it over when the holder ends.
type App struct {
	o         Options
	dir       string
	log       *slog.Logger
	scrubber  *secret.Scrubber
	env       source.Env
	kinds     *registry.Registry
	box       *secret.Box
	self      syncline.Worker
	started   time.Time
	transport *transport
	client    *client.Client
	listener  *server.Listener // nil: only processes of this user reach the ledger, over a socket
	metrics   *server.Metrics  // nil when listener is

	mu     sync.Mutex
	seat   *seat     // not nil: this process holds the ledger
	shy    time.Time // until then the ledger is left to the server it was handed to
	closed bool
	ends   sync.WaitGroup
}

// Open makes ready what every command needs. A command's ledger is opened with its first
// call; a server's, and a shared one, at once.
func Open(ctx context.Context, o Options) (*App, error) {
	limitMemory()
	dir, err := dataDir(o.Data)
	if err != nil {
		return nil, err
	}
	a := &App{o: o, dir: dir, scrubber: &secret.Scrubber{}, started: time.Now()}
	a.log = newLog(o, a.scrubber)
	if a.self, err = self(); err != nil {
		return nil, err
	}
	if err := a.listenTCP(ctx); err != nil {
		return nil, err
	}
	if err := a.begin(ctx); err != nil {
		_ = a.Close()
		return nil, err
	}
	return a, nil
}

// begin makes ready what leans on the ledger.
func (a *App) begin(ctx context.Context) (err error) {
	if a.box, err = secret.Load(filepath.Join(a.dir, "master.key"), os.Getenv(secret.Env)); err != nil {
		return keyError(err)
	}
	a.env = source.Env{Dial: guardedDial(a.o), Now: time.Now, Log: a.log}
	a.kinds = builtin.Registry(transfer.Options{Env: a.env, Memory: rows.NewBudget(inFlight)})
	a.transport = newTransport(a.dial)
	a.client = client.New(a.transport, "http://syncline"+native.Base)
	switch {
	case a.o.Ledger != "":
		err = a.share(ctx)
	case a.o.Server:
		err = a.claim(ctx)
	}
	if err != nil {
		return err
	}
	return a.openDoor(ctx)
}

// Client reaches the ledger, here or in another process.
func (a *App) Client() *client.Client { return a.client }

// Data is the data directory.
func (a *App) Data() string { return a.dir }

// Log is the process's log.
func (a *App) Log() *slog.Logger { return a.log }

// Close lets go of the ledger. What Serve and Work started must have ended.
func (a *App) Close() error {
	a.mu.Lock()
	seat := a.seat
	a.seat, a.closed = nil, true
	a.mu.Unlock()
	a.ends.Wait()
	if a.transport != nil {
		a.transport.http.CloseIdleConnections()
	}
	var err error
	if seat != nil {
		err = seat.close()
	}
	if a.listener != nil {
		_ = a.listener.Close() // by then the door has, if it was ever open
	}
	return err
}

func (a *App) held() *seat {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seat
}

// dial connects to whoever holds the ledger, and takes it when nobody does.
func (a *App) dial(ctx context.Context) (net.Conn, error) {
	until := time.Now().Add(patience)
	for {
		if s := a.held(); s != nil {
			return s.pipes.dial(ctx)
		}
		c, err := dialSocket(ctx, a.dir)
		if err == nil {
			return c, nil
		}
		took, err := a.take(ctx)
		if err != nil {
			return nil, err
		}
		if !took && time.Now().After(until) {
			return nil, taken(a.dir)
		}
		if !took && !pause(ctx, 20*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
}

// take tries to become the holder.
func (a *App) take(ctx context.Context) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.seat != nil:
		return true, nil
	case a.closed || time.Now().Before(a.shy):
		return false, nil
	}
	l, err := takeLock(a.dir, holder{PID: a.self.PID, Command: a.o.Command, StartedAt: a.started, Server: a.o.Server})
	if l == nil || err != nil {
		return false, err
	}
	s, err := a.sit(ctx, l)
	if err != nil {
		_ = l.release()
		return false, unopened(a.dir, err)
	}
	a.seat = s
	return true, nil
}

// claim makes a server the holder: it waits for the end of one that is ending, asks a
// command that holds the ledger to hand it over, and is refused by another server.
func (a *App) claim(ctx context.Context) error {
	until := time.Now().Add(patience)
	for {
		took, err := a.take(ctx)
		if took || err != nil {
			return err
		}
		if h, ok := readHolder(a.dir); ok && h.Server || time.Now().After(until) {
			return taken(a.dir)
		}
		a.askForIt(ctx)
		if !pause(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// askForIt asks the holder to let go. That it does is seen by the lock.
func (a *App) askForIt(ctx context.Context) {
	t := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, a.dir) }}
	defer t.CloseIdleConnections()
	if err := client.New(t, "http://syncline"+native.Base).HandOver(ctx); err != nil {
		a.log.Debug("ask for the ledger", "err", err)
	}
}

// handOver lets go of the ledger and leaves it to the server that asked; this process's
// calls go there from then on.
func (a *App) handOver() {
	a.mu.Lock()
	seat := a.seat
	a.seat, a.shy = nil, time.Now().Add(5*time.Second)
	if seat != nil {
		a.ends.Go(func() {
			a.transport.http.CloseIdleConnections()
			if err := seat.close(); err != nil {
				a.log.Warn("let go of the ledger", "err", err)
			}
		})
	}
	a.mu.Unlock()
}

// About says which process answers.
func (a *App) about() client.About {
	about := client.About{
		Version: Version(), PID: a.self.PID, Host: a.self.Host, Command: a.o.Command, Server: a.o.Server,
		StartedAt: a.started, Data: a.dir, Ledger: "sqlite",
	}
	if a.o.Ledger != "" {
		about.Ledger = "postgres"
	}
	return about
}

// unopened says that the ledger is there but cannot be used.
func unopened(dir string, err error) error {
	if syncline.CodeOf(err) != syncline.Internal {
		return err
	}
	return syncline.Errorf(syncline.FailedPrecondition, "the ledger in %s cannot be opened: %w", dir, err).
		Of(syncline.ClassInternal).Because("ledger").Try("check its disk and permissions; --data DIR uses another one")
}

func keyError(err error) error {
	hint := "check the file's permissions and the disk"
	if e, ok := errors.AsType[*secret.Error](err); ok {
		hint = e.Hint
	}
	return syncline.Errorf(syncline.FailedPrecondition, "%w", err).Of(syncline.ClassConfig).Because("master_key").Try("%s", hint)
}

// catalogOn makes a catalog; store may be nil for one that only opens endpoints.
func (a *App) catalogOn(store syncline.Store) *catalog.Catalog {
	return catalog.New(catalog.Options{
		Store: store, Registry: a.kinds, Box: a.box, Scrubber: a.scrubber, Host: a.self.Host, Env: a.env,
		Roots: a.roots(), Local: ownUser,
	})
}

func self() (syncline.Worker, error) {
	host, err := os.Hostname()
	if err != nil {
		return syncline.Worker{}, fmt.Errorf("name of this machine: %w", err)
	}
	life, err := session()
	return syncline.Worker{
		ID: fmt.Sprintf("%s/%d", host, os.Getpid()), Session: life, Host: host, PID: os.Getpid(),
		Version: Version(), Kinds: []string{"sync"},
	}, err
}
