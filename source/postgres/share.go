package postgres

import "github.com/synclinehq/syncline/source"

var _ source.Sharer = (*Source)(nil)

// Shares is true: another session reads the same rows as long as the plan's snapshot is exported.
func (s *Source) Shares(p source.Plan) bool { return len(p.Session) > 0 }
