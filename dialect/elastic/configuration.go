package elastic

import (
	"maps"
	"slices"
	"strings"
)

// The parsers' names are those of Elasticsearch's own.
// https://github.com/elastic/elasticsearch/blob/main/x-pack/plugin/ent-search/src/main/java/org/elasticsearch/xpack/application/connector/ConnectorConfiguration.java
var (
	configurationParser = parser{name: "connector_update_configuration_request", fields: []field{
		{name: "configuration", kind: objectOrNull, read: mapOf("connector_configuration_map", configurationField)},
		{name: "values", kind: objectOrNull, read: mapOf("configuration_values", configurationValue)},
	}}
	fieldParser = parser{name: "connector_configuration", fields: []field{
		{name: "category"},
		{name: "default_value", kind: scalarOrNull},
		{name: "depends_on", kind: array, read: listOf(objectOf(dependencyParser))},
		{name: "display", read: enumOf("DisplayType", true, "textbox", "textarea", "numeric", "toggle", "dropdown", "text")},
		{name: "label", required: true},
		{name: "options", kind: array, read: listOf(objectOf(optionParser))},
		{name: "order", kind: integer},
		{name: "placeholder", kind: textOrNull},
		{name: "required", kind: boolean},
		{name: "sensitive", kind: boolean},
		{name: "tooltip", kind: textOrNull},
		{name: "type", kind: textOrNull, read: enumOf("ConfigurationFieldType", false, "str", "int", "list", "bool")},
		{name: "ui_restrictions", kind: array, read: listOf(ofKind("ui_restrictions", text))},
		{name: "validations", kind: array, read: listOf(objectOf(validationParser))},
		{name: "value", kind: anything, read: configurationValue},
	}}
	dependencyParser = parser{name: "connector_configuration_dependency", fields: []field{
		{name: "field", required: true}, {name: "value", kind: scalarOrNull, required: true},
	}}
	optionParser = parser{name: "connector_configuration_select_option", fields: []field{
		{name: "label", required: true}, {name: "value", kind: scalarKind, required: true},
	}}
	validationParser = parser{name: "connector_configuration_validation", fields: []field{
		{name: "constraint", kind: anything, required: true, read: constraint},
		{name: "type", required: true, read: enumOf("ConfigurationValidationType", false, "less_than", "greater_than", "list_type", "included_in", "regex")},
	}}
)

// configurationField reads a field with the members that are always there.
func configurationField(raw []byte, v *value) (any, error) {
	f, err := fieldParser.build(raw, v, true)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"default_value": nil, "required": false, "sensitive": false, "value": nil}
	maps.Copy(out, f)
	if out["tooltip"] == nil {
		delete(out, "tooltip")
	}
	return out, nil
}

// configurationValue is a text, number, boolean, null, or the object of a crawler's
// settings.
func configurationValue(raw []byte, v *value) (any, error) {
	if v.token == "START_ARRAY" {
		return nil, parseFault(raw, v.at, "[connector_configuration] value doesn't support values of type: START_ARRAY")
	}
	return v.any(), nil
}

// constraint is a text, a number, or a list of them.
func constraint(raw []byte, v *value) (any, error) {
	items := []*value{v}
	if v.token == "START_ARRAY" {
		items = v.items
	}
	for _, item := range items {
		if item.token != "VALUE_STRING" && item.token != "VALUE_NUMBER" {
			return nil, parseFault(raw, item.at, "[connector_configuration_validation] constraint doesn't support values of type: %s", item.token)
		}
	}
	return v.any(), nil
}

// updateConfiguration takes a whole configuration, or values for the fields there are.
func (c *call) updateConfiguration() (answer, error) {
	given, err := configurationParser.given(c, true)
	if err != nil {
		return answer{}, err
	}
	fields, whole := given["configuration"].(map[string]any)
	values, some := given["values"].(map[string]any)
	var found []string
	switch {
	case whole && some:
		found = []string{"[configuration] and [values] cannot both be provided in the same request."}
	case !whole && !some:
		found = []string{"[configuration] and [values] cannot both be null."}
	}
	if err := c.valid(found...); err != nil {
		return answer{}, err
	}
	if some {
		return c.updateLive(func(doc map[string]any) error { return setValues(doc, values) })
	}
	a, err := c.updateLive(func(doc map[string]any) error {
		doc["configuration"], doc["status"] = copied(fields), configured
		return nil
	})
	a.body = map[string]any{"result": "updated"} // Elasticsearch does not look whether it was the same
	return a, err
}

func setValues(doc, values map[string]any) error {
	fields := configurationOf(doc)
	var unknown []string
	for name, v := range values {
		field, known := fields[name].(map[string]any)
		if !known {
			unknown = append(unknown, name)
			continue
		}
		merge(field, map[string]any{"value": v})
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return rule("Unknown [configuration] fields in the request payload: [%s]. Remove them from request or register their schema first.", strings.Join(unknown, ", "))
	}
	doc["status"] = configured
	return nil
}
