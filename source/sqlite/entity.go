package sqlite

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/sqlitetype"
	"github.com/synclinehq/syncline/format/typename"
	"github.com/synclinehq/syncline/source"
)

// Entities lists tables and views by their plain names. In patterns "main." may stand
// before a name.
func (s *Source) Entities(ctx context.Context, patterns []string) (found []source.Entity, err error) {
	err = s.view(ctx, func(c *sqlitefile.Conn) error {
		all, err := list(c)
		if err != nil {
			return err
		}
		chosen, err := choose(all, patterns)
		if err != nil {
			return err
		}
		found, err = s.describeAll(c, chosen, patterns)
		return err
	})
	return found, err
}

// describeAll leaves out a view that does not work, unless it was asked for by name.
func (s *Source) describeAll(c *sqlitefile.Conn, chosen []listed, patterns []string) (found []source.Entity, err error) {
	for _, l := range chosen {
		e, err := entity(c, l)
		switch {
		case err == nil:
			found = append(found, e)
		case syncline.CodeOf(err) == syncline.FailedPrecondition && !slices.Contains(patterns, l.name):
			s.log.Warn("left out: it cannot be read", "entity", l.name, "error", err)
		default:
			return nil, err
		}
	}
	return found, nil
}

func entity(c *sqlitefile.Conn, l listed) (source.Entity, error) {
	t, err := describe(c, l)
	if err != nil {
		return source.Entity{}, err
	}
	fields := make([]arrow.Field, len(t.columns))
	for i, col := range t.columns {
		if col, err = zoned(c, t, col); err != nil {
			return source.Entity{}, err
		}
		fields[i] = sqlitetype.Field(col.name, col.declared, !col.notNull)
	}
	e := source.Entity{Name: t.name, Schema: arrow.NewSchema(fields, nil), Key: t.key, Rows: -1, Bytes: -1}
	e.Cursors = candidates(t, e.Schema)
	e.Rows, e.EstimateFrom, err = estimate(c, t)
	return e, err
}

// zoned looks whether a column declared TIMESTAMP or DATETIME holds times with an offset,
// as Go's drivers write them: SQLite has no word for that which people use.
func zoned(c *sqlitefile.Conn, t *table, col column) (column, error) {
	f := sqlitetype.Field(col.name, col.declared, true)
	if t.kind != "table" || !arrow.TypeEqual(f.Type, typename.Timestamp) || strings.Contains(col.declared, `"`) {
		return col, nil
	}
	name := sqlitefile.Quote(col.name)
	n, err := c.Int("select count(*) from (select " + name + " as v from main." + sqlitefile.Quote(t.name) + " limit 100)" +
		" where v glob '????-??-??[T ]??:??:*[+-]??:??' or v glob '????-??-??[T ]??:??:*Z'")
	if n > 0 {
		col.declared = "TIMESTAMP WITH TIME ZONE"
	}
	return col, failed(t.name, err)
}

// choose picks what matches, each once, in the order of names.
func choose(all []listed, patterns []string) ([]listed, error) {
	if len(patterns) == 0 {
		return all, nil
	}
	taken := make([]bool, len(all))
	for _, p := range patterns {
		matches := matcher(p)
		some := false
		for i, l := range all {
			if matches(l.name) {
				taken[i], some = true, true
			}
		}
		if !some {
			return nil, nothing(p, all)
		}
	}
	var chosen []listed
	for i, l := range all {
		if taken[i] {
			chosen = append(chosen, l)
		}
	}
	return chosen, nil
}

// matcher compares as SQLite does, without regard to the case of letters; * stands for
// any run of characters and ? for one.
func matcher(pattern string) func(name string) bool {
	draw := func(p string) *regexp.Regexp {
		p = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(p))
		return regexp.MustCompile(`(?is)^` + p + `$`)
	}
	whole, bare := draw(pattern), draw(strings.TrimPrefix(pattern, "main."))
	return func(name string) bool { return whole.MatchString(name) || bare.MatchString(name) }
}

func nothing(pattern string, all []listed) error {
	e := syncline.Errorf(syncline.NotFound, "no table or view matches %q", pattern).Of(syncline.ClassConfig)
	if len(all) == 0 {
		return e.Try("the file holds no tables: is it the right one?")
	}
	const most = 20
	names := make([]string, 0, most)
	for _, l := range all[:min(len(all), most)] {
		names = append(names, l.name)
	}
	more := ""
	if len(all) > most {
		more = ", …"
	}
	return e.Try("there is: %s%s", strings.Join(names, ", "), more)
}
