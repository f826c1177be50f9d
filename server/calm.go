package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/dialect"
)

// Local serves a dialect to the user's own processes, over a way that nobody else has.
func Local(d dialect.Dialect, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := answering(w, r)
		defer a.end()
		defer recovered(a, r, d, log)
		d.ServeHTTP(a, r.WithContext(auth.With(r.Context(), auth.Local)))
	})
}

// recovered turns a panic into an answer that says nothing of it; the stack goes to the
// log. An answer that has begun is cut off: the other side must not take it for whole.
func recovered(a *answer, r *http.Request, d dialect.Dialect, log *slog.Logger) {
	what := recover()
	if what == nil {
		return
	}
	if what != http.ErrAbortHandler {
		log.Error("panic", "what", fmt.Sprint(what), "path", r.URL.Path, "stack", string(debug.Stack()))
	}
	if what == http.ErrAbortHandler || a.status != 0 {
		panic(http.ErrAbortHandler)
	}
	d.Refuse(a, r, internal())
}
