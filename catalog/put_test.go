package catalog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/secret"
	"github.com/synclinehq/syncline/store/sqlite"
)

// fixture is a catalog on a ledger of its own.
type fixture struct {
	*catalog.Catalog
	store    syncline.Store
	file     string // of the ledger
	env      map[string]string
	scrubber *secret.Scrubber
	box      *secret.Box
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{file: filepath.Join(t.TempDir(), "ledger.db"), env: map[string]string{}, scrubber: &secret.Scrubber{}}
	store, err := sqlite.Open(t.Context(), f.file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	f.store, f.box = store, newBox(t)
	f.Catalog = f.on("here", f.box)
	return f
}

// on is a catalog on the same ledger, on another machine or with another key.
func (f *fixture) on(host string, box *secret.Box) *catalog.Catalog {
	return catalog.New(catalog.Options{
		Store: f.store, Registry: kinds(), Box: box, Host: host, Scrubber: f.scrubber,
		LookupEnv: func(name string) (string, bool) { v, ok := f.env[name]; return v, ok },
	})
}

func endpoint(kind, settings string) syncline.Endpoint {
	return syncline.Endpoint{Kind: kind, Settings: json.RawMessage(settings)}
}

// example is a definition with a secret at both ends.
func example() syncline.Definition {
	return syncline.Definition{
		Source:      endpoint("base", `{"host":"a","user":"u","password":"canary-one","database":"d"}`),
		Destination: endpoint("base", `{"password":"canary-two","host":"b"}`),
		Entities:    []syncline.EntitySpec{{Name: "public.*"}},
		Schedules:   []syncline.Schedule{{Every: time.Hour}},
	}
}

func (f *fixture) put(t *testing.T, name string, d syncline.Definition) (*syncline.Pipeline, catalog.Change) {
	t.Helper()
	p, ch, err := f.Put(t.Context(), name, d, catalog.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p, ch
}

func TestPutCreates(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p, ch := f.put(t, "orders", example())
	if ch.What != catalog.Created || ch.Revision != 1 || p.Revision != 1 || p.ID == "" || p.Name != "orders" || p.CreatedAt.IsZero() {
		t.Errorf("got %+v, %+v", p, ch)
	}
	d := p.Definition
	if d.Source.Shown != "base://u@a/d" || d.Owner != syncline.OwnerEngine || d.Overlap != syncline.OverlapSkip ||
		d.MaxTries != 5 || d.Parallel != 4 || d.Outcome != syncline.OutcomeAny || d.Host != "" {
		t.Errorf("got %+v", d)
	}
	if got := field(d.Source.Settings, "password"); !secret.IsSealed(got) {
		t.Errorf("the password is stored as %q", got)
	}
	for _, find := range []func(context.Context, string) (*syncline.Pipeline, error){f.ByName, f.Find} {
		if got, err := find(t.Context(), "orders"); err != nil || !same(got, p) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	for _, find := range []func(context.Context, string) (*syncline.Pipeline, error){f.Get, f.Find} {
		if got, err := find(t.Context(), p.ID); err != nil || !same(got, p) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	_, err := f.Find(t.Context(), "nothing")
	says(t, err, syncline.NotFound, "", `no pipeline "nothing"`, "syncline pipelines")
	if all, err := f.List(t.Context(), ""); err != nil || len(all) != 1 || !same(all[0], p) {
		t.Errorf("got %+v, %v", all, err)
	}
}

func same(a, b *syncline.Pipeline) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

func TestPutOfTheSameChangesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	before, _ := f.put(t, "orders", example())
	d := example()
	d.Destination.Settings = json.RawMessage(`{"host":"b", "password":"canary-two"}`)
	d.Overlap, d.MaxTries = syncline.OverlapSkip, 5
	after, ch := f.put(t, "orders", d)
	if ch.What != catalog.Unchanged || len(ch.Fields) != 0 || !same(before, after) {
		t.Errorf("got %+v, %+v", ch, after)
	}
	// Also when it is given as it was read.
	again, ch := f.put(t, "orders", after.Definition)
	if ch.What != catalog.Unchanged || !same(before, again) {
		t.Errorf("got %+v, %+v", ch, again)
	}
}

func TestPutChanges(t *testing.T) {
	t.Parallel()
	f := setup(t)
	first, _ := f.put(t, "orders", example())
	for i, c := range []struct {
		change func(*syncline.Definition)
		want   catalog.FieldChange
	}{
		{func(d *syncline.Definition) { d.Overlap = syncline.OverlapQueue }, catalog.FieldChange{Field: "overlap", From: "skip", To: "queue"}},
		{func(d *syncline.Definition) { d.Deadline = time.Hour }, catalog.FieldChange{Field: "deadline", To: "1h0m0s"}},
		{
			func(d *syncline.Definition) { setSource(d, `"password":"canary-one"`, `"password":"canary-new"`) },
			catalog.FieldChange{Field: "source.password", From: "[redacted]", To: "[redacted]"},
		},
		{
			func(d *syncline.Definition) { setSource(d, `"password":"canary-one"`, `"password":"${env:PW}"`) },
			catalog.FieldChange{Field: "source.password", From: "[redacted]", To: "${env:PW}"},
		},
		{func(d *syncline.Definition) { setSource(d, `,"database":"d"`, "") }, catalog.FieldChange{Field: "source.database", From: "d"}},
		{func(d *syncline.Definition) { d.Labels = map[string]string{"team": "x"} }, catalog.FieldChange{Field: "labels.team", To: "x"}},
		{
			func(d *syncline.Definition) { d.Entities[0].Mode, d.Entities[0].Cursor = "incremental", "at" },
			catalog.FieldChange{Field: "entities[public.*].cursor", To: "at"},
		},
		{func(d *syncline.Definition) { d.Entities[0].Key = []string{"a", "b"} }, catalog.FieldChange{Field: "entities[public.*].key", To: "a, b"}},
	} {
		f.put(t, "orders", example())
		before, err := f.ByName(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		d := example()
		c.change(&d)
		p, ch := f.put(t, "orders", d)
		if ch.What != catalog.Changed || ch.Fields[0] != c.want || p.Revision != before.Revision+1 || p.ID != first.ID {
			t.Errorf("%d: got %+v, revision %d after %d", i, ch, p.Revision, before.Revision)
		}
		if old, err := f.Revision(t.Context(), p.ID, before.Revision); err != nil || !reflect.DeepEqual(old.Source, before.Definition.Source) {
			t.Errorf("%d: the old revision is %+v, %v", i, old, err)
		}
	}
}

func setSource(d *syncline.Definition, old, new string) {
	d.Source.Settings = json.RawMessage(strings.Replace(string(d.Source.Settings), old, new, 1))
}

// TestEveryFieldIsCompared: a field of Definition that Put did not compare could never be
// changed.
func TestEveryFieldIsCompared(t *testing.T) {
	t.Parallel()
	overlap := time.Second
	full := syncline.Definition{
		Owner: "engine", Source: example().Source, Destination: example().Destination,
		Entities: []syncline.EntitySpec{{
			Name: "a", Table: "b", Mode: "incremental", Cursor: "c", Key: []string{"k"}, Write: "upsert", Columns: "add",
			Deletes: "hard", Overlap: &overlap, Types: map[string]string{"x": "text"}, Split: "key",
		}},
		Schedules: []syncline.Schedule{{
			ID: "s", Mode: "full", Cron: "@daily", Zone: "Europe/Berlin", Misfire: "none", Off: true,
			Start: time.Unix(1e9, 0).UTC(), End: time.Unix(3e9, 0).UTC(),
		}},
		Overlap: "queue", Outcome: "all", MaxTries: 1, Deadline: 1, UpdateWithin: 1, Parallel: 1, KeepRuns: 1, KeepDays: 1, Host: "h", Confined: true,
		Labels: map[string]string{"l": "m"},
	}
	for v, skip := range map[reflect.Value]string{
		reflect.ValueOf(full): "", reflect.ValueOf(full.Entities[0]): "",
		reflect.ValueOf(full.Schedules[0]): "Every Anchor Grammar",
	} {
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() && !strings.Contains(skip, name) {
				t.Errorf("%s.%s is new: give it a value above", v.Type().Name(), name)
			}
		}
	}
	f := setup(t)
	_, ch := f.put(t, "p", full)
	var fields []string
	for _, c := range ch.Fields {
		fields = append(fields, c.Field)
	}
	got := strings.Join(fields, " ") + " "
	for _, want := range strings.Fields(`owner source.kind source.host source.password destination.host overlap outcome max_tries
		deadline parallel keep_runs keep_days host confined labels.l entities[a].name entities[a].table entities[a].mode entities[a].cursor
		entities[a].key entities[a].write entities[a].columns entities[a].deletes entities[a].overlap entities[a].types.x entities[a].split
		schedules[s].id schedules[s].mode schedules[s].cron schedules[s].zone schedules[s].misfire schedules[s].off schedules[s].start schedules[s].end`) {
		if !strings.Contains(got, want+" ") {
			t.Errorf("%s is not compared: %s", want, got)
		}
	}
}

func TestPutOptions(t *testing.T) {
	t.Parallel()
	f := setup(t)
	yes, no := true, false
	p, _, err := f.Put(t.Context(), "p", example(), catalog.PutOptions{Paused: &yes, New: true})
	if err != nil || p.PausedAt.IsZero() {
		t.Fatalf("got %+v, %v", p, err)
	}
	_, _, err = f.Put(t.Context(), "p", example(), catalog.PutOptions{New: true})
	says(t, err, syncline.AlreadyExists, "", `"p"`)
	_, _, err = f.Put(t.Context(), "p", example(), catalog.PutOptions{Revision: 7})
	says(t, err, syncline.Aborted, "", "revision 1, not 7")
	_, _, err = f.Put(t.Context(), "other", example(), catalog.PutOptions{Revision: 1})
	says(t, err, syncline.NotFound, "")
	p, ch, err := f.Put(t.Context(), "p", example(), catalog.PutOptions{Paused: &no, Revision: 1})
	want := []catalog.FieldChange{{Field: "paused", From: "true", To: "false"}}
	if err != nil || ch.What != catalog.Changed || !reflect.DeepEqual(ch.Fields, want) || p.Revision != 1 || !p.PausedAt.IsZero() {
		t.Errorf("got %+v, %+v, %v", p, ch, err)
	}
}

func TestPutRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range []struct {
		change func(*syncline.Definition)
		field  string
		want   string
	}{
		{func(d *syncline.Definition) { d.Source.Kind = "bass" }, "source.kind", `pipeline "p": unknown kind "bass" of source`},
		{func(d *syncline.Definition) { d.Destination.Settings = nil }, "destination.host", "needs the setting"},
		{func(d *syncline.Definition) { d.Owner = "me" }, "owner", "must be one of engine, external"},
		{func(d *syncline.Definition) { d.Entities = append(d.Entities, d.Entities[0]) }, "entities[1].name", `"public.*" is there twice`},
		{func(d *syncline.Definition) { d.Entities[0].Table = "x" }, "entities[0].table", "pattern"},
		{func(d *syncline.Definition) { d.Entities[0].Mode = "incremental" }, "entities[0].cursor", "by no cursor"},
		{func(d *syncline.Definition) { d.Entities[0].Deletes = "hard" }, "entities[0].deletes", "goes with write: upsert"},
		{func(d *syncline.Definition) { d.Entities[0].Key = []string{"a", "a"} }, "entities[0].key", "twice"},
		{func(d *syncline.Definition) { d.Schedules = append(d.Schedules, d.Schedules[0]) }, "schedules[1]", "there twice"},
		{func(d *syncline.Definition) { d.Schedules[0].Mode = "incremental" }, "schedules[0].mode", "has no cursor"},
		{func(d *syncline.Definition) { d.Schedules[0].Zone = "Mars" }, "schedules[0].zone", "time zone"},
		{func(d *syncline.Definition) { d.KeepDays = -1 }, "keep_days", "between 0"},
	} {
		d := example()
		c.change(&d)
		_, _, err := f.Put(t.Context(), "p", d, catalog.PutOptions{})
		says(t, err, syncline.InvalidArgument, c.field, c.want)
	}
	d := example()
	setSource(&d, "canary-one", "sealed:v1:canary")
	_, _, err := f.Put(t.Context(), "p", d, catalog.PutOptions{})
	says(t, err, syncline.FailedPrecondition, "source.password", "the stored password cannot be opened", "set the secret again")
	if _, err := f.ByName(t.Context(), "p"); syncline.CodeOf(err) != syncline.NotFound {
		t.Errorf("something was stored: %v", err)
	}
}

func TestCursorlessSourcesNeedNoCursor(t *testing.T) {
	t.Parallel()
	f := setup(t)
	d := example()
	d.Source = endpoint("shelf", `{"path":"/in"}`)
	d.Entities[0].Mode = syncline.ModeIncremental
	f.put(t, "p", d)
}

// Incremental every hour, in full at night: the full read may remove what is gone.
func TestHardDeletesOfAnIncrementalEntity(t *testing.T) {
	t.Parallel()
	f := setup(t)
	d := example()
	d.Entities[0].Mode, d.Entities[0].Cursor, d.Entities[0].Deletes = syncline.ModeIncremental, "at", syncline.DeletesHard
	d.Schedules = append(d.Schedules, syncline.Schedule{Cron: "@daily", Mode: syncline.ModeFull})
	f.put(t, "p", d)
}

func TestAPluginCannotShowASecret(t *testing.T) {
	t.Parallel()
	f := setup(t)
	d := example()
	d.Source = endpoint("leaky", `{"password":"canary"}`)
	if p, _ := f.put(t, "p", d); p.Definition.Source.Shown != "leaky://[redacted]" {
		t.Errorf("got %q", p.Definition.Source.Shown)
	}
}

func TestSchedulesKeepTheirSlots(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p, _ := f.put(t, "p", example())
	first := f.schedules(t, p.ID)
	if len(first) != 1 || !first[0].Enabled || !first[0].NextSlot.Equal(first[0].Schedule.Anchor.Add(time.Hour)) {
		t.Fatalf("got %+v", first)
	}
	// A slot that is due and not yet taken.
	due := first[0].NextSlot.Add(-24 * time.Hour)
	err := f.store.Update(t.Context(), func(tx syncline.Tx) error { return tx.SetNextSlot(p.ID, first[0].Schedule.ID, due) })
	if err != nil {
		t.Fatal(err)
	}
	d := example()
	d.Overlap = syncline.OverlapQueue
	d.Schedules = append([]syncline.Schedule{{Cron: "@daily"}}, d.Schedules...)
	f.put(t, "p", d)
	rows := f.schedules(t, p.ID)
	if len(rows) != 2 || !reflect.DeepEqual(rows[1].Schedule, first[0].Schedule) || !rows[1].NextSlot.Equal(due) {
		t.Errorf("the old schedule became %+v", rows)
	}
	d.Schedules[1].Every = 2 * time.Hour
	f.put(t, "p", d)
	if rows = f.schedules(t, p.ID); rows[1].NextSlot.Before(time.Now()) || rows[1].Schedule.ID == first[0].Schedule.ID {
		t.Errorf("a changed schedule kept its slot: %+v", rows[1])
	}
	d.Schedules[1].Off = true
	f.put(t, "p", d)
	if rows = f.schedules(t, p.ID); rows[1].Enabled || !rows[0].Enabled {
		t.Errorf("got %+v", rows)
	}
	// What it missed while it was off was not to run.
	err = f.store.Update(t.Context(), func(tx syncline.Tx) error { return tx.SetNextSlot(p.ID, rows[1].Schedule.ID, due) })
	if err != nil {
		t.Fatal(err)
	}
	d.Schedules[1].Off = false
	f.put(t, "p", d)
	if rows = f.schedules(t, p.ID); !rows[1].Enabled || rows[1].NextSlot.Before(time.Now()) {
		t.Errorf("got %+v", rows[1])
	}
}

// An interval counts from when it was made, in every grammar, and from anew when its timing
// changes; a change of anything else leaves it alone.
func TestAnAnchorStaysWithItsTiming(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*syncline.Schedule){
		func(s *syncline.Schedule) { s.Cron = "every 2 hours" },
		func(s *syncline.Schedule) { s.End = time.Now().Add(24 * time.Hour) },
		func(s *syncline.Schedule) { s.Cron, s.Grammar, s.Every = "", "", time.Hour },
	} {
		f := setup(t)
		d := example()
		d.Schedules = []syncline.Schedule{{ID: "s", Cron: "every 1 hours", Grammar: "appengine"}}
		p, _ := f.put(t, "p", d)
		first := f.schedules(t, p.ID)[0]
		if want := first.Schedule.Anchor.Truncate(time.Minute).Add(time.Hour); first.Schedule.Anchor.IsZero() || !first.NextSlot.Equal(want) {
			t.Fatalf("got %+v", first)
		}
		d.Overlap = syncline.OverlapQueue
		f.put(t, "p", d)
		if same := f.schedules(t, p.ID)[0]; !reflect.DeepEqual(same, first) {
			t.Errorf("it became %+v", same)
		}
		change(&d.Schedules[0])
		f.put(t, "p", d)
		if next := f.schedules(t, p.ID)[0]; !next.Schedule.Anchor.After(first.Schedule.Anchor) {
			t.Errorf("%+v kept its anchor", next.Schedule)
		}
	}
	f := setup(t)
	d := example()
	d.Schedules = []syncline.Schedule{{Cron: "every 1 hours synchronized", Grammar: "appengine"}}
	p, _ := f.put(t, "p", d)
	if row := f.schedules(t, p.ID)[0]; !row.Schedule.Anchor.IsZero() || row.NextSlot.Minute() != 0 {
		t.Errorf("got %+v", row)
	}
}

func (f *fixture) schedules(t *testing.T, id string) (rows []syncline.ScheduleRow) {
	t.Helper()
	err := f.store.View(t.Context(), func(tx syncline.Tx) (err error) {
		rows, err = tx.Schedules(id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestLocalEndpointsPin(t *testing.T) {
	t.Parallel()
	f := setup(t)
	box := newBox(t)
	here, there := f.on("here", box), f.on("there", box)
	d := example()
	d.Destination = endpoint("shelf", `{"path":"/out"}`)
	put := func(c *catalog.Catalog, d syncline.Definition) string {
		p, _, err := c.Put(t.Context(), "p", d, catalog.PutOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return p.Definition.Host
	}
	if got := put(here, d); got != "here" {
		t.Errorf("pinned to %q", got)
	}
	d.Overlap = syncline.OverlapQueue
	if got := put(there, d); got != "here" {
		t.Errorf("a change from elsewhere moved it to %q", got)
	}
	d.Destination = endpoint("shelf", `{"path":"/elsewhere"}`)
	if got := put(there, d); got != "there" {
		t.Errorf("another path is on %q", got)
	}
	if got := put(there, example()); got != "" {
		t.Errorf("nothing is local, and yet it is pinned to %q", got)
	}
}

func TestPauseAndDelete(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p, _ := f.put(t, "p", example())
	paused, err := f.Pause(t.Context(), "p")
	if err != nil || paused.PausedAt.IsZero() || paused.Revision != 1 {
		t.Fatalf("got %+v, %v", paused, err)
	}
	if again, err := f.Pause(t.Context(), p.ID); err != nil || !again.PausedAt.Equal(paused.PausedAt) {
		t.Errorf("a second pause moved it: %+v, %v", again, err)
	}
	if after, err := f.Unpause(t.Context(), "p"); err != nil || !after.PausedAt.IsZero() {
		t.Errorf("got %+v, %v", after, err)
	}
	_, err = f.Pause(t.Context(), "nothing")
	says(t, err, syncline.NotFound, "", "nothing")

	l := ledger.New(f.store, ledger.Options{})
	run, _, err := l.Start(t.Context(), ledger.Order{PipelineID: p.ID, Origin: syncline.OriginManual})
	if err != nil {
		t.Fatal(err)
	}
	says(t, f.Delete(t.Context(), "p"), syncline.FailedPrecondition, "", run.ID, "runs cancel")
	if _, err := l.Cancel(t.Context(), run.ID, ""); err != nil {
		t.Fatal(err)
	}
	if err := f.Delete(t.Context(), "p"); err != nil {
		t.Error(err)
	}
	says(t, f.Delete(t.Context(), "p"), syncline.NotFound, "")
}

func TestPlanAndApply(t *testing.T) {
	t.Parallel()
	f := setup(t)
	text := func(overlap string) string {
		return fmt.Sprintf(`pipelines:
- {name: a, source: "base://u:canary@h/d", destination: "file:///out", schedule: {every: 1h}, overlap: %s}
- {name: b, source: "base://u:canary@h/d", destination: "file:///out", paused: true}`, overlap)
	}
	docs, err := parse(t, f.Catalog, text("skip"))
	if err != nil {
		t.Fatal(err)
	}
	what := func(changes []catalog.Change, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, c := range changes {
			out = append(out, fmt.Sprintf("%s %s %d", c.Pipeline, c.What, c.Revision))
		}
		if shown, _ := json.Marshal(changes); bytes.Contains(shown, []byte("canary")) {
			t.Errorf("changes show a secret: %s", shown)
		}
		return strings.Join(out, ", ")
	}
	if got := what(f.Plan(t.Context(), docs)); got != "a created 1, b created 1" {
		t.Error(got)
	}
	if all, _ := f.List(t.Context(), ""); len(all) != 0 {
		t.Error("planning made something")
	}
	if got := what(f.Apply(t.Context(), docs)); got != "a created 1, b created 1" {
		t.Error(got)
	}
	if got := what(f.Apply(t.Context(), docs)); got != "a unchanged 1, b unchanged 1" {
		t.Error(got)
	}
	if p, err := f.ByName(t.Context(), "b"); err != nil || p.PausedAt.IsZero() {
		t.Errorf("got %+v, %v", p, err)
	}
	if docs, err = parse(t, f.Catalog, text("queue")); err != nil {
		t.Fatal(err)
	}
	if got := what(f.Plan(t.Context(), docs)); got != "a changed 2, b unchanged 1" {
		t.Error(got)
	}
	if got := what(f.Apply(t.Context(), docs[:1])); got != "a changed 2" {
		t.Error(got)
	}
	if all, _ := f.List(t.Context(), ""); len(all) != 2 {
		t.Error("a pipeline that is not named was deleted")
	}
}

func TestNoCanaryAnywhere(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p, ch := f.put(t, "orders", example())
	d := example()
	setSource(&d, "canary-one", "canary-three")
	_, second := f.put(t, "orders", d)
	shown := fmt.Sprintf("%v %+v %#v %v %+v", p, p.Definition, ch, second, f.Catalog)
	for _, x := range []any{p, ch, second} {
		doc, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		shown += string(doc)
	}
	if strings.Contains(shown, "canary") {
		t.Error(shown)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(f.file), "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("canary")) {
			t.Errorf("%s holds a secret", file)
		}
	}
}

func TestOneOfManyWritersWins(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.put(t, "p", example())
	var won, lost atomic.Int32
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			d := example()
			d.KeepRuns = i + 1
			_, _, err := f.Put(t.Context(), "p", d, catalog.PutOptions{Revision: 1})
			switch syncline.CodeOf(err) {
			case "":
				won.Add(1)
			case syncline.Aborted:
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || lost.Load() != 19 {
		t.Errorf("%d won, %d lost", won.Load(), lost.Load())
	}
}
