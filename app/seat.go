package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/dialect/elastic"
	"github.com/synclinehq/syncline/dialect/native"
	"github.com/synclinehq/syncline/engine"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/schedule"
	"github.com/synclinehq/syncline/server"
	"github.com/synclinehq/syncline/store/postgres"
	"github.com/synclinehq/syncline/store/sqlite"
)

// seat is an open ledger in this process, served to it and, over the socket, to others.
type seat struct {
	lock    *lock // nil: the ledger is shared
	store   syncline.Store
	ledger  *ledger.Ledger
	catalog *catalog.Catalog
	keys    *auth.Keys
	api     *native.API
	door    *server.Server // nil: nobody comes over the network
	pipes   *pipes
	server  *http.Server
	socket  string
	stop    context.CancelFunc
	ends    sync.WaitGroup
}

// closing is how long calls that are under way may take when the holder ends.
const closing = 2 * time.Second

// sit opens the SQLite ledger of a directory whose lock this process has.
func (a *App) sit(ctx context.Context, l *lock) (*seat, error) {
	store, err := sqlite.Open(ctx, filepath.Join(a.dir, "ledger.db"))
	if err != nil {
		return nil, err
	}
	socket, err := listen(a.dir)
	if err != nil {
		_ = store.Close()
		return nil, err
	}
	s := a.seatOn(store, socket)
	// What a killed process of this machine held is free before the first call is answered.
	if _, err := s.ledger.Scan(ctx); err != nil {
		a.log.Warn("look for dead workers", "err", err)
	}
	s.lock, s.socket = l, filepath.Join(a.dir, socketName)
	return s, nil
}

// share opens a ledger that many processes write.
func (a *App) share(ctx context.Context) error {
	store, err := postgres.Open(ctx, a.o.Ledger, postgres.Options{AcceptDataLoss: a.o.AcceptDataLoss})
	if err != nil {
		return err
	}
	a.seat = a.seatOn(store)
	return nil
}

// seatOn starts what keeps a ledger moving and answers for it.
func (a *App) seatOn(store syncline.Store, listeners ...net.Listener) *seat {
	if a.metrics != nil {
		store = a.metrics.Observe(store)
	}
	s := &seat{store: store, pipes: newPipes(), keys: auth.NewKeys(store, time.Now)}
	s.ledger = ledger.New(store, ledger.Options{Log: a.log, Dead: dead, TTL: a.o.Lease, Projections: []ledger.Projection{elastic.Projection}})
	s.catalog = a.catalogOn(store)
	o := native.Options{Ledger: s.ledger, Catalog: s.catalog, Keys: s.keys, Log: a.log, About: a.about}
	if !a.o.Server && a.o.Ledger == "" {
		o.HandOver = a.handOver
	}
	s.api = native.New(o)
	s.server = newServer(server.Local(s.api, a.log), a.log)
	for _, l := range append(listeners, s.pipes) {
		s.ends.Go(func() { s.serve(l, a.log) })
	}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	s.ends.Go(func() { s.keep(ctx, a.log, !a.o.Server) })
	return s
}

func (s *seat) serve(l net.Listener, log *slog.Logger) {
	if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Error("serve the native API", "err", err)
	}
}

// keep takes runs from dead workers and, in a server, starts scheduled ones.
func (s *seat) keep(ctx context.Context, log *slog.Logger, unscheduled bool) {
	k := engine.NewKeeper(engine.KeeperOptions{
		Ledger: s.ledger, Pipelines: s.catalog.List, Next: schedule.Next, Log: log, Unscheduled: unscheduled,
	})
	if err := k.Run(ctx); err != nil {
		log.Error("keep the ledger", "err", err)
	}
}

// close ends in the order in which things lean on each other. The socket's name goes last
// but the lock: until then it is ours to remove.
func (s *seat) close() error {
	s.stop()
	s.api.Close()
	ctx, stop := context.WithTimeout(context.Background(), closing)
	defer stop()
	var away error
	if s.door != nil {
		away = s.door.Close(ctx)
	}
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = s.server.Close()
	}
	err = errors.Join(err, away)
	_ = s.pipes.Close()
	s.ends.Wait()
	err = errors.Join(err, s.store.Close())
	if s.lock == nil {
		return err
	}
	_ = os.Remove(s.socket)
	return errors.Join(err, s.lock.release())
}

// newServer bounds what a caller may take of us.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
