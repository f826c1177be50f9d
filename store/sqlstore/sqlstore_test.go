package sqlstore

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/synclinehq/syncline"
)

// Migrations are numbered without gaps, go forward only, and Schema is the last.
func TestMigrations(t *testing.T) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != Schema {
		t.Errorf("%d migrations, Schema is %d", len(files), Schema)
	}
	for i, name := range files {
		if want := []byte("migrations/0000"); !strings.HasPrefix(name, string(want)) || name[len(want)] != byte('1'+i) {
			t.Errorf("migration %d is called %s", i+1, name)
		}
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "-- +goose Up\n") || strings.Contains(string(text), "+goose Down") {
			t.Errorf("%s does not only go forward", name)
		}
	}
}

// No word of a statement may be left untranslated, and none be taken for another.
func TestWords(t *testing.T) {
	w := Words("x.", "{lock}", " LOCK", "{lock t}", " LOCK OF t", "{any}", "= any(", "{end}", ")")
	got := w.Replace(`select * from {runs}, {tasks} t join {task_stats} where id {any} $1 {end} and '{}' <> ''{lock}; {lock t}`)
	want := `select * from x.runs, x.tasks t join x.task_stats where id = any( $1 ) and '{}' <> '' LOCK;  LOCK OF t`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhere(t *testing.T) {
	q := where{text: "select"}
	q.and("a = ?", 1)
	q.and("(b, c) < (?, ?)", 2, 3)
	q.add(" limit ?", 4)
	if want := "select where a = $1 and (b, c) < ($2, $3) limit $4"; q.text != want {
		t.Errorf("got  %s\nwant %s", q.text, want)
	}
	if d := cmp.Diff([]any{1, 2, 3, 4}, q.args); d != "" {
		t.Error(d)
	}
}

func TestCarry(t *testing.T) {
	type inner struct {
		Known string `json:"known,omitempty"`
	}
	type outer struct {
		inner
		A      int               `json:"a"`
		In     inner             `json:"in"`
		To     *inner            `json:"to,omitempty"`
		List   []inner           `json:"list,omitempty"`
		Labels map[string]string `json:"labels,omitempty"`
	}
	for name, c := range map[string]struct{ old, fresh, want string }{
		"an unknown member is kept":         {`{"a":1,"new":{"x":[1]}}`, `{"a":2,"in":{}}`, `{"a":2,"in":{},"new":{"x":[1]}}`},
		"one inside a struct, too":          {`{"in":{"new":1,"known":"x"}}`, `{"a":0,"in":{"known":"y"}}`, `{"a":0,"in":{"known":"y","new":1}}`},
		"and behind a pointer":              {`{"to":{"new":1}}`, `{"to":{"known":"y"}}`, `{"to":{"known":"y","new":1}}`},
		"a known one that is gone is gone":  {`{"known":"x","to":{"new":1}}`, `{"a":0}`, `{"a":0}`},
		"lists and maps are what they are":  {`{"list":[{"new":1}],"labels":{"a":"b"}}`, `{"labels":{"c":"d"}}`, `{"labels":{"c":"d"}}`},
		"what cannot be read is not merged": {`nonsense`, `{"a":0}`, `{"a":0}`},
		"null is not an object":             {`{"in":null,"new":null}`, `{"in":{}}`, `{"in":{},"new":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			var got, want any
			if err := json.Unmarshal([]byte(carry[outer]([]byte(c.old), c.fresh)), &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAlarm(t *testing.T) {
	early, late := time.Unix(1, 0), time.Unix(2, 0)
	for _, c := range []struct {
		state              syncline.State
		deadline, cancelBy time.Time
		want               time.Time
	}{
		{"running", time.Time{}, time.Time{}, time.Time{}},
		{"running", early, time.Time{}, early},
		{"running", time.Time{}, late, late},
		{"pending", early, late, early},
		{"suspended", late, early, early},
		{"failed", early, early, time.Time{}},
	} {
		r := &syncline.Run{State: c.state, Deadline: c.deadline, Facts: syncline.Facts{CancelBy: c.cancelBy}}
		if got := alarm(r); !got.Equal(c.want) {
			t.Errorf("%s, deadline %v, cancel by %v: alarm %v, want %v", c.state, c.deadline, c.cancelBy, got, c.want)
		}
	}
}
