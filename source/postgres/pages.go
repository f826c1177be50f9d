package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline/format/pgurl"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// A keyed table is read as it lies on disk, which costs what COPY of the whole table costs,
// in parts of so many bytes, step by step: a batch ends with a step, for only there is a
// place to go on from, and holds as many steps as make it half full. So a step brings less
// than half a batch.
const (
	partBytes = 256 << 20
	stepBytes = rows.MaxBatchBytes / 3
	stepRows  = rows.MaxBatchRows / 3
	// crowded is more rows than a block of the usual size can hold; nobody knows how many
	// there are in a table that was never analyzed.
	crowded = 226
	// shareBytes is the least that is worth a lane of its own.
	shareBytes = 16 << 20
)

// pages is a stretch of a table's blocks, [From, To). An open one has no end: rows that
// came since it was planned lie behind To.
type pages struct {
	Leaf leaf  `json:"leaf"`
	From int64 `json:"from"`
	To   int64 `json:"to"`
	Open bool  `json:"open,omitempty"`
	Step int64 `json:"step"` // blocks of one statement
}

// leaf is a table that holds rows itself: the entity, or one of its partitions, as the
// first snapshot saw it.
type leaf struct {
	OID  uint32 `json:"oid"`
	File uint32 `json:"file"` // where its rows lie; another one when it was rewritten
	// Oldest is the oldest transaction that was open then: whatever a later snapshot shows
	// that is older was there already.
	Oldest int64 `json:"oldest"`

	name   string // quoted
	blocks int64
	bytes  int64 // with what is stored out of line
}

// lie tells how a relation lies on disk: its leaves, and what the server can say of it.
type lie struct {
	snapshot string
	server   string // the database system and its timeline
	leaves   []leaf
	readable bool // block by block
}

// timelineSQL names the system and its timeline: transaction numbers mean the same only
// within one.
const timelineSQL = `select system_identifier::text || '/' || case when pg_is_in_recovery()
  then (select timeline_id::text from pg_control_checkpoint()) else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end
from pg_control_system()`

// leavesSQL lists the tables that hold an entity's rows. One is read by itself only where
// that shows what reading the entity would: the role may, and no policy hides rows.
const leavesSQL = `
select c.oid, c.relfilenode, format('%I.%I', n.nspname, c.relname), pg_relation_size(c.oid) / current_setting('block_size')::int,
  pg_table_size(c.oid), pg_snapshot_xmin(pg_current_snapshot())::text::int8,
  c.relkind = 'r' and c.relfilenode <> 0 and m.amname = 'heap' and has_table_privilege(c.oid, 'select') and (c.oid = $1 or not top.relrowsecurity and has_schema_privilege(n.oid, 'usage'))
from pg_class top join pg_class c on c.oid = top.oid and top.relkind = 'r' or top.relkind = 'p' and c.oid in (select relid from pg_partition_tree($1) where isleaf)
join pg_namespace n on n.oid = c.relnamespace left join pg_am m on m.oid = c.relam
where top.oid = $1 order by c.oid`

// blockRanges is the version from which ranges of ctid are read without looking at the rest.
const blockRanges = 140_000

// lying looks how a relation lies in a new snapshot, which stays exported.
func (s *Source) lying(ctx context.Context, r *relation, q source.Query) (*lie, error) {
	l := &lie{readable: s.version >= blockRanges && r.isTable() && byBlocks(q)}
	if l.readable {
		err := s.ask(ctx, "look at "+q.Entity.Name, func(ctx context.Context, c *pgx.Conn) error {
			return c.QueryRow(ctx, timelineSQL).Scan(&l.server)
		})
		if err != nil && !refusedByServer(err) {
			return nil, err
		}
		l.readable = err == nil // a service that hides its files is read by key
	}
	return l, s.newSnapshot(ctx, q.Entity.Name, func(c *pgx.Conn, id string) (err error) {
		l.snapshot = id
		if l.readable {
			err = l.find(ctx, c, r.oid)
		}
		return err
	})
}

func refusedByServer(err error) bool { return pgurl.State(err) != "" && !pgurl.Lost(err) }

func (l *lie) find(ctx context.Context, c *pgx.Conn, oid uint32) error {
	found, err := c.Query(ctx, leavesSQL, oid)
	if err != nil {
		return err
	}
	var x leaf
	var readable bool
	_, err = pgx.ForEachRow(found, []any{&x.OID, &x.File, &x.name, &x.blocks, &x.bytes, &x.Oldest, &readable}, func() error {
		l.leaves = append(l.leaves, x)
		l.readable = l.readable && readable
		return nil
	})
	return err
}

// parts splits the blocks so that lanes can share them.
func (l *lie) parts(parallel int, estimate int64) []source.Part {
	var all int64
	for _, x := range l.leaves {
		all += x.bytes
	}
	size := max(shareBytes, min(partBytes, all/int64(max(parallel, 1))+1))
	var parts []source.Part
	perBlock := int64(crowded)
	if estimate >= 0 {
		perBlock = 1 + estimate/max(1, l.blocks())
	}
	for _, x := range l.leaves {
		for _, p := range x.split(size, max(1, min(stepBytes/x.perBlock(), stepRows/perBlock))) {
			part := source.Part{ID: fmt.Sprintf("%04d", len(parts)), Rows: -1}
			part.Bounds, _ = json.Marshal(bounds{Pages: &p, Server: l.server}) // numbers and strings always encode
			if estimate >= 0 && all > 0 {
				part.Rows = int64(float64(estimate) * float64((p.To-p.From)*x.perBlock()) / float64(all))
			}
			parts = append(parts, part)
		}
	}
	return parts
}

func (l *lie) blocks() (n int64) {
	for _, x := range l.leaves {
		n += x.blocks
	}
	return n
}

// split cuts a leaf into stretches of about so many bytes; the last one is open.
func (x leaf) split(size, step int64) []pages {
	n := max(1, (x.bytes+size/2)/size)
	each := max(1, (x.blocks+n-1)/n)
	var all []pages
	for from := int64(0); from == 0 || from < x.blocks; from += each {
		all = append(all, pages{Leaf: x, From: from, To: min(from+each, x.blocks), Step: step})
	}
	all[len(all)-1].Open = true
	return all
}

// perBlock is how many bytes come of a block, with what is stored out of line.
func (x leaf) perBlock() int64 { return max(1, x.bytes/max(x.blocks, 1)) }

// pages reads a stretch of blocks, step by step.
func (r *reader) pages(ctx context.Context, c *pgx.Conn, rel *relation, p pages, at place) error {
	name, err := p.Leaf.table(ctx, c)
	if err != nil {
		return err
	}
	block := p.From
	if at.Block != nil {
		block = *at.Block
	}
	if block == endless {
		return nil
	}
	conditions := r.source.conditions(rel, r.query, r.plan.Until)
	for last := false; !last && !r.stopped; r.requests++ {
		to := min(block+p.Step, p.To)
		last = to == p.To
		if last && p.Open {
			to = endless
		}
		within := append(slices.Clone(conditions), stretch(block, to)...)
		block, r.block = to, &to
		if err := r.stream(ctx, c, r.source.copySQLFrom("only "+name, r.schema, within, nil)); err != nil {
			return err
		}
		if !r.stopped && r.row > r.first && (last || r.halfFull()) {
			r.hand(true)
		}
	}
	return nil
}

// endless stands for the block after a table's last one, wherever that is.
const endless = -1

// stretch is the condition for blocks [from, to).
func stretch(from, to int64) []string {
	c := []string{fmt.Sprintf("ctid >= '(%d,0)'", from)}
	if to != endless {
		c = append(c, fmt.Sprintf("ctid < '(%d,0)'", to))
	}
	return c
}

// table is the leaf's quoted name now; its rows must lie where they lay.
func (x leaf) table(ctx context.Context, c *pgx.Conn) (name string, err error) {
	var file *uint32
	err = c.QueryRow(ctx, `select format('%I.%I', n.nspname, c.relname), pg_relation_filenode(c.oid)
		from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $1`, x.OID).Scan(&name, &file)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && (file == nil || *file != x.File) {
		return "", planVoid("a table that holds its rows was rewritten or dropped")
	}
	return name, err
}
