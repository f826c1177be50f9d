package transfer

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline/rows"
)

func TestBoundBy(t *testing.T) {
	for want, w := range map[string]waits{
		"":            {},
		"source":      {reader: 1, writer: 5, total: 10},
		"destination": {reader: 5, writer: 1, total: 10},
		"cpu":         {reader: 1, writer: 1, total: 10},
	} {
		if got := w.boundBy(); got != want {
			t.Errorf("%+v: %q, want %q", w, got, want)
		}
	}
}

func TestMarks(t *testing.T) {
	m := seal("at", []byte{0, 1, 255})
	if got := unseal("at", m); !slices.Equal(got, []byte{0, 1, 255}) {
		t.Errorf("%v", got)
	}
	for name, got := range map[string][]byte{
		"another cursor": unseal("id", m), "none": unseal("at", nil), "foreign": unseal("at", []byte("17")), "no mark": seal("at", nil),
	} {
		if got != nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestDense compares the search in sorted ordinals with one that looks at every window.
func TestDense(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "n")
		width := rapid.Int64Range(1, 12).Draw(t, "width")
		var sorted []int64
		tripped := false
		for _, row := range rapid.SliceOfDistinct(rapid.Int64Range(0, 60), rapid.ID[int64]).Draw(t, "rows") {
			i, _ := slices.BinarySearch(sorted, row)
			sorted = slices.Insert(sorted, i, row)
			tripped = tripped || dense(sorted, i, n, width)
		}
		want := false
		for from := range int64(61) {
			in := 0
			for _, row := range sorted {
				if row >= from && row < from+width {
					in++
				}
			}
			want = want || in > n
		}
		if tripped != want {
			t.Fatalf("more than %d of %d in %v: %t, want %t", n, width, sorted, tripped, want)
		}
	})
}

// TestPurseGoesOnWithAnOpenTransaction: when the budget is spent, the lane that others may
// be waiting for reads with what it has, and the others wait.
func TestPurseGoesOnWithAnOpenTransaction(t *testing.T) {
	budget := rows.NewBudget(rows.MaxBatchBytes)
	p := newPurse(budget)
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	paid, err := p.take(ctx)
	if err != nil {
		t.Fatal(err)
	}
	paid = p.weigh(paid, &rows.Batch{Bytes: 5})
	if paid != rows.MaxBatchBytes {
		t.Fatalf("an open transaction gave back what it may need: %d left", paid)
	}
	p.spent(paid, true)
	if paid, err = p.take(ctx); err != nil || paid != rows.MaxBatchBytes {
		t.Fatalf("the next batch: %d, %v", paid, err)
	}
	paid = p.weigh(paid, &rows.Batch{Bytes: 5, Next: []byte("here")})
	if paid != 5 {
		t.Errorf("%d are kept of a batch of 5 bytes", paid)
	}
	p.spent(paid, false)
	if _, ok := budget.Try(rows.MaxBatchBytes); !ok {
		t.Error("not everything was given back")
	}
}
