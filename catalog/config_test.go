package catalog_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
)

const whole = `# everything a file can say
pipelines:
  - name: orders
    source: base://app:${env:PGPASSWORD}@db:5/app
    destination: file:///var/lib/out     # or {kind: base, …}
    entities: [public.orders, {name: public.events, mode: incremental, cursor: created_at}]
    schedule: {every: 15m}
    overlap: skip
  - name: all-of-it
    source:
      kind: base
      host: db
      port: 5433
      password: ${file:/run/secrets/db}
      timeout: 5s
    destination: out/here
    entities:
      - name: a
        table: b
        mode: incremental
        cursor: at
        key: [id, "no"]
        write: upsert
        columns: freeze
        deletes: hard
        overlap: 1m
        types: {x: text}
        split: key
      - {name: c, key: id}
    schedules:
      - {cron: "0 3 * * *", zone: Europe/Berlin, mode: full, misfire: none}
      - {every: 1d}
      - {cron: 1st monday of month 09:00, grammar: appengine}
    overlap: queue
    outcome: all
    max_tries: 3
    deadline: 1h30m
    parallel: 2
    keep_runs: 10
    keep_days: 20
    paused: true
    labels: {team: data}
`

func parse(t *testing.T, c *catalog.Catalog, text string) ([]catalog.Doc, error) {
	t.Helper()
	return c.Parse([]catalog.File{{Name: "p.yaml", Dir: "/srv", Text: []byte(text)}})
}

func TestParseReadsEverything(t *testing.T) {
	t.Parallel()
	docs, err := parse(t, storeless(t), whole)
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) != 2 || docs[0].Name != "orders" || docs[1].Name != "all-of-it" {
		t.Fatalf("got %+v", docs)
	}
	first, second := docs[0].Definition, docs[1].Definition
	if got := field(first.Source.Settings, "password"); got != "${env:PGPASSWORD}" {
		t.Errorf("the reference became %q", got)
	}
	minute := time.Minute
	want := syncline.Definition{
		Source:      second.Source,
		Destination: second.Destination,
		Entities: []syncline.EntitySpec{
			{
				Name: "a", Table: "b", Mode: "incremental", Cursor: "at", Key: []string{"id", "no"}, Write: "upsert",
				Columns: "freeze", Deletes: "hard", Overlap: &minute, Types: map[string]string{"x": "text"}, Split: "key",
			},
			{Name: "c", Key: []string{"id"}},
		},
		Schedules: []syncline.Schedule{
			{Cron: "0 3 * * *", Zone: "Europe/Berlin", Mode: "full", Misfire: "none"},
			{Every: 24 * time.Hour},
			{Cron: "1st monday of month 09:00", Grammar: "appengine"},
		},
		Overlap: "queue", Outcome: "all", MaxTries: 3, Deadline: 90 * time.Minute, Parallel: 2, KeepRuns: 10, KeepDays: 20,
		Labels: map[string]string{"team": "data"},
	}
	if !reflect.DeepEqual(second, want) {
		t.Errorf("got %+v\nwant %+v", second, want)
	}
	if docs[0].Paused != nil || docs[1].Paused == nil || !*docs[1].Paused {
		t.Errorf("paused: %v, %v", docs[0].Paused, docs[1].Paused)
	}
	if got := string(second.Source.Settings); got != `{"host":"db","password":"${file:/run/secrets/db}","port":5433,"timeout":"5s"}` {
		t.Errorf("settings: %s", got)
	}
	if got := string(second.Destination.Settings); got != `{"path":"/srv/out/here"}` {
		t.Errorf("a relative path became %s", got)
	}
}

// sample is a pipeline of which one line is replaced.
func sample(line, by string) string {
	text := `pipelines:
  - name: p
    source: base://u:canary@h/d
    destination: {kind: base, host: h2, password: canary}
    entities:
      - name: a
        mode: incremental
        cursor: at
    schedule:
      every: 1h
    overlap: skip
`
	if line != "" && !strings.Contains(text, line) {
		panic("no line " + line)
	}
	return strings.Replace(text, line, by, 1)
}

func TestParseNamesThePlace(t *testing.T) {
	t.Parallel()
	c := storeless(t)
	if _, err := parse(t, c, sample("", "")); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ line, by, want string }{
		{"pipelines:", "pipeline:", `p.yaml:1:1: unknown key "pipeline" of the file | did you mean "pipelines"?`},
		{"    overlap:", "    overlup:", `p.yaml:11:5: unknown key "overlup" of a pipeline | did you mean "overlap"?`},
		{"        cursor:", "        curser:", `p.yaml:8:9: unknown key "curser" of an entity`},
		{"      every: 1h", "      evry: 1h", `p.yaml:10:7: unknown key "evry" of a schedule`},
		{"every: 1h", "every: 1 hour", `p.yaml:10:14: every is no duration`},
		{"every: 1h", "every: 5", `p.yaml:10:14: every must be text`},
		{"every: 1h", "every: 1ms", `p.yaml:10:14: every 1ms is too short`},
		{"every: 1h", `cron: "61 * * * *"`, `p.yaml:10:13: cron "61 * * * *": minute, column 1: 61 is not between 0 and 59`},
		{"every: 1h", `{}`, `p.yaml:10:7`},
		{"every: 1h", "cron: */15 * * * *", "p.yaml:10:18: this is not YAML"},
		{"every: 1h", "cron: */15 * * * *", `cron: "*/15 * * * *"`},
		{"every: 1h", "cron: '@daily'\n      zone: Mars", `p.yaml:11:13: unknown time zone "Mars"`},
		{"overlap: skip", "overlap: skipp", `p.yaml:11:14: overlap is "skipp"; it must be one of skip, queue, allow | did you mean "skip"?`},
		{"overlap: skip", "overlap: [skip]", "p.yaml:11:14: overlap must be text"},
		{"overlap: skip", "parallel: many", "p.yaml:11:15: parallel must be a whole number"},
		{"overlap: skip", "parallel: 1000", "p.yaml:11:15: parallel is 1000; it must be between 0 and 256"},
		{"overlap: skip", "parallel: -1", "p.yaml:11:15: parallel is -1"},
		{"overlap: skip", "paused: yes please", "p.yaml:11:13: paused must be true or false"},
		{"overlap: skip", "deadline: -1h", "p.yaml:11:15: deadline is negative"},
		{"overlap: skip", "overlap: skip\n    overlap: queue", "p.yaml:12:5: this is not YAML: mapping key \"overlap\" already defined"},
		{"overlap: skip", "schedules: [{every: 2h}]", "p.yaml:11:16: schedule and schedules are both given"},
		{"overlap: skip", "labels: {a: 1}", `p.yaml:11:17: labels "a" must be text`},
		{"        cursor: at\n", "", `p.yaml:6:9: entity "a" is to be read incrementally, by no cursor`},
		{"cursor: at", "cursor: at\n        write: replace", "p.yaml:9:16: entity \"a\": an incremental read"},
		{"mode: incremental", "mode: incrementl", `p.yaml:7:15: mode is "incrementl"`},
		{"      - name: a\n", "      - table: b\n", "p.yaml:6:9: the entity needs a name"},
		{"name: p", "name: p/q", `p.yaml:2:11: "p/q" cannot be the name of a pipeline`},
		{"name: p", "name: 5", "p.yaml:2:11: name must be text"},
		{"  - name: p\n    source", "  - source", "p.yaml:2:5: a pipeline needs a name"},
		{"source: base://u:canary@h/d", "overlap: skip", "p.yaml"},
		{"    source: base://u:canary@h/d\n", "", "p.yaml:2:11: the pipeline needs a source"},
		{"base://u:canary@h/d", "bass://u:canary@h/d", "p.yaml:3:13: no source speaks bass://"},
		{"base://u:canary@h/d", "base://u:can/canary@h/d", "p.yaml:3:13: the source URL base://… cannot be read"},
		{"base://u:canary@h/d", "base://u:canary@h/d?timeuot=5s", `p.yaml:3:13: unknown parameter "timeuot" of base | did you mean "timeout"?`},
		{"base://u:canary@h/d", "${env:DATABASE_URL}", "p.yaml:3:13: the source is a reference as a whole"},
		{"base://u:canary@h/d", "base://u:${env:}@h/d", `p.yaml:3:13: setting "password" of base holds a reference ${env:} without a name`},
		{"base://u:canary@h/d", "base://u:${file:pw}@h/d", `must begin with /`},
		{"base://u:canary@h/d", "base://u:canary${evn:X}@h/d", `p.yaml:3:13: setting "password" of base holds a reference that is neither`},
		{"base://u:canary@h/d", "base:///d", `p.yaml:3:13: base needs the setting "host"`},
		{"{kind: base, host: h2, password: canary}", "{kind: bas, host: h2}", `p.yaml:4:25: unknown kind "bas" of destination | did you mean "base"?`},
		{"{kind: base, host: h2, password: canary}", "{host: h2}", `p.yaml:4:18: the destination has no kind`},
		{"{kind: base, host: h2, password: canary}", "{kind: base, hots: h2, password: canary}", `p.yaml:4:31: unknown setting "hots" of base | did you mean "host"?`},
		{"host: h2, password: canary", "host: h2, port: canary", `p.yaml:4:47: setting "port" of base must be a whole number`},
		{"host: h2, password: canary", "host: h2, password: [canary]", `p.yaml:4:51: setting "password" of base must be text`},
		{"host: h2, password: canary", "host: h2, password: '[redacted]'", `is the mask that stands for a secret`},
		{"host: h2, password: canary", "host: h2, password: ${env:X}", `p.yaml:`},
	} {
		_, err := parse(t, c, sample(x.line, x.by))
		e, _ := err.(*syncline.Error)
		if e == nil {
			t.Errorf("%q: %v", x.by, err)
			continue
		}
		if got := e.Message + " | " + e.Hint; !strings.Contains(got, x.want) || strings.Contains(got, "canary") {
			t.Errorf("%q:\n got %s\nwant %s", x.by, got, x.want)
		}
	}
}

func TestParseListsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	c := storeless(t)
	_, err := c.Parse([]catalog.File{
		{Name: "b.yaml", Dir: "/", Text: []byte("pipelines:\n- {name: x, source: a, destination: b, overlap: no}\n- {name: x, source: a, destination: b}")},
		{Name: "a.yaml", Dir: "/", Text: []byte("pipelines:\n- {name: x, source: a, destination: b, typo: 1}")},
	})
	says(t, err, syncline.InvalidArgument, "", "b.yaml:2:49", "b.yaml:3:10: pipeline \"x\" is there already, at b.yaml:2:10",
		"a.yaml:2:10: pipeline \"x\" is there already", "a.yaml:2:40: unknown key \"typo\"", "4 places")
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 4 || !strings.HasPrefix(lines[0], "b.yaml:2") {
		t.Errorf("got %q", lines)
	}
	many := "pipelines:\n" + strings.Repeat("- {}\n", 50)
	if _, err := parse(t, c, many); err == nil || !strings.Contains(err.Error(), "and 30 more") {
		t.Errorf("got %v", err)
	}
}

func TestParseFollowsAliases(t *testing.T) {
	t.Parallel()
	c := storeless(t)
	docs, err := parse(t, c, `pipelines:
- {name: a, source: &db {kind: base, host: h}, destination: x, schedule: &s {every: 1h}}
- {name: b, source: *db, destination: y, schedule: *s}`)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := docs[0].Definition, docs[1].Definition; !reflect.DeepEqual(a.Source, b.Source) || !reflect.DeepEqual(a.Schedules, b.Schedules) {
		t.Errorf("got %+v, %+v", a, b)
	}
	for _, text := range []string{"pipelines: &a *a", "pipelines: *nowhere", "pipelines: &a [*a]", "- &a {x: *a}", circle, laughs} {
		if _, err := parse(t, c, text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// circle is an alias inside what it means, laughs a small file that means a large one.
const (
	circle = "pipelines: [{name: a, source: &a {kind: base, host: *a}, destination: x}]"
	laughs = `pipelines:
- {name: a, source: {kind: base, host: &a [x,x,x,x,x,x,x,x], user: &b [*a,*a,*a,*a,*a,*a,*a,*a], port: &c [*b,*b,*b,*b,*b,*b,*b,*b],
   timeout: &d [*c,*c,*c,*c,*c,*c,*c,*c], database: &e [*d,*d,*d,*d,*d,*d,*d,*d], password: [*e,*e,*e,*e,*e,*e,*e,*e]}, destination: x}`
)

func TestParseOfNothing(t *testing.T) {
	t.Parallel()
	c := storeless(t)
	for _, text := range []string{"", "# only this\n", "---\n", "pipelines: []"} {
		_, err := parse(t, c, text)
		says(t, err, syncline.InvalidArgument, "", "there is no pipeline in p.yaml")
	}
	for _, text := range []string{"pipelines:", "pipelines: {}", "[]", "text", "pipelines: [5]"} {
		_, err := parse(t, c, text)
		says(t, err, syncline.InvalidArgument, "", "p.yaml:1:")
	}
}

func TestReadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"b.yml": "2", "a.yaml": "1", "c.txt": "no", "sub.yaml/d.yaml": "no"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := catalog.ReadFiles(dir)
	if err != nil || len(files) != 2 || string(files[0].Text) != "1" || string(files[1].Text) != "2" || files[0].Dir != dir {
		t.Errorf("got %+v, %v", files, err)
	}
	one, err := catalog.ReadFiles(filepath.Join(dir, "c.txt"))
	if err != nil || len(one) != 1 {
		t.Errorf("a file by its name: %+v, %v", one, err)
	}
	_, err = catalog.ReadFiles(filepath.Join(dir, "nowhere.yaml"))
	says(t, err, syncline.InvalidArgument, "", "nowhere.yaml", "no such file")
	_, err = catalog.ReadFiles(t.TempDir())
	says(t, err, syncline.InvalidArgument, "", "holds no .yaml or .yml file")
}

// FuzzParse: no file makes the reader panic or hang.
func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add(sample("", ""))
	f.Add("pipelines: &a [*a, {source: {kind: base, <<: *a}}]")
	f.Add("? [a]\n: b\n---\n!!x y")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := parse(t, storelessForFuzz, text)
		if e, ok := err.(*syncline.Error); err != nil && (!ok || e.Message == "") {
			t.Fatalf("%v", err)
		}
	})
}

var storelessForFuzz = catalog.New(catalog.Options{Registry: kinds(), Host: "here"})
