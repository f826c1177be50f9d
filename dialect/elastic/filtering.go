package elastic

import (
	"cmp"
	"maps"
	"slices"
)

// https://github.com/elastic/elasticsearch/blob/main/x-pack/plugin/ent-search/src/main/java/org/elasticsearch/xpack/application/connector/ConnectorFiltering.java
var (
	filteringParser = parser{name: "connector_update_filtering_request", fields: []field{
		{name: "filtering", kind: arrayOrNull, read: listOf(objectOf(entryParser))},
		{name: "rules", kind: arrayOrNull, read: listOf(objectOf(ruleParser))},
		{name: "advanced_snippet", kind: objectOrNull, read: objectOf(snippetParser)},
	}}
	entryParser = parser{name: "connector_filtering", fields: []field{
		{name: "active", kind: object, required: true, read: objectOf(rulesParser)},
		{name: "draft", kind: object, required: true, read: objectOf(rulesParser)},
	}}
	rulesParser = parser{name: "connector_filtering_rules", fields: []field{
		{name: "advanced_snippet", kind: object, required: true, read: objectOf(snippetParser)},
		{name: "rules", kind: array, required: true, read: listOf(objectOf(ruleParser))},
		{name: "validation", kind: object, required: true, read: objectOf(draftParser)},
	}}
	snippetParser = parser{name: "connector_filtering_advanced_snippet", fields: []field{
		{name: "created_at", read: instantField},
		{name: "updated_at", read: instantField},
		{name: "value", kind: objectOrArray, required: true},
	}}
	ruleParser = parser{name: "connector_filtering_rule", fields: []field{
		{name: "created_at", read: instantField},
		{name: "updated_at", read: instantField},
		{name: "field", required: true},
		{name: "id", required: true},
		{name: "order", kind: integer, required: true},
		{name: "policy", required: true, read: enumOf("FilteringPolicy", false, "include", "exclude")},
		{name: "rule", required: true, read: enumOf("FilteringRuleCondition", false, "contains", "ends_with", "equals", ">", "<", "regex", "starts_with")},
		{name: "value", required: true},
	}}
	draftValidationParser = parser{name: "connector_update_filtering_validation", fields: []field{
		{name: "validation", kind: object, required: true, read: objectOf(draftParser)},
	}}
	draftParser = parser{name: "filtering_validation_info", fields: []field{
		{name: "errors", kind: array, required: true, read: listOf(objectOf(draftErrorParser))},
		{name: "state", required: true, read: enumOf("FilteringValidationState", false, "edited", "valid", "invalid")},
	}}
	draftErrorParser = parser{name: "filtering_validation", fields: []field{
		{name: "ids", kind: array, required: true, read: listOf(ofKind("ids", text))},
		{name: "messages", kind: array, required: true, read: listOf(ofKind("messages", text))},
	}}
)

// defaultID is the id of the rule that is always the last.
const defaultID = "DEFAULT"

// newFiltering leaves nothing out.
func newFiltering(now string) map[string]any {
	return map[string]any{"active": newRules(now), "domain": "DEFAULT", "draft": newRules(now)}
}

func newRules(now string) map[string]any {
	return map[string]any{
		"advanced_snippet": map[string]any{"created_at": now, "updated_at": now, "value": map[string]any{}},
		"rules":            []any{defaultRule(0, now)},
		"validation":       draftState("valid"),
	}
}

func draftState(state string) map[string]any {
	return map[string]any{"errors": []any{}, "state": state}
}

// defaultRule takes everything that no other rule decides about.
func defaultRule(order int64, at string) map[string]any {
	return map[string]any{
		"created_at": at, "field": "_", "id": defaultID, "order": order, "policy": "include",
		"rule": "regex", "updated_at": at, "value": ".*",
	}
}

// dated gives a rule or snippet the times that it did not bring.
func dated(v any, now string) map[string]any {
	out := map[string]any{"created_at": now, "updated_at": now}
	maps.Copy(out, v.(map[string]any))
	return out
}

func datedAll(rules any, now string) []any {
	out := slices.Clone(rules.([]any))
	for i, r := range out {
		out[i] = dated(r, now)
	}
	return out
}

// updateFiltering takes all of the filtering, or another draft.
func (c *call) updateFiltering() (answer, error) {
	given, err := filteringParser.given(c, true)
	if err != nil {
		return answer{}, err
	}
	given = withoutNulls(given)
	whole, rules, snippet := given["filtering"], given["rules"], given["advanced_snippet"]
	var found []string
	switch draft := rules != nil || snippet != nil; {
	case whole != nil && draft:
		found = []string{"If [filtering] is specified, [rules] and [advanced_snippet] should not be present in the request body."}
	case whole == nil && !draft:
		found = []string{"[advanced_snippet] and [rules] cannot be both [null]."}
	}
	if err := c.valid(found...); err != nil {
		return answer{}, err
	}
	now := jobTime(c.now())
	if whole != nil {
		return c.update(set(map[string]any{"filtering": wholeFiltering(whole.([]any), now)}))
	}
	return c.updateLive(func(doc map[string]any) error {
		entry := firstFiltering(doc, now)
		draft := within(entry, "draft")
		if rules != nil {
			draft["rules"] = sortedRules(rules.([]any), now)
		}
		if snippet != nil {
			draft["advanced_snippet"] = dated(snippet, now)
		}
		draft["validation"] = draftState("edited")
		doc["filtering"] = []any{entry}
		return nil
	})
}

func wholeFiltering(entries []any, now string) []any {
	out := make([]any, len(entries))
	for i, e := range entries {
		entry := map[string]any{"domain": "DEFAULT"}
		for name, part := range e.(map[string]any) {
			r := maps.Clone(part.(map[string]any))
			r["advanced_snippet"] = dated(r["advanced_snippet"], now)
			r["rules"] = datedAll(r["rules"], now)
			entry[name] = r
		}
		out[i] = entry
	}
	return out
}

// sortedRules are in their order, the default rule, of which there is always one, last.
func sortedRules(given []any, now string) []any {
	at := ""
	var rules []any
	for _, r := range datedAll(given, now) {
		if r := r.(map[string]any); r["id"] != defaultID {
			rules = append(rules, r)
		} else {
			at = cmp.Or(at, r["created_at"].(string))
		}
	}
	order := func(r any) int64 { return r.(map[string]any)["order"].(int64) }
	slices.SortStableFunc(rules, func(a, b any) int { return cmp.Compare(order(a), order(b)) })
	last := int64(0)
	if n := len(rules); n > 0 {
		last = order(rules[n-1]) + 1
	}
	return append(rules, defaultRule(last, cmp.Or(at, now)))
}

// firstFiltering is the entry of a connector's filtering that counts.
func firstFiltering(doc map[string]any, now string) map[string]any {
	list, _ := doc["filtering"].([]any)
	if len(list) > 0 {
		if entry, isEntry := list[0].(map[string]any); isEntry {
			return entry
		}
	}
	return newFiltering(now)
}

// within is an object in an object, made when it is not there.
func within(of map[string]any, name string) map[string]any {
	m, isObject := of[name].(map[string]any)
	if !isObject {
		m = map[string]any{}
		of[name] = m
	}
	return m
}

// validateDraft stores what the connector's own check of the draft found.
func (c *call) validateDraft() (answer, error) {
	given, err := c.asked(draftValidationParser)
	if err != nil {
		return answer{}, err
	}
	now := jobTime(c.now())
	return c.updateLive(func(doc map[string]any) error {
		entry := firstFiltering(doc, now)
		within(entry, "draft")["validation"] = given["validation"]
		doc["filtering"] = []any{entry}
		return nil
	})
}

// activateDraft makes the draft the filtering that syncs go by.
func (c *call) activateDraft() (answer, error) {
	if err := c.valid(); err != nil {
		return answer{}, err
	}
	now := jobTime(c.now())
	return c.updateLive(func(doc map[string]any) error {
		entry := firstFiltering(doc, now)
		draft := within(entry, "draft")
		validation, _ := draft["validation"].(map[string]any)
		if state := validation["state"]; state != "valid" {
			return rule("Filtering draft needs to be validated by the connector service before activation. Current filtering draft validation state [%v] is not equal to [valid].", state)
		}
		entry["active"] = copied(draft)
		doc["filtering"] = []any{entry}
		return nil
	})
}
