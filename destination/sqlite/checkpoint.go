package sqlite

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/rows"
)

// checkpoints is the table that says how far every stream has come; it is in the file
// with the rows, so that a crash cannot part them. Part ” is the stream's fence.
const checkpoints = "_syncline_checkpoints"

const makeCheckpoints = `create table if not exists main.` + checkpoints + ` (
	stream TEXT NOT NULL, part TEXT NOT NULL, load TEXT NOT NULL, token INTEGER NOT NULL, seq INTEGER NOT NULL,
	position BLOB, done INTEGER NOT NULL, counts TEXT NOT NULL, mark BLOB, target_id TEXT, pid INTEGER NOT NULL,
	backend_start TEXT NOT NULL, updated_at TEXT NOT NULL, primary key (stream, part)) without rowid`

// head is the stream's own row.
type head struct {
	load     string // in progress, or the last one published
	token    int64
	mark     []byte
	targetID string // marker of the table that mark was published for
	last     last
}

// last is what the stream published last.
type last struct {
	Load   string          `json:"load,omitempty"`
	Total  int64           `json:"total"`
	Swept  int64           `json:"swept"`
	Where  string          `json:"where,omitempty"`
	Filled bool            `json:"filled,omitempty"` // there were rows in the target afterwards
	Counts syncline.Counts `json:"counts"`
}

func (l last) published() destination.Published {
	return destination.Published{Total: l.Total, Swept: l.Swept, Where: l.Where, Counts: l.Counts}
}

func readHead(c *sqlitefile.Conn, stream string) (h head, err error) {
	err = c.Each(func(s *sqlitefile.Stmt) error {
		h = head{load: s.String(0), token: s.Int(1), targetID: s.String(3)}
		if s.Class(2) != sqlitefile.Null {
			h.mark = append([]byte{}, s.Blob(2)...)
		}
		if err := json.Unmarshal(s.Text(4), &h.last); err != nil {
			return fmt.Errorf("checkpoint of %s: %w", stream, err)
		}
		return nil
	}, "select load, token, mark, target_id, counts from main."+checkpoints+" where stream = ? and part = ''", stream)
	return h, err
}

func writeHead(c *sqlitefile.Conn, stream string, h head) error {
	doc, err := json.Marshal(h.last)
	if err != nil {
		return err
	}
	var mark, id any
	if h.mark != nil {
		mark = h.mark
	}
	if h.targetID != "" {
		id = h.targetID
	}
	return c.Exec("insert into main."+checkpoints+" values (?1, '', ?2, ?3, 1, null, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"+
		" on conflict (stream, part) do update set load = ?2, token = ?3, seq = seq + 1, done = ?4, counts = ?5, mark = ?6, target_id = ?7, pid = ?8, backend_start = ?9, updated_at = ?10",
		stream, h.load, h.token, h.load == h.last.Load, string(doc), mark, id, os.Getpid(), started, now())
}

// started tells this process from another one that had its number.
var started = now()

func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000000Z") }

// part is the row of one part.
type part struct {
	token, seq int64
	at         rows.Position
	keyless    int64 // rows rejected before their key was known
}

// tally is how counts are kept.
type tally struct {
	syncline.Counts
	Keyless int64 `json:"keyless,omitempty"`
}

func readParts(c *sqlitefile.Conn, stream, load string) (map[string]part, error) {
	parts := map[string]part{}
	err := c.Each(func(s *sqlitefile.Stmt) error {
		p := part{token: s.Int(1), seq: s.Int(2), at: rows.Position{Done: s.Int(4) == 1}}
		if s.Class(3) != sqlitefile.Null {
			p.at.Next = append([]byte{}, s.Blob(3)...)
		}
		var n tally
		if err := json.Unmarshal(s.Text(5), &n); err != nil {
			return fmt.Errorf("checkpoint of %s, part %s: %w", stream, s.String(0), err)
		}
		p.at.Counts, p.keyless = n.Counts, n.Keyless
		parts[s.String(0)] = p
		return nil
	}, "select part, token, seq, position, done, counts from main."+checkpoints+" where stream = ? and part <> '' and load = ?", stream, load)
	return parts, err
}

func writePart(c *sqlitefile.Conn, stream, load, id string, p part) error {
	counts, err := json.Marshal(tally{p.at.Counts, p.keyless})
	if err != nil {
		return err
	}
	var next any
	if p.at.Next != nil {
		next = p.at.Next
	}
	return c.Exec("insert into main."+checkpoints+" values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, null, null, ?9, ?10, ?11)"+
		" on conflict (stream, part) do update set load = ?3, token = ?4, seq = ?5, position = ?6, done = ?7, counts = ?8, pid = ?9, backend_start = ?10, updated_at = ?11",
		stream, id, load, p.token, p.seq, next, p.at.Done, string(counts), os.Getpid(), started, now())
}

func dropParts(c *sqlitefile.Conn, stream string) error {
	return c.Exec("delete from main."+checkpoints+" where stream = ? and part <> ''", stream)
}

// fenced answers ErrLeaseLost when a newer token has been here, or another load has begun.
// It is asked in the transaction that is to commit: nobody can come between.
func fenced(c *sqlitefile.Conn, stream, load string, token int64) (head, error) {
	h, err := readHead(c, stream)
	if err == nil && (h.token > token || h.load != load) {
		err = syncline.ErrLeaseLost
	}
	return h, err
}
