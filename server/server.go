// Package server is the door on TCP: it says who may come in, how much anybody may take,
// and which dialect answers. It knows no dialect by name and decides nothing about runs.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/dialect"
)

const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
	maxPerAddress = 1000 // connections, where others than this machine can connect

	metricsPath = "/metrics" // the one of the server's own paths that takes a key
)

// Options of a server. Dialects, Keys, Ready, Metrics and Log are required.
type Options struct {
	// Dialects are asked in this order whether a request is theirs. The first one answers
	// for the server itself.
	Dialects []dialect.Dialect
	Keys     *auth.Keys
	// NoAuth lets everybody in who can connect, as an administrator.
	NoAuth bool
	Hosts  []string // names that the server goes by beside those of this machine
	// Ready reports whether the server can do its work now.
	Ready   func(ctx context.Context) error
	Metrics *Metrics
	Log     *slog.Logger
}

// Server serves dialects on one listener.
type Server struct {
	o        Options
	http     *http.Server
	own      map[string]http.HandlerFunc // what the server itself answers
	hosts    hosts
	cross    *http.CrossOriginProtection
	attempts *attempts
	flows    *flows
	ready    *readiness
	served   sync.WaitGroup
}

// New makes a server.
func New(o Options) *Server {
	s := &Server{
		o: o, hosts: newHosts(o.Hosts), cross: http.NewCrossOriginProtection(),
		attempts: newAttempts(), flows: newFlows(), ready: &readiness{ask: o.Ready},
	}
	s.own = map[string]http.HandlerFunc{"/healthz": s.healthz, "/readyz": s.readyz, metricsPath: s.metrics}
	s.http = &http.Server{
		Handler:           s,
		Protocols:         protocols(),
		HTTP2:             streams(),
		ConnContext:       counting,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout, // moved on by bodies that come steadily
		IdleTimeout:       idleTimeout, // there is no WriteTimeout: answers set their own as they go
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve answers on a listener until Close.
func (s *Server) Serve(l *Listener) {
	s.served.Go(func() {
		var in net.Listener = l
		if l.Certificate != nil {
			in = tls.NewListener(l, l.Certificate.config())
		}
		if err := s.http.Serve(in); !errors.Is(err, http.ErrServerClosed) {
			s.o.Log.Error("serve", "address", l.Addr().String(), "err", err)
		}
	})
}

// Close lets calls that are under way end, as long as ctx allows, and cuts off the others.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	s.served.Wait()
	if err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	return nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	d := s.owner(r)
	a := answering(w, r)
	defer func() { s.o.Metrics.request(d.Name(), r, a, time.Since(begun)) }()
	s.answer(a, r, d)
}

func (s *Server) answer(a *answer, r *http.Request, d dialect.Dialect) {
	defer a.end()
	defer recovered(a, r, d, s.o.Log)
	s.enter(a, r, d)
}

// owner is the dialect that answers: the first one for what is the server's own, or
// nobody's.
func (s *Server) owner(r *http.Request) dialect.Dialect {
	if s.own[r.URL.Path] != nil {
		return s.o.Dialects[0]
	}
	for _, d := range s.o.Dialects {
		if d.Owns(r) {
			return d
		}
	}
	return s.o.Dialects[0]
}

// enter lets a request in or refuses it. The order matters: what a page in somebody's
// browser can send is stopped before anything else is looked at.
func (s *Server) enter(w *answer, r *http.Request, d dialect.Dialect) {
	if !s.hosts.know(r) {
		s.o.Metrics.refused("host")
		turnAway(w, r)
		misdirected(w, r)
		return
	}
	own := s.own[r.URL.Path]
	if own != nil && r.URL.Path != metricsPath {
		own(w, r)
		return
	}
	who, leave, err := s.admit(w, r)
	if err != nil {
		if who.Key == "" {
			turnAway(w, r)
		}
		s.refuse(w, r, d, err)
		return
	}
	defer leave()
	r = r.WithContext(auth.With(r.Context(), who))
	if own != nil {
		own(w, r)
		return
	}
	d.ServeHTTP(w, r)
}

// admit is what a request passes on its way in. leave is called when it has been answered.
func (s *Server) admit(w *answer, r *http.Request) (who auth.Principal, leave func(), err error) {
	if s.cross.Check(r) != nil {
		s.o.Metrics.refused("origin")
		return who, nil, syncline.Errorf(syncline.PermissionDenied, "a page of another origin may not change anything here").Of(syncline.ClassAuth)
	}
	if who, err = s.identify(r); err != nil {
		return who, nil, err
	}
	if leave, err = s.flows.enter(r.Context(), who); err != nil {
		s.o.Metrics.refused("rate")
		return who, nil, err
	}
	if err := unpack(w, r); err != nil {
		leave()
		return who, nil, err
	}
	return who, leave, nil
}

// refuse answers in the dialect's words.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, d dialect.Dialect, err error) {
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok {
		if r.Context().Err() == nil {
			s.o.Log.Error("let a request in", "path", r.URL.Path, "err", err)
		}
		e = internal()
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(e.RetryAfter.Seconds()+0.999)))
	}
	if e.Code == syncline.Unauthenticated {
		w.Header().Set("WWW-Authenticate", `Bearer realm="syncline"`)
	}
	d.Refuse(w, r, e)
}

func internal() *syncline.Error {
	return syncline.Errorf(syncline.Internal, "internal error").Of(syncline.ClassInternal).Try("the log says more")
}
