package sqlstore

import (
	"fmt"

	"github.com/synclinehq/syncline"
)

// tallied are the answers to a run's questions.
type tallied struct {
	tasks       []*syncline.Task
	rejects     []int64
	definitions []*syncline.Definition
}

func (a *tallied) questions(r *syncline.Run) []Question {
	return []Question{
		into(&a.tasks, taskFrom, tasksInOrder, r.ID),
		into(&a.rejects, number, `select count(*) from {rejects} where run_id = $1`, r.ID),
		into(&a.definitions, fromDoc[*syncline.Definition], revisionDoc, r.PipelineID, r.Revision),
	}
}

func number(scan Scan) (n int64, err error) {
	err = scan(&n)
	return n, err
}

// Tally asks about all runs at once: they were locked at once, too.
func (t *Tx) Tally(rs ...*syncline.Run) ([]syncline.Tally, error) {
	answers := make([]tallied, len(rs))
	var qs []Question
	for i, r := range rs {
		qs = append(qs, answers[i].questions(r)...)
	}
	if err := t.s.Ask(qs...); err != nil {
		return nil, fmt.Errorf("tally %d runs: %w", len(rs), err)
	}
	all := make([]syncline.Tally, len(rs))
	for i, a := range answers {
		all[i] = syncline.Tally{Tasks: a.tasks}
		for _, n := range a.rejects {
			all[i].Rejects = n
		}
		if len(a.definitions) > 0 {
			all[i].Definition = a.definitions[0]
		}
	}
	return all, nil
}
