package elastic

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// query is a condition on a document, of those that Elastic's connector service and its
// command line ask by.
// https://www.elastic.co/docs/reference/query-languages/querydsl
type query interface {
	match(doc map[string]any) bool
	// only lists values of which every document that matches has one in the field; false:
	// it may have any. By it a search reads no more of the ledger than it must.
	only(field string) (values []string, limited bool)
}

// all matches every document.
type all struct{}

func (all) match(map[string]any) bool    { return true }
func (all) only(string) ([]string, bool) { return nil, false }

// oneOf matches a document that has one of the values in the field: none without values.
type oneOf struct {
	field  string
	values []string
}

func (q oneOf) match(doc map[string]any) bool {
	return slices.ContainsFunc(valuesAt(doc, q.field), func(v any) bool { return slices.Contains(q.values, scalar(v)) })
}

func (q oneOf) only(field string) ([]string, bool) { return q.values, field == q.field }

// compound is a bool query.
type compound struct {
	must, should, not []query
	need              int // of should
}

func (q compound) match(doc map[string]any) bool {
	fits := func(one query) bool { return one.match(doc) }
	if slices.ContainsFunc(q.not, fits) {
		return false
	}
	for _, one := range q.must {
		if !one.match(doc) {
			return false
		}
	}
	missing := q.need
	for _, one := range q.should {
		if missing > 0 && one.match(doc) {
			missing--
		}
	}
	return missing <= 0
}

func (q compound) only(field string) ([]string, bool) {
	for _, one := range q.must {
		if values, limited := one.only(field); limited {
			return values, true
		}
	}
	if q.need < 1 || len(q.should) == 0 {
		return nil, false
	}
	var union []string
	for _, one := range q.should {
		values, limited := one.only(field)
		if !limited {
			return nil, false
		}
		union = append(union, values...)
	}
	return union, true
}

// valuesAt are the scalars that a document has at a path. A dot goes down, or belongs to
// a name; lists are gone through.
func valuesAt(v any, path string) (found []any) {
	switch v := v.(type) {
	case nil:
	case []any:
		for _, item := range v {
			found = append(found, valuesAt(item, path)...)
		}
	case map[string]any:
		for name, m := range v {
			if name == path {
				found = append(found, valuesAt(m, "")...)
			} else if rest, below := strings.CutPrefix(path, name+"."); below {
				found = append(found, valuesAt(m, rest)...)
			}
		}
	default:
		if path == "" {
			found = append(found, v)
		}
	}
	return found
}

// scalar is a value's text, as queries compare it.
func scalar(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	return fmt.Sprint(v)
}

// asking reads a query out of a body.
type asking struct {
	raw []byte
	now time.Time
}

func (a asking) broken(v *value, format string, args ...any) error {
	e := parseFault(a.raw, v.at, format, args...)
	e.typ = "parsing_exception"
	return e
}

func (a asking) query(v *value) (query, error) {
	if v.token != "START_OBJECT" || len(v.members) != 1 {
		return nil, a.broken(v, "[_na] query malformed, must be an object with the name of one query")
	}
	m := &v.members[0]
	if m.token != "START_OBJECT" {
		return nil, a.broken(&m.value, "[%s] query malformed, no start_object after query name", m.name)
	}
	switch m.name {
	case "match_all":
		return all{}, nil
	case "bool":
		return a.compound(&m.value)
	case "term", "terms", "match", "range":
		return a.onField(m.name, &m.value)
	}
	return nil, a.broken(&m.value, "unknown query [%s]", m.name)
}

// onField reads what asks about one field; its boost and name carry no meaning here.
func (a asking) onField(kind string, v *value) (query, error) {
	var field *member
	for i := range v.members {
		if m := &v.members[i]; m.name != "boost" && m.name != "_name" {
			if field != nil {
				return nil, a.broken(v, "[%s] query doesn't support multiple fields, found [%s] and [%s]", kind, field.name, m.name)
			}
			field = m
		}
	}
	if field == nil {
		return nil, a.broken(v, "[%s] query needs a field", kind)
	}
	switch kind {
	case "terms":
		return a.terms(field)
	case "range":
		return a.interval(field)
	}
	given := &field.value
	if given.token == "START_OBJECT" {
		if given = field.get(map[string]string{"term": "value", "match": "query"}[kind]); given == nil {
			return nil, a.broken(&field.value, "[%s] query needs a value for [%s]", kind, field.name)
		}
	}
	return a.term(kind, field.name, given)
}

func (a asking) terms(field *member) (query, error) {
	if field.token != "START_ARRAY" {
		return nil, a.broken(&field.value, "[terms] query requires an array of values for [%s]", field.name)
	}
	q := oneOf{field: field.name}
	for _, item := range field.items {
		one, err := a.term("terms", field.name, item)
		if err != nil {
			return nil, err
		}
		q.values = append(q.values, one.values...)
	}
	return q, nil
}

func (a asking) term(kind, field string, v *value) (oneOf, error) {
	switch v.token {
	case "VALUE_STRING", "VALUE_NUMBER", "VALUE_BOOLEAN":
		return oneOf{field, []string{v.text}}, nil
	}
	return oneOf{}, a.broken(v, "[%s] query does not support [%s] as a value of [%s]", kind, v.token, field)
}

// compound reads a bool query; a clause is one query or a list of them.
func (a asking) compound(v *value) (query, error) {
	var q compound
	q.need = -1
	for i := range v.members {
		m := &v.members[i]
		var into *[]query
		switch m.name {
		case "must", "filter":
			into = &q.must
		case "should":
			into = &q.should
		case "must_not":
			into = &q.not
		case "minimum_should_match":
			n, err := strconv.Atoi(m.text)
			if err != nil || n < 0 {
				return nil, a.broken(&m.value, "[bool] minimum_should_match must be a whole number")
			}
			q.need = n
			continue
		case "boost", "_name":
			continue
		default:
			return nil, a.broken(&m.value, "[bool] query does not support [%s]", m.name)
		}
		if err := a.clause(&m.value, into); err != nil {
			return nil, err
		}
	}
	if q.need < 0 {
		q.need = 0
		if len(q.must) == 0 && len(q.should) > 0 {
			q.need = 1
		}
	}
	return q, nil
}

func (a asking) clause(v *value, into *[]query) error {
	items := v.items
	if v.token != "START_ARRAY" {
		items = []*value{v}
	}
	for _, item := range items {
		one, err := a.query(item)
		if err != nil {
			return err
		}
		*into = append(*into, one)
	}
	return nil
}

// interval reads a range.
func (a asking) interval(field *member) (query, error) {
	if field.token != "START_OBJECT" {
		return nil, a.broken(&field.value, "[range] query malformed, no start_object after field [%s]", field.name)
	}
	q := interval{field: field.name}
	for i := range field.members {
		m := &field.members[i]
		switch m.name {
		case "gt", "gte", "lt", "lte", "from", "to":
			if m.isNull() {
				continue
			}
			b, ok := bounded(m.name, m.text, a.now)
			if !ok || m.token != "VALUE_STRING" && m.token != "VALUE_NUMBER" {
				e := fault(http.StatusBadRequest, "parse_exception", "failed to parse date field [%s] with format [strict_date_optional_time||epoch_millis]", m.text)
				return nil, e
			}
			q.bounds = append(q.bounds, b)
		case "boost", "format", "relation", "_name":
		default:
			return nil, a.broken(&m.value, "[range] query does not support [%s]", m.name)
		}
	}
	return q, nil
}
