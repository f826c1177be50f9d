package measure

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// took makes a side that takes one duration after the other.
func took(turns *[]string, who string, times ...time.Duration) Side {
	return func(testing.TB) Sample {
		*turns = append(*turns, who)
		d := times[0]
		times = times[1:]
		return Sample{Count: 100, Took: d, RSS: int64(d / time.Second << 20)}
	}
}

func TestSidesTakeTurns(t *testing.T) {
	var turns []string
	*rounds = 3
	r := Compare(t, Comparison{
		Name: "turns", Against: "a clock", Unit: "rows/s", Bar: 1.2, MaxRSS: 10 << 20,
		Ours:   took(&turns, "a", 2*time.Second, 4*time.Second, 2*time.Second),
		Theirs: took(&turns, "b", 4*time.Second, 5*time.Second, 4*time.Second, 4*time.Second, 4*time.Second, 4*time.Second),
	})
	if got := strings.Join(turns, ""); got != "abbbbabab" {
		t.Errorf("turns %s", got)
	}
	if r.Ours != 50 || r.Theirs != 25 || r.Ratio != 2 || !r.Met {
		t.Errorf("medians: %+v", r)
	}
	if r.Floor != 1 || r.Spread < 0.19 || r.RSS != 4<<20 {
		t.Errorf("noise and memory: %+v", r)
	}
}

func TestVerdict(t *testing.T) {
	sample := func(took, rss int64) []Sample { return []Sample{{Count: 100, Took: time.Duration(took), RSS: rss}} }
	for name, c := range map[string]struct {
		ours, rss int64
		met       bool
	}{
		"fast":         {100, 10, true},
		"slow":         {120, 10, false},
		"fast but fat": {100, 11, false},
	} {
		r := Comparison{Bar: 0.9, MaxRSS: 10}.row([3][]Sample{sample(c.ours, c.rss), sample(100, 0), sample(100, 0)})
		if r.Met != c.met {
			t.Errorf("%s: met %v", name, r.Met)
		}
	}
	if !Bound(t, Limit{Value: 50, Bar: 50, AtMost: true}).Met || Bound(t, Limit{Value: 51, Bar: 50, AtMost: true}).Met || Bound(t, Limit{Value: 49, Bar: 50}).Met {
		t.Error("limits are not kept")
	}
}

func TestRunSeesTimeAndMemory(t *testing.T) {
	took, rss := Run(t, Shell("x=$(head -c 100000000 /dev/zero | tr '\\0' a); sleep 0.1"))
	if took < 100*time.Millisecond || rss < 90<<20 {
		t.Errorf("took %s, peak %d MiB", took, rss>>20)
	}
}

func TestFiguresAreKeptByName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results", "x.json")
	if _, err := keep(path, []Row{{Name: "a", Ours: 1}, {Name: "b", Ours: 2}}); err != nil {
		t.Fatal(err)
	}
	kept, err := keep(path, []Row{{Name: "b", Ours: 3}, {Name: "c", Ours: 4}})
	if err != nil || len(kept) != 3 || kept[0].Ours != 1 || kept[1].Ours != 3 || kept[2].Name != "c" {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

func TestDrawReplacesOneSection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.md")
	text := "# x\n<!-- results: a -->\nold\n<!-- end -->\nprose\n<!-- results: b -->\nother\n<!-- end -->\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := draw(path, "a", "new\n"); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(path)
	if want := strings.Replace(text, "old", "new", 1); string(got) != want {
		t.Errorf("drew\n%s", got)
	}
	if draw(path, "c", "new\n") == nil {
		t.Error("a section that is not there was drawn")
	}
}

func TestTable(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	got := Markdown([]Row{
		{Name: "a", Against: "b | c", Unit: "rows/s", Ours: 123456, Theirs: 2e6, Ratio: 0.0617, Floor: 1.02, Spread: 0.04, Bar: 0.9, RSS: 60 << 20, MaxRSS: 128 << 20, At: at, Machine: "m"},
		{Name: "wait", Unit: "ms", Ours: 12.345, Floor: 3, Bar: 50, AtMost: true, Met: true, At: at, Machine: "m"},
	})
	for _, line := range []string{
		`| a, against b \| c | 123 k rows/s | 2.00 M rows/s | 0.06 | 1.02 ± 4 % | ≥ 0.90 | **missed** | 60 MiB (≤ 128) |`,
		"| wait | 12.35 ms |  |  | 3 ms | ≤ 50 ms | met |  |",
		"Measured 2026-01-02: m.",
	} {
		if strings.Count(got, line) != 1 {
			t.Errorf("not once: %s\nin\n%s", line, got)
		}
	}
}
