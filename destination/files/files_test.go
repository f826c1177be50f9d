package files

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/typename"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// bench opens a folder or file as one worker after the other.
type bench struct {
	testing.TB
	settings string
	schema   *arrow.Schema
	token    int64
}

func newBench(t testing.TB, settings string) *bench {
	return &bench{TB: t, settings: settings, token: 100, schema: notes}
}

var notes = arrow.NewSchema([]arrow.Field{
	rows.Field("id", arrow.PrimitiveTypes.Int64, false, "pg:bigint"),
	rows.Field("note", arrow.BinaryTypes.String, true, "pg:text"),
}, nil)

func (b *bench) destination() destination.Destination {
	b.Helper()
	d, err := Kind.Open(b.Context(), env, json.RawMessage(b.settings))
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func (b *bench) target(load string, changes ...func(*destination.Target)) destination.Target {
	return b.targetOf(b.destination(), load, changes...)
}

func (b *bench) targetOf(d destination.Destination, load string, changes ...func(*destination.Target)) destination.Target {
	b.token++
	t := destination.Target{
		Entity: source.Entity{Name: "orders", Schema: b.schema, Key: []string{"id"}}, Table: d.Lands("orders"), Load: load,
		Fence: destination.Fence{Stream: "pipeline/orders", Token: b.token}, Format: rows.Arrow,
		Mode: syncline.ModeFull, Disposition: syncline.Replace, Columns: syncline.ColumnsAdd, Parallel: 1,
		Keep: func(context.Context, string, []rows.Reject) error { return nil },
		Note: func(_ syncline.Severity, format string, args ...any) { b.Logf(format, args...) },
	}
	for _, c := range changes {
		c(&t)
	}
	return t
}

func appending(t *destination.Target) { t.Disposition, t.Entity.Key = syncline.Append, nil }

func (b *bench) open(load string, changes ...func(*destination.Target)) *Writer {
	b.Helper()
	w, err := b.destination().Open(b.Context(), b.target(load, changes...))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = w.Close() })
	return w.(*Writer)
}

func (b *bench) begin(load string, changes ...func(*destination.Target)) (*Writer, rows.Standing) {
	b.Helper()
	w := b.open(load, changes...)
	s, err := w.Takeover(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return w, s
}

func (b *bench) batch(from, to int) rows.Batch { return batch(b.schema, from, to) }

// batch holds rows from, …, to-1.
func batch(schema *arrow.Schema, from, to int) rows.Batch {
	r := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer r.Release()
	for n := from; n < to; n++ {
		r.Field(0).(*array.Int64Builder).Append(int64(n))
		r.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("note %d,\n\"x\"", n))
	}
	rec := r.NewRecordBatch()
	return rows.Batch{Format: rows.Arrow, Record: rec, Rows: int64(to - from), First: int64(from), Next: fmt.Append(nil, to), Release: rec.Release}
}

func (b *bench) write(l destination.Lane, from, to int) error {
	batch := b.batch(from, to)
	defer batch.Release()
	_, err := l.Write(b.Context(), batch)
	return err
}

// part writes rows into a part and finishes it.
func (b *bench) part(w *Writer, id string, from, to int) rows.Position {
	b.Helper()
	l, err := w.Part(b.Context(), id, w.t.Fence.Token)
	if err == nil {
		err = b.write(l, from, to)
	}
	if err != nil {
		b.Fatal(err)
	}
	p, err := l.Finish(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func (b *bench) publish(w *Writer, mark string, sum syncline.Counts) destination.Published {
	b.Helper()
	p, err := w.Publish(b.Context(), []byte(mark), sum, nil)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// lines are the rows of a CSV file of the bench's schema, as JSON-like text.
func (b *bench) rows(path string, from, to int) {
	b.Helper()
	want := "id,note\n"
	for n := from; n < to; n++ {
		want += fmt.Sprintf("%d,\"note %d,\n\"\"x\"\"\"\n", n, n)
	}
	if got := string(decoded(b, path)); got != want {
		b.Errorf("%s holds %d bytes\n%.200s\nwant %d\n%.200s", path, len(got), got, len(want), want)
	}
}

func csvFolder(t testing.TB) (*bench, string) {
	dir := t.TempDir()
	return newBench(t, fmt.Sprintf(`{"path": %q}`, dir)), dir
}

func TestRefused(t *testing.T) {
	b, dir := csvFolder(t)
	if err := os.MkdirAll(filepath.Join(dir, "taken.csv"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*destination.Target)
		says   string
	}{
		"upsert":  {func(t *destination.Target) { t.Disposition = syncline.Upsert }, "cannot be updated"},
		"window":  {func(t *destination.Target) { t.Window = &syncline.Window{} }, "stretch"},
		"outside": {func(t *destination.Target) { t.Table = "../x" }, "not a path below"},
		"rooted":  {func(t *destination.Target) { t.Table = "/etc/x.csv" }, "not a path below"},
		"folder":  {func(t *destination.Target) { t.Table = "taken.csv" }, "is no file"},
		"type": {func(t *destination.Target) {
			t.Entity.Schema = arrow.NewSchema([]arrow.Field{{Name: "d", Type: arrow.FixedWidthTypes.Duration_s}}, nil)
		}, `column "d"`},
	} {
		_, err := b.destination().Open(t.Context(), b.target("load", c.change))
		e, ok := errors.AsType[*syncline.Error](err)
		if !ok || e.Code != syncline.InvalidArgument || e.Class != syncline.ClassConfig || !strings.Contains(e.Message, c.says) || e.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("refusing left %v", left)
	}
}

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "plain")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for settings, says := range map[string]string{
		`{}`:                                                       "path",
		`{"path": "relative"}`:                                     "absolute",
		`{"path": "/x/", "format": "parquet"}`:                     "format",
		`{"path": "/x/", "colour": "red"}`:                         "colour",
		`{"path": "/x/a.csv", "format": "jsonl"}`:                  "says csv",
		`{"path": "/x/a.csv.gz", "compress": "none"}`:              "says gzip",
		fmt.Sprintf(`{"path": %q}`, file):                          "does not tell its format",
		fmt.Sprintf(`{"path": %q}`, filepath.Join(file, "below/")): "not a folder",
	} {
		_, err := Kind.Open(t.Context(), env, json.RawMessage(settings))
		e, ok := errors.AsType[*syncline.Error](err)
		if !ok || e.Class != syncline.ClassConfig || !strings.Contains(e.Message, says) {
			t.Errorf("%s: %v, want %q", settings, err, says)
		}
	}
}

func TestURLs(t *testing.T) {
	for raw, want := range map[string]struct{ lands, show string }{
		"file:///x/out/": {"orders.csv", "file:///x/out/"},
		"file:///x/out":  {"orders.csv", "file:///x/out"},
		"file:///x/out/?format=jsonl&compress=gzip": {"orders.jsonl.gz", "file:///x/out/?compress=gzip&format=jsonl"},
		"file:///x/out/?compress=zstd":              {"orders.csv.zst", "file:///x/out/?compress=zstd"},
		"file:///x/a%20b.ndjson.gz":                 {"a b.ndjson.gz", "file:///x/a%20b.ndjson.gz"},
		"file:///x/all.tsv":                         {"all.tsv", "file:///x/all.tsv"},
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		settings, err := Kind.Spec.FromURL(u)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		d, err := Kind.Open(t.Context(), env, settings)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := d.Lands("orders"); got != want.lands {
			t.Errorf("%s: lands in %s", raw, got)
		}
		if got := Kind.Spec.Show(settings); got != want.show {
			t.Errorf("%s: shown as %s", raw, got)
		}
		if !Kind.Spec.Local(settings) {
			t.Errorf("%s is on no machine", raw)
		}
	}
	for _, raw := range []string{"file://host/x/", "file:///x/?formt=csv", "file://user@/x"} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Kind.Spec.FromURL(u); err == nil {
			t.Errorf("%s is %s", raw, got)
		}
	}
}

func TestNamesStayApart(t *testing.T) {
	b, _ := csvFolder(t)
	d := b.destination()
	seen := map[string]string{}
	for _, name := range []string{"a", "public.orders", "a/b", "a%2Fb", ".hidden", "%2Ehidden", "..", "é", strings.Repeat("x", 300), strings.Repeat("x", 299) + "y", "a\x00b", ""} {
		lands := d.Lands(name)
		if other, ok := seen[lands]; ok {
			t.Errorf("%q and %q both land in %s", name, other, lands)
		}
		seen[lands] = name
		if !filepath.IsLocal(lands) || strings.Contains(lands, "/") || strings.HasPrefix(lands, ".") || len(lands) > 200 {
			t.Errorf("%q lands in %q", name, lands)
		}
	}
	if got := d.Lands("flights.csv.gz"); got != "flights.csv" {
		t.Errorf("a file of another compression lands in %s", got)
	}
}

// TestStoppedHolder: whoever stops in the middle of a batch has nothing of it in the
// file, whatever it does later, and writes into a file nobody reads any more.
func TestStoppedHolder(t *testing.T) {
	for _, disposition := range []func(*destination.Target){func(*destination.Target) {}, appending} {
		b, dir := csvFolder(t)
		old, _ := b.begin("load", disposition)
		lane, err := old.Part(t.Context(), "0", old.t.Fence.Token)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.write(lane, 0, 10); err != nil {
			t.Fatal(err)
		}
		batch := b.batch(10, 20)
		batch.Next = nil
		if _, err := lane.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		next, standing := b.begin("load", disposition)
		if p := standing.Parts["0"]; string(p.Next) != "10" || p.Counts.Inserted != 10 {
			t.Fatalf("standing %+v", standing)
		}
		p := b.part(next, "0", 10, 30)
		again := b.batch(500, 510)
		again.Next = nil
		if _, err := lane.Write(t.Context(), again); err != nil && !errors.Is(err, syncline.ErrLeaseLost) {
			t.Fatal(err)
		}
		if _, err := lane.Finish(t.Context()); !errors.Is(err, syncline.ErrLeaseLost) {
			t.Errorf("the stopped holder went on: %v", err)
		}
		published := b.publish(next, "", p.Counts)
		path := strings.TrimPrefix(published.Where, "file ")
		b.rows(path, 0, 30)
		if left := (folder{dir: dir}).Leftovers(t); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	}
}

// TestSameTokenAgain: an attempt that takes over a second time has nothing to fear from
// the lanes of its first.
func TestSameTokenAgain(t *testing.T) {
	b, dir := csvFolder(t)
	w, _ := b.begin("load")
	lane, err := w.Part(t.Context(), "0", w.t.Fence.Token)
	if err != nil {
		t.Fatal(err)
	}
	b.token--
	again, _ := b.begin("load")
	if err := b.write(lane, 0, 10); !errors.Is(err, syncline.ErrLeaseLost) {
		t.Errorf("a lane of before went on: %v", err)
	}
	if _, err := w.Publish(t.Context(), nil, syncline.Counts{}, nil); !errors.Is(err, syncline.ErrLeaseLost) {
		t.Errorf("the writer of before published: %v", err)
	}
	b.publish(again, "", b.part(again, "0", 0, 20).Counts)
	b.rows(filepath.Join(dir, "orders.csv"), 0, 20)
}

func TestPartsAreJoinedInOrder(t *testing.T) {
	for _, name := range []string{"orders.csv", "orders.csv.gz", "orders.csv.zst"} {
		path := filepath.Join(t.TempDir(), name)
		b := newBench(t, fmt.Sprintf(`{"path": %q}`, path))
		w, _ := b.begin("load")
		var sum syncline.Counts
		for _, n := range []int{10, 9, 2, 0, 1} {
			sum = sum.Add(b.part(w, fmt.Sprint(n), n*10, n*10+10).Counts)
		}
		if p := b.publish(w, "", sum); p.Total != 50 {
			t.Errorf("%+v", p)
		}
		data := string(decoded(t, path))
		if strings.Count(data, "id,note") != 1 {
			t.Errorf("%s: the header stands %d times", name, strings.Count(data, "id,note"))
		}
		last := -1
		for _, n := range []int{0, 10, 20, 90, 100} {
			at := strings.Index(data, fmt.Sprintf("\n%d,", n))
			if at <= last {
				t.Errorf("%s: row %d stands at %d", name, n, at)
			}
			last = at
		}
	}
}

// TestMark: the mark of an append is there with its file, and void when the folder that
// was appended to is gone.
func TestMark(t *testing.T) {
	b, dir := csvFolder(t)
	w, s := b.begin("load-1", appending)
	if s.Mark != nil {
		t.Errorf("mark %q from nowhere", s.Mark)
	}
	b.publish(w, "one", b.part(w, "0", 0, 5).Counts)
	w, s = b.begin("load-2", appending)
	if string(s.Mark) != "one" {
		t.Errorf("mark %q", s.Mark)
	}
	b.part(w, "0", 5, 5)
	if p := b.publish(w, "two", syncline.Counts{}); !strings.Contains(p.Where, "no new file") {
		t.Errorf("an append of nothing made %s", p.Where)
	}
	_, s = b.begin("load-3", appending)
	if string(s.Mark) != "two" {
		t.Errorf("mark %q", s.Mark)
	}
	b.rows(filepath.Join(dir, "orders", "load-1.csv"), 0, 5)
	if err := os.RemoveAll(filepath.Join(dir, "orders")); err != nil {
		t.Fatal(err)
	}
	if _, s = b.begin("load-3", appending); s.Mark != nil {
		t.Errorf("mark %q of a folder that is gone", s.Mark)
	}
}

func TestMarkOfAReplacedFile(t *testing.T) {
	for name, spoil := range map[string]func(string) error{
		"removed":  os.Remove,
		"emptied":  func(path string) error { return os.Truncate(path, 0) },
		"replaced": func(path string) error { return os.WriteFile(path, []byte("id,note\n1,x\n"), 0o644) },
	} {
		b, dir := csvFolder(t)
		w, _ := b.begin("load-1")
		b.publish(w, "one", b.part(w, "0", 0, 5).Counts)
		if _, s := b.begin("load-2"); string(s.Mark) != "one" {
			t.Errorf("%s: mark %q before", name, s.Mark)
		}
		if err := spoil(filepath.Join(dir, "orders.csv")); err != nil {
			t.Fatal(err)
		}
		if _, s := b.begin("load-3"); s.Mark != nil {
			t.Errorf("%s: mark %q after", name, s.Mark)
		}
	}
}

// TestCrashWithinPublish stops between the marker's announcement, the rename and the
// marker's confirmation.
func TestCrashWithinPublish(t *testing.T) {
	for _, renamed := range []bool{false, true} {
		for _, load := range []string{"load-2", "load-3"} {
			b, dir := csvFolder(t)
			path := filepath.Join(dir, "orders.csv")
			w, _ := b.begin("load-1")
			b.publish(w, "one", b.part(w, "0", 0, 5).Counts)
			w, _ = b.begin("load-2")
			sum := b.part(w, "0", 0, 8).Counts
			as, staged, err := w.prepare(t.Context(), nil, []byte("two"), sum, func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			s, _ := w.markers.readStream()
			as.File = identify(nil, staged)
			s.Publishing = &intent{Staged: staged, As: as}
			if err := w.markers.writeStream(s); err != nil {
				t.Fatal(err)
			}
			if renamed {
				if err := os.Rename(staged, path); err != nil {
					t.Fatal(err)
				}
			}
			next, standing := b.begin(load)
			if want := map[bool]string{false: "one", true: "two"}[renamed]; string(standing.Mark) != want {
				t.Errorf("renamed %v, then %s: mark %q, want %s", renamed, load, standing.Mark, want)
			}
			if standing.Published != (renamed && load == "load-2") {
				t.Errorf("renamed %v, then %s: %+v", renamed, load, standing)
			}
			if load == "load-2" && !renamed {
				if p := standing.Parts["0"]; !p.Done {
					t.Errorf("the part is not done any more: %+v", p)
				}
				b.publish(next, "two", sum)
			}
			if load == "load-2" {
				b.rows(path, 0, 8)
			}
		}
	}
}

func TestLostStage(t *testing.T) {
	b, dir := csvFolder(t)
	w, _ := b.begin("load")
	l, err := w.Part(t.Context(), "0", w.t.Fence.Token)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.write(l, 0, 10); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(l.(*lane).part.File); err != nil {
		t.Fatal(err)
	}
	next, s := b.begin("load")
	if len(s.Parts) != 0 {
		t.Fatalf("standing %+v without its stage", s)
	}
	b.publish(next, "", b.part(next, "0", 0, 10).Counts)
	b.rows(filepath.Join(dir, "orders.csv"), 0, 10)
}

// TestStageIsChanged: bytes that go or come without a line going are noticed too.
func TestStageIsChanged(t *testing.T) {
	b, _ := csvFolder(t)
	w, _ := b.begin("load")
	p := b.part(w, "0", 0, 10)
	parts, err := w.markers.parts()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(parts[0].File)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(parts[0].File, bytes.Replace(data, []byte("note 3"), []byte("note"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Publish(t.Context(), nil, p.Counts, nil); syncline.CodeOf(err) != syncline.DataLoss {
		t.Errorf("published: %v", err)
	}
}

// TestForeignFile: a file that Syncline did not write is guarded as well.
func TestForeignFile(t *testing.T) {
	b, dir := csvFolder(t)
	path := filepath.Join(dir, "orders.csv")
	if err := os.WriteFile(path, []byte("id,note\n"+strings.Repeat("1,x\n", 3000)), 0o640); err != nil {
		t.Fatal(err)
	}
	w, _ := b.begin("load")
	sum := b.part(w, "0", 0, 10).Counts
	_, err := w.Publish(t.Context(), nil, sum, nil)
	m, ok := errors.AsType[*destination.MassDelete](err)
	if !ok || m.Had != 3000 || m.Gone != 2990 {
		t.Fatal(err)
	}
	w, _ = b.begin("load", func(t *destination.Target) { t.Guard.Confirmed = true })
	b.publish(w, "", sum)
	b.rows(path, 0, 10)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("its rights are %v now", info.Mode())
	}
}

func TestColumnsChangeWithinALoad(t *testing.T) {
	b, dir := csvFolder(t)
	w, _ := b.begin("load")
	b.part(w, "0", 0, 10)
	b.schema = arrow.NewSchema([]arrow.Field{b.schema.Field(0), {Name: "renamed", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	next, s := b.begin("load")
	if len(s.Parts) != 0 {
		t.Fatalf("rows of other columns are gone on with: %+v", s)
	}
	b.publish(next, "", b.part(next, "0", 0, 3).Counts)
	if data := string(decoded(t, filepath.Join(dir, "orders.csv"))); !strings.HasPrefix(data, "id,renamed\n0,") {
		t.Errorf("%.60s", data)
	}
}

func TestWhatCannotBeWritten(t *testing.T) {
	jsons := arrow.ListOf(typename.JSON)
	for _, c := range []struct {
		format string
		t      arrow.DataType
		value  func(array.Builder)
		code   string
	}{
		{"csv", arrow.BinaryTypes.String, func(b array.Builder) { b.(*array.StringBuilder).Append("\xff") }, rows.CodeEncoding},
		{"jsonl", arrow.BinaryTypes.String, func(b array.Builder) { b.(*array.StringBuilder).Append("a\xc3") }, rows.CodeEncoding},
		{"jsonl", typename.JSON, func(b array.Builder) {
			b.(*array.ExtensionBuilder).StorageBuilder().(*array.StringBuilder).Append("{")
		}, rows.CodeOutOfRange},
		{"csv", jsons, func(b array.Builder) {
			l := b.(*array.ListBuilder)
			l.Append(true)
			l.ValueBuilder().(*array.ExtensionBuilder).StorageBuilder().(*array.StringBuilder).Append("null")
		}, rows.CodeOutOfRange},
	} {
		schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: c.t, Nullable: true}}, nil)
		f, err := newFormat(settings{Format: c.format}, schema, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		c.value(r.Field(0))
		r.Field(0).AppendNull()
		rec := r.NewRecordBatch()
		if reject := f.fault(rec, 0); reject == nil || reject.Code != c.code || !strings.Contains(reject.Message, `"v"`) {
			t.Errorf("%s %s: %+v", c.format, c.t, reject)
		}
		if reject := f.fault(rec, 1); reject != nil {
			t.Errorf("NULL: %+v", reject)
		}
	}
}

func TestWidens(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"int16", "int32", true},
		{"int32", "int64", true},
		{"int64", "int32", false},
		{"int32", "decimal(10,0)", true},
		{"int32", "decimal(10,2)", false},
		{"decimal(10,2)", "decimal(12,4)", true},
		{"decimal(10,2)", "decimal(12,5)", false},
		{"decimal(38,2)", "decimal(40,2)", true},
		{"float32", "float64", true},
		{"int64", "float64", false},
		{"float64", "text", true},
		{"text", "int64", false},
		{"timestamp", "timestamptz", false},
		{"list<int64>", "list<int64>", true},
		{"list<int64>", "list<text>", false},
		{"int64", "bool", false},
		{"date", "date", true},
	} {
		from, err := typename.Parse(c.from)
		if err != nil {
			t.Fatal(err)
		}
		to, err := typename.Parse(c.to)
		if err != nil {
			t.Fatal(err)
		}
		if widens(from, to) != c.want {
			t.Errorf("%s to %s: %v", c.from, c.to, !c.want)
		}
	}
}

// TestHeldLock: a process that is stopped while it holds the lock is named.
func TestHeldLock(t *testing.T) {
	b, _ := csvFolder(t)
	w, _ := b.begin("load")
	f, err := w.markers.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next := b.open("load")
	next.markers.patience = 100 * time.Millisecond
	_, err = next.Takeover(t.Context())
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok || e.Code != syncline.Unavailable || !e.Retryable || !strings.Contains(e.Message, fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("%v", err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	next.markers.patience = time.Minute
	if _, err := next.Takeover(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting ended with %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := next.Takeover(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRights(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write anywhere")
	}
	b, dir := csvFolder(t)
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	_, err := b.open("load").Takeover(t.Context())
	if syncline.CodeOf(err) != syncline.PermissionDenied || !strings.Contains(err.Error(), dir) {
		t.Error(err)
	}
	found, err := b.destination().(*Destination).Check(t.Context())
	if err != nil || found[0].Level != source.Fail {
		t.Error(found, err)
	}
}

func TestCheck(t *testing.T) {
	b, dir := csvFolder(t)
	found, err := b.destination().(*Destination).Check(t.Context())
	if err != nil || len(found) != 1 || found[0].Level != source.OK {
		t.Error(found, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("looking left %v", left)
	}
}

func TestCount(t *testing.T) {
	for _, f := range []format{{quote: '"'}, {}, {quote: '"', header: []byte("x")}} {
		for in, want := range map[string]int64{"": 0, "h\n": 1, "h\na\nb\n": 3, "h\na\nb": 3, "h\n\"a\nb\"\n\"\n\"\"\n\"\n": 3, "h\n\n\n": 3} {
			if f.quote == 0 && strings.Contains(in, `"`) {
				continue
			}
			if len(f.header) > 0 {
				want = max(0, want-1)
			}
			if got, err := f.count(strings.NewReader(in)); got != want || err != nil {
				t.Errorf("%q with header %q: %d, want %d, %v", in, f.header, got, want, err)
			}
		}
	}
}
