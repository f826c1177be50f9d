package server

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
)

// anybody is who calls where keys are not asked for. It is not auth.Local: whoever can
// connect need not be the user whose files these are.
var anybody = auth.Principal{Key: "no-auth", Name: "no-auth", Role: auth.Admin}

// identify finds out who calls.
func (s *Server) identify(r *http.Request) (auth.Principal, error) {
	if s.o.NoAuth {
		return anybody, nil
	}
	c, given := presented(r)
	if !given {
		s.o.Metrics.refused("no key")
		return auth.Principal{}, auth.ErrNoKey()
	}
	from := address(r.RemoteAddr)
	if !s.attempts.may(from, c) {
		s.o.Metrics.refused("attempts")
		return auth.Principal{}, tooOften("too many requests with a wrong key came from this address", time.Minute/perMinute)
	}
	who, err := s.o.Keys.Check(r.Context(), c)
	switch syncline.CodeOf(err) {
	case "":
		s.attempts.succeeded(from, c)
	case syncline.Unauthenticated:
		s.attempts.failed(from)
		s.o.Metrics.refused("key")
		s.o.Log.Warn("a key was refused", "key", shown(c), "from", from.String(), "path", r.URL.Path)
	}
	return who, err
}

// apiKey is the header in which clients of Google's APIs send a key that is no user's.
// https://cloud.google.com/apis/docs/system-parameters
const apiKey = "X-Goog-Api-Key"

// presented is the key that a request brings. One in its URL is none: URLs are written down
// by whatever they pass.
func presented(r *http.Request) (c auth.Credential, given bool) {
	c, given = auth.Presented(r.Header.Get("Authorization"))
	if key := r.Header.Get(apiKey); !given && key != "" {
		return auth.Presented("Bearer " + key)
	}
	return c, given
}

// shown is what may be written of a credential that is no key: whatever else stands where
// an id should may be a secret.
func shown(c auth.Credential) string {
	if c.Plausible() {
		return c.ID
	}
	return "malformed"
}

func tooOften(text string, after time.Duration) *syncline.Error {
	e := syncline.Errorf(syncline.ResourceExhausted, "%s", text).Of(syncline.ClassQuota).Again().Try("wait and try again")
	e.RetryAfter = after
	return e
}

const (
	perMinute = 10
	burst     = 20
	// maxTracked bounds what is remembered; who comes with more addresses than that starts
	// everybody anew.
	maxTracked = 10_000
)

// attempts bounds how often an address may be wrong. A key that was right from an address
// before stays welcome there: one program with a wrong key does not lock out its neighbours.
type attempts struct {
	mu    sync.Mutex
	fails map[netip.Addr]*rate.Limiter
	right map[proven]struct{}
}

type proven struct {
	from netip.Addr
	key  string
}

func newAttempts() *attempts {
	return &attempts{fails: map[netip.Addr]*rate.Limiter{}, right: map[proven]struct{}{}}
}

func (a *attempts) may(from netip.Addr, c auth.Credential) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l := a.fails[from]; l == nil || l.Tokens() >= 1 {
		return true
	}
	_, ok := a.right[proven{from, c.ID}]
	return ok
}

func (a *attempts) failed(from netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.fails[from]
	if l == nil {
		if len(a.fails) >= maxTracked {
			clear(a.fails)
		}
		l = rate.NewLimiter(rate.Every(time.Minute/perMinute), burst)
		a.fails[from] = l
	}
	l.Allow()
}

func (a *attempts) succeeded(from netip.Addr, c auth.Credential) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.right) >= maxTracked {
		clear(a.right)
	}
	a.right[proven{from, c.ID}] = struct{}{}
}

// address is whom to count: of IPv6 the network, since a machine has as many addresses in
// it as it likes.
func address(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	a := ap.Addr().Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
