package pgcopy_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/rows"
)

func texts(fields ...string) []byte {
	t := []byte{0, byte(len(fields))}
	for _, f := range fields {
		t = append(t, 0, 0, 0, byte(len(f)))
		t = append(t, f...)
	}
	return t
}

func TestEnds(t *testing.T) {
	raw := slices.Concat(texts("a", "bc"), texts("", "d"), texts("e", "f"))
	ends, err := pgcopy.Ends(raw, 2)
	if err != nil || !slices.Equal(ends, []int{13, 24, 36}) {
		t.Fatal(ends, err)
	}
	for _, bad := range [][]byte{raw[:len(raw)-1], raw[:1], slices.Concat(raw, pgcopy.Trailer), slices.Concat(raw, texts("x"))} {
		if ends, err := pgcopy.Ends(bad, 2); !errors.Is(err, pgcopy.ErrMalformed) {
			t.Errorf("%q: %v %v", bad, ends, err)
		}
	}
	if ends, err := pgcopy.Ends(nil, 2); ends != nil || err != nil {
		t.Error(ends, err)
	}
}

func TestDraw(t *testing.T) {
	d, err := pgcopy.NewDecoder(arrow.NewSchema([]arrow.Field{
		rows.Field("id", arrow.BinaryTypes.String, false, "pg:text"), rows.Field("no te", arrow.BinaryTypes.String, true, "pg:text"),
	}, nil))
	if err != nil {
		t.Fatal(err)
	}
	key, err := d.Key(texts("k", "v"), []string{"no te", "id"})
	if key != "v,k" || err != nil {
		t.Error(key, err)
	}
	sample, err := d.Sample(texts("k", "a\nb"))
	if string(sample) != `id="k" no te="a\nb" ` || err != nil {
		t.Errorf("%s %v", sample, err)
	}
}
