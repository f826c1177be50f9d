package jsontext

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// FuzzValid holds the walker to encoding/json, but for what it is stricter or looser in:
// invalid UTF-8, and depth.
func FuzzValid(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+3,true,null,"\u00e9\n"]}`, `[`, `{"a":1,}`, "01", `"\ud800"`, " 1 ", `""`, "-", "1.", `{"a" : {} , "b":[ ]}`, "\"\x7f\"", "nulll"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := json.Valid([]byte(s)) && utf8.ValidString(s)
		if strings.Count(s, "[")+strings.Count(s, "{") > MaxDepth {
			return
		}
		if err := Valid(s); (err == nil) != want {
			t.Fatalf("%q: %v, encoding/json says %v", s, err, want)
		}
	})
}

func TestDepthIsBounded(t *testing.T) {
	for _, depth := range []int{MaxDepth, MaxDepth + 1} {
		arrays := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		objects := strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
		for _, s := range []string{arrays, objects} {
			if err := Valid(s); (err != nil) != (depth > MaxDepth) {
				t.Errorf("%.8s… nested %d deep: %v", s, depth, err)
			}
		}
	}
}

func TestStringsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		quoted := string(AppendQuoted(nil, s))
		if end, err := String(quoted, 0); err != nil || end != len(quoted) {
			t.Fatalf("%q ends at %d: %v", quoted, end, err)
		}
		back, err := AppendUnquoted(nil, quoted)
		if err != nil || string(back) != s {
			t.Fatalf("%q came back as %q (%v)", s, back, err)
		}
		std, _ := json.Marshal(s)
		if back, err := AppendUnquoted(nil, string(std)); err != nil || string(back) != s {
			t.Fatalf("%s was read as %q (%v)", std, back, err)
		}
	})
}

func TestHalfPairs(t *testing.T) {
	for _, s := range []string{`"\ud800"`, `"\udc00\ud800"`, `"\ud800\u0041"`, `"\ud800x"`} {
		if _, err := String(s, 0); err != nil {
			t.Errorf("%s is JSON: %v", s, err)
		}
		if got, err := AppendUnquoted(nil, s); err == nil {
			t.Errorf("%s stands for %q", s, got)
		}
	}
}
