package elastic

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/synclinehq/syncline"
)

// maxPage is how much a page of a list may hold.
const maxPage = 64 << 20

// listing is what a list of connectors is asked for.
type listing struct {
	from, size             int
	index, names, services []string
	deleted                bool
	query                  string
}

func (c *call) listing() (l listing, err error) {
	if l.from, err = c.whole("from", 0); err != nil {
		return l, err
	}
	if l.size, err = c.whole("size", 100); err != nil {
		return l, err
	}
	if l.from+l.size > window {
		return l, illegal("Result window is too large, from + size must be less than or equal to: [%d] but was [%d]", window, l.from+l.size)
	}
	if l.deleted, err = c.flag("include_deleted"); err != nil {
		return l, err
	}
	l.index, l.names, l.services = c.list("index_name"), c.list("connector_name"), c.list("service_type")
	l.query = c.r.URL.Query().Get("query")
	var found []string
	for _, name := range l.index {
		if why := illegalIndex(name); why != "" {
			found = append(found, why)
		}
	}
	return l, invalid(found...)
}

// summary is what a list asks of a connector: reading no more of each than that is what
// makes a list of many cheap.
type summary struct {
	ID          string `json:"id"`
	Index       string `json:"index_name"`
	Name        string `json:"name"`
	Service     string `json:"service_type"`
	Description string `json:"description"`
	Deleted     bool   `json:"deleted"`
}

// summarize reads the summary of a connector, own or foreign.
func (a *API) summarize(p *syncline.Pipeline) (s summary, err error) {
	if foreign(p) {
		return foreignSummary(p), nil
	}
	if err := json.Unmarshal(p.Ext[Name], &s); err != nil {
		return s, fmt.Errorf("read the connector of pipeline %s: %w", p.ID, err)
	}
	return s, nil
}

// matches reports whether a connector is one of those asked for.
func (l *listing) matches(s *summary) bool {
	one := func(of []string, text string) bool { return len(of) == 0 || slices.Contains(of, text) }
	return (l.deleted || !s.Deleted) &&
		one(l.index, s.Index) && one(l.names, s.Name) && one(l.services, s.Service) &&
		(l.query == "" || l.found(s.Index, s.Name, s.Description))
}

// found reports whether the query is part of an index's or connector's name, or of a word
// of a description. Words are indexed in lower case, queries are not: as Elasticsearch has it.
func (l *listing) found(index, name, description string) bool {
	pattern := "*" + l.query + "*"
	if wild(pattern, index) || wild(pattern, name) {
		return true
	}
	words := strings.FieldsFunc(strings.ToLower(description), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return slices.ContainsFunc(words, func(w string) bool { return wild(pattern, w) })
}

// wild holds a text against a pattern in which * stands for anything, ? for any one letter
// and \ takes the meaning from what follows. It takes time in proportion to both lengths.
func wild(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	star, mark := -1, 0 // where to go on when what follows the last * does not fit here
	i, j := 0, 0
	for j < len(t) {
		next, fits := stepped(p, i, t[j])
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case fits:
			i, j = next, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// stepped holds one letter against what the pattern has at i, and says where it goes on.
func stepped(p []rune, i int, letter rune) (next int, fits bool) {
	switch {
	case i >= len(p) || p[i] == '*':
		return i, false
	case p[i] == '?':
		return i + 1, true
	case p[i] == '\\' && i+1 < len(p):
		return i + 2, p[i+1] == letter
	}
	return i + 1, p[i] == letter
}

// listedOne is a connector that matches.
type listedOne struct {
	index, id string
	p         *syncline.Pipeline // nil: to be read again
}

// compare puts those without an index last.
func (h listedOne) compare(o listedOne) int {
	if (h.index == "") != (o.index == "") {
		return strings.Compare(o.index, h.index)
	}
	return cmp.Or(strings.Compare(h.index, o.index), strings.Compare(h.id, o.id))
}

func (c *call) listConnectors() (answer, error) {
	l, err := c.listing()
	if err != nil {
		return answer{}, err
	}
	hits, err := c.listed(l)
	if err != nil {
		return answer{}, err
	}
	from := min(l.from, len(hits))
	page, err := c.drawPage(hits[from:min(from+l.size, len(hits))])
	return ok(map[string]any{"count": len(hits), "results": page}), err
}

// listed are all that match, in their order. As many documents are kept as fit a page.
func (c *call) listed(l listing) (hits []listedOne, err error) {
	kept := 0
	for p, err := range c.pipelines() {
		if err != nil {
			return nil, err
		}
		s, err := c.api.summarize(p)
		if err != nil {
			return nil, err
		}
		if !l.matches(&s) {
			continue
		}
		h := listedOne{index: s.Index, id: s.ID}
		if kept += weight(p); kept <= maxPage {
			h.p = p
		}
		hits = append(hits, h)
	}
	slices.SortFunc(hits, listedOne.compare)
	return hits, nil
}

// weight is about what a pipeline's document takes.
func weight(p *syncline.Pipeline) int { return 1024 + len(p.Ext[Name]) }

// drawPage draws connectors. One that went meanwhile is left out.
func (c *call) drawPage(hits []listedOne) ([]any, error) {
	results, size := []any{}, 0
	for _, h := range hits {
		k, err := c.drawn(h)
		if syncline.CodeOf(err) == syncline.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if size += weight(k.p); size > maxPage {
			return nil, fault(http.StatusTooManyRequests, "circuit_breaking_exception", "Data too large: ask for fewer than [%d] connectors at once", len(hits))
		}
		results = append(results, c.show(k))
	}
	return results, nil
}

func (c *call) drawn(h listedOne) (k *connector, err error) {
	if h.p == nil {
		if h.p, err = c.api.o.Catalog.Named(c.ctx(), Name, h.id); err != nil {
			return nil, err
		}
	}
	if k, err = c.api.sketch(h.p); err != nil {
		return nil, err
	}
	return k, c.recent(k)
}
