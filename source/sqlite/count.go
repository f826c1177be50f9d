package sqlite

import (
	"context"
	"strconv"
	"strings"

	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/source"
)

// Tables up to so many rows are counted: that takes a blink.
const cheap = 2_000_000

// estimate says how many rows a table has, as far as that costs nothing.
func estimate(c *sqlitefile.Conn, t *table) (n int64, from string, err error) {
	if t.kind != "table" {
		return -1, "", nil
	}
	if t.rowid == "" {
		return statistics(c, t)
	}
	n, err = span(c, t)
	if err != nil {
		return -1, "", failed(t.name, err)
	}
	// Row numbers with large gaps say nothing: a row takes some bytes of the file.
	const least = 4
	bytes, err := c.Int("select page_count * page_size from pragma_page_count, pragma_page_size")
	if err != nil || n > bytes/least {
		return statistics(c, t)
	}
	return n, "range of row numbers", nil
}

func span(c *sqlitefile.Conn, t *table) (int64, error) {
	id, from := sqlitefile.Quote(t.rowid), " from main."+sqlitefile.Quote(t.name)
	// Two statements: one with both would read the whole table.
	first, err := c.Int("select min(" + id + ")" + from)
	if err != nil {
		return 0, err
	}
	var last int64
	rows := int64(0)
	err = c.Each(func(s *sqlitefile.Stmt) error {
		if s.Class(0) != sqlitefile.Null {
			last, rows = s.Int(0), 1
		}
		return nil
	}, "select max("+id+")"+from)
	if rows == 0 || err != nil {
		return 0, err
	}
	if n := last - first + 1; n > 0 {
		return n, nil
	}
	return 1<<63 - 1, nil // from one end of the integers to the other
}

// statistics are what the last ANALYZE found.
func statistics(c *sqlitefile.Conn, t *table) (n int64, from string, err error) {
	there, err := c.Int("select count(*) from sqlite_schema where name = 'sqlite_stat1'")
	if err != nil || there == 0 {
		return -1, "", err
	}
	n = -1
	err = c.Each(func(s *sqlitefile.Stmt) error {
		first, _, _ := strings.Cut(s.String(0), " ")
		if rows, err := strconv.ParseInt(first, 10, 64); err == nil {
			n, from = rows, "planner statistics"
		}
		return nil
	}, "select stat from sqlite_stat1 where tbl = ? limit 1", t.name)
	return n, from, err
}

// Count counts what a query reads.
func (s *Source) Count(ctx context.Context, q source.Query) (n int64, err error) {
	err = s.view(ctx, func(c *sqlitefile.Conn) error {
		t, err := find(c, q.Entity.Name)
		if err != nil {
			return err
		}
		if err := checkCursor(c, t, q); err != nil {
			return err
		}
		scan, err := begin(c, t, q)
		if err != nil {
			return err
		}
		where, args := scan.where()
		n, err = c.Int("select count(*) from main."+sqlitefile.Quote(t.name)+where, args...)
		return failed(t.name, err)
	})
	return n, err
}
