package secret

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// Writer returns a writer that scrubs what goes through it. A secret cut in two by two
// writes is found: the few bytes that may be the beginning of one wait for the next Write
// or for Close, which does not close next.
func (s *Scrubber) Writer(next io.Writer) io.WriteCloser {
	return &writer{scrubber: s, next: next}
}

type writer struct {
	scrubber *Scrubber
	next     io.Writer
	mu       sync.Mutex
	held     string // shorter than the longest secret
}

// Write reports all of p as written when it was taken, as io.Writer asks.
func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	clean, rest := w.scrubber.known.Load().scrub(w.held+string(p), false)
	w.held = rest
	if _, err := io.WriteString(w.next, clean); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := io.WriteString(w.next, w.scrubber.Scrub(w.held))
	w.held = ""
	return err
}

// Handler returns a handler that scrubs messages and values before next sees them.
func (s *Scrubber) Handler(next slog.Handler) slog.Handler {
	return &handler{s, next}
}

type handler struct {
	scrubber *Scrubber
	next     slog.Handler
}

func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.scrubber.Scrub(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.scrubber.attr(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.scrubber, h.next.WithAttrs(h.scrubber.attrs(attrs))}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.scrubber, h.next.WithGroup(name)}
}

func (s *Scrubber) attrs(attrs []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = s.attr(a)
	}
	return clean
}

func (s *Scrubber) attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		v = slog.StringValue(s.Scrub(v.String()))
	case slog.KindGroup:
		v = slog.GroupValue(s.attrs(v.Group())...)
	case slog.KindAny:
		// Left as it is unless a secret shows in it: a handler may draw its type.
		text := fmt.Sprintf("%+v", v.Any())
		if clean := s.Scrub(text); clean != text {
			v = slog.StringValue(clean)
		}
	}
	return slog.Attr{Key: a.Key, Value: v}
}
