package sqlite

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/synclinehq/syncline/format/sqlitefile"
)

// value is a stored value with its class, as it is written into positions and marks:
// i12, r0x1p-1, ttext, x and hexadecimal digits for a blob, u and such digits for text
// that is not UTF-8, n for NULL.
type value string

// valueOf is column i of the current row.
func valueOf(s *sqlitefile.Stmt, i int) value {
	switch s.Class(i) {
	case sqlitefile.Integer:
		return value("i" + strconv.FormatInt(s.Int(i), 10))
	case sqlitefile.Real:
		return value("r" + strconv.FormatFloat(s.Real(i), 'x', -1, 64))
	case sqlitefile.Blob:
		return value("x" + hex.EncodeToString(s.Blob(i)))
	case sqlitefile.Text:
		if v := s.Text(i); !utf8.Valid(v) {
			return value("u" + hex.EncodeToString(v))
		}
		return value("t" + s.String(i))
	}
	return "n"
}

// bind is the value as the engine takes it.
func (v value) bind() (any, error) {
	if v == "" {
		return nil, fmt.Errorf("an empty value in a position")
	}
	rest := string(v[1:])
	switch v[0] {
	case 'i':
		return strconv.ParseInt(rest, 10, 64)
	case 'r':
		return strconv.ParseFloat(rest, 64)
	case 't':
		return rest, nil
	case 'x':
		b, err := hex.DecodeString(rest)
		if b == nil {
			b = []byte{}
		}
		return b, err
	case 'u':
		b, err := hex.DecodeString(rest)
		return string(b), err
	case 'n':
		return nil, nil
	}
	return nil, fmt.Errorf("value %q in a position is of no known class", string(v))
}

// shown is the value for a person.
func (v value) shown() string {
	switch {
	case v == "n":
		return "NULL"
	case v[0] == 'r':
		f, _ := strconv.ParseFloat(string(v[1:]), 64) // valueOf wrote it
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return string(v[1:])
}

// position is how far a part has been read: so many rows, some of them only counted, and
// in an order that can be gone on with, the last row's place in it. End: to its end.
type position struct {
	Rows     int64   `json:"rows"`
	Filtered int64   `json:"filtered,omitempty"`
	Last     []value `json:"last,omitempty"`
	End      bool    `json:"end,omitempty"`
}

func (p position) encode() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // numbers and valid UTF-8
	}
	return b
}

func decodePosition(from []byte, places int) (p position, err error) {
	if from == nil {
		return p, nil
	}
	if err = json.Unmarshal(from, &p); err != nil || p.Rows < 0 || len(p.Last) != 0 && len(p.Last) != places {
		return p, fmt.Errorf("position %q is not one of this plan: %w", from, err)
	}
	return p, nil
}
