package elastic

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func bytesOf(text string) *strings.Reader { return strings.NewReader(text) }

// However many documents match, a search holds no more than it may show, and shows the
// right ones.
func TestSearchKeepsWhatItShows(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	order := rand.New(rand.NewPCG(seed, 1)).Perm(5000)
	most := 0
	tp := &top{search: search{query: all{}, sort: []orderBy{{field: "n", down: true}}, from: 20, size: 10}}
	docs := func() iter.Seq2[*hit, error] {
		return func(yield func(*hit, error) bool) {
			for _, n := range order {
				most = max(most, len(tp.hits))
				if !yield(&hit{id: fmt.Sprint(n), doc: map[string]any{"n": int64(n)}}, nil) {
					return
				}
			}
		}
	}
	if err := tp.fill(docs()); err != nil {
		t.Fatal(err)
	}
	if tp.total != 5000 || len(tp.hits) != 30 || most > 2*30+100 {
		t.Errorf("%d of %d hits kept, %d at most", len(tp.hits), tp.total, most)
	}
	for i, h := range tp.hits {
		if h.id != fmt.Sprint(4999-i) {
			t.Errorf("hit %d is %s", i, h.id)
		}
	}
}

func TestSearchOrder(t *testing.T) {
	docs := []map[string]any{
		{"t": "2026-01-01T00:00:00.5Z", "n": int64(10)},
		{"t": "2026-01-01T01:00:00+02:00", "n": int64(9)},
		{"n": int64(9)},
		{"t": "2026-01-01T00:00:00.123456789Z"},
	}
	for _, test := range []struct {
		by   []orderBy
		want string
	}{
		{[]orderBy{{field: "t"}}, "[1 3 0 2]"},
		{[]orderBy{{field: "t", down: true}}, "[0 3 1 2]"},
		{[]orderBy{{field: "n"}, {field: "t"}}, "[1 2 0 3]"},
		{[]orderBy{{field: "_id", down: true}}, "[3 2 1 0]"},
		{nil, "[0 1 2 3]"},
	} {
		tp := &top{search: search{query: all{}, sort: test.by, size: 10}}
		for i, doc := range docs {
			tp.add(&hit{id: fmt.Sprint(i), doc: doc})
		}
		tp.cut()
		ids := []string{}
		for _, h := range tp.hits {
			ids = append(ids, h.id)
		}
		if got := fmt.Sprint(ids); got != test.want {
			t.Errorf("%v: %s, want %s", test.by, got, test.want)
		}
	}
}
