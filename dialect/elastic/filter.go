package elastic

import (
	"encoding/json"
	"path"
	"strings"
)

// filter keeps of a document what filter_path names. A path is names with dots between; *
// and ? stand for parts of a name, ** for any number of names; one that begins with - names
// what is left out. Lists are passed through.
// https://www.elastic.co/docs/reference/elasticsearch/rest-apis/common-options
func filter(v any, paths []string) any {
	var keep, drop [][]string
	for _, p := range paths {
		if rest, out := strings.CutPrefix(p, "-"); out {
			drop = append(drop, strings.Split(rest, "."))
		} else {
			keep = append(keep, strings.Split(p, "."))
		}
	}
	if len(keep) > 0 {
		v, _ = kept(v, keep)
	}
	if len(drop) > 0 {
		v = without(v, drop)
	}
	if v == nil {
		v = map[string]any{}
	}
	return v
}

// opened is v as maps and lists of any, which nearly all of what is answered is already:
// that nobody asked for is never written as JSON then.
func opened(v any) any {
	switch v.(type) {
	case nil, string, bool, int, int64, float64, json.Number, map[string]any, []any:
		return v
	}
	raw, err := json.Marshal(v)
	var plain any
	if err != nil || exactly(raw, &plain) != nil {
		return v // and whoever writes it meets the error
	}
	return plain
}

// kept is what of v some path reaches; false: nothing.
func kept(v any, paths [][]string) (any, bool) {
	switch v := opened(v).(type) {
	case map[string]any:
		out := map[string]any{}
		for name, m := range v {
			rest, whole := step(paths, name)
			if whole {
				out[name] = m
			} else if some, ok := kept(m, rest); ok && len(rest) > 0 {
				out[name] = some
			}
		}
		return out, len(out) > 0
	case []any:
		var out []any
		for _, item := range v {
			if some, ok := kept(item, paths); ok {
				out = append(out, some)
			}
		}
		return out, len(out) > 0
	}
	return nil, false
}

func without(v any, paths [][]string) any {
	switch v := opened(v).(type) {
	case map[string]any:
		out := map[string]any{}
		for name, m := range v {
			if rest, whole := step(paths, name); !whole {
				out[name] = without(m, rest)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = without(item, paths)
		}
		return out
	}
	return v
}

// step goes one name down: what is left of the paths, and whether one has ended here.
func step(paths [][]string, name string) (rest [][]string, whole bool) {
	for _, p := range paths {
		if len(p) > 0 && p[0] == "**" {
			rest = append(rest, p)
			p = p[1:]
		}
		if len(p) == 0 {
			return nil, true
		}
		if ok, err := path.Match(p[0], name); !ok || err != nil {
			continue
		}
		if len(p) == 1 {
			return nil, true
		}
		rest = append(rest, p[1:])
	}
	return rest, false
}
