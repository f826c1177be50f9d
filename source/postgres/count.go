package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/source"
)

// countable is a table that is counted: more takes too long for the end of a bar.
const countable = 128 << 20

// Count counts the rows of a small table.
func (s *Source) Count(ctx context.Context, q source.Query) (n int64, err error) {
	r, err := s.relation(ctx, q.Entity.Name)
	if err != nil {
		return 0, err
	}
	if !r.isTable() || r.bytes > countable || q.Mode == syncline.ModeIncremental || q.Window != nil {
		return 0, syncline.Errorf(syncline.Unimplemented, "counting %s would take long", q.Entity.Name).Of(syncline.ClassSource)
	}
	err = s.ask(ctx, "count "+q.Entity.Name, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, "select count(*) from "+r.from()).Scan(&n)
	})
	return n, err
}
