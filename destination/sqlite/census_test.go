package sqlite

import (
	"errors"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
)

// correcting is one attempt at a load that is corrected.
type correcting struct {
	*load
	w   destination.Writer
	sum map[string]syncline.Counts
}

func (l *load) begin(p *place) *correcting {
	l.t.Helper()
	l.target.Corrects = true
	d := p.Open(l.t)
	w, err := d.Open(l.t.Context(), l.target)
	must(l.t, err)
	l.t.Cleanup(func() { must(l.t, w.Close()); must(l.t, d.Close()) })
	at, err := w.Takeover(l.t.Context())
	must(l.t, err)
	c := &correcting{l, w, map[string]syncline.Counts{}}
	for id, p := range at.Parts {
		c.sum[id] = p.Counts
	}
	return c
}

// part writes batches, and a position after the last of them.
func (c *correcting) part(id string, batches ...rows.Batch) {
	c.t.Helper()
	lane := c.lane(id)
	batches[len(batches)-1].Next = []byte(id)
	c.send(lane, batches...)
	at, err := lane.Finish(c.t.Context())
	must(c.t, err)
	must(c.t, lane.Close())
	c.sum[id] = at.Counts
}

func (c *correcting) lane(id string) destination.Lane {
	c.t.Helper()
	lane, err := c.w.Part(c.t.Context(), id, c.target.Fence.Token)
	must(c.t, err)
	return lane
}

func (c *correcting) send(lane destination.Lane, batches ...rows.Batch) {
	c.t.Helper()
	for _, b := range batches {
		_, err := lane.Write(c.t.Context(), b)
		must(c.t, err)
		b.Release()
	}
}

// names is a batch of a census.
func (l *load) names(census rows.Census, keys ...[]string) rows.Batch {
	l.t.Helper()
	of := newLoad(l.t, "", "")
	of.target.Entity.Schema = only(l.target.Entity.Schema, l.target.Entity.Key)
	b := of.batch(keys)
	b.Census = census
	return b
}

func only(s *arrow.Schema, key []string) *arrow.Schema {
	var fields []arrow.Field
	for _, k := range key {
		fields = append(fields, s.Field(s.FieldIndices(k)[0]))
	}
	return arrow.NewSchema(fields, nil)
}

func (c *correcting) publish() (destination.Published, error) {
	var sum syncline.Counts
	for _, n := range c.sum {
		sum = sum.Add(n)
	}
	return c.w.Publish(c.t.Context(), nil, sum, nil)
}

func (c *correcting) published() syncline.Counts {
	c.t.Helper()
	out, err := c.publish()
	must(c.t, err)
	if !out.Counts.Balanced() {
		c.t.Errorf("%+v", out.Counts)
	}
	return out.Counts
}

// pairs are keyed by two columns that stand the other way round in the rows.
func pairs(t *testing.T, name string, write syncline.Disposition) *load {
	l := newLoad(t, name, write)
	l.target.Deletes = syncline.DeletesHard
	l.target.Entity.Schema = arrow.NewSchema([]arrow.Field{
		{Name: "b", Type: arrow.BinaryTypes.String}, {Name: "v", Type: arrow.PrimitiveTypes.Int64}, {Name: "a", Type: arrow.PrimitiveTypes.Int32},
	}, nil)
	l.target.Entity.Key = []string{"a", "b"}
	return l
}

var forgetting = []syncline.Disposition{syncline.Replace, syncline.Upsert}

// The columns of a census come in the order of the key; a key that is NULL is nobody's.
func TestCensusInTheOrderOfTheKey(t *testing.T) {
	t.Parallel()
	for _, write := range forgetting {
		p := newPlace(t)
		c := pairs(t, "load-1", write).begin(p)
		c.part("0", c.batch([][]string{{"1", "10", "2"}, {"2", "20", "1"}, {"3", "30", "3"}}))
		c.part("census", c.names(rows.CensusBegins, []string{"2", "1"}, []string{"∅", "9"}, []string{"3", "3"}))
		c.published()
		p.expect(t, "select a, b, v from people order by a", "2|1|10", "3|3|30")
	}
}

// Keys that come without a position wait for one: a crash between leaves the census as it
// was, and a census that begins forgets those that wait as well.
func TestCensusWaits(t *testing.T) {
	t.Parallel()
	for _, write := range forgetting {
		p := newPlace(t)
		c := pairs(t, "load-1", write).begin(p)
		c.part("0", c.batch([][]string{{"1", "10", "1"}, {"2", "20", "2"}, {"3", "30", "3"}}))
		c.part("census", c.names(rows.CensusBegins, []string{"1", "1"}), c.names(rows.CensusGoesOn, []string{"2", "2"}))
		lane := c.lane("other")
		c.send(lane, c.names(rows.CensusBegins, []string{"3", "3"}))
		must(t, lane.Close())
		keys := "select a from " + censusOf(stageOf(c.target.Fence.Stream, "load-1")) + " order by a"
		p.expect(t, keys, "1", "2")
		c.part("other", c.names(rows.CensusBegins, []string{"2", "2"}), c.names(rows.CensusBegins, []string{"3", "3"}), c.names(rows.CensusGoesOn, []string{"1", "1"}))
		p.expect(t, keys, "1", "3")
		c.published()
		p.expect(t, "select a from people order by a", "1", "3")
	}
}

// Keys that a table takes for the same are the same to a census.
func TestCensusComparesAsTheTable(t *testing.T) {
	t.Parallel()
	for _, write := range forgetting {
		p := newPlace(t)
		p.exec(t, "create table people (name text collate nocase primary key, id integer)")
		l := newLoad(t, "load-1", write)
		l.target.Entity.Key, l.target.Deletes = []string{"name"}, syncline.DeletesHard
		c := l.begin(p)
		c.part("0", c.batch([][]string{{"1", "One"}, {"2", "Two"}}))
		c.part("changed", c.batch([][]string{{"11", "ONE"}}))
		c.part("census", c.names(rows.CensusBegins, []string{"ONE"}))
		c.published()
		p.expect(t, "select id from people", "11")
	}
}

// A person is asked before a source that became empty meanwhile empties the target.
func TestCensusOfNothingIsGuarded(t *testing.T) {
	t.Parallel()
	for _, write := range forgetting {
		p := newPlace(t)
		one := [][]string{{"1", "10", "1"}}
		pairs(t, "load-0", write).begin(p).all(one)
		c := pairs(t, "load-1", write).begin(p)
		c.part("0", c.batch(one))
		c.part("census", c.names(rows.CensusBegins))
		if _, err := c.publish(); !errors.Is(err, destination.ErrMassDelete) {
			t.Errorf("%s: %v", write, err)
		}
		p.expect(t, "select a from people", "1")
	}
}

func (c *correcting) all(batch [][]string) {
	c.t.Helper()
	c.part("0", c.batch(batch))
	c.published()
}

// A census goes with its stage, however that ends.
func TestCensusIsLeftNowhere(t *testing.T) {
	t.Parallel()
	ends := map[string]func(c *correcting, p *place){
		"published": func(c *correcting, _ *place) { c.published() },
		"discarded": func(c *correcting, _ *place) { must(c.t, c.w.Discard(c.t.Context())) },
		"another load": func(c *correcting, p *place) {
			pairs(c.t, "load-2", c.target.Disposition).begin(p).all([][]string{{"1", "1", "1"}})
		},
		"restarted": func(c *correcting, p *place) {
			again := pairs(c.t, "load-1", c.target.Disposition)
			again.target.Restart = true
			again.begin(p).all([][]string{{"1", "1", "1"}, {"2", "2", "2"}})
			p.expect(c.t, "select a from people order by a", "1", "2")
		},
	}
	for what, end := range ends {
		for _, write := range forgetting {
			t.Run(fmt.Sprint(what, " ", write), func(t *testing.T) {
				t.Parallel()
				p := newPlace(t)
				c := pairs(t, "load-1", write).begin(p)
				c.part("0", c.batch([][]string{{"1", "1", "1"}}))
				c.part("census", c.names(rows.CensusBegins, []string{"1", "1"}))
				if n := len(p.Leftovers(t)); n == 0 {
					t.Error("there is no census")
				}
				end(c, p)
				if left := p.Leftovers(t); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}
			})
		}
	}
}

// Rows that are gone by now would keep others out where a stage has more rules than its key.
func TestCorrects(t *testing.T) {
	t.Parallel()
	for table, want := range map[string]bool{
		"": true,
		"create table people (id integer primary key, name text)":                                                 true,
		"create table people (id int primary key, name text) without rowid":                                       true,
		"create table people (ID integer primary key, name text, unique (name, id))":                              true,
		"create table people (id integer primary key, name text); create unique index names on people (name)":     true,
		"create table people (id integer primary key, name text unique)":                                          false,
		"create table people (id integer unique, name text primary key)":                                          false,
		"create table people (id integer, name text, primary key (name)); create unique index ids on people (id)": false,
	} {
		p := newPlace(t)
		if table != "" {
			p.exec(t, table)
		}
		d := p.Open(t).(*Destination)
		for write, want := range map[syncline.Disposition]bool{syncline.Replace: want, syncline.Upsert: true, syncline.Append: false} {
			l := newLoad(t, "load-1", write)
			if got := d.Corrects(l.target); got != want {
				t.Errorf("%s into %q: %v", write, table, got)
			}
			l.target.Entity.Key = nil
			if d.Corrects(l.target) {
				t.Errorf("%s into %q without a key", write, table)
			}
			l.target.Entity.Key, l.target.Window = []string{"id"}, &syncline.Window{}
			if write == syncline.Replace && d.Corrects(l.target) {
				t.Error("replaces a window")
			}
		}
		must(t, d.Close())
	}
}
