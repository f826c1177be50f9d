package elastic

import (
	"strings"
	"time"
)

// instantForms are those of ISO 8601 that name an instant.
var instantForms = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700",
}

// instant reads what a client says of when, to the nanosecond; false: it is none.
func instant(text string) (at time.Time, isInstant bool) {
	for _, form := range instantForms {
		at, err := time.Parse(form, strings.ToUpper(text))
		if at = at.UTC(); err == nil && at.Year() >= 0 && at.Year() <= 9999 {
			return at, true
		}
	}
	return time.Time{}, false
}

// instantText is a client's instant as it is given back: in UTC, with three to nine
// decimals.
func instantText(t time.Time) string {
	text := t.UTC().Format("2006-01-02T15:04:05.000000000")
	return trimZeros(text, 6) + "Z"
}

// trimZeros takes at most so many zeros off the end.
func trimZeros(text string, most int) string {
	for ; most > 0 && strings.HasSuffix(text, "0"); most-- {
		text = text[:len(text)-1]
	}
	return text
}

// parseInstant is instant for whom the error is the answer.
func parseInstant(text string) (time.Time, error) {
	at, isInstant := instant(text)
	if !isInstant {
		return at, illegal("Text '%s' could not be parsed as an instant of ISO 8601", text)
	}
	return at, nil
}

// instantField reads a field that holds one.
func instantField(_ []byte, v *value) (any, error) {
	at, err := parseInstant(v.text)
	if err != nil {
		return nil, err
	}
	return instantText(at), nil
}
