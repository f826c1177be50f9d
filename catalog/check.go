package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/schedule"
	"github.com/synclinehq/syncline/spec"
)

// Defaults of a definition.
const (
	DefaultMaxTries = 5
	DefaultParallel = 4
)

// Limits of a definition, far beyond what makes sense: they catch slips.
const (
	maxParallel = 256
	maxCount    = 1_000_000
	maxName     = 128
)

// Check says everything that is wrong with a definition, each with its field; it looks at
// no database and no network.
func (c *Catalog) Check(d syncline.Definition) []*syncline.Error {
	_, problems := c.prepare(d)
	return problems
}

// prepared is a definition with its defaults filled in, its secrets open, and everything
// checked.
type prepared struct {
	syncline.Definition
	local bool // an endpoint is something only this machine has
}

// checker collects what is wrong instead of stopping at the first.
type checker struct {
	c        *Catalog
	d        *prepared
	problems []*syncline.Error
}

func (c *Catalog) prepare(d syncline.Definition) (prepared, []*syncline.Error) {
	p := prepared{Definition: d}
	p.Entities = slices.Clone(d.Entities)
	p.Schedules = slices.Clone(d.Schedules)
	k := &checker{c: c, d: &p}
	k.fill()
	k.endpoint(registry.Source, &p.Source)
	k.endpoint(registry.Destination, &p.Destination)
	k.confined()
	k.words()
	k.numbers()
	k.entities()
	k.schedules()
	return p, k.problems
}

// bad adds a problem; the hint is the next step, "" if the message says it already.
func (k *checker) bad(field, hint, format string, args ...any) {
	e := syncline.Invalid(field, format, args...)
	e.Hint = hint
	k.problems = append(k.problems, e)
}

func (k *checker) fill() {
	d := &k.d.Definition
	d.Owner = cmp.Or(d.Owner, syncline.OwnerEngine)
	d.Overlap = cmp.Or(d.Overlap, syncline.OverlapSkip)
	d.Outcome = cmp.Or(d.Outcome, syncline.OutcomeAny)
	d.MaxTries = cmp.Or(d.MaxTries, DefaultMaxTries)
	d.Parallel = cmp.Or(d.Parallel, DefaultParallel)
}

// endpoint settles one side. What an outside worker runs may have endpoints of its own.
func (k *checker) endpoint(side registry.Side, e *syncline.Endpoint) {
	if k.d.Owner == syncline.OwnerExternal && e.Kind == "" {
		return
	}
	settled, local, err := k.c.settle(side, *e)
	if err != nil {
		k.add(string(side), err)
		return
	}
	*e = settled
	k.d.local = k.d.local || local
}

// add takes an error that already knows its field.
func (k *checker) add(field string, err error) {
	if e, ok := errors.AsType[*syncline.Error](under(field, err)); ok {
		k.problems = append(k.problems, e)
		return
	}
	k.bad(field, "", "%s", err)
}

func (k *checker) words() {
	word(k, "owner", k.d.Owner, syncline.OwnerEngine, syncline.OwnerExternal)
	word(k, "overlap", k.d.Overlap, syncline.OverlapSkip, syncline.OverlapQueue, syncline.OverlapAllow)
	word(k, "outcome", k.d.Outcome, syncline.OutcomeAny, syncline.OutcomeAll)
}

// word checks that a value is one of the words its field knows.
func word[W ~string](k *checker, field string, value W, known ...W) {
	if slices.Contains(known, value) {
		return
	}
	var words []string
	for _, w := range known {
		if w != "" {
			words = append(words, string(w))
		}
	}
	name := field[strings.LastIndexByte(field, '.')+1:]
	hint := ""
	if near := spec.Nearest(string(value), words); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	k.bad(field, hint, "%s is %q; it must be one of %s", name, string(value), strings.Join(words, ", "))
}

func (k *checker) numbers() {
	d := k.d
	k.within("max_tries", d.MaxTries, maxCount)
	k.within("parallel", d.Parallel, maxParallel)
	k.within("keep_runs", d.KeepRuns, maxCount)
	k.within("keep_days", d.KeepDays, maxCount)
	if d.Deadline < 0 {
		k.bad("deadline", "", "deadline is negative")
	}
}

func (k *checker) within(field string, n, most int) {
	if n < 0 || n > most {
		k.bad(field, "", "%s is %d; it must be between 0 and %d", field, n, most)
	}
}

func (k *checker) schedules() {
	ids := map[string]bool{}
	for i := range k.d.Schedules {
		s := &k.d.Schedules[i]
		field := fmt.Sprintf("schedules[%d]", i)
		if err := schedule.Check(*s); err != nil {
			k.add(field, err)
		}
		word(k, field+".mode", s.Mode, "", syncline.ModeFull, syncline.ModeIncremental, syncline.ModeAccessControl)
		s.Misfire = cmp.Or(s.Misfire, syncline.MisfireLatest)
		word(k, field+".misfire", s.Misfire, syncline.MisfireLatest, syncline.MisfireNone)
		s.ID = cmp.Or(s.ID, scheduleID(*s))
		if ids[s.ID] {
			k.bad(field, "leave one of them out", "the schedule %s is there twice", s.ID)
		}
		ids[s.ID] = true
		if s.Mode == syncline.ModeIncremental {
			k.canBeIncremental(field)
		}
	}
}

// canBeIncremental checks a schedule that makes all entities incremental.
func (k *checker) canBeIncremental(field string) {
	for _, e := range k.d.Entities {
		if e.Cursor == "" && !k.cursorless() {
			k.bad(field+".mode", "give the entity a cursor: the column that moves with every change",
				"the schedule reads incrementally, but entity %q has no cursor", e.Name)
		}
	}
}

// cursorless reports whether the source needs no cursor to read what is new.
func (k *checker) cursorless() bool {
	s, ok := k.c.o.Registry.Spec(registry.Source, k.d.Source.Kind)
	return !ok || s.Cursorless // of an unknown kind nothing more can be said
}

// checkName keeps names typeable and out of the way of paths, options and terminals.
func checkName(name string) error {
	hint := "use letters, digits, and . _ - between them, at most %d characters"
	if name == "" {
		return syncline.Invalid("name", "a pipeline needs a name").Try(hint, maxName)
	}
	long := utf8.RuneCountInString(name) > maxName
	for i, r := range name {
		ok := unicode.IsLetter(r) || unicode.IsDigit(r) || i > 0 && strings.ContainsRune("._-", r)
		if !ok || long {
			return syncline.Invalid("name", "%q cannot be the name of a pipeline", name).Try(hint, maxName)
		}
	}
	return nil
}
