package app

import (
	"context"

	"github.com/synclinehq/syncline/auth"
)

// ownUser reports whether a call is this machine's user's. One without any caller is this
// process's own: the dialects do nothing for nobody.
func ownUser(ctx context.Context) bool {
	who := auth.From(ctx)
	return who.Local || who.Key == ""
}
