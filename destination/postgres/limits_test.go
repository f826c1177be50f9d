package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/synclinehq/syncline/rows"
)

// TestLargeUndecoded: a row of 15 MiB travels like any other, and one that is refused is
// kept as no more than a sample.
func TestLargeUndecoded(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := native(people())
	f.fields = append(f.fields, rows.Field("must", ints, false, "pg:bigint"))
	l, err := p.start(t, "people", f, undecoded)
	if err != nil {
		t.Fatal(err)
	}
	l.put("0", p.undecoded(t, "select g::bigint, repeat('x', 15 << 20), nullif(g, 2)::bigint from generate_series(1, 2) g"))
	if l.sum.Inserted != 1 || len(l.kept) != 1 || l.kept[0].Key != "2" || len(l.kept[0].Sample) == 0 || len(l.kept[0].Sample) > rows.MaxSample {
		t.Errorf("%+v, %d rejects", l.sum, len(l.kept))
	}
	l.mustPublish()
	p.shows(t, "select id, length(name) from people", "(1,15728640)")
}

// TestCancelUndecoded: COPY that waits for somebody's lock is given up within a second.
func TestCancelUndecoded(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	l, err := p.start(t, "people", native(people()), undecoded)
	if err != nil {
		t.Fatal(err)
	}
	lane := l.part("0")
	stage := p.text(t, `select oid::regclass::text from pg_class where relkind = 'r' and relname like '\_syncline\_stage\_%'`)
	p.exec(t, "begin")
	p.exec(t, "lock table "+stage+" in access exclusive mode")
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	began := time.Now()
	b := rows.Batch{Format: rows.PGCopy, Raw: make([]byte, 8<<20), Rows: 1, Next: []byte("next"), Release: func() {}}
	if _, err := lane.Write(ctx, b); err == nil {
		t.Error("written into a table that is locked")
	}
	if took := time.Since(began); took < 300*time.Millisecond || took > 1300*time.Millisecond {
		t.Errorf("given up after %s", took)
	}
	p.exec(t, "rollback")
}
