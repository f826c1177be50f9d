package catalog

import (
	"context"
	"errors"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/source"
)

// Checked is what was found at one endpoint, used from one side.
type Checked struct {
	Side     registry.Side    `json:"side"`
	Kind     string           `json:"kind"`
	Shown    string           `json:"shown"`
	Findings []source.Finding `json:"findings"`
}

// CheckURL opens the endpoint that a URL or path means, from every side that knows it, and
// says what works. What does not work is a finding; the error is for a URL that no side
// understands.
func (c *Catalog) CheckURL(ctx context.Context, raw, cwd string) ([]Checked, error) {
	var out []Checked
	var refused error
	for _, side := range []registry.Side{registry.Source, registry.Destination} {
		e, err := c.Endpoint(side, raw, cwd)
		if err == nil {
			e, _, err = c.settle(side, e)
		}
		if s, ok := c.o.Registry.Spec(side, e.Kind); ok && err == nil && !c.o.Local(ctx) {
			err = under(string(side), c.within(s, e.Settings))
		}
		if err != nil {
			refused = errors.Join(refused, err)
			continue
		}
		out = append(out, Checked{side, e.Kind, e.Shown, c.findings(ctx, side, e)})
	}
	if len(out) == 0 {
		return nil, refused
	}
	return out, nil
}

func (c *Catalog) findings(ctx context.Context, side registry.Side, e syncline.Endpoint) []source.Finding {
	ctx, stop := context.WithTimeout(ctx, endpointTimeout)
	defer stop()
	end, err := c.connect(ctx, side, e, !c.o.Local(ctx))
	if err != nil {
		return []source.Finding{failure("connection", err)}
	}
	defer func() { _ = end.Close() }()
	checker, ok := end.(source.Checker)
	if !ok {
		return []source.Finding{{Level: source.OK, What: "connection", Text: "opened"}}
	}
	found, err := checker.Check(ctx)
	if err != nil {
		found = append(found, failure("check", err))
	}
	return found
}

// closer is what a source and a destination have in common.
type closer interface{ Close() error }

func (c *Catalog) connect(ctx context.Context, side registry.Side, e syncline.Endpoint, confined bool) (closer, error) {
	e, err := c.open(side, e, confined)
	if err != nil {
		return nil, err
	}
	if side == registry.Source {
		kind, _ := c.o.Registry.Source(e.Kind)
		return kind.Open(ctx, c.o.Env, e.Settings)
	}
	kind, _ := c.o.Registry.Destination(e.Kind)
	return kind.Open(ctx, c.o.Env, e.Settings)
}

// failure shows what a person may see of an error.
func failure(what string, err error) source.Finding {
	f := source.Finding{Level: source.Fail, What: what, Text: "internal error"}
	if e, ok := errors.AsType[*syncline.Error](err); ok {
		f.Text, f.Remedy = e.Message, e.Hint
	} else if errors.Is(err, context.DeadlineExceeded) {
		f.Text, f.Remedy = "no answer within "+endpointTimeout.String(), "check that the address is right and reachable from here"
	}
	return f
}

// Entities lists what a definition would read, without reading it.
func (c *Catalog) Entities(ctx context.Context, d syncline.Definition) ([]source.Entity, error) {
	ctx, stop := context.WithTimeout(ctx, endpointTimeout)
	defer stop()
	end, err := c.connect(ctx, registry.Source, d.Source, c.confine(ctx, d).Confined)
	if err != nil {
		return nil, err
	}
	defer func() { _ = end.Close() }()
	var patterns []string
	for _, e := range d.Entities {
		if e.Name == "" {
			patterns = nil // everything
			break
		}
		patterns = append(patterns, e.Name)
	}
	return end.(source.Source).Entities(ctx, patterns)
}
