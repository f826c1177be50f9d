package elastic

// newFiltering leaves nothing out.
func newFiltering(now string) map[string]any {
	return map[string]any{"active": newRules(now), "domain": "DEFAULT", "draft": newRules(now)}
}

func newRules(now string) map[string]any {
	return map[string]any{
		"advanced_snippet": map[string]any{"created_at": now, "updated_at": now, "value": map[string]any{}},
		"rules":            []any{defaultRule(0, now, now)},
		"validation":       map[string]any{"errors": []any{}, "state": "valid"},
	}
}

// defaultRule takes everything that no other rule decides about.
func defaultRule(order int, created, updated string) map[string]any {
	return map[string]any{
		"created_at": created, "field": "_", "id": "DEFAULT", "order": order, "policy": "include",
		"rule": "regex", "updated_at": updated, "value": ".*",
	}
}
