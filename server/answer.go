package server

import (
	"net/http"
	"time"
)

// answer is a response on its way: it knows its status, and gives each piece the time to
// be taken, so that a long answer is not cut off while it moves.
type answer struct {
	http.ResponseWriter
	deadline *http.ResponseController
	status   int // 0: nothing was said yet
	pushed   time.Time
}

func answering(w http.ResponseWriter) *answer {
	a := &answer{ResponseWriter: w, deadline: http.NewResponseController(w)}
	a.push(time.Now(), true)
	return a
}

// Unwrap lets http.ResponseController find what is below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.push(time.Now(), false)
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.push(time.Now(), false)
	return a.ResponseWriter.Write(b)
}

// push moves the deadline on, at most once a second.
func (a *answer) push(now time.Time, must bool) {
	if !must && now.Sub(a.pushed) < time.Second {
		return
	}
	a.pushed = now
	_ = a.deadline.SetWriteDeadline(now.Add(writeTimeout)) // only a test's recorder has none
}
