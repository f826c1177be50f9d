package server

import (
	"net/http"
	"sync"
	"time"
)

// answer is a response on its way: it knows its status, and gives each piece the time to
// be taken, so that a long answer is not cut off while it moves.
type answer struct {
	http.ResponseWriter
	below  *http.ResponseController
	status int // 0: nothing was said yet
	// single: the connection is this request's alone, as those of HTTP/1 are.
	single bool
	pushed time.Time

	mu    sync.Mutex
	over  bool        // the request was answered
	since time.Time   // when the piece began that is being written; zero: none is
	late  *time.Timer // nil until there is a piece
}

func answering(w http.ResponseWriter, r *http.Request) *answer {
	a := &answer{ResponseWriter: w, below: http.NewResponseController(w), single: r.ProtoMajor < 2}
	if a.single {
		a.push(time.Now())
	}
	return a
}

// Unwrap lets http.ResponseController find what is below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if status >= 200 {
		a.says(status)
	}
	a.begin()
	defer a.took()
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	a.says(http.StatusOK)
	a.begin()
	defer a.took()
	return a.ResponseWriter.Write(b)
}

// Flush is for who looks for an http.Flusher, as gRPC does.
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError is what http.ResponseController looks for first.
func (a *answer) FlushError() error {
	a.says(http.StatusOK)
	a.begin()
	defer a.took()
	return a.below.Flush()
}

func (a *answer) says(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// SetReadDeadline does nothing once the request was answered: what reads its body may
// outlive it, and HTTP/2 has then nothing left to set a deadline of.
func (a *answer) SetReadDeadline(t time.Time) error {
	return a.set(func() error { return a.below.SetReadDeadline(t) })
}

// SetWriteDeadline is about HTTP/1. Of HTTP/2 every piece has a time of its own.
func (a *answer) SetWriteDeadline(t time.Time) error {
	if !a.single {
		return nil
	}
	return a.set(func() error { return a.below.SetWriteDeadline(t) })
}

func (a *answer) set(deadline func() error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return nil
	}
	return deadline()
}

// begin gives the piece that comes its time. A deadline of HTTP/1 ends only what is being
// written, so it stands between pieces, too; one of HTTP/2 ends the answer even while
// nothing is written, and an answer may take long to come.
func (a *answer) begin() {
	now := time.Now()
	if a.single {
		if now.Sub(a.pushed) >= time.Second {
			a.push(now)
		}
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since = now
	if a.late == nil {
		a.late = time.AfterFunc(writeTimeout, a.cut)
		return
	}
	a.late.Reset(writeTimeout)
}

func (a *answer) took() {
	if a.single {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since = time.Time{}
	a.late.Stop()
}

// cut ends an answer whose piece is not taken.
func (a *answer) cut() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || a.since.IsZero() || time.Since(a.since) < writeTimeout {
		return // this came too late to be stopped
	}
	_ = a.below.SetWriteDeadline(time.Unix(1, 0))
}

// end gives what is still to be flushed its time, and leaves the connection to others.
func (a *answer) end() {
	a.push(time.Now())
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
}

func (a *answer) push(now time.Time) {
	a.pushed = now
	// Only a test's recorder has none.
	_ = a.set(func() error { return a.below.SetWriteDeadline(now.Add(writeTimeout)) })
}
