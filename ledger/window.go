package ledger

import (
	"time"

	"github.com/synclinehq/syncline"
)

// checkOrder refuses a window that is none.
func checkOrder(o Order) error {
	w := o.Window
	switch {
	case w == nil:
		return nil
	case !cut(w).From.Before(cut(w).To):
		return syncline.Invalid("window", "a window from %s to %s is empty", w.From.UTC().Format(time.RFC3339), w.To.UTC().Format(time.RFC3339)).
			Try("let it end after its beginning; the end itself is not in it")
	case o.Mode == syncline.ModeAccessControl:
		return syncline.Invalid("window", "a run that reads who may see what has no window").Try("leave the window out, or the mode")
	}
	return nil
}

// cut cuts the edges of a window where databases cut their times, so that windows that meet
// still meet there.
func cut(w *syncline.Window) *syncline.Window {
	if w == nil {
		return nil
	}
	return &syncline.Window{From: w.From.UTC().Truncate(time.Microsecond), To: w.To.UTC().Truncate(time.Microsecond)}
}
