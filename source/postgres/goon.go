package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// changes are the stretches that earlier snapshots were read of: what has changed there
// since is read again.
type changes []pages

// What IDs of parts begin with that go on.
const (
	changed = "changed"
	census  = "census"
)

// horizon is how many transactions a plan may lie behind: their numbers are compared in a
// circle of 2³².
const horizon = 1 << 30

// GoOn amends the plan of an earlier attempt for a snapshot of now. Rows that are as old as
// the plan lie where they lay; of what was read already, rows that are younger are read
// again, and if any row is gone, a census names those that are there.
func (s *Source) GoOn(ctx context.Context, q source.Query, p source.Plan, at map[string]rows.Position) (source.Plan, error) {
	r, err := s.relation(ctx, q.Entity.Name)
	if err == nil {
		err = r.changed(q)
	}
	if err != nil {
		return p, err
	}
	l, err := s.lying(ctx, r, q)
	if err != nil {
		return p, err
	}
	p.Session = []byte(l.snapshot)
	return s.goOn(ctx, r, q, l, p, at)
}

func (s *Source) goOn(ctx context.Context, r *relation, q source.Query, l *lie, p source.Plan, at map[string]rows.Position) (source.Plan, error) {
	seen, read, err := review(p.Parts, l, at)
	if err != nil || len(seen) == 0 {
		return p, err
	}
	still, err := s.unchanged(ctx, r, q, p, seen, l.snapshot)
	if err != nil {
		return p, err
	}
	begun := slices.ContainsFunc(p.Parts, func(part source.Part) bool { return strings.HasPrefix(part.ID, census) })
	p.Parts = append(retire(p.Parts), later(changed, len(p.Parts), bounds{Changed: seen}))
	if still < read || begun { // one that was begun must be ended by another
		p.Parts = append(p.Parts, later(census, len(p.Parts), bounds{Census: true}))
	}
	return p, nil
}

// later is a part that is read when all others are done. Its ID is one that no earlier
// attempt has given.
func later(what string, n int, b bounds) source.Part {
	doc, _ := json.Marshal(b) // numbers and strings always encode
	return source.Part{ID: fmt.Sprintf("%s-%d", what, n), Bounds: doc, Rows: -1, After: true}
}

// retire ends parts that earlier attempts went on with: a newer snapshot takes their place.
func retire(parts []source.Part) []source.Part {
	parts = slices.Clone(parts)
	for i := range parts {
		if parts[i].After {
			parts[i].Bounds, _ = json.Marshal(bounds{Void: true})
		}
	}
	return parts
}

// review finds the stretches that were read, and how many rows came of them.
func review(parts []source.Part, l *lie, at map[string]rows.Position) (seen changes, read int64, err error) {
	var planned []leaf
	for _, part := range parts {
		b, from, err := parsePart(part, at[part.ID].Next)
		if err != nil {
			return nil, 0, err
		}
		if b.Pages == nil {
			continue
		}
		if planned = append(planned, b.Pages.Leaf); b.Server != l.server {
			return nil, 0, planVoid("it is another server, or one that was set back")
		}
		if p, ok := b.Pages.until(from, at[part.ID].Done); ok {
			seen, read = append(seen, p), read+at[part.ID].Counts.Read
		}
	}
	if len(planned) > 0 && !l.same(planned) {
		return nil, 0, planVoid("the tables that hold its rows were rewritten, or are others")
	}
	return seen, read, nil
}

// until is the stretch that was read.
func (p pages) until(at place, done bool) (pages, bool) {
	if done {
		return p, true
	}
	if at.Block == nil {
		return p, false
	}
	p.To, p.Open = *at.Block, false
	return p, true
}

// same reports whether the leaves are those of the plan, with their rows where they were.
func (l *lie) same(planned []leaf) bool {
	if !l.readable {
		return false
	}
	then, now := map[uint32]uint32{}, map[uint32]uint32{}
	for _, x := range planned {
		then[x.OID] = x.File
	}
	for _, x := range l.leaves {
		now[x.OID] = x.File
	}
	if len(then) != len(now) {
		return false
	}
	for oid, file := range then {
		if now[oid] != file {
			return false
		}
	}
	return true
}

// unchanged counts the rows of what was read that are as old as the plan, in the snapshot
// that is gone on with. It is never more than were read.
func (s *Source) unchanged(ctx context.Context, r *relation, q source.Query, p source.Plan, seen changes, snapshot string) (n int64, err error) {
	c, err := s.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer hangUp(c)
	if err := begin(ctx, c, snapshot); err != nil {
		return 0, s.explain(ctx, err, "see what has changed in %s", q.Entity.Name)
	}
	for _, x := range seen {
		m, err := s.unchangedIn(ctx, c, s.conditions(r, q, p.Until), x)
		if err != nil {
			return 0, s.explain(ctx, err, "see what has changed in %s", q.Entity.Name)
		}
		n += m
	}
	return n, nil
}

func (s *Source) unchangedIn(ctx context.Context, c *pgx.Conn, conditions []string, x pages) (n int64, err error) {
	name, err := x.Leaf.table(ctx, c)
	if err == nil {
		err = x.Leaf.comparable(ctx, c)
	}
	if err != nil {
		return 0, err
	}
	conditions = append(slices.Clone(conditions), append(x.condition(), "not ("+x.Leaf.younger()+")")...)
	err = c.QueryRow(ctx, "select count(*) from only "+name+where(conditions)).Scan(&n)
	return n, err
}

func (p pages) condition() []string {
	if p.Open {
		return stretch(p.From, endless)
	}
	return stretch(p.From, p.To)
}

// younger holds for rows that a transaction wrote which was open when the plan was made, or
// began later. The server compares the ages of transactions; rows that were frozen long ago
// may look young and are then read once more than needed.
func (x leaf) younger() string {
	return fmt.Sprintf("pg_catalog.age(xmin) <= pg_catalog.age('%d'::xid)", uint32(x.Oldest))
}

func (x leaf) comparable(ctx context.Context, c *pgx.Conn) error {
	var now int64
	err := c.QueryRow(ctx, "select pg_snapshot_xmax(pg_current_snapshot())::text::int8").Scan(&now)
	if err == nil && now-x.Oldest > horizon {
		return planVoid("too many transactions have gone by")
	}
	return err
}

// changed reads again what has changed where earlier snapshots were read.
func (r *reader) changed(ctx context.Context, c *pgx.Conn, rel *relation, seen changes) error {
	conditions := r.source.conditions(rel, r.query, r.plan.Until)
	for _, x := range seen {
		name, err := x.Leaf.table(ctx, c)
		if err != nil {
			return err
		}
		within := append(slices.Clone(conditions), append(x.condition(), x.Leaf.younger())...)
		r.block = new(int64) // whoever goes on begins this part anew
		if err := r.copy(ctx, c, r.source.copySQLFrom("only "+name, r.schema, within, nil)); err != nil || r.stopped {
			return err
		}
		r.requests++
	}
	return nil
}

func planVoid(why string) error {
	return syncline.Errorf(syncline.Aborted, "the plan is void: %s", why).Of(syncline.ClassSource).Because("plan_void").Again()
}
