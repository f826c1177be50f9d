package transfer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// pick chooses the cheapest format that both ends know, and says why it is that one.
func pick(ctx context.Context, src source.Source, dst destination.Destination, o order, t destination.Target) (rows.Format, string) {
	if len(o.retyped) > 0 {
		return rows.Arrow, "arrow: the pipeline gives the type of " + strings.Join(o.retyped, ", ")
	}
	if o.rekeyed {
		return rows.Arrow, "arrow: the key is the pipeline's, and rows may repeat it"
	}
	from, ok := src.(source.Formatter)
	if !ok {
		return rows.Arrow, "arrow: the source has no raw format"
	}
	to, ok := dst.(destination.Accepter)
	if !ok {
		return rows.Arrow, "arrow: the destination takes no raw format"
	}
	has := from.Formats(o.query.Entity)
	takes := to.Accepts(ctx, t)
	for _, f := range has {
		if f != rows.Arrow && slices.Contains(takes, f) {
			return f, fmt.Sprintf("%s: both ends know it and no column changes its type", f)
		}
	}
	return rows.Arrow, fmt.Sprintf("arrow: no raw format in common (the source has %s, the destination takes %s)", list(has), list(takes))
}

// corrects reports whether the source tells what has changed of a keyed entity while its
// read was interrupted, and the destination puts that right.
func corrects(src source.Source, dst destination.Destination, t destination.Target) bool {
	_, resumes := src.(source.Resumer)
	c, ok := dst.(destination.Corrector)
	return resumes && ok && len(t.Entity.Key) > 0 && c.Corrects(t)
}

func list(formats []rows.Format) string {
	var names []string
	for _, f := range formats {
		if f != rows.Arrow {
			names = append(names, string(f))
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}
