package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/sqlstore"
)

// Beat extends the leases that are still held, on a connection of its own.
func (s *Store) Beat(ctx context.Context, held []syncline.Hold, ttl time.Duration) (answers []syncline.BeatAnswer, err error) {
	if len(held) == 0 {
		return nil, nil
	}
	err = run(ctx, s.beats, s.kinds.beat, func(ses *session) error {
		good, err := extend(ses, held, ttl)
		answers = good.Answers(held)
		return err
	})
	return answers, err
}

// Report stores progress and extends the leases it belongs to.
func (s *Store) Report(ctx context.Context, reports []syncline.TaskReport, ttl time.Duration) (answers []syncline.BeatAnswer, err error) {
	if len(reports) == 0 {
		return nil, nil
	}
	err = run(ctx, s.pool, s.kinds.update, func(ses *session) error {
		answers, err = sqlstore.NewTx(ses, flavor, nil).Report(reports, func(held []syncline.Hold) (sqlstore.Held, error) {
			return extend(ses, held, ttl)
		})
		return err
	})
	return answers, err
}

// Two beats of the same leases meet in the order of their keys, which is that of the
// statement's own list; if the planner takes another way and they deadlock, the session
// tries again. The clock is read for each row when it is ours: one that had to wait is
// still extended in full.
const extendLeases = `update {leases} l
	set seen_at = (date_part('epoch', clock_timestamp()) * 1000000)::bigint, expires_at = (date_part('epoch', clock_timestamp()) * 1000000)::bigint + $4::bigint
	from (select * from unnest($1::text[], $2::text[], $3::bigint[]) u(run_id, part, token) order by run_id, part) u
	where l.run_id = u.run_id and l.part = u.part and l.token = u.token
	returning l.run_id, l.part, l.token, l.ask`

func extend(ses *session, held []syncline.Hold, ttl time.Duration) (sqlstore.Held, error) {
	runs, parts, tokens := make([]string, len(held)), make([]string, len(held)), make([]int64, len(held))
	for i, h := range held {
		runs[i], parts[i], tokens[i] = h.Run, h.Part, h.Token
	}
	good := sqlstore.Held{}
	err := ses.Query(func(scan sqlstore.Scan) error {
		var h syncline.Hold
		var ask syncline.Ask
		err := scan(&h.Run, &h.Part, &h.Token, &ask)
		good[h] = ask
		return err
	}, extendLeases, runs, parts, tokens, ttl.Microseconds())
	if err != nil {
		return nil, fmt.Errorf("extend %d leases: %w", len(held), err)
	}
	return good, nil
}
