package sqlitetype

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// Timed reports whether values of a type stand in order as ISO 8601 text.
func Timed(t arrow.DataType) bool { return t.ID() == arrow.DATE32 || t.ID() == arrow.TIMESTAMP }

// Edge writes a moment for comparison with a column of times, whose text has the separator
// between date and time: without an offset, which sorts before every time with one.
func Edge(at time.Time, t arrow.DataType, separator string) string {
	at = at.UTC()
	if t.ID() == arrow.DATE32 {
		return at.Format("2006-01-02")
	}
	return at.Format("2006-01-02" + separator + "15:04:05.999999")
}
