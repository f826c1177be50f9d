package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/compress"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/format/typename"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

var env = source.Env{Dial: (&net.Dialer{}).DialContext, Now: time.Now, Log: slog.New(slog.DiscardHandler)}

// lay writes files below a new folder.
func lay(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		put(t, filepath.Join(dir, name), content)
	}
	return dir
}

// put writes a file, compressed as its name says.
func put(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	codec, _ := compress.ByName(path)
	w, err := codec.Writer(f)
	if err == nil {
		_, err = io.WriteString(w, content)
	}
	if err == nil {
		err = w.Close()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func tryStart(t testing.TB, settings map[string]any) (source.Source, error) {
	t.Helper()
	raw, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	return Kind.Open(t.Context(), env, raw)
}

func start(t testing.TB, settings map[string]any) source.Source {
	t.Helper()
	s, err := tryStart(t, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func entities(t testing.TB, s source.Source, patterns ...string) []source.Entity {
	t.Helper()
	all, err := s.Entities(t.Context(), patterns)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// names are those of all entities.
func namesOf(all []source.Entity) (names []string) {
	for _, e := range all {
		names = append(names, e.Name)
	}
	return names
}

// columns draws a schema as words.
func columns(e source.Entity) string {
	var all []string
	for _, f := range e.Schema.Fields() {
		all = append(all, f.Name+" "+typename.Word(f.Type))
	}
	return strings.Join(all, ", ")
}

// readAll draws the rows and rejects of all parts.
func readAll(t testing.TB, s source.Source, q source.Query, p source.Plan) string {
	t.Helper()
	var out strings.Builder
	for _, part := range p.Parts {
		for b, err := range s.Read(t.Context(), q, p, part, nil) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range int(b.Rows) {
				for _, c := range b.Record.Columns() {
					if c.IsNull(i) {
						out.WriteString("|NULL")
					} else {
						fmt.Fprintf(&out, "|%s", text.Append(nil, c, i))
					}
				}
				out.WriteString("\n")
			}
			for _, r := range b.Rejects {
				fmt.Fprintf(&out, "! %s %s\n", r.Key, r.Code)
			}
			b.Release()
		}
	}
	return out.String()
}

func full(e source.Entity) source.Query {
	return source.Query{Entity: e, Mode: syncline.ModeFull, Format: rows.Arrow, Parallel: 1}
}

func plan(t testing.TB, s source.Source, q source.Query) source.Plan {
	t.Helper()
	p, err := s.Plan(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func coded(t testing.TB, err error, code syncline.Code, says ...string) {
	t.Helper()
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok || e.Code != code {
		t.Errorf("%v, want %s", err, code)
		return
	}
	for _, s := range says {
		if !strings.Contains(e.Message+" "+e.Hint, s) {
			t.Errorf("%s (%s) does not say %q", e.Message, e.Hint, s)
		}
	}
	if e.Hint == "" || e.Class == "" {
		t.Errorf("%s: hint %q, class %q", e.Message, e.Hint, e.Class)
	}
}

func TestFormatsAndNames(t *testing.T) {
	dir := lay(t, map[string]string{
		"a.csv": "id;n\n1;x\n", "b.tsv": "id\tn\n1\tx\n", "c.jsonl": `{"id":1,"n":"x"}`, "d.ndjson.gz": `{"id":1,"n":"x"}`,
		"e.json.zst": `{"id":1,"n":"x"}`, "f.CSV.GZ": "id,n\n1,x\n", "g.csv": "\xef\xbb\xbfid|n\r\n1|x\r\n",
		"notes.txt": "none", ".hidden.csv": "id\n1\n", ".syncline/x.csv": "id\n1\n", "sub/h.csv": "id\n1\n",
	})
	s := start(t, map[string]any{"path": dir})
	all := entities(t, s)
	if got := namesOf(all); !slices.Equal(got, []string{"a.csv", "b.tsv", "c.jsonl", "d.ndjson.gz", "e.json.zst", "f.CSV.GZ", "g.csv"}) {
		t.Fatalf("entities %q", got)
	}
	for _, e := range all {
		if columns(e) != "id int64, n text" || e.Rows != 1 || e.EstimateFrom != "count" || e.Bytes <= 0 {
			t.Errorf("%s: %s, %d rows of %d bytes by %s", e.Name, columns(e), e.Rows, e.Bytes, e.EstimateFrom)
		}
		if got := readAll(t, s, full(e), plan(t, s, full(e))); got != "|1|x\n" {
			t.Errorf("%s: %q", e.Name, got)
		}
	}
	if got := namesOf(entities(t, s, "a", "*.tsv", "c.jsonl")); !slices.Equal(got, []string{"a.csv", "b.tsv", "c.jsonl"}) {
		t.Errorf("picked %q", got)
	}
	_, err := s.Entities(t.Context(), []string{"z*"})
	coded(t, err, syncline.NotFound, "z*", "a.csv")
}

func TestPatterns(t *testing.T) {
	dir := lay(t, map[string]string{
		"2024/01/a.csv": "id\n1\n", "2024/02/a.csv": "id\n2\n", "2024/x.csv": "id\n3\n", "[odd].csv": "id\n4\n", "data.txt": "id\n5\n",
	})
	if err := os.Symlink(filepath.Join(dir, "2024/x.csv"), filepath.Join(dir, "link.csv")); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string][]string{
		"*.csv":       {"[odd].csv", "link.csv"},
		"2024/*.csv":  {"x.csv"},
		"*/*.csv":     {"2024/x.csv"},
		"**/*.csv":    {"2024/01/a.csv", "2024/02/a.csv", "2024/x.csv", "[odd].csv", "link.csv"},
		"**/a.csv":    {"2024/01/a.csv", "2024/02/a.csv"},
		"2024/**":     {"01/a.csv", "02/a.csv", "x.csv"},
		"[odd].csv":   {"[odd].csv"},
		"2024/?.csv":  {"x.csv"},
		"2024/[wx].*": {"x.csv"},
	} {
		if got := namesOf(entities(t, start(t, map[string]any{"path": filepath.Join(dir, pattern)}))); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
	s := start(t, map[string]any{"path": filepath.Join(dir, "*.txt"), "format": "csv"})
	if got := namesOf(entities(t, s)); !slices.Equal(got, []string{"data.txt"}) {
		t.Errorf("with a format: %q", got)
	}
	_, err := start(t, map[string]any{"path": filepath.Join(dir, "*.txt")}).Entities(t.Context(), nil)
	coded(t, err, syncline.InvalidArgument, "data.txt", "format")
}

func TestOneEntity(t *testing.T) {
	dir := lay(t, map[string]string{"2.csv": "id,n\n3,c\n", "1.csv.gz": "id,n\n1,a\n2,b\n", "10.csv": "", "x.csv": "id,n\n4.5,d\n"})
	s := start(t, map[string]any{"path": dir, "entity": "orders"})
	e := entities(t, s)[0]
	if e.Name != "orders" || columns(e) != "id float64, n text" || e.Rows != 4 {
		t.Fatalf("%s: %s, %d rows", e.Name, columns(e), e.Rows)
	}
	p := plan(t, s, full(e))
	var ids []string
	for _, part := range p.Parts {
		ids = append(ids, part.ID)
	}
	if !slices.Equal(ids, []string{"1.csv.gz", "10.csv", "2.csv", "x.csv"}) {
		t.Errorf("parts %q", ids)
	}
	if got := readAll(t, s, full(e), p); got != "|1|a\n|2|b\n|3|c\n|4.5|d\n" {
		t.Error(got)
	}
	put(t, filepath.Join(dir, "y.csv"), "id,name\n5,e\n")
	_, err := s.Entities(t.Context(), nil)
	coded(t, err, syncline.InvalidArgument, "y.csv", `"n" in one and "name" in the other`)
}

func TestSettings(t *testing.T) {
	dir := lay(t, map[string]string{"a.csv": "1;'x;y';NA\n;;''\n"})
	s := start(t, map[string]any{"path": dir, "header": false, "separator": "semicolon", "quote": "'", "null": []string{"NA"}})
	e := entities(t, s)[0]
	if columns(e) != "column_1 int64, column_2 text, column_3 text" {
		t.Error(columns(e))
	}
	if got := readAll(t, s, full(e), plan(t, s, full(e))); got != "|1|x;y|NULL\n|NULL||\n" {
		t.Errorf("%q", got)
	}
	for settings, says := range map[*map[string]any]string{
		{"path": "rel.csv"}:                                  "not absolute",
		{"path": dir, "separator": "ab"}:                     "one ASCII sign",
		{"path": dir, "separator": "1"}:                      "cannot be the separator",
		{"path": dir, "quote": ",", "separator": ","}:        "both",
		{"path": dir, "sample": -1}:                          "sample",
		{"path": dir, "format": "xlsx"}:                      "format",
		{"path": dir, "colour": "red"}:                       "colour",
		{"path": filepath.Join(dir, "[a.csv"), "sample": 10}: "without its ]",
	} {
		_, err := tryStart(t, *settings)
		coded(t, err, syncline.InvalidArgument, says)
	}
}

func TestURLs(t *testing.T) {
	for raw, want := range map[string]string{
		"file:///x/*.csv":                                  "file:///x/%2A.csv",
		"file:///x/*.csv?as=orders":                        "file:///x/%2A.csv?entity=orders",
		"file:///x/a.csv?separator=tab&header=false":       "file:///x/a.csv?header=false&separator=tab",
		"file:///x/a.csv?null=NA,%5CN&quote=%27&sample=50": "file:///x/a.csv?null=%5BNA+%5CN%5D&quote=%27",
		"file:///x/a.csv?header=true":                      "file:///x/a.csv",
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
		if _, err := decode(settings); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if got := Kind.Spec.Show(settings); got != strings.ReplaceAll(want, "%2A", "*") {
			t.Errorf("%s is shown as %s", raw, got)
		}
		if !Kind.Spec.Local(settings) {
			t.Errorf("%s is on no machine", raw)
		}
	}
	for _, raw := range []string{"file://host/x.csv", "file:///x.csv?seperator=;", "file://u@/x.csv", "file://"} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Kind.Spec.FromURL(u); err == nil {
			t.Errorf("%s is %s", raw, got)
		}
	}
}

func TestBadPaths(t *testing.T) {
	dir := lay(t, map[string]string{
		"empty.csv": "", "none.jsonl": "\n\n", "array.json": "[\n{\"a\":1}]", "twice.csv": "a,a\n1,2\n", "open.csv": "\"a\n1,2\n",
		"wide.csv": "\xff\xfea\x00\n\x00", "latin.csv": "gr\xfc\xdfe\n1\n", "plain.csv": "a\n1\n",
	})
	if err := os.WriteFile(filepath.Join(dir, "fake.csv.gz"), []byte("a\n1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.csv"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"empty.csv": "no columns", "none.jsonl": "no columns", "array.json": "jq -c", "twice.csv": `"a" twice`, "open.csv": "never closed",
		"wide.csv": "UTF-16", "latin.csv": "iconv", "fake.csv.gz": "named like gzip and is not",
	} {
		_, err := start(t, map[string]any{"path": filepath.Join(dir, name)}).Entities(t.Context(), nil)
		coded(t, err, syncline.InvalidArgument, name, want)
	}
	for _, name := range []string{"gone.csv", "gone/*.csv", "gone/"} {
		_, err := tryStart(t, map[string]any{"path": filepath.Join(dir, name)})
		coded(t, err, syncline.NotFound, "gone")
	}
	_, err := start(t, map[string]any{"path": filepath.Join(dir, "*.parquet")}).Entities(t.Context(), nil)
	coded(t, err, syncline.NotFound, "*.parquet")
	if got := namesOf(entities(t, start(t, map[string]any{"path": dir}), "plain.csv", "pla*")); !slices.Equal(got, []string{"plain.csv"}) {
		t.Errorf("a broken neighbour, or a pipe: %q", got)
	}
}

func TestRights(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read anything")
	}
	dir := lay(t, map[string]string{"a.csv": "a\n1\n"})
	if err := os.Chmod(filepath.Join(dir, "a.csv"), 0); err != nil {
		t.Fatal(err)
	}
	_, err := start(t, map[string]any{"path": dir}).Entities(t.Context(), nil)
	coded(t, err, syncline.PermissionDenied, "a.csv")
}

// TestTruncated cuts compressed files everywhere behind what the sample needs.
func TestTruncated(t *testing.T) {
	var content strings.Builder
	content.WriteString("id,n\n")
	for i := range 20_000 {
		fmt.Fprintf(&content, "%d,%x\n", i, i*7919)
	}
	for _, name := range []string{"a.csv.gz", "a.csv.zst"} {
		dir := lay(t, map[string]string{name: content.String()})
		path := filepath.Join(dir, name)
		s := start(t, map[string]any{"path": path, "sample": 10})
		e := entities(t, s)[0]
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for cut := 1; cut < len(data)-100; cut += len(data) / 7 {
			if err := os.WriteFile(path, data[:len(data)-cut], 0o644); err != nil {
				t.Fatal(err)
			}
			p, err := s.Plan(t.Context(), full(e))
			if err == nil {
				err = readErr(s, t.Context(), full(e), p, nil)
			}
			coded(t, err, syncline.DataLoss, name)
		}
	}
}

func readErr(s source.Source, ctx context.Context, q source.Query, p source.Plan, from []byte) error {
	for b, err := range s.Read(ctx, q, p, p.Parts[0], from) {
		if err != nil {
			return err
		}
		b.Release()
	}
	return nil
}

// TestChanged: a file that is not the planned one any more, or changes under the read,
// makes the load begin anew.
func TestChanged(t *testing.T) {
	content := "id\n" + strings.Repeat("1\n", 300_000)
	changes := map[string]func(path string) error{
		"longer":  func(path string) error { return os.WriteFile(path, []byte(content+"2\n"), 0o644) },
		"shorter": func(path string) error { return os.WriteFile(path, []byte(content[:100]), 0o644) },
		"other": func(path string) error {
			return os.WriteFile(path, []byte(strings.Replace(content, "1", "2", 1)), 0o644)
		},
	}
	for name, change := range changes {
		dir := lay(t, map[string]string{"a.csv": content})
		path := filepath.Join(dir, "a.csv")
		s := start(t, map[string]any{"path": path})
		e := entities(t, s)[0]
		p := plan(t, s, full(e))
		var next []byte
		var err error
		for b, e := range s.Read(t.Context(), full(e), p, p.Parts[0], nil) {
			if err = e; e != nil {
				break
			}
			b.Release()
			if next == nil {
				next = b.Next
				if err := change(path); err != nil {
					t.Fatal(err)
				}
			}
		}
		for what, err := range map[string]error{
			"under the read":  err,
			"before it":       readErr(s, t.Context(), full(e), p, nil),
			"before going on": readErr(s, t.Context(), full(e), p, next),
			// A new plan of the changed file, and a position in the old one.
			"under the position": readErr(s, t.Context(), full(e), plan(t, s, full(e)), next),
		} {
			wrong, ok := errors.AsType[*syncline.Error](err)
			if !ok || wrong.Reason != "source_changed" || !wrong.Retryable || !strings.Contains(wrong.Message, path) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}

func TestIncremental(t *testing.T) {
	dir := lay(t, map[string]string{"a.csv": "id\n1\n", "b.csv": "id\n2\n"})
	s := start(t, map[string]any{"path": dir, "entity": "all"})
	e := entities(t, s)[0]
	q := full(e)
	q.Mode = syncline.ModeIncremental
	first := plan(t, s, q)
	if got := readAll(t, s, q, first); got != "|1\n|2\n" {
		t.Errorf("first %q", got)
	}
	if whole := plan(t, s, full(e)); string(whole.Until) != string(first.Until) {
		t.Errorf("a full plan fixes %s, an incremental one %s", whole.Until, first.Until)
	}
	q.Since = first.Until
	nothing := plan(t, s, q)
	if got := readAll(t, s, q, nothing); got != "" || len(nothing.Parts) != 1 || nothing.Expected != 0 {
		t.Errorf("nothing new: %q by %+v", got, nothing)
	}
	put(t, filepath.Join(dir, "c.csv"), "id\n3\n")
	if got := readAll(t, s, q, plan(t, s, q)); got != "|3\n" {
		t.Errorf("new file: %q", got)
	}
	q.Tail = true
	if got := readAll(t, s, q, plan(t, s, q)); got != "|3\n" {
		t.Errorf("new file, appended: %q", got)
	}
	put(t, filepath.Join(dir, "a.csv"), "id\n1\n4\n")
	_, err := s.Plan(t.Context(), q)
	coded(t, err, syncline.FailedPrecondition, "a.csv", "upsert")
	q.Tail = false
	p := plan(t, s, q)
	if got := readAll(t, s, q, p); got != "|1\n|4\n|3\n" {
		t.Errorf("changed file: %q", got)
	}
	if err := os.Remove(filepath.Join(dir, "b.csv")); err != nil {
		t.Fatal(err)
	}
	q.Since = p.Until
	if last := plan(t, s, q); strings.Contains(string(last.Until), "b.csv") || len(readAll(t, s, q, last)) > 0 {
		t.Errorf("a file that is gone: %s", last.Until)
	}
	q.Cursor = "id"
	_, err = s.Plan(t.Context(), q)
	coded(t, err, syncline.InvalidArgument, `"id"`, "leave the cursor out")
	q.Cursor, q.Window = "", &syncline.Window{}
	_, err = s.Plan(t.Context(), q)
	coded(t, err, syncline.InvalidArgument, "stretch")
}

// TestEstimates: what a sample says of a large file is near the truth.
func TestEstimates(t *testing.T) {
	const n = 60_000
	var content strings.Builder
	content.WriteString("id,amount,note\n")
	for i := range n {
		fmt.Fprintf(&content, "%d,%d.%02d,note %x\n", i, i%1000, i%100, i*7919%65521)
	}
	dir := lay(t, map[string]string{"a.csv": content.String(), "b.csv.gz": content.String(), "c.csv.zst": content.String()})
	for _, e := range entities(t, start(t, map[string]any{"path": dir, "sample": 20_000})) {
		if columns(e) != "id int64, amount decimal(38,2), note text" {
			t.Errorf("%s: %s", e.Name, columns(e))
		}
		if e.EstimateFrom != "file size" || e.Rows < n*7/10 || e.Rows > n*14/10 || e.Bytes < int64(content.Len())*7/10 || e.Bytes > int64(content.Len())*14/10 {
			t.Errorf("%s: %d rows, %d bytes by %s, really %d and %d", e.Name, e.Rows, e.Bytes, e.EstimateFrom, n, content.Len())
		}
	}
	for _, e := range entities(t, start(t, map[string]any{"path": dir, "sample": 0})) {
		if e.EstimateFrom != "count" || e.Rows != n {
			t.Errorf("%s: %d rows by %s", e.Name, e.Rows, e.EstimateFrom)
		}
	}
}

// TestSampleIsCutBetweenRows: the end of the sample's bytes is not the end of a value.
func TestSampleIsCutBetweenRows(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	var content strings.Builder
	content.WriteString("note,at\n")
	for range 40 {
		content.WriteString(long + ",2024-01-01\n")
	}
	s := start(t, map[string]any{"path": lay(t, map[string]string{"a.csv": content.String()})})
	if e := entities(t, s)[0]; columns(e) != "note text, at date" || e.EstimateFrom != "file size" {
		t.Errorf("%s by %s", columns(e), e.EstimateFrom)
	}
}

func TestRejectsNameFileAndLine(t *testing.T) {
	var content strings.Builder
	content.WriteString("id,n\n")
	for i := range 100 {
		fmt.Fprintf(&content, "%d,x\n", i)
	}
	content.WriteString("oops,x\n1,\xff\n1,2,3\n\"1,x\n2,y\n")
	dir := lay(t, map[string]string{"a.csv": content.String()})
	s := start(t, map[string]any{"path": dir, "sample": 50})
	e := entities(t, s)[0]
	got := readAll(t, s, full(e), plan(t, s, full(e)))
	_, got, _ = strings.Cut(got, "|99|x\n")
	if want := "|2|y\n! a.csv:102 type\n! a.csv:103 encoding\n! a.csv:104 columns\n! a.csv:105 malformed\n"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestCheck(t *testing.T) {
	dir := lay(t, map[string]string{"a.csv": "id\n1\n", "b.csv": ""})
	found, err := start(t, map[string]any{"path": dir}).(source.Checker).Check(t.Context())
	if err != nil || len(found) != 3 || found[1].Level != source.OK || found[2].Level != source.Fail || found[2].Remedy == "" {
		t.Errorf("%+v, %v", found, err)
	}
}
