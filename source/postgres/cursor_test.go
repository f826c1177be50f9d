package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/source"
)

func (p *place) incremental(entity, cursor, since string) source.Query {
	p.Helper()
	q := p.query(entity)
	q.Mode, q.Cursor = syncline.ModeIncremental, cursor
	if since != "" {
		q.Since = []byte(since)
	}
	return q
}

// TestSequenceWaits: a number drawn earlier and committed later is not missed, and the
// plan waits no longer than for what was open when it began.
func TestSequenceWaits(t *testing.T) {
	p := setup(t, `create table t (id bigint generated always as identity primary key, note text); insert into t (note) values ('first')`)
	late := dial(t, p.address)
	exec(t, late, "begin; insert into t (note) values ('drawn early')")
	exec(t, p.db, "insert into t (note) values ('drawn late')")
	const open = 300 * time.Millisecond
	committed := make(chan struct{})
	go func() {
		defer close(committed)
		time.Sleep(open)
		exec(t, late, "commit; begin; insert into t (note) values ('after the mark')")
	}()
	began := time.Now()
	q := p.incremental("t", "id", "1")
	plan := p.plan(q)
	if took := time.Since(began); took < open {
		t.Errorf("did not wait: %s", took)
	}
	<-committed
	if string(plan.Until) != "3" {
		t.Errorf("mark %s", plan.Until)
	}
	batches, err := p.read(p.src, q, plan, nil)
	if err != nil || len(batches) != 1 {
		t.Fatal(batches, err)
	}
	p.want("up to the mark", batches[0].lines, "1 first", "2 drawn early", "3 drawn late")
}

// TestTail: appending reads strictly after the mark, and only where no two rows are at one.
func TestTail(t *testing.T) {
	p := setup(t, `create table t (id int primary key, seq int unique, other int); insert into t values (10, 1, 1), (5, 2, 2), (7, 3, 3), (8, null, 4)`)
	q := p.incremental("t", "seq", "1")
	q.Tail = true
	plan := p.plan(q)
	batches, err := p.read(p.src, q, plan, nil)
	if err != nil || len(batches) != 1 || batches[0].filtered != 1 {
		t.Fatal(batches, err)
	}
	p.want("tail", batches[0].lines, "5 2 2", "7 3 3")
	if rest, err := p.read(p.src, q, plan, batches[0].next); err != nil || len(rest) != 0 {
		t.Errorf("after the last Next: %v %v", rest, err)
	}
	q.Cursor = "other"
	_, err = p.src.Plan(p.ctx, q)
	isError(t, err, syncline.InvalidArgument, "other", "unique")
}

// TestCursorTypes: every type that may be a cursor, over values that are hard to order.
func TestCursorTypes(t *testing.T) {
	for _, c := range []struct{ typ, values, since, want, until string }{
		{"timestamptz", "'2024-01-01 00:00+00', '2024-01-02 00:00:00.000001+00', 'infinity', '-infinity', null", "2024-01-01 00:00:00+00", "1 2", "2024-01-02 00:00:00.000001+00"},
		{"timestamp", "'0044-03-15 BC', '0001-01-01', 'infinity'", "0044-03-15 00:00:00 BC", "1 2", "0001-01-01 00:00:00"},
		{"date", "'2024-01-01', '2024-01-02', '2023-12-31', 'infinity'", "2024-01-01", "1 2", "2024-01-02"},
		{"smallint", "-5, 0, 3, null", "-1", "2 3", "3"},
		{"bigint", "9223372036854775807, 1", "2", "1", "9223372036854775807"},
		{"numeric", "1.10, 1.2, 'NaN', 'Infinity'", "1.100", "1 2", "1.2"},
		{"numeric(5,2)", "1.10, 1.2, null", "1.15", "2", "1.20"},
		{"text", "'a', 'b', ''", "a", "1 2", "b"},
		{"uuid", "'ffffffff-ffff-ffff-ffff-ffffffffffff', '00000000-0000-0000-0000-000000000001'", "00000000-0000-0000-0000-000000000002", "1", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
	} {
		t.Run(c.typ, func(t *testing.T) {
			rows := strings.ReplaceAll("(("+c.values+"))", ", ", "), (")
			p := setup(t, "create table t (id int generated always as identity primary key, c "+c.typ+"); insert into t (c) values "+rows[1:len(rows)-1])
			q := p.incremental("t", "c", c.since)
			plan := p.plan(q)
			if string(plan.Until) != c.until {
				t.Errorf("mark %s, want %s", plan.Until, c.until)
			}
			batches, err := p.read(p.src, q, plan, nil)
			if err != nil || len(batches) != 1 {
				t.Fatal(batches, err)
			}
			var ids []string
			for _, l := range batches[0].lines {
				ids = append(ids, strings.Fields(l)[0])
			}
			if got := strings.Join(ids, " "); got != c.want {
				// Rows come in the order of the cursor; all cases are made in that of the id.
				t.Errorf("rows %s, want %s", got, c.want)
			}
			first := p.incremental("t", "c", "")
			if n := len(p.all(first)); n != strings.Count(c.values, ",")+1 {
				t.Errorf("the first read brought %d rows", n)
			}
		})
	}
}

// TestCursorRefusals: what cannot be a cursor is refused with the columns that can.
func TestCursorRefusals(t *testing.T) {
	p := setup(t, `create table t (id int primary key, data jsonb, flag bool, updated_at timestamptz, share float8, many int[]); create table bare (a text, b bool)`)
	for column, words := range map[string]string{"data": "jsonb", "flag": "boolean", "share": "double", "many": "integer[]", "nope": "no column", "": "needs a cursor"} {
		_, err := p.src.Plan(p.ctx, p.incremental("t", column, ""))
		isError(t, err, syncline.InvalidArgument, words, "updated_at, id")
	}
	_, err := p.src.Plan(p.ctx, p.incremental("bare", "b", ""))
	isError(t, err, syncline.InvalidArgument, "in full")
	q := p.incremental("t", "id", "5")
	q.Overlap = time.Minute
	_, err = p.src.Plan(p.ctx, q)
	isError(t, err, syncline.InvalidArgument, "overlap")
	q.Overlap, q.Window = 0, &syncline.Window{From: time.Now(), To: time.Now()}
	_, err = p.src.Plan(p.ctx, q)
	isError(t, err, syncline.InvalidArgument, "window")
	_, err = p.src.Plan(p.ctx, p.incremental("t", "updated_at", "not a time"))
	isError(t, err, syncline.InvalidArgument, "not a time")
}

// TestMarkNeverFalls: rows that go away do not take the mark back, and an empty table has none.
func TestMarkNeverFalls(t *testing.T) {
	p := setup(t, `create table t (id int primary key, at timestamptz)`)
	if plan := p.plan(p.incremental("t", "at", "")); plan.Until != nil {
		t.Errorf("mark %s of an empty table", plan.Until)
	}
	exec(t, p.db, "insert into t values (1, '2020-01-01 00:00+00')")
	if plan := p.plan(p.incremental("t", "at", "2024-01-01 00:00:00+00")); string(plan.Until) != "2024-01-01 00:00:00+00" {
		t.Errorf("mark %s", plan.Until)
	}
}

// TestWindowOfDates: a window is [from, to), in UTC.
func TestWindowOfDates(t *testing.T) {
	p := setup(t, `create table t (id int primary key, d date, ts timestamp);
		insert into t select n, date '2024-01-01' + n, timestamp '2024-01-01' + n * interval '1 day' from generate_series(0, 9) n`)
	for _, cursor := range []string{"d", "ts"} {
		q := p.incremental("t", cursor, "")
		from := time.Date(2024, 1, 3, 0, 0, 0, 0, time.UTC)
		q.Window = &syncline.Window{From: from.In(time.FixedZone("", 7200)), To: from.AddDate(0, 0, 2)}
		if got := p.all(q); len(got) != 2 || !strings.HasPrefix(got[0], "2 ") || !strings.HasPrefix(got[1], "3 ") {
			t.Errorf("%s: %q", cursor, got)
		}
	}
}

// TestIncrementalResumes: an interrupted incremental read goes on after its last row,
// among rows of one and the same cursor value.
func TestIncrementalResumes(t *testing.T) {
	p := setup(t, `create table t (id uuid primary key default gen_random_uuid(), at timestamptz, body text); alter table t alter body set storage external;
		insert into t (at, body) select timestamptz '2024-01-01 00:00+00' + (n % 3) * interval '1 second', repeat('x', 300000) from generate_series(1, 120) n;
		insert into t (at) values (null), ('infinity')`)
	q := p.incremental("t", "at", "2024-01-01 00:00:00+00")
	plan := p.plan(q)
	if plan.Resume != source.ResumeByPart {
		t.Fatal(plan.Why)
	}
	whole, err := p.read(p.src, q, plan, nil)
	if err != nil || len(whole) < 3 {
		t.Fatal(len(whole), err)
	}
	if whole[0].filtered != 2 || whole[1].filtered != 0 || whole[1].first != int64(len(whole[0].lines))+2 {
		t.Errorf("%d filtered, then a batch from row %d after %d", whole[0].filtered, whole[1].first, len(whole[0].lines))
	}
	for i, b := range whole {
		rest, err := p.read(p.src, q, plan, b.next)
		if err != nil || summary(rest) != summary(whole[i+1:]) {
			t.Errorf("from %s: %v", b.next, err)
		}
	}
}
