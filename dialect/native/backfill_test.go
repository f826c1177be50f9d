package native_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

func days(from, to int) *syncline.Window {
	return &syncline.Window{From: time.Date(2026, 3, from, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 3, to, 0, 0, 0, 0, time.UTC)}
}

// stretched makes a pipeline whose runs can have a window.
func (f *fixture) stretched(cursor string) client.Pipeline {
	f.t.Helper()
	p, err := f.Adhoc(f.t.Context(), client.Adhoc{Source: "shop://u:canary@a", Destination: "shop://b", Dir: "/", Entities: []string{"orders"}, Cursor: cursor, Name: "orders" + cursor})
	f.must(err)
	return p
}

func TestBackfill(t *testing.T) {
	f := setup(t)
	p := f.stretched("at")
	order := client.Order{Window: days(1, 4), Every: "36h", DedupeKey: "once"}
	s, err := f.Start(t.Context(), p.Name, order)
	f.must(err)
	var got []string
	for _, r := range s.Runs {
		got = append(got, r.Window.From.UTC().Format("02T15")+"-"+r.Window.To.UTC().Format("02T15"))
	}
	if all := strings.Join(got, " "); all != "02T12-04T00 01T00-02T12" || s.How != "started" || s.Run.ID != s.Runs[0].ID || s.Runs[0].Waiting || !s.Runs[1].Waiting {
		t.Errorf("%s: %s", s.How, all)
	}
	again, err := f.Start(t.Context(), p.Name, order)
	f.must(err)
	if len(again.Runs) != 2 || again.Runs[1].ID != s.Runs[1].ID {
		t.Errorf("the same call has made other runs: %+v", again.Runs)
	}
	one, err := f.Start(t.Context(), p.Name, client.Order{Window: days(1, 3)})
	f.must(err)
	if len(one.Runs) != 1 || one.How != "queued" {
		t.Errorf("%s: %d runs", one.How, len(one.Runs))
	}
	r, err := f.Client.Run(t.Context(), one.Run.ID)
	f.must(err)
	if r.Window == nil || !r.Window.From.Equal(days(1, 3).From) || !r.Window.To.Equal(days(1, 3).To) {
		t.Errorf("window %+v", r.Window)
	}
}

func TestBackfillRefuses(t *testing.T) {
	f := setup(t)
	with, without := f.stretched("at").Name, f.stretched("").Name
	tests := map[string]struct {
		pipeline string
		order    client.Order
		field    string
	}{
		"no cursor":      {without, client.Order{Window: days(1, 2)}, "cursor"},
		"backwards":      {with, client.Order{Window: days(2, 1)}, "window"},
		"empty pieces":   {with, client.Order{Window: days(2, 2), Every: "1h"}, "window"},
		"empty":          {with, client.Order{Window: days(2, 2)}, "window"},
		"no window":      {with, client.Order{Every: "1h"}, "every"},
		"no length":      {with, client.Order{Window: days(1, 2), Every: "1d"}, "every"},
		"a negative one": {with, client.Order{Window: days(1, 2), Every: "-1h"}, "every"},
		"too many":       {with, client.Order{Window: days(1, 2), Every: "86s"}, "every"},
		"an old run":     {with, client.Order{Window: days(1, 2), Adopt: true}, "adopt"},
	}
	for name, test := range tests {
		_, err := f.Start(t.Context(), test.pipeline, test.order)
		e, ok := errors.AsType[*syncline.Error](err)
		if !ok || e.Code != syncline.InvalidArgument || e.Field != test.field || e.Hint == "" {
			t.Errorf("%s: %+v", name, err)
		}
	}
	if rs, err := f.Runs(t.Context(), client.RunFilter{}); err != nil || len(rs) != 0 {
		t.Errorf("%d runs were started: %v", len(rs), err)
	}
	s, err := f.Start(t.Context(), with, client.Order{Window: days(1, 2), Every: "87s"})
	f.must(err)
	if n := len(s.Runs); n != 994 {
		t.Errorf("%d runs", n)
	}
}
