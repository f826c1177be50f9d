package elasticsearch

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"
)

// idOf is the id of a key of texts.
func idOf(key ...string) string {
	var columns []arrow.Array
	for _, k := range key {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		b.Append(k)
		columns = append(columns, b.NewArray())
	}
	return string(appendKeyID([]byte("before"), columns, 0)[len("before"):])
}

func TestIDs(t *testing.T) {
	long := strings.Repeat("x", maxID)
	for _, c := range []struct {
		key  []string
		want string
	}{
		{[]string{"42"}, "42"},
		{[]string{"a,b"}, "a,b"},
		{[]string{"a", "b"}, "a,b"},
		{[]string{"a,", `\b`}, `a\,,\\b`},
		{[]string{""}, "~"},
		{[]string{"", ""}, ","},
		{[]string{"~"}, "~~"},
		{[]string{long}, long},
	} {
		if got := idOf(c.key...); got != c.want {
			t.Errorf("%q: %q, want %q", c.key, got, c.want)
		}
	}
	if got := idOf(long + "x"); len(got) != 65 || got[0] != '~' {
		t.Errorf("a long key: %q", got)
	}
}

// TestIDsDiffer: different keys have different ids, whatever is in them.
func TestIDsDiffer(t *testing.T) {
	part := rapid.Custom(func(t *rapid.T) string {
		s := rapid.StringOf(rapid.SampledFrom([]rune{'~', ',', '\\', 'a', '0'})).Draw(t, "part")
		return s + strings.Repeat("y", rapid.SampledFrom([]int{0, 0, 0, 500, 510, 512}).Draw(t, "more"))
	})
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(t, "columns")
		key := rapid.SliceOfN(part, n, n)
		a, b := key.Draw(t, "a"), key.Draw(t, "b")
		if rapid.Bool().Draw(t, "hashed") {
			b = []string{idOf(a...)} // what looks like a hash is none
			a = a[:1]
		}
		same := strings.Join(a, "\x00") == strings.Join(b, "\x00")
		x, y := idOf(a...), idOf(b...)
		if (x == y) != same || len(x) > maxID || x == "" {
			t.Fatalf("%q → %q, %q → %q", a, x, b, y)
		}
	})
}
