package sqlstore

import (
	"fmt"
	"time"
)

const final = `state in ('succeeded', 'failed', 'canceled', 'skipped') and (parent_run || '') = ''`

// Prunable selects the final runs of a pipeline that retention lets go, the oldest first.
func (t *Tx) Prunable(pipelineID string, keep int, cutoff time.Time, limit int) ([]string, error) {
	var ids []string
	if !cutoff.IsZero() {
		old, err := list(t, text, `select id from {runs} where pipeline_id = $1 and ended_at < $2 and ended_at is not null and `+final+`
			order by ended_at, id limit $3`, pipelineID, micros(cutoff), most(limit))
		if err != nil {
			return nil, fmt.Errorf("select old runs of pipeline %s: %w", pipelineID, err)
		}
		ids = old
	}
	if keep > 0 && len(ids) < most(limit) {
		more, err := t.beyondNewest(pipelineID, keep, cutoff, most(limit)-len(ids))
		if err != nil {
			return nil, err
		}
		ids = append(ids, more...)
	}
	return ids, nil
}

// beyondNewest selects those that are not among the newest and no older than cutoff.
func (t *Tx) beyondNewest(pipelineID string, keep int, cutoff time.Time, limit int) ([]string, error) {
	var at int64
	var id string
	found, err := t.one(`select created_at, id from {runs} where pipeline_id = $1 and `+final+`
		order by created_at desc, id desc limit 1 offset $2`, []any{pipelineID, keep}, &at, &id)
	if err != nil || !found {
		return nil, wrapf(err, "count the runs of pipeline %s", pipelineID)
	}
	ids, err := list(t, text, `select id from {runs} where pipeline_id = $1 and (created_at, id) <= ($2, $3) and `+final+`
		and (ended_at is null or ended_at >= $4) order by created_at, id limit $5`, pipelineID, at, id, micros(cutoff), limit)
	return ids, wrapf(err, "select surplus runs of pipeline %s", pipelineID)
}

// wrapf adds its noun to an error, and nothing to nil.
func wrapf(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
