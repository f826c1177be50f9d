package app

import (
	"io"
	"log/slog"
	"time"

	"github.com/lmittmann/tint"

	"github.com/synclinehq/syncline/secret"
)

// newLog makes the process's log: readable on a terminal, JSON elsewhere, without the
// secrets that are known.
func newLog(o Options, scrubber *secret.Scrubber) *slog.Logger {
	to := o.LogTo
	if to == nil {
		to = io.Discard
	}
	var h slog.Handler = slog.NewJSONHandler(to, &slog.HandlerOptions{Level: o.LogLevel})
	if o.Terminal {
		h = tint.NewTextHandler(to, &tint.Options{Level: o.LogLevel, TimeFormat: time.TimeOnly})
	}
	return slog.New(scrubber.Handler(h))
}
