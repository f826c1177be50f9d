package elasticsearch

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstWait = 200 * time.Millisecond
	// longestWait is what the cluster may ask for at most.
	longestWait = 5 * time.Minute
	// ownWait is the longest that nobody asked for.
	ownWait = 20 * time.Second
)

// backoff waits longer each time, by a random share of it, so that those who were refused
// together do not come back together.
type backoff struct {
	until time.Time
	next  time.Duration
}

func newBackoff() *backoff { return &backoff{until: time.Now().Add(patience), next: firstWait} }

// wait sleeps before the next attempt: at least as long as the refusal asks for. false:
// there is to be none.
func (b *backoff) wait(ctx context.Context, why error) bool {
	d := rand.N(b.next) + time.Millisecond
	b.next = min(2*b.next, ownWait)
	if r, ok := errors.AsType[*refusal](why); ok {
		d = max(d, min(r.after, longestWait))
	}
	if time.Now().Add(d).After(b.until) {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// passing reports whether an error may be another time: the cluster is busy, away, or was
// away in the middle of an answer.
func passing(err error) bool {
	if r, ok := errors.AsType[*refusal](err); ok {
		return busy(r.status)
	}
	return connection(err)
}

// busy are the statuses that ask to come again.
func busy(status int) bool {
	return status == 429 || status == 502 || status == 503 || status == 504
}
