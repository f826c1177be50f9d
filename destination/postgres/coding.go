package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/rows"
)

// coding is one batch on its way into tuples. It is read by COPY, which so has the server
// at work on the first rows while the last ones are encoded; the tuples stay, in case they
// must be sent again in parts.
type coding struct {
	ctx        context.Context // of the one call to put
	l          *lane
	repeated   []bool // rows to leave out, since their key comes again
	next       int    // row of the batch
	handed     int    // bytes of the tuples that have been read
	bad        []int  // rows that were refused
	rejects    []rows.Reject
	superseded int64
	err        error // why it cannot go on; COPY reports only that its input broke off
}

// keepAt bounds how many rejects, with their samples, wait to be kept.
const keepAt = 500

var _ io.Reader = (*coding)(nil)

// code begins a batch.
func (l *lane) code(ctx context.Context) (*coding, error) {
	l.tuples.reset()
	repeated, err := l.repeated(len(l.ordinals))
	return &coding{ctx: ctx, l: l, repeated: repeated}, err
}

// Read encodes as much as is asked for.
func (c *coding) Read(p []byte) (int, error) {
	t := &c.l.tuples
	for len(t.buf)-c.handed < len(p) && c.next < len(c.l.ordinals) {
		if c.err = c.row(); c.err != nil {
			return 0, c.err
		}
	}
	if c.handed == len(t.buf) {
		return 0, io.EOF
	}
	n := copy(p, t.buf[c.handed:])
	c.handed += n
	return n, nil
}

// rest encodes what has not been read.
func (c *coding) rest() error {
	for c.next < len(c.l.ordinals) {
		if err := c.row(); err != nil {
			return err
		}
	}
	return nil
}

// row encodes the next row, or leaves it out, or rejects it.
func (c *coding) row() error {
	i, l := c.next, c.l
	c.next++
	if c.repeated != nil && c.repeated[i] {
		c.superseded++
		return nil
	}
	if k := l.enc.nullKey(i); k != "" && l.w.target.Disposition != syncline.Append {
		return c.reject(i, rows.CodeNull, fmt.Sprintf("column %q: NULL in the key", k))
	}
	buf, err := appendRow(l.tuples.buf, l.enc.rows, i)
	if v, ok := errors.AsType[*pgcopy.ValueError](err); ok {
		return c.reject(i, v.Code, v.Error())
	}
	if err == nil {
		l.tuples.add(buf, i)
	}
	return err
}

func (c *coding) reject(i int, code, why string) error {
	c.bad = append(c.bad, i)
	c.rejects = append(c.rejects, c.l.enc.reject(i, c.l.ordinals[i], code, why))
	if len(c.rejects) < keepAt {
		return nil
	}
	return c.keep()
}

// keep hands over the rejects so far.
func (c *coding) keep() error {
	err := c.l.reject(c.ctx, c.rejects...)
	c.rejects = nil
	return err
}

// repeated marks the rows of a batch whose key comes again in it; nil when none does, or
// when something else sorts that out. The order within one batch is known only here.
func (l *lane) repeated(n int) ([]bool, error) {
	if l.enc.key == nil || l.w.target.Disposition != syncline.Replace {
		return nil, nil
	}
	var keys []byte
	ends := make([]int, 0, n)
	ascending, last := true, []byte(nil)
	for i := range n {
		start := len(keys)
		var err error
		if keys, err = appendRow(keys, l.enc.key, i); err != nil {
			if _, ok := errors.AsType[*pgcopy.ValueError](err); !ok {
				return nil, err
			}
			keys = append(keys, fmt.Sprint("row ", i)...) // becomes a reject, and equals none
		}
		key := keys[start:]
		// The order of keys that are read by their index, which need not be compared further.
		ascending = ascending && (i == 0 || bytes.Compare(last, key) < 0)
		last, ends = key, append(ends, len(keys))
	}
	if ascending {
		return nil, nil
	}
	return repeats(keys, ends), nil
}

func repeats(keys []byte, ends []int) []bool {
	var found []bool
	seen := make(map[string]bool, len(ends))
	for i := len(ends) - 1; i >= 0; i-- {
		start := 0
		if i > 0 {
			start = ends[i-1]
		}
		key := string(keys[start:ends[i]])
		if seen[key] && found == nil {
			found = make([]bool, len(ends))
		}
		if seen[key] {
			found[i] = true
		}
		seen[key] = true
	}
	return found
}
