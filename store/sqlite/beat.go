package sqlite

import (
	"context"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/sqlstore"
)

// Beat extends leases through the writer like any other change: a process that holds
// the file alone has no connection to lose.
func (d *DB) Beat(ctx context.Context, held []syncline.Hold, ttl time.Duration) (answers []syncline.BeatAnswer, err error) {
	if len(held) == 0 {
		return nil, nil
	}
	ctx, stop := sqlstore.Bound(ctx)
	defer stop()
	err = d.writer.do(ctx, func(s *session) error {
		good, err := d.extend(s, held, ttl)
		answers = good.Answers(held)
		return err
	})
	return answers, err
}

// Report stores stats and extends the leases of their runs.
func (d *DB) Report(ctx context.Context, reports []syncline.TaskReport, ttl time.Duration) (answers []syncline.BeatAnswer, err error) {
	if len(reports) == 0 {
		return nil, nil
	}
	ctx, stop := sqlstore.Bound(ctx)
	defer stop()
	err = d.writer.do(ctx, func(s *session) error {
		var err error
		answers, err = sqlstore.NewTx(s, flavor, d.now).Report(reports, func(held []syncline.Hold) (sqlstore.Held, error) {
			return d.extend(s, held, ttl)
		})
		return err
	})
	return answers, err
}

func (d *DB) extend(s *session, held []syncline.Hold, ttl time.Duration) (sqlstore.Held, error) {
	now, err := d.now()
	if err != nil {
		return nil, err
	}
	good := sqlstore.Held{}
	for _, h := range held {
		err := s.Query(func(scan sqlstore.Scan) error {
			var ask syncline.Ask
			err := scan(&ask)
			good[h] = ask
			return err
		}, `update {leases} set seen_at = $1, expires_at = $2 where run_id = $3 and part = $4 and token = $5 returning ask`,
			now.UnixMicro(), now.Add(ttl).UnixMicro(), h.Run, h.Part, h.Token)
		if err != nil {
			return nil, err
		}
	}
	return good, nil
}
