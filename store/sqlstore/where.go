package sqlstore

import (
	"strconv"
	"strings"
)

// where is a statement whose conditions depend on a filter. Its arguments are written
// "?" and numbered as they come.
type where struct {
	text string
	args []any
	any  bool // there is a condition already
}

func (w *where) and(cond string, args ...any) {
	word := " where "
	if w.any {
		word = " and "
	}
	w.any = true
	w.add(word+cond, args...)
}

func (w *where) add(text string, args ...any) {
	for _, a := range args {
		w.args = append(w.args, a)
		text = strings.Replace(text, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	w.text += text
}
