package datatransfer

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

// accept checks what a client gives for the parameters of a source, and puts whole numbers
// into the text that they are answered in. before are the values so far; nil: the config is
// being made.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.dataSources#DataSourceParameter
func (s dataSource) accept(given, before params) (params, error) {
	out := params{}
	for _, id := range slices.Sorted(maps.Keys(given)) {
		p := s.parameter(id)
		if p == nil {
			return nil, s.bad(id, "data source %s has no parameter %q", s.GetDataSourceId(), id).Try("it has: %s", strings.Join(s.ids(), ", "))
		}
		v, err := s.value(p, given[id])
		if err != nil {
			return nil, err
		}
		if v != nil {
			out[id] = v
		}
	}
	for _, p := range s.GetParameters() {
		if err := s.allowed(p, out[p.GetParamId()], before); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s dataSource) parameter(id string) *pb.DataSourceParameter {
	for _, p := range s.GetParameters() {
		if p.GetParamId() == id {
			return p
		}
	}
	return nil
}

func (s dataSource) ids() (all []string) {
	for _, p := range s.GetParameters() {
		all = append(all, p.GetParamId())
	}
	return all
}

// allowed checks what does not depend on the value alone.
func (s dataSource) allowed(p *pb.DataSourceParameter, v any, before params) error {
	id := p.GetParamId()
	switch {
	case p.GetRequired() && none(v):
		return s.bad(id, "parameter %q of data source %s has no value", id, s.GetDataSourceId()).Try("%s", p.GetDescription())
	case before == nil && p.GetDeprecated() && v != nil:
		return s.bad(id, "parameter %q is not for new transfer configs", id)
	case before != nil && p.GetImmutable() && fmt.Sprint(before[id]) != fmt.Sprint(v):
		return s.bad(id, "parameter %q cannot be changed", id)
	}
	return nil
}

func none(v any) bool {
	list, isList := v.([]any)
	return v == nil || v == "" || isList && len(list) == 0
}

func (s dataSource) bad(id, format string, args ...any) *syncline.Error {
	return syncline.Invalid("params."+id, format, args...)
}

// value is a parameter's value in the type it is answered in; nil is none.
func (s dataSource) value(p *pb.DataSourceParameter, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch p.GetType() {
	case pb.DataSourceParameter_INTEGER:
		return s.whole(p, v)
	case pb.DataSourceParameter_DOUBLE:
		return s.number(p, v)
	case pb.DataSourceParameter_BOOLEAN:
		return s.truth(p, v)
	case pb.DataSourceParameter_LIST:
		return s.list(p, v)
	}
	text, ok := v.(string)
	if !ok {
		return nil, s.bad(p.GetParamId(), "parameter %q must be a string", p.GetParamId())
	}
	return text, s.text(p, text)
}

// text checks a string, or an item of a list. An empty one is none.
func (s dataSource) text(p *pb.DataSourceParameter, text string) error {
	if words := p.GetAllowedValues(); len(words) > 0 && text != "" && !slices.Contains(words, text) {
		return s.bad(p.GetParamId(), "parameter %q cannot be %q", p.GetParamId(), text).Try("it is one of: %s", strings.Join(words, ", "))
	}
	if pattern := p.GetValidationRegex(); pattern != "" && text != "" {
		re, err := regexp.Compile("^(?:" + pattern + ")$")
		if err == nil && !re.MatchString(text) {
			return s.bad(p.GetParamId(), "parameter %q cannot be %q", p.GetParamId(), text).Try("%s", orPattern(p))
		}
	}
	return nil
}

func orPattern(p *pb.DataSourceParameter) string {
	if said := p.GetValidationDescription(); said != "" {
		return said
	}
	return "it must match " + p.GetValidationRegex()
}

// whole keeps a number in its digits: those of JSON lose some above 2⁵³.
func (s dataSource) whole(p *pb.DataSourceParameter, v any) (any, error) {
	n, err := int64(0), error(nil)
	switch v := v.(type) {
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			err = strconv.ErrSyntax
		}
		n = int64(v)
	case string:
		n, err = strconv.ParseInt(v, 10, 64)
	default:
		err = strconv.ErrSyntax
	}
	if err != nil {
		return nil, s.bad(p.GetParamId(), "parameter %q must be a whole number, as in \"5\"", p.GetParamId())
	}
	return strconv.FormatInt(n, 10), s.between(p, float64(n))
}

func (s dataSource) number(p *pb.DataSourceParameter, v any) (any, error) {
	n, ok := v.(float64)
	if text, isText := v.(string); isText {
		var err error
		n, err = strconv.ParseFloat(text, 64)
		ok = err == nil
	}
	if !ok {
		return nil, s.bad(p.GetParamId(), "parameter %q must be a number", p.GetParamId())
	}
	return v, s.between(p, n)
}

func (s dataSource) between(p *pb.DataSourceParameter, n float64) error {
	least, most := p.GetMinValue(), p.GetMaxValue()
	if least != nil && n < least.GetValue() || most != nil && n > most.GetValue() {
		return s.bad(p.GetParamId(), "parameter %q cannot be %v: it lies between %v and %v", p.GetParamId(), n, bound(least.GetValue(), least != nil), bound(most.GetValue(), most != nil))
	}
	return nil
}

func bound(n float64, there bool) string {
	if !there {
		return "any number"
	}
	return strconv.FormatFloat(n, 'g', -1, 64)
}

func (s dataSource) truth(p *pb.DataSourceParameter, v any) (any, error) {
	switch v {
	case true, false, "true", "false":
		return v, nil
	}
	return nil, s.bad(p.GetParamId(), "parameter %q must be true or false", p.GetParamId())
}

func (s dataSource) list(p *pb.DataSourceParameter, v any) (any, error) {
	list, ok := v.([]any)
	for _, item := range list {
		text, isText := item.(string)
		if ok = ok && isText; !ok {
			break
		}
		if err := s.text(p, text); err != nil {
			return nil, err
		}
	}
	switch most := p.GetMaxListSize(); {
	case !ok:
		return nil, s.bad(p.GetParamId(), "parameter %q must be a list of strings", p.GetParamId())
	case most > 0 && int64(len(list)) > most:
		return nil, s.bad(p.GetParamId(), "parameter %q has %d items, and can have %d", p.GetParamId(), len(list), most)
	}
	return list, nil
}
