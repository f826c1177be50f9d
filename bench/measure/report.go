package measure

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

var save = flag.Bool("save", false, "keep the figures, and draw them into docs/benchmarks.md")

// Row is one line of the table.
type Row struct {
	Name, Against, Unit string
	Ours, Theirs        float64
	Ratio               float64 // of the medians
	Floor, Spread       float64 // the reference against itself: median quotient, farthest from 1; a limit's noise
	Bar                 float64
	AtMost, Met         bool
	RSS, MaxRSS         int64
	Rounds              int
	At                  time.Time
	Machine             string
}

var reported struct {
	sync.Mutex
	rows []Row
}

func add(r Row) {
	reported.Lock()
	defer reported.Unlock()
	reported.rows = append(reported.rows, r)
}

// Report is what a suite's TestMain calls when its tests have run; see the package.
func Report(suite string) func() {
	return func() {
		reported.Lock()
		defer reported.Unlock()
		if len(reported.rows) == 0 {
			return
		}
		where := machine()
		for i := range reported.rows {
			reported.rows[i].Machine = where
		}
		fmt.Print("\n", Markdown(reported.rows), "\n")
		if !*save {
			return
		}
		// Tests run in the folder of their package, which is bench/SUITE.
		kept, err := keep(filepath.Join("..", "results", suite+".json"), reported.rows)
		if err == nil {
			err = draw(filepath.Join("..", "..", "docs", "benchmarks.md"), suite, Markdown(kept))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "keep the figures:", err)
			os.Exit(1)
		}
	}
}

// Markdown draws rows as one table, and below it where and when they were measured.
func Markdown(rows []Row) string {
	var b strings.Builder
	b.WriteString("| benchmark | Syncline | reference | ratio | noise | bar | | peak memory |\n|---|--:|--:|--:|--:|--:|---|--:|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", r.what(), r.amount(r.Ours), r.theirs(), r.ratio(), r.noise(), r.bar(), r.verdict(), r.peak())
	}
	for _, line := range measured(rows) {
		b.WriteString("\n" + line + "\n")
	}
	return b.String()
}

// measured says when and where, once for all rows that have it in common.
func measured(rows []Row) (lines []string) {
	seen := map[string]bool{}
	for _, r := range rows {
		line := fmt.Sprintf("Measured %s: %s.", r.At.Format(time.DateOnly), r.Machine)
		if !seen[line] {
			seen[line] = true
			lines = append(lines, line)
		}
	}
	return lines
}

func (r Row) String() string {
	beside := ""
	if r.Against != "" {
		beside = fmt.Sprintf(", reference %s, ratio %s (noise %s)", r.theirs(), r.ratio(), r.noise())
	}
	return fmt.Sprintf("%s: %s%s, bar %s %s%s", r.Name, r.amount(r.Ours), beside, r.bar(), r.verdict(), memory(r.RSS))
}

func (r Row) what() string {
	if r.Against == "" {
		return r.Name
	}
	return r.Name + ", against " + strings.ReplaceAll(r.Against, "|", `\|`)
}

func (r Row) amount(v float64) string { return short(v) + " " + r.Unit }

func (r Row) theirs() string {
	if r.Against == "" {
		return ""
	}
	return r.amount(r.Theirs)
}

func (r Row) ratio() string {
	if r.Against == "" {
		return ""
	}
	return fmt.Sprintf("%.2f", r.Ratio)
}

func (r Row) noise() string {
	switch {
	case r.Against == "" && r.Floor == 0:
		return ""
	case r.Against == "":
		return r.amount(r.Floor)
	}
	return fmt.Sprintf("%.2f ± %.0f %%", r.Floor, 100*r.Spread)
}

func (r Row) bar() string {
	switch {
	case r.AtMost:
		return "≤ " + r.amount(r.Bar)
	case r.Against == "":
		return "≥ " + r.amount(r.Bar)
	}
	return fmt.Sprintf("≥ %.2f", r.Bar)
}

func (r Row) verdict() string {
	if r.Met {
		return "met"
	}
	return "**missed**"
}

func (r Row) peak() string {
	if r.RSS == 0 {
		return ""
	}
	s := fmt.Sprintf("%d MiB", r.RSS>>20)
	if r.MaxRSS > 0 {
		s += fmt.Sprintf(" (≤ %d)", r.MaxRSS>>20)
	}
	return s
}

func memory(rss int64) string {
	if rss == 0 {
		return ""
	}
	return fmt.Sprintf(", peak %d MiB", rss>>20)
}

// short writes a figure with the digits that mean something.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.0f k", v/1e3)
	case v >= 100 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
