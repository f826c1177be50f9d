package files

import "github.com/synclinehq/syncline/source"

var _ source.Sharer = (*Source)(nil)

// Shares is true: a part names its file as it was planned, and is refused when it has changed since.
func (s *Source) Shares(source.Plan) bool { return true }
