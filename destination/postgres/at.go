package postgres

import (
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
)

var _ destination.Placed = (*lane)(nil)

// At is where the part stands, also what others had done of it when the lane was opened.
func (l *lane) At() rows.Position { return l.durable }
