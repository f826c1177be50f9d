package sqlite

import (
	"context"
	"fmt"

	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/source"
)

// Check says what can be read and what cannot.
func (s *Source) Check(ctx context.Context) (found []source.Finding, err error) {
	err = s.view(ctx, func(c *sqlitefile.Conn) error {
		all, err := list(c)
		if err != nil {
			return err
		}
		found = append(found, source.Finding{Level: source.OK, What: "file", Text: fmt.Sprintf("%s holds %d tables and views", s.path, len(all))})
		if len(all) == 0 {
			found[0].Level, found[0].Remedy = source.Warn, "check the path: is it the right file?"
		}
		for _, l := range all {
			if _, err := describe(c, l); err != nil {
				found = append(found, source.Finding{Level: source.Warn, What: l.kind + " " + l.name, Text: err.Error(), Remedy: "repair it or leave it out of the pipeline's entities"})
			}
		}
		return nil
	})
	return found, err
}
