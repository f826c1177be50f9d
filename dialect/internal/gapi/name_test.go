package gapi_test

import (
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

const (
	located = gapi.Pattern("projects/{project}/locations/{location}/things/{thing}")
	global  = gapi.Pattern("projects/{project}/things/{thing}")
	single  = gapi.Pattern("projects/{project}/thing")
)

func TestNames(t *testing.T) {
	t.Parallel()
	n, err := gapi.ParseName("name", "projects/x.com:p/locations/EU/things/a b", located, global)
	if err == nil {
		t.Errorf("an id with a space: %v", n)
	}
	n, err = gapi.ParseName("name", "projects/x.com:p/locations/EU/things/é-1", located, global)
	if err != nil || n.Pattern != located || n.Get("project") != "x.com:p" || n.Get("location") != "EU" || n.Get("thing") != "é-1" || n.Get("nope") != "" {
		t.Errorf("%v, %v", n, err)
	}
	n, err = gapi.ParseName("name", "projects/12/things/-", located, global)
	if err != nil || n.Pattern != global || n.Get("location") != "" || n.Get("thing") != "-" {
		t.Errorf("%v, %v", n, err)
	}
	if got := located.Fill("p", "us", "t"); got != "projects/p/locations/us/things/t" {
		t.Error(got)
	}
	for _, bad := range []string{"", "/projects/p/things/t", "projects/p/things/", "projects//things/t", "projects/p/things/t/", "projects/p/Things/t", "projects/p", "projects/p/things/t\n", "//host/projects/p/things/t", "projects/p/locations/us/things/\xff", "projects/p/things/" + strings.Repeat("x", 4000)} {
		n, err := gapi.ParseName("parent", bad, located, global, single)
		e, ok := err.(*syncline.Error)
		if !ok || e.Code != syncline.InvalidArgument || e.Field != "parent" || !strings.Contains(e.Hint, string(global)) || len(e.Message) > 300 {
			t.Errorf("%.80q: %v, %v", bad, n, err)
		}
	}
}
