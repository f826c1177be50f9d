package rows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/synclinehq/syncline/rows"
)

func TestBudget(t *testing.T) {
	b := rows.NewBudget(10)
	if n, err := b.Take(t.Context(), 100); n != 10 || err != nil {
		t.Fatalf("more than there is: took %d, %v; want all 10", n, err)
	}
	if _, ok := b.Try(1); ok {
		t.Error("took one of none")
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if _, err := b.Take(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a taker whose context ended: %v", err)
	}
	b.Give(0)
	b.Give(10)
	if n, ok := b.Try(11); !ok || n != 10 {
		t.Errorf("tried for all: %d, %v", n, ok)
	}
	b.Give(10)
}
