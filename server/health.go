package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/synclinehq/syncline/auth"
)

// healthz says that the process lives. Nobody is asked for a key.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") }

// readyz says whether the ledger answers.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if err := s.ready.now(r.Context()); err != nil {
		s.o.Log.Warn("not ready", "err", err)
		say(w, http.StatusServiceUnavailable, "the ledger does not answer")
		return
	}
	say(w, http.StatusOK, "ok")
}

// metrics are for whoever may read everything.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if err := auth.From(r.Context()).May(auth.Read, ""); err != nil {
		s.refuse(w, r, s.o.Dialects[0], err)
		return
	}
	s.o.Metrics.handler.ServeHTTP(w, r)
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// readiness asks at most once a second, however often it is asked: anybody may.
type readiness struct {
	ask func(ctx context.Context) error

	mu  sync.Mutex
	at  time.Time
	err error
}

func (r *readiness) now(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) < time.Second {
		return r.err
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer stop()
	r.err = r.ask(ctx)
	r.at = time.Now()
	return r.err
}
