package cli

import (
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

func TestWhose(t *testing.T) {
	t.Parallel()
	r := client.Run{Pipeline: "config"}
	if got := whose(r); got != "config" {
		t.Errorf("%q", got)
	}
	r.Parent = &syncline.Parent{Run: "0123456789abcdef", Task: "orders", Iteration: 1}
	if got, want := whose(r), "config: orders #2 of "+tail(r.Parent.Run); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
