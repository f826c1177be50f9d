package elastic

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/synclinehq/syncline/auth"
)

// route is one endpoint. Its path names segments in braces; such a segment may be empty,
// since "PUT /_connector//_check_in" is a call with an empty id and not another path.
type route struct {
	method string
	path   string
	query  []string // parameters it knows beside those that all know
	// may is what the caller must be allowed to do; handlers ask it of the pipeline they
	// find. "": the handler asks for itself.
	may    auth.Action
	worker bool // a worker may do it too, at a connector of its scope
	handle func(c *call) (answer, error)
}

// commonQuery is what every endpoint accepts.
var commonQuery = []string{"pretty", "human", "error_trace", "filter_path", "format"}

// answer is a response's status and what its body is the JSON of.
type answer struct {
	status int
	body   any
	sent   bool // the response was written already, as a stream
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

// call is one request on its way.
type call struct {
	api   *API
	w     http.ResponseWriter
	r     *http.Request
	path  string            // as it came, escaped, without prefix
	vars  map[string]string // the path's segments by their names
	route route
}

func (c *call) ctx() context.Context { return c.r.Context() }

// who calls.
func (c *call) who() auth.Principal { return auth.From(c.ctx()) }

// dispatch finds the endpoint. The table's order decides between two that fit.
func (c *call) dispatch() (answer, error) {
	var allowed []string
	for _, rt := range c.api.routes {
		vars, fits := match(rt.path, c.path)
		if !fits {
			continue
		}
		if rt.method != c.r.Method && (rt.method != http.MethodGet || c.r.Method != http.MethodHead) {
			allowed = append(allowed, rt.method)
			continue
		}
		c.vars, c.route = vars, rt
		if err := c.role(); err != nil {
			return answer{}, err
		}
		if err := c.knows(rt.query); err != nil {
			return answer{}, err
		}
		return rt.handle(c)
	}
	if len(allowed) > 0 {
		return c.wrongMethod(allowed)
	}
	return c.elsewhere()
}

// role refuses who may not do what the endpoint does to any pipeline, before anything is
// said about the request.
func (c *call) role() error {
	if c.route.may == "" {
		return nil
	}
	who := c.who()
	who.Scope = nil
	return c.allowed(who, "")
}

// may reports whether the caller may do what the endpoint does to the pipeline of a name.
func (c *call) may(pipeline string) error { return c.allowed(c.who(), pipeline) }

func (c *call) allowed(who auth.Principal, pipeline string) error {
	if c.route.worker && who.Role == auth.Worker {
		return who.May(auth.Work, pipeline)
	}
	return who.May(c.route.may, pipeline)
}

// match holds a path against a route's, segment by segment. A trailing slash means the
// same as none; segments are unescaped once.
func match(pattern, path string) (map[string]string, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(have) == len(want)+1 && have[len(have)-1] == "" {
		have = have[:len(want)]
	}
	if len(want) != len(have) {
		return nil, false
	}
	vars := map[string]string{}
	for i, w := range want {
		text, err := url.PathUnescape(have[i])
		if err != nil {
			return nil, false
		}
		if name, isVar := strings.CutPrefix(w, "{"); isVar {
			vars[strings.TrimSuffix(name, "}")] = text
		} else if w != text {
			return nil, false
		}
	}
	return vars, true
}

// knows refuses a query parameter that the endpoint has no use for: it is a slip, and
// what it was to do would not be done.
func (c *call) knows(query []string) error {
	for name := range c.r.URL.Query() {
		if !slices.Contains(query, name) && !slices.Contains(commonQuery, name) {
			return illegal("request [%s] contains unrecognized parameter: [%s]", c.r.URL.Path, name)
		}
	}
	return nil
}

func (c *call) wrongMethod(allowed []string) (answer, error) {
	c.w.Header().Set("Allow", strings.Join(allowed, ", "))
	text := fmt.Sprintf("Incorrect HTTP method for uri [%s] and method [%s], allowed: [%s]", c.r.URL.RequestURI(), c.r.Method, strings.Join(allowed, ", "))
	return answer{status: http.StatusMethodNotAllowed, body: map[string]any{"error": text, "status": http.StatusMethodNotAllowed}}, nil
}

// flag is a boolean parameter; one without a value is true.
func (c *call) flag(name string) (bool, error) {
	q := c.r.URL.Query()
	if !q.Has(name) {
		return false, nil
	}
	switch q.Get(name) {
	case "", "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, illegal("Failed to parse value [%s] as only [true] or [false] are allowed.", q.Get(name))
}

// whole is a parameter that is a number and not negative.
func (c *call) whole(name string, otherwise int) (int, error) {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, illegal("Failed to parse int parameter [%s] with value [%s]", name, text)
	}
	if n < 0 {
		return 0, illegal("Parameter [%s] cannot be < 0", name)
	}
	return int(n), nil
}

// list is a parameter that holds several values; empty ones are dropped.
func (c *call) list(name string) (items []string) {
	for item := range strings.SplitSeq(c.r.URL.Query().Get(name), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
