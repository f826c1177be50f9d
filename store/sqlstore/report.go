package sqlstore

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/synclinehq/syncline"
)

// Held says which holds were still good, and what is asked of their holders.
type Held map[syncline.Hold]syncline.Ask

// Answers lists what is held in the order it was asked for.
func (h Held) Answers(asked []syncline.Hold) []syncline.BeatAnswer {
	var all []syncline.BeatAnswer
	for _, a := range asked {
		if ask, ok := h[a]; ok {
			all = append(all, syncline.BeatAnswer{Run: a.Run, Part: a.Part, Ask: ask})
		}
	}
	return all
}

// Report stores the stats of those reports whose lease extend has found to be held.
func (t *Tx) Report(reports []syncline.TaskReport, extend func([]syncline.Hold) (Held, error)) ([]syncline.BeatAnswer, error) {
	var asked []syncline.Hold
	for _, r := range reports {
		asked = append(asked, syncline.Hold{Run: r.Run, Token: r.Token})
	}
	asked = unique(asked)
	held, err := extend(asked)
	if err != nil {
		return nil, err
	}
	reports = slices.DeleteFunc(slices.Clone(reports), func(r syncline.TaskReport) bool {
		_, ok := held[syncline.Hold{Run: r.Run, Token: r.Token}]
		return !ok
	})
	return held.Answers(asked), t.putReports(reports)
}

func unique[T comparable](all []T) []T {
	seen := make(map[T]bool, len(all))
	return slices.DeleteFunc(all, func(v T) bool {
		was := seen[v]
		seen[v] = true
		return was
	})
}

func (t *Tx) putReports(reports []syncline.TaskReport) error {
	if len(reports) == 0 {
		return nil
	}
	now, err := t.Now()
	if err != nil {
		return err
	}
	old, err := t.statsOf(reports)
	if err != nil {
		return err
	}
	args := make([][]any, len(reports))
	for i, r := range reports {
		r.Stats.At = moved(old[[2]string{r.Run, r.Task}], r.Stats, now)
		d, err := doc(r.Stats)
		if err != nil {
			return err
		}
		args[i] = []any{r.Run, r.Task, d}
	}
	_, err = t.s.Each(putStats, args)
	return wrapf(err, "store the progress of %d tasks", len(reports))
}

// moved is when a task last made progress.
func moved(was, is syncline.Stats, now time.Time) time.Time {
	a, b := was.Counts, is.Counts
	if a.Read == b.Read && a.Inserted == b.Inserted && a.Rejected == b.Rejected && !was.At.IsZero() {
		return was.At
	}
	return now
}

// statsOf reads the stored stats of the runs that are reported on, by run and task.
func (t *Tx) statsOf(reports []syncline.TaskReport) (map[[2]string]syncline.Stats, error) {
	var runs []string
	for _, r := range reports {
		runs = append(runs, r.Run)
	}
	old := map[[2]string]syncline.Stats{}
	err := t.s.Query(func(scan Scan) error {
		var key [2]string
		var d []byte
		if err := scan(&key[0], &key[1], &d); err != nil {
			return err
		}
		var s syncline.Stats
		if err := json.Unmarshal(d, &s); err != nil {
			return fmt.Errorf("read the stats of task %s: %w", key[1], err)
		}
		old[key] = s
		return nil
	}, `select run_id, task, doc from {task_stats} where run_id {any} $1 {end}`, t.f.List(unique(runs)))
	return old, wrapf(err, "read the progress of runs")
}
