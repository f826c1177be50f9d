package datatransfer

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/synclinehq/syncline"
)

// define makes of a config's parameters what is read and where it lands. secrets are the
// source's settings as they are kept, which hidden parameters stand for.
func (a *API) define(k kind, dataset string, given params, secrets json.RawMessage) (d syncline.Definition, err error) {
	d = syncline.Definition{Owner: syncline.OwnerEngine, Overlap: syncline.OverlapQueue, Outcome: syncline.OutcomeAll}
	if d.Source, err = k.source(given, secrets); err != nil {
		return d, err
	}
	if d.Destination, err = a.o.Dataset(dataset); err != nil {
		return d, under("transfer_config.destination_dataset_id", err)
	}
	d.Entities, err = k.entities(given)
	return d, err
}

// under puts an error to a field of the request.
func under(field string, err error) error {
	if e, ok := errors.AsType[*syncline.Error](err); ok {
		named := *e
		named.Field = field
		return &named
	}
	return err
}

// source is the endpoint that accepted parameters mean.
func (k kind) source(given params, secrets json.RawMessage) (syncline.Endpoint, error) {
	kept := map[string]any{}
	if len(secrets) > 0 {
		if err := json.Unmarshal(secrets, &kept); err != nil {
			return syncline.Endpoint{}, err
		}
	}
	settings := map[string]any{}
	for _, f := range k.Fields {
		switch v := given[f.Name]; {
		case v == hidden:
			settings[f.Name] = kept[f.Name]
		case v != nil:
			settings[f.Name] = setting(f, v)
		}
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		return syncline.Endpoint{}, err
	}
	if err := k.Check(raw); err != nil {
		return syncline.Endpoint{}, syncline.Invalid("params", "%s", err.Error())
	}
	return syncline.Endpoint{Kind: k.Kind, Settings: raw}, nil
}

// entities are what is read. A table lands under its own name: two of one name in two
// schemas would meet in one.
func (k kind) entities(given params) (all []syncline.EntitySpec, err error) {
	one := syncline.EntitySpec{
		Mode: syncline.Mode(given.text("mode")), Cursor: given.text("cursor"),
		Key: texts(given["key"]), Write: syncline.Disposition(given.text("write")),
	}
	if k.Cursorless {
		one.Name = "*"
		return []syncline.EntitySpec{one}, nil
	}
	if one.Mode == syncline.ModeIncremental && one.Cursor == "" {
		return nil, syncline.Invalid("params.cursor", "an incremental transfer needs the parameter %q", "cursor").Try("name the column that moves with every change")
	}
	from := map[string]string{}
	for _, name := range texts(given["tables"]) {
		table := lastPart(name)
		switch {
		case strings.ContainsAny(name, "*?") || table == "":
			return nil, syncline.Invalid("params.tables", "%q is no name of a table", name).Try("name each table that is to be transferred")
		case from[table] != "":
			return nil, syncline.Invalid("params.tables", "%s and %s would both land in table %q of the dataset", from[table], name, table).Try("make a transfer config for each")
		}
		from[table] = name
		e := one
		e.Name, e.Table = name, table
		all = append(all, e)
	}
	return all, nil
}

// lastPart is a table's name without its schema; names with dots in them stand in quotes.
func lastPart(name string) string {
	quoted, last := false, 0
	for i, c := range name {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			last = i + 1
		}
	}
	part := name[last:]
	if len(part) > 1 && strings.HasPrefix(part, `"`) && strings.HasSuffix(part, `"`) {
		part = strings.ReplaceAll(part[1:len(part)-1], `""`, `"`)
	}
	return part
}
