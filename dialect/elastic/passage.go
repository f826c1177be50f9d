package elastic

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
)

// passage is a request on its way to the cluster: where to, and what it does there. Every
// request goes under the server's own credentials, so what is not known to be harmless is
// for administrators only.
type passage struct {
	method  string
	path    []string // its segments, unescaped
	query   url.Values
	indexes []string // expressions; none: the request is about no index that its path names
	may     auth.Action
}

// passageOf takes a path apart. The cluster is asked by what was made of it here, so that
// both read it alike.
func passageOf(method, path string, query url.Values) (p passage, err error) {
	p = passage{method: method, query: query, may: auth.Administer}
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	for raw := range strings.SplitSeq(path, "/") {
		segment, err := url.PathUnescape(raw)
		if err != nil || segment == "" || segment == "." || segment == ".." {
			return p, illegal("path [/%s] has a segment that is empty or cannot be read", path)
		}
		p.path = append(p.path, segment)
	}
	if strings.HasPrefix(p.path[0], "_") && p.path[0] != "_all" {
		p.may = p.general()
		return p, nil
	}
	p.indexes = strings.Split(p.path[0], ",")
	p.may = p.onIndexes()
	return p, nil
}

// escaped is the path as it is asked for.
func (p passage) escaped() string {
	var b strings.Builder
	for _, segment := range p.path {
		b.WriteString("/" + url.PathEscape(segment))
	}
	return b.String()
}

func (p passage) reading() bool { return p.method == http.MethodGet || p.method == http.MethodHead }

// What may be asked with GET, and with POST, beside what is about one index.
var (
	generalReads = []string{
		"_search", "_count", "_cat", "_stats", "_mapping", "_alias", "_resolve", "_field_caps", "_analyze",
		"_index_template", "_component_template", "_refresh",
	}
	generalAsks = []string{"_search", "_count", "_field_caps", "_analyze", "_refresh"}
)

// general is what a request does that begins with no index.
func (p passage) general() auth.Action {
	name, rest := p.path[0], strings.Join(p.path[1:], "/")
	switch post := p.method == http.MethodPost; {
	case name == "_search" && rest == "scroll":
		return auth.Read // whoever knows a scroll's id has begun it
	case name == "_bulk" && rest == "" && !p.reading() && p.method != http.MethodDelete:
		return auth.Work
	case name == "_ingest" && strings.HasPrefix(rest, "pipeline"):
		if p.reading() {
			return auth.Read
		}
		return auth.Edit
	case name == "_cluster" && (rest == "health" || rest == "stats"),
		slices.Contains(generalReads, name) && (rest == "" || name != "_search"):
		if p.reading() || post && slices.Contains(generalAsks, name) {
			return p.unless(p.hiddenToo())
		}
	}
	return auth.Administer
}

// What is done to an index by the segment after it.
var (
	indexReads  = []string{"", "_search", "_count", "_doc", "_source", "_mapping", "_settings", "_alias", "_stats", "_field_caps", "_refresh", "_validate", "_explain", "_termvectors", "_analyze"}
	indexAsks   = []string{"_search", "_count", "_field_caps", "_refresh", "_validate", "_explain", "_termvectors", "_analyze"}
	indexWrites = []string{"", "_doc", "_create", "_update", "_bulk", "_mapping"}
	indexEdits  = []string{"_delete_by_query", "_update_by_query", "_settings", "_alias", "_open", "_close", "_forcemerge", "_flush"}
)

// onIndexes is what a request does to the indexes it names.
func (p passage) onIndexes() auth.Action {
	op := ""
	if len(p.path) > 1 {
		op = p.path[1]
	}
	put := p.method == http.MethodPut || p.method == http.MethodPost
	switch {
	case slices.ContainsFunc(p.indexes, reserved), len(p.path) > 2 && (op == "_search" || op == "_bulk"):
		return auth.Administer
	case p.reading() && slices.Contains(indexReads, op), p.method == http.MethodPost && slices.Contains(indexAsks, op):
		return p.unless(p.wild() && p.hiddenToo())
	case p.wild() && p.method == http.MethodDelete:
		return auth.Administer
	case p.method == http.MethodDelete && op == "_doc", put && slices.Contains(indexWrites, op):
		return auth.Work
	case put && slices.Contains(indexEdits, op), p.method == http.MethodDelete && (op == "" || op == "_alias"):
		return p.editing()
	}
	return auth.Administer
}

func (p passage) editing() auth.Action {
	if p.hiddenToo() {
		return auth.Administer
	}
	return auth.Edit
}

// unless is a read, or for administrators when it reaches further.
func (passage) unless(further bool) auth.Action {
	if further {
		return auth.Administer
	}
	return auth.Read
}

// aclPrefix begins the index of who may see what of another index.
const aclPrefix = ".search-acl-filter-"

// reserved reports whether an index is one of the cluster's own, or may turn out to be.
func reserved(index string) bool {
	return strings.HasPrefix(index, ".") && !strings.HasPrefix(index, aclPrefix) || strings.ContainsAny(index, "<>:/%")
}

func (p passage) wild() bool {
	return slices.ContainsFunc(p.indexes, func(name string) bool { return name == "_all" || strings.ContainsAny(name, "*?") })
}

// hiddenToo reports whether wildcards reach hidden indexes.
func (p passage) hiddenToo() bool {
	for _, given := range p.query["expand_wildcards"] {
		if strings.Contains(given, "hidden") || strings.Contains(given, "all") {
			return true
		}
	}
	return false
}

// own reports whether a request is about what the ledger keeps: it never goes to the
// cluster.
func (p passage) own() bool {
	return p.path[0] == "_connector" || slices.ContainsFunc(p.indexes, func(name string) bool { return strings.HasPrefix(name, connectorsIndex) })
}

// admits reports whether the caller may pass. Who is limited to some pipelines passes only
// to the indexes of their connectors.
func (c *call) admits(p passage) error {
	who := c.who()
	if len(who.Scope) == 0 {
		return able(who, p.may, "")
	}
	scroll := len(p.path) == 2 && p.path[0] == "_search"
	if len(p.indexes) == 0 && p.path[0] != "_bulk" && !scroll {
		return able(who, p.may, "")
	}
	for _, index := range p.indexes {
		if err := c.reachesIndex(p.may, index); err != nil {
			return err
		}
	}
	who.Scope = nil // what a bulk request is about its lines say
	return able(who, p.may, "")
}

// able is May, for writes of content, which are an editor's as well as a worker's.
func able(who auth.Principal, a auth.Action, pipeline string) error {
	err := who.May(a, pipeline)
	if err != nil && a == auth.Work && who.May(auth.Edit, pipeline) == nil {
		return nil
	}
	return err
}

// reachesIndex reports whether the caller may do this to an index.
func (c *call) reachesIndex(a auth.Action, index string) error {
	who := c.who()
	if a != auth.Administer && reserved(index) {
		a = auth.Administer
	}
	if len(who.Scope) == 0 {
		return able(who, a, "")
	}
	p, err := c.writer(index)
	if err != nil {
		return err
	}
	if p == nil {
		return able(who, a, "")
	}
	return able(who, a, p.Name)
}

// writer is the pipeline of the connector that an index is attached to; nil: there is none.
func (c *call) writer(index string) (*syncline.Pipeline, error) {
	name := strings.TrimPrefix(index, aclPrefix)
	if !storable(name) {
		return nil, nil
	}
	p, err := c.api.o.Catalog.Named(c.ctx(), indexes, name)
	if syncline.CodeOf(err) == syncline.NotFound {
		return nil, nil
	}
	return p, err
}
