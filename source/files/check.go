package files

import (
	"context"
	"errors"
	"fmt"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/source"
)

// Check says of every entity what was found, or what is wrong with it.
func (s *Source) Check(ctx context.Context) ([]source.Finding, error) {
	found, err := s.files(ctx)
	if err != nil {
		return nil, err
	}
	all := []source.Finding{{Level: source.OK, What: "files", Text: fmt.Sprintf("%s matches %d", s.settings.Path, len(found))}}
	for _, g := range s.groups(found) {
		e, err := s.describe(ctx, g)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		finding := source.Finding{Level: source.OK, What: g.name}
		if wrong, ok := errors.AsType[*syncline.Error](err); ok {
			finding.Level, finding.Text, finding.Remedy = source.Fail, wrong.Message, wrong.Hint
		} else if err != nil {
			return nil, err
		} else {
			finding.Text = fmt.Sprintf("%d columns, %d rows by %s", e.Schema.NumFields(), e.Rows, e.EstimateFrom)
		}
		all = append(all, finding)
	}
	return all, nil
}
