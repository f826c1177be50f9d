package postgres

import (
	"slices"
	"strings"
	"testing"

	"github.com/synclinehq/syncline/store/sqlstore"
)

// TestMerged says what may be said together, and what must stay in its order.
func TestMerged(t *testing.T) {
	var lease, event string // statements with one row each
	for stmt, bulk := range sqlstore.Bulks {
		switch {
		case bulk.Table == "events":
			event = stmt
		case strings.HasPrefix(stmt, "delete from {leases}"):
			lease = stmt
		}
	}
	gone := func(run string) queued { return queued{stmt: lease, args: []any{run}} }
	said := func(run string, seq int64) queued {
		return queued{stmt: event, args: []any{run, seq, "{}"}, sure: true}
	}
	other := queued{stmt: "other"}
	for name, c := range map[string]struct {
		in   []queued
		want string // how many rows each statement has
	}{
		"nothing":           {nil, ""},
		"one":               {[]queued{said("a", 1)}, "1"},
		"two tables":        {[]queued{gone("a"), said("a", 1), gone("b"), said("b", 1)}, "2 2"},
		"one run twice":     {[]queued{said("a", 1), said("b", 1), said("a", 2)}, "2 1"},
		"another between":   {[]queued{said("a", 1), other, said("b", 1)}, "1 0 1"},
		"a twin that waits": {[]queued{said("a", 1), gone("a"), gone("b"), gone("a"), said("c", 1)}, "1 2 1 1"},
	} {
		var got []string
		for _, q := range merged(c.in) {
			rows := "1"
			if q.stmt == "other" {
				rows = "0"
			} else if list, ok := q.args[0].([]any); ok {
				rows = string(rune('0' + len(list)))
			}
			got = append(got, rows)
			if q.sure && q.many > 0 && (q.many != len(q.args) || q.args[q.many-1] != len(q.args[0].([]any))) {
				t.Errorf("%s: %d rows are sure, want %d", name, q.args[q.many-1], len(q.args[0].([]any)))
			}
		}
		if want := strings.Fields(c.want); !slices.Equal(got, want) {
			t.Errorf("%s: rows %v, want %v", name, got, want)
		}
	}
}
