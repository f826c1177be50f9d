package postgres

import (
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/rows"
)

// gather builds batches of tuples in one format.
type gather interface {
	// append adds a tuple; a *pgcopy.ValueError says that it cannot be kept.
	append(tuple []byte) error
	// size is what the batch that is being built holds.
	size() (rows int, bytes int64)
	// take moves it into b and begins the next one.
	take(b *rows.Batch)
}

// records gathers tuples as Arrow records.
type records struct{ *pgcopy.Decoder }

func (g records) append(tuple []byte) error { return g.Append(tuple) }

func (g records) size() (int, int64) { return g.Rows(), g.Bytes() }

func (g records) take(b *rows.Batch) {
	b.Format = rows.Arrow
	b.Record, b.Release = g.Take()
}

// spareChunks is how many batches' memory a source keeps for the next ones, whichever part
// they are of: as many as are in flight between two readers and their writers. Memory that
// every part took anew and left to the collector would count twice.
const spareChunks = 6

// chunks gathers tuples as they came.
type chunks struct {
	buf  []byte
	n    int
	free chan []byte
}

func newSpare() chan []byte { return make(chan []byte, spareChunks) }

func (g *chunks) append(tuple []byte) error {
	if g.buf == nil {
		g.buf = g.memory()
	}
	g.buf = append(g.buf, tuple...)
	g.n++
	return nil
}

func (g *chunks) size() (int, int64) { return g.n, int64(len(g.buf)) }

func (g *chunks) take(b *rows.Batch) {
	b.Format, b.Raw = rows.PGCopy, g.buf
	buf := g.buf
	b.Release = func() { g.spare(buf) }
	g.buf, g.n = nil, 0
}

func (g *chunks) memory() []byte {
	select {
	case buf := <-g.free:
		return buf
	default:
		return make([]byte, 0, rows.MaxBatchBytes+1<<16)
	}
}

// spare keeps memory for later, save what one large row has made large.
func (g *chunks) spare(buf []byte) {
	if cap(buf) > 2*rows.MaxBatchBytes {
		return
	}
	select {
	case g.free <- buf[:0]:
	default:
	}
}
