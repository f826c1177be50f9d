package postgres

import (
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// FuzzPosition: whatever is stored as bounds and position, it is refused or it is what is
// stored again; and a plan of it can be looked through for what was read.
func FuzzPosition(f *testing.F) {
	for _, s := range [][2]string{
		{`{"order":["id","b"]}`, `{"rows":7,"at":["1","x\"y"]}`},
		{`{"order":["id"]}`, `{"rows":7}`},
		{`{"pages":{"leaf":{"oid":1,"file":2,"oldest":3},"from":0,"to":9,"open":true,"step":4},"server":"1/00000001"}`, `{"rows":1,"block":-1}`},
		{`{"pages":{"from":5,"to":1}}`, `{"rows":-1,"block":9223372036854775807}`},
		{`{"changed":[{"leaf":{"oid":1},"from":0,"to":1,"step":1}]}`, `{"rows":0,"block":0}`},
		{`{"census":true}`, `{}`},
		{`{"void":true}`, `x`},
		{``, `null`},
	} {
		f.Add([]byte(s[0]), []byte(s[1]), true)
	}
	f.Fuzz(func(t *testing.T, limits, next []byte, done bool) {
		if len(limits) == 0 {
			limits = nil
		}
		part := source.Part{ID: "0", Bounds: limits}
		b, at, err := parsePart(part, next)
		if err != nil {
			return
		}
		if len(at.At) != len(b.Order) && !b.Void {
			t.Fatalf("a place after %d values in an order of %d", len(at.At), len(b.Order))
		}
		again := stored(t, b)
		b2, at2, err := parsePart(source.Part{ID: "0", Bounds: again}, stored(t, at))
		if err != nil || !reflect.DeepEqual(stored(t, b2), again) || !b.Void && !reflect.DeepEqual(stored(t, at2), stored(t, at)) {
			t.Fatalf("%+v %+v came back as %+v %+v: %v", b, at, b2, at2, err)
		}
		seen, _, err := review([]source.Part{part}, &lie{server: b.Server}, map[string]rows.Position{"0": {Next: next, Done: done}})
		if err == nil && len(seen) > 0 {
			t.Fatalf("blocks of a table that cannot be read by them are gone on with: %+v", seen)
		}
	})
}

func stored(t *testing.T, v any) []byte {
	t.Helper()
	doc, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// FuzzPattern: whatever a person asks for is refused or matched, and a relation's own name
// means that relation.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"orders", "public.*", `public."Odd.Name"`, "*", "?", `"`, `"a""b".c`, "a.b.c", "日本.é", "[a-z](", "\xff", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := parsePattern(s); err == nil && s == "" {
			t.Fatal("nothing is taken for a pattern")
		}
		if n := (name{"public", s}); s != "" && utf8.ValidString(s) {
			p, err := parsePattern(n.String())
			r := &relation{name: n}
			if err != nil || !p.plain || len(p.match([]*relation{r, {name: name{"public", s + "x"}}}, nil)) != 1 {
				t.Fatalf("%s does not mean the table %q: %v", n, s, err)
			}
		}
	})
}
