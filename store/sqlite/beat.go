package sqlite

import (
	"context"
	"encoding/json"
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

// The leases come as one list, since ten thousand statements take three times as long as
// one with ten thousand rows.
const extendLeases = `update {leases} set seen_at = $1, expires_at = $2
	from (select value ->> 0 as run_id, value ->> 1 as part, value ->> 2 as token from json_each($3)) u
	where {leases}.run_id = u.run_id and {leases}.part = u.part and {leases}.token = u.token
	returning run_id, part, token, ask`

func (d *DB) extend(s *session, held []syncline.Hold, ttl time.Duration) (sqlstore.Held, error) {
	now, err := d.now()
	if err != nil {
		return nil, err
	}
	list := make([][3]any, len(held))
	for i, h := range held {
		list[i] = [3]any{h.Run, h.Part, h.Token}
	}
	doc, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	good := sqlstore.Held{}
	err = s.Query(func(scan sqlstore.Scan) error {
		var h syncline.Hold
		var ask syncline.Ask
		err := scan(&h.Run, &h.Part, &h.Token, &ask)
		good[h] = ask
		return err
	}, extendLeases, now.UnixMicro(), now.Add(ttl).UnixMicro(), string(doc))
	return good, err
}
