package rows_test

import (
	"slices"
	"testing"

	"github.com/synclinehq/syncline/rows"
)

func TestOrdinalsLeaveOutRejects(t *testing.T) {
	b := rows.Batch{First: 10, Rows: 4, Rejects: []rows.Reject{{Row: 11}, {Row: 12}, {Row: 15}}}
	if got := b.Ordinals(); !slices.Equal(got, []int64{10, 13, 14, 16}) {
		t.Errorf("%v", got)
	}
}
