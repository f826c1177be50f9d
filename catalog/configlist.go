package catalog

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"

	"github.com/synclinehq/syncline"
)

// entities reads the list of entities: a name, or an object.
func (r *reader) entities(n ast.Node) []syncline.EntitySpec {
	var out []syncline.EntitySpec
	for i, item := range r.items(n, "entities") {
		field := fmt.Sprintf("entities[%d]", i)
		r.at[field] = r.where(item)
		if isObject(r.follow(item)) {
			out = append(out, r.entity(field, item))
			continue
		}
		name, _ := r.text(item, "an entity")
		out = append(out, syncline.EntitySpec{Name: name})
	}
	return out
}

var entityKeys = []string{"name", "table", "mode", "cursor", "key", "write", "columns", "deletes", "overlap", "types", "split"}

func (r *reader) entity(field string, n ast.Node) syncline.EntitySpec {
	var e syncline.EntitySpec
	r.members(n, "an entity", entityKeys, func(key string, v ast.Node) {
		r.at[field+"."+key] = r.where(v)
		switch key {
		case "key":
			e.Key = r.columns(v)
		case "overlap":
			d := r.duration(v, key)
			e.Overlap = &d
		case "types":
			e.Types = r.texts(v, key)
		default:
			text, _ := r.text(v, key)
			setEntity(&e, key, text)
		}
	})
	if e.Name == "" {
		r.bad(n, "the entity needs a name").hint = "a name or a pattern: name: public.orders"
	}
	return e
}

func setEntity(e *syncline.EntitySpec, key, text string) {
	switch key {
	case "name":
		e.Name = text
	case "table":
		e.Table = text
	case "mode":
		e.Mode = syncline.Mode(text)
	case "cursor":
		e.Cursor = text
	case "write":
		e.Write = syncline.Disposition(text)
	case "columns":
		e.Columns = syncline.Columns(text)
	case "deletes":
		e.Deletes = syncline.Deletes(text)
	case "split":
		e.Split = text
	}
}

// columns reads one column or a list of them.
func (r *reader) columns(n ast.Node) []string {
	if _, list := r.follow(n).(*ast.SequenceNode); !list {
		column, _ := r.text(n, "key")
		return []string{column}
	}
	var out []string
	for _, item := range r.items(n, "key") {
		column, _ := r.text(item, "a column of the key")
		out = append(out, column)
	}
	return out
}

// schedules reads one schedule or a list of them.
func (r *reader) schedules(n ast.Node) []syncline.Schedule {
	list, ok := r.follow(n).(*ast.SequenceNode)
	if !ok {
		r.at["schedules[0]"] = r.where(n)
		return []syncline.Schedule{r.schedule("schedules[0]", n)}
	}
	var out []syncline.Schedule
	for i, item := range list.Values {
		field := fmt.Sprintf("schedules[%d]", i)
		r.at[field] = r.where(item)
		out = append(out, r.schedule(field, item))
	}
	return out
}

var scheduleKeys = []string{"every", "cron", "grammar", "zone", "mode", "misfire"}

func (r *reader) schedule(field string, n ast.Node) syncline.Schedule {
	var s syncline.Schedule
	r.members(n, "a schedule", scheduleKeys, func(key string, v ast.Node) {
		r.at[field+"."+key] = r.where(v)
		if key == "every" {
			s.Every = r.duration(v, key)
			return
		}
		text, _ := r.text(v, key)
		switch key {
		case "cron":
			s.Cron = text
		case "grammar":
			s.Grammar = text
		case "zone":
			s.Zone = text
		case "mode":
			s.Mode = syncline.Mode(text)
		case "misfire":
			s.Misfire = syncline.Misfire(text)
		}
	})
	return s
}
