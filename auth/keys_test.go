package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/store/postgres"
	"github.com/synclinehq/syncline/store/sqlite"
	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// clock is a time that tests move.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) pass(d time.Duration) { c.ns.Add(int64(d)) }

// looks counts the views of a store, and can be away.
type looks struct {
	syncline.Store
	n    atomic.Int64
	away atomic.Bool
}

func (l *looks) View(ctx context.Context, fn func(syncline.Tx) error) error {
	l.n.Add(1)
	if l.away.Load() {
		return errors.New("away")
	}
	return l.Store.View(ctx, fn)
}

func onSQLite(t testing.TB) *looks {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &looks{Store: s}
}

func create(t testing.TB, k *auth.Keys, key auth.Key) (auth.Key, auth.Credential) {
	t.Helper()
	made, c, err := k.Create(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return made, c
}

func TestAKeyOpens(t *testing.T) {
	t.Parallel()
	store, c := onSQLite(t), newClock()
	keys := auth.NewKeys(store, c.now)
	made, cred := create(t, keys, auth.Key{Name: "n", Role: auth.Worker, Scope: []string{"orders"}})
	who, err := keys.Check(t.Context(), cred)
	if err != nil || who.Key != made.ID || who.Name != "n" || who.Role != auth.Worker || !who.Sees("orders") || who.Sees("other") || who.Local {
		t.Errorf("%+v, %v", who, err)
	}
	before := store.n.Load()
	for range 100 {
		if _, err := keys.Check(t.Context(), cred); err != nil {
			t.Fatal(err)
		}
	}
	if n := store.n.Load() - before; n != 0 {
		t.Errorf("looked %d times within a second", n)
	}
}

// Whatever is wrong, the words and the work are the same.
func TestRefusalsAreAlike(t *testing.T) {
	t.Parallel()
	store, c := onSQLite(t), newClock()
	keys := auth.NewKeys(store, c.now)
	_, good := create(t, keys, auth.Key{Role: auth.Viewer})
	_, gone := create(t, keys, auth.Key{Role: auth.Viewer})
	_, old := create(t, keys, auth.Key{Role: auth.Viewer, ExpiresAt: c.now().Add(time.Minute)})
	if err := keys.Revoke(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	for range 2 { // known ones are remembered
		_, _ = keys.Check(t.Context(), good)
		_, _ = keys.Check(t.Context(), old)
	}
	c.pass(time.Minute)
	var words string
	for name, bad := range map[string]auth.Credential{
		"nothing": {}, "unknown": {ID: gone.ID[1:] + "a", Secret: good.Secret}, "wrong": {ID: good.ID, Secret: gone.Secret},
		"revoked": gone, "expired": old, "malformed": {ID: "x'; --", Secret: "y"}, "no secret": {ID: good.ID},
	} {
		before := store.n.Load()
		who, err := keys.Check(t.Context(), bad)
		if code := syncline.CodeOf(err); code != syncline.Unauthenticated || who.Key != "" {
			t.Errorf("%s: %v, %+v", name, err, who)
			continue
		}
		if words == "" {
			words = err.Error()
		}
		if n := store.n.Load() - before; err.Error() != words || n != 1 {
			t.Errorf("%s: %q after %d looks", name, err, n)
		}
	}
}

func TestAStoreThatIsAwayIsNoWrongKey(t *testing.T) {
	t.Parallel()
	store, c := onSQLite(t), newClock()
	keys := auth.NewKeys(store, c.now)
	_, cred := create(t, keys, auth.Key{Role: auth.Viewer})
	store.away.Store(true)
	if _, err := keys.Check(t.Context(), cred); syncline.CodeOf(err) != syncline.Unavailable {
		t.Error(err)
	}
}

// What one server revokes, another one of the same ledger refuses within a second.
func TestRevokedElsewhere(t *testing.T) {
	t.Parallel()
	url := testserver.Database(t)
	var servers []*auth.Keys
	for range 2 {
		s, err := postgres.Open(t.Context(), url, postgres.Options{AcceptDataLoss: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		servers = append(servers, auth.NewKeys(s, time.Now))
	}
	_, cred := create(t, servers[0], auth.Key{Role: auth.Viewer})
	for _, s := range servers {
		if _, err := s.Check(t.Context(), cred); err != nil {
			t.Fatal(err)
		}
	}
	if err := servers[0].Revoke(t.Context(), cred.ID); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	if _, err := servers[0].Check(t.Context(), cred); err == nil {
		t.Error("the server that revoked it lets it in")
	}
	for {
		if _, err := servers[1].Check(t.Context(), cred); err != nil {
			break
		}
		if time.Since(revoked) > 1100*time.Millisecond {
			t.Fatal("still let in after a second")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestUseIsWrittenDownSeldom(t *testing.T) {
	t.Parallel()
	store, c := onSQLite(t), newClock()
	keys := auth.NewKeys(store, c.now)
	made, cred := create(t, keys, auth.Key{Role: auth.Viewer})
	used := func() time.Time {
		ks, err := keys.List(t.Context())
		if err != nil || len(ks) != 1 || ks[0].Hash != nil {
			t.Fatalf("%+v, %v", ks, err)
		}
		return ks[0].UsedAt
	}
	if !used().IsZero() {
		t.Error("used before its time")
	}
	first := c.now()
	for range 20 {
		if _, err := keys.Check(t.Context(), cred); err != nil {
			t.Fatal(err)
		}
		c.pass(10 * time.Second)
	}
	if !used().Equal(first) {
		t.Errorf("used %s, want %s", used(), first)
	}
	c.pass(10 * time.Minute)
	_, _ = keys.Check(t.Context(), cred)
	if !used().Equal(c.now()) {
		t.Errorf("used %s, want %s", used(), c.now())
	}
	if !made.UsedAt.IsZero() {
		t.Error("a new key is used")
	}
}

// A key that was revoked while it is being used does not come back.
func TestUseDoesNotResurrect(t *testing.T) {
	t.Parallel()
	store := onSQLite(t)
	keys := auth.NewKeys(store, time.Now)
	for range 20 {
		_, cred := create(t, keys, auth.Key{Role: auth.Viewer})
		var both sync.WaitGroup
		both.Go(func() { _, _ = keys.Check(t.Context(), cred) })
		both.Go(func() { _ = keys.Revoke(t.Context(), cred.ID) })
		both.Wait()
	}
	if ks, err := keys.List(t.Context()); err != nil || len(ks) > 0 {
		t.Errorf("%d keys left, %v", len(ks), err)
	}
}

func TestReplaceLeavesOneOfAPlace(t *testing.T) {
	t.Parallel()
	keys := auth.NewKeys(onSQLite(t), time.Now)
	create(t, keys, auth.Key{Role: auth.Viewer, Name: "kept"})
	var last auth.Credential
	for range 3 {
		var err error
		if _, last, err = keys.Replace(t.Context(), auth.Key{Role: auth.Admin, Place: "here"}); err != nil {
			t.Fatal(err)
		}
	}
	ks, err := keys.List(t.Context())
	if err != nil || len(ks) != 2 {
		t.Fatalf("%+v, %v", ks, err)
	}
	if who, err := keys.Check(t.Context(), last); err != nil || who.Role != auth.Admin {
		t.Errorf("%+v, %v", who, err)
	}
}

// Each way of sending a key comes to the same credential.
func TestPresented(t *testing.T) {
	t.Parallel()
	_, c := create(t, auth.NewKeys(onSQLite(t), time.Now), auth.Key{Role: auth.Viewer})
	basic := base64.StdEncoding.EncodeToString([]byte(c.ID + ":" + c.Secret))
	for _, header := range []string{
		"ApiKey " + c.APIKey(), "apikey  " + c.APIKey() + " ", "Bearer " + c.Bearer(), "bearer " + c.Bearer(), "Basic " + basic,
	} {
		if got, given := auth.Presented(header); got != c || !given {
			t.Errorf("%q: %+v, %v", header[:7], got, given)
		}
	}
	if _, given := auth.Presented(""); given {
		t.Error("a key without a header")
	}
	for _, header := range []string{"Bearer x", "ApiKey !", "Digest a=b", "Basic", "Bearer syn_", "Bearer syn_" + c.ID, "x"} {
		if got, given := auth.Presented(header); !given || got.Plausible() {
			t.Errorf("%q: %+v, %v", header, got, given)
		}
	}
}

// FuzzPresented: no header is taken for a key that was not made.
func FuzzPresented(f *testing.F) {
	for _, s := range []string{"ApiKey YTpi", "Bearer syn_a_b", "Basic Og==", ""} {
		f.Add(s)
	}
	keys := auth.NewKeys(onSQLite(f), time.Now)
	f.Fuzz(func(t *testing.T, header string) {
		c, _ := auth.Presented(header)
		if _, err := keys.Check(t.Context(), c); syncline.CodeOf(err) != syncline.Unauthenticated {
			t.Errorf("%q: %v", header, err)
		}
	})
}

// No role may what one with less cannot be trusted with, and nobody may anything.
func TestMay(t *testing.T) {
	t.Parallel()
	actions := []auth.Action{auth.Read, auth.Operate, auth.Edit, auth.Work, auth.Administer}
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SampledFrom(actions).Draw(t, "action")
		p := auth.Principal{
			Key: rapid.SampledFrom([]string{"", "k"}).Draw(t, "key"), Role: auth.Role(rapid.SampledFrom([]string{"viewer", "operator", "editor", "admin", "worker", "king", ""}).Draw(t, "role")),
			Scope: rapid.SampledFrom([][]string{nil, {"a"}, {"a", "b"}}).Draw(t, "scope"),
		}
		pipeline := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "pipeline")
		err := p.May(a, pipeline)
		admin := auth.Principal{Key: "k", Role: auth.Admin, Scope: p.Scope}
		if err == nil && (p.Key == "" || admin.May(a, pipeline) != nil || p.Can(a) != nil || !p.Sees(pipeline)) {
			t.Fatalf("%+v may %s on %q", p, a, pipeline)
		}
		if p.Key == "" && syncline.CodeOf(err) != syncline.Unauthenticated {
			t.Fatalf("nobody: %v", err)
		}
		if err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Fatal("a refusal that says nothing")
		}
	})
}
