// Package sourcetest holds every source to the promises of package source. A source's
// own test says how data gets to where it reads, and calls Run.
package sourcetest

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"go.uber.org/goleak"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// Fixture is how the suite has data made for a source to read.
type Fixture struct {
	Kind source.Kind
	// New makes a fresh, empty place. It lives until the test that asked ends.
	New func(t testing.TB) Place
	// Reads is the type a field comes back with after Place.Create held it; nil: the
	// place cannot hold it. A Reads that is nil: every type comes back as itself.
	Reads func(f arrow.Field) arrow.DataType
	// Without are the cases, by their names in Run, that do not apply, and why.
	Without map[string]string
	// Restarts: plans may say ResumeRestart even for a table with an integer key.
	Restarts bool
}

// Place is where one source reads: a database, a folder.
type Place struct {
	Settings json.RawMessage
	// Create makes an entity called name ("orders"; the place adds what it needs, a
	// schema, a suffix), with this key, and puts the rows in. It returns the entity's
	// name as Entities will give it.
	Create func(t testing.TB, name string, key []string, rec arrow.RecordBatch) string
	// Insert adds rows to an entity that Create made.
	Insert func(t testing.TB, entity string, rec arrow.RecordBatch)
}

// Run runs the suite.
func Run(t *testing.T, f Fixture) {
	if f.Reads == nil {
		f.Reads = func(f arrow.Field) arrow.DataType { return f.Type }
	}
	cases := []struct {
		name string
		run  func(*testing.T, Fixture)
	}{
		{"entities", entities},
		{"pattern that matches nothing", missingPattern},
		{"types", types},
		{"empty", func(t *testing.T, f Fixture) { wholeTable(t, f, 0) }},
		{"one row", func(t *testing.T, f Fixture) { wholeTable(t, f, 1) }},
		{"100,000 rows", func(t *testing.T, f Fixture) { wholeTable(t, f, 100_000) }},
		{"same parts", sameParts},
		{"resume from every Next", resume},
		{"undecoded", undecoded},
		{"two reads at once", twoReads},
		{"types given by the pipeline", givenTypes},
		{"large rows", largeRows},
		{"cut connection", cutConnection},
		{"cancel", cancel},
		{"reader that stops", stop},
		{"close under way", closeUnderWay},
		{"cursor refused", cursorRefused},
		{"incremental", incremental},
		{"rows after the mark", afterMark},
		{"null cursor", nullCursor},
		{"window", window},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if why := f.Without[c.name]; why != "" {
				t.Skip(why)
			}
			c.run(t, f)
		})
	}
}

// session is an open source on a place of its own, and what was made there.
type session struct {
	testing.TB
	fixture Fixture
	place   Place
	src     source.Source
	ctx     context.Context
}

// open makes a place and opens the source. When the test has ended no goroutine of the
// source may be left.
func open(t *testing.T, f Fixture) *session {
	t.Helper()
	s := &session{TB: t, fixture: f, place: f.New(t)}
	running := goleak.IgnoreCurrent() // what the place started is its own
	t.Cleanup(func() { goleak.VerifyNone(t, running) })
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(stop)
	s.ctx = ctx
	s.src = s.again(nil)
	return s
}

// again opens another source on the same place, with a dialer, or nil for the usual one.
func (s *session) again(dial func(context.Context, string, string) (net.Conn, error)) source.Source {
	s.Helper()
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	env := source.Env{Dial: dial, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	src, err := s.fixture.Kind.Open(s.ctx, env, s.place.Settings)
	if err != nil {
		s.Fatalf("open: %v", err)
	}
	s.Cleanup(func() {
		if err := src.Close(); err != nil {
			s.Errorf("close: %v", err)
		}
	})
	return src
}

// create makes an entity and asks the source for it.
func (s *session) create(name string, key []string, rec arrow.RecordBatch) source.Entity {
	s.Helper()
	return s.entity(s.place.Create(s, name, key, rec))
}

func (s *session) entity(name string) source.Entity {
	s.Helper()
	es, err := s.src.Entities(s.ctx, []string{name})
	if err != nil || len(es) != 1 || es[0].Name != name {
		s.Fatalf("entities %q: %v %v", name, es, err)
	}
	return es[0]
}

func (s *session) full(e source.Entity) source.Query {
	return source.Query{Entity: e, Mode: syncline.ModeFull, Format: rows.Arrow, Parallel: 1}
}

func (s *session) incremental(e source.Entity, cursor string, since []byte, overlap time.Duration) source.Query {
	q := s.full(e)
	q.Mode, q.Cursor, q.Since, q.Overlap = syncline.ModeIncremental, cursor, since, overlap
	return q
}

func (s *session) plan(q source.Query) source.Plan {
	s.Helper()
	p, err := s.src.Plan(s.ctx, q)
	if err != nil {
		s.Fatalf("plan: %v", err)
	}
	if len(p.Parts) == 0 {
		s.Fatal("a plan without parts")
	}
	return p
}
