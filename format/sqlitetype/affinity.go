package sqlitetype

import "strings"

// Affine is what a column turns values into, where it can do so without loss.
type Affine string

// The five affinities (https://www.sqlite.org/datatype3.html#determination_of_column_affinity).
const (
	Integer Affine = "integer"
	Text    Affine = "text"
	None    Affine = "none"
	Real    Affine = "real"
	Numeric Affine = "numeric"
)

// Affinity applies SQLite's rules to declared words.
func Affinity(declared string) Affine {
	d := strings.ToUpper(declared)
	for _, rule := range []struct {
		word string
		is   Affine
	}{{"INT", Integer}, {"CHAR", Text}, {"CLOB", Text}, {"TEXT", Text}, {"BLOB", None}, {"REAL", Real}, {"FLOA", Real}, {"DOUB", Real}} {
		if strings.Contains(d, rule.word) {
			return rule.is
		}
	}
	if strings.TrimSpace(d) == "" {
		return None
	}
	return Numeric
}
