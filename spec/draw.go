package spec

import (
	"fmt"
	"strings"
	"time"
)

// Row is one setting as `syncline kinds KIND` shows it.
type Row struct {
	Name     string   `json:"name"`
	Type     Type     `json:"type"`
	Required bool     `json:"required"`
	Default  string   `json:"default,omitempty"`
	Options  []string `json:"options,omitempty"`
	Help     string   `json:"help"`
}

// Table draws the settings, in the order of the spec.
func (s Spec) Table() []Row {
	table := make([]Row, len(s.Fields))
	for i, f := range s.Fields {
		table[i] = Row{f.Name, f.Type, f.Required, f.drawDefault(), f.Options, f.Help}
	}
	return table
}

func (f Field) drawDefault() string {
	switch d := f.Default.(type) {
	case nil:
		return ""
	case time.Duration:
		return trimZeros(d)
	case []string:
		return strings.Join(d, ",")
	default:
		return fmt.Sprint(d)
	}
}

// trimZeros writes 5m0s as people do: 5m.
func trimZeros(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
