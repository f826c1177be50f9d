package elastic

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// asked reads a query from JSON.
func asked(t *testing.T, text string, now time.Time) query {
	t.Helper()
	q, err := askedOf(text, now)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

func askedOf(text string, now time.Time) (query, error) {
	s := &scanner{json.NewDecoder(bytesOf(text)), []byte(text)}
	s.UseNumber()
	v, err := s.value(0)
	if err != nil {
		return nil, err
	}
	return asking{[]byte(text), now}.query(v)
}

func TestQueryMatches(t *testing.T) {
	doc := map[string]any{
		"_id": "c1", "status": "pending", "deleted": false, "count": json.Number("9007199254740993"), "n": int64(5),
		"connector":   map[string]any{"id": "c1", "tags": []any{"a", "b"}},
		"dotted.name": "x", "last_seen": "2026-03-01T12:00:00.000000Z", "empty": nil,
		"list": []any{map[string]any{"k": "1"}, map[string]any{"k": "2"}},
	}
	now := time.Date(2026, 3, 1, 12, 5, 0, 0, time.UTC)
	for text, want := range map[string]bool{
		`{"match_all":{}}`:                                                 true,
		`{"term":{"status":"pending"}}`:                                    true,
		`{"term":{"status":{"value":"pending","boost":2}}}`:                true,
		`{"term":{"status":"Pending"}}`:                                    false,
		`{"term":{"deleted":false}}`:                                       true,
		`{"term":{"deleted":true}}`:                                        false,
		`{"term":{"count":9007199254740993}}`:                              true,
		`{"term":{"count":9007199254740992}}`:                              false,
		`{"term":{"n":5}}`:                                                 true,
		`{"term":{"connector.id":"c1"}}`:                                   true,
		`{"term":{"connector":"c1"}}`:                                      false,
		`{"term":{"connector.tags":"b"}}`:                                  true,
		`{"term":{"dotted.name":"x"}}`:                                     true,
		`{"term":{"list.k":"2"}}`:                                          true,
		`{"terms":{"_id":["c0","c1"]}}`:                                    true,
		`{"terms":{"_id":[]}}`:                                             false,
		`{"match":{"status":{"query":"pending"}}}`:                         true,
		`{"bool":{}}`:                                                      true,
		`{"bool":{"must":{"term":{"n":5}}}}`:                               true,
		`{"bool":{"filter":[{"term":{"n":5}},{"term":{"n":6}}]}}`:          false,
		`{"bool":{"must_not":{"terms":{"connector.id":[]}}}}`:              true,
		`{"bool":{"must_not":[{"term":{"n":5}}]}}`:                         false,
		`{"bool":{"should":[{"term":{"n":6}},{"term":{"n":5}}]}}`:          true,
		`{"bool":{"should":[{"term":{"n":6}}]}}`:                           false,
		`{"bool":{"must":[{"term":{"n":5}}],"should":[{"term":{"n":6}}]}}`: true,
		`{"bool":{"should":[{"term":{"n":5}},{"term":{"_id":"c1"}}],"minimum_should_match":2}}`: true,
		`{"bool":{"should":[{"term":{"n":5}},{"term":{"_id":"c2"}}],"minimum_should_match":2}}`: false,
		`{"range":{"last_seen":{"lte":"now-300s"}}}`:                                            true,
		`{"range":{"last_seen":{"lt":"now-300s"}}}`:                                             false,
		`{"range":{"last_seen":{"lte":"now-5m-1s"}}}`:                                           false,
		`{"range":{"last_seen":{"gte":"2026-03-01||/d","lt":"2026-03-01||+1d/d"}}}`:             true,
		`{"range":{"last_seen":{"lte":"2026-03-01"}}}`:                                          true,
		`{"range":{"last_seen":{"lt":"2026-03-01"}}}`:                                           false,
		`{"range":{"last_seen":{"gt":"2026-03-01T13:00:00+02:00"}}}`:                            true,
		`{"range":{"last_seen":{"gte":1772366400000}}}`:                                         true,
		`{"range":{"last_seen":{"gt":1772366400000}}}`:                                          false,
		`{"range":{"n":{"gt":4,"lte":5}}}`:                                                      true,
		`{"range":{"n":{"gt":"5"}}}`:                                                            false,
		`{"range":{"absent":{"gt":0}}}`:                                                         false,
		`{"range":{"n":{"gt":null}}}`:                                                           true,
	} {
		if got := asked(t, text, now).match(doc); got != want {
			t.Errorf("%s matches: %v", text, got)
		}
	}
}

// What is known of a query before the ledger is asked must never leave out a document that
// matches.
func TestQueryNarrows(t *testing.T) {
	for text, want := range map[string][]string{
		`{"terms":{"_id":["a","b"]}}`: {"a", "b"},
		`{"terms":{"_id":[]}}`:        {},
		`{"bool":{"must":[{"match_all":{}}],"filter":{"term":{"_id":"a"}}}}`:     {"a"},
		`{"bool":{"should":[{"term":{"_id":"a"}},{"terms":{"_id":["b","c"]}}]}}`: {"a", "b", "c"},
		`{"bool":{"must":{"bool":{"filter":[{"term":{"_id":"a"}}]}}}}`:           {"a"},
		`{"bool":{"should":[{"term":{"_id":"a"}},{"term":{"n":1}}]}}`:            nil,
		`{"bool":{"must":{"match_all":{}},"should":[{"term":{"_id":"a"}}]}}`:     nil,
		`{"bool":{"must_not":{"term":{"_id":"a"}}}}`:                             nil,
		`{"bool":{"should":[{"term":{"_id":"a"}}],"minimum_should_match":0}}`:    nil,
		`{"range":{"_id":{"gt":0}}}`:                                             nil,
		`{"match_all":{}}`:                                                       nil,
	} {
		got, limited := asked(t, text, time.Now()).only("_id")
		if limited != (want != nil) || len(got) != len(want) || !slices.Equal(got, want) && len(want) > 0 {
			t.Errorf("%s: %v %v, want %v", text, got, limited, want)
		}
	}
}

func TestDateMath(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 34, 56, 789e6, time.UTC) // a Wednesday
	for _, test := range []struct {
		text string
		up   bool
		want string
	}{
		{"now", false, "2026-03-04T12:34:56.789Z"},
		{"now-300s", false, "2026-03-04T12:29:56.789Z"},
		{"now+1y-1M+1w", false, "2027-02-11T12:34:56.789Z"},
		{"now-1d/d", false, "2026-03-03T00:00:00Z"},
		{"now/d", true, "2026-03-04T23:59:59.999999999Z"},
		{"now/w", false, "2026-03-02T00:00:00Z"},
		{"now/M", true, "2026-03-31T23:59:59.999999999Z"},
		{"now/y", false, "2026-01-01T00:00:00Z"},
		{"now/h", false, "2026-03-04T12:00:00Z"},
		{"now/m+3s", false, "2026-03-04T12:34:03Z"},
		{"now-s", false, "2026-03-04T12:34:55.789Z"},
		{"2026-02-03||+1M/d", false, "2026-03-03T00:00:00Z"},
		{"2026-02", true, "2026-02-28T23:59:59.999999999Z"},
		{"2026-02-03T10:00:00+02:00", true, "2026-02-03T08:00:00Z"},
	} {
		got, ok := dateMath(test.text, now, test.up)
		if text := got.Format(time.RFC3339Nano); !ok || text != test.want {
			t.Errorf("%s: %s %v, want %s", test.text, text, ok, test.want)
		}
	}
	for _, text := range []string{"", "then", "now-", "now-3", "now-3q", "now-1234567890s", "now//d", "2026-02-03|+1d", "2026-13-01", "now-5m x"} {
		if at, ok := dateMath(text, now, false); ok {
			t.Errorf("%q is %s", text, at)
		}
	}
}

func FuzzQuery(f *testing.F) {
	f.Add(`{"bool":{"must":[{"range":{"a":{"lte":"now-300s/d"}}},{"terms":{"b":["c"]}}]}}`)
	f.Add(`{"range":{"a":{"gte":"2026||/y","to":1e300}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		q, err := askedOf(text, time.Now())
		if err != nil {
			return
		}
		for _, doc := range []map[string]any{{}, {"a": "2026-01-01T00:00:00Z", "b": "c"}, {"a": int64(1), "b": []any{"c", nil}}} {
			matches := q.match(doc)
			values, limited := q.only("b")
			has := slices.ContainsFunc(valuesAt(doc, "b"), func(v any) bool { return slices.Contains(values, scalar(v)) })
			if matches && limited && !has {
				t.Errorf("%s matches %v, which it said it could not", text, doc)
			}
		}
	})
}
