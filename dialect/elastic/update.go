package elastic

import "time"

// now is the clock of what clients are told.
func (c *call) now() time.Time { return c.api.o.Now().UTC() }

// valid refuses an empty id, and what else an endpoint's own checks found.
func (c *call) valid(found ...string) error {
	if c.vars["connector_id"] == "" {
		found = append([]string{`[connector_id] cannot be [null] or [""].`}, found...)
	}
	return invalid(found...)
}

// asked reads the body of an endpoint that makes no checks of its own.
func (c *call) asked(p parser) (map[string]any, error) {
	given, err := p.given(c, true)
	if err == nil {
		err = c.valid()
	}
	return given, err
}

// update is an endpoint that changes a connector, also one that was deleted softly.
func (c *call) update(fn func(doc map[string]any) error) (answer, error) {
	id := c.vars["connector_id"]
	result, _, err := c.change(id, fn)
	if gone(err) {
		err = documentMissing(id)
	}
	return ok(map[string]any{"result": result}), err
}

// updateLive is update for calls that do not see what was deleted softly.
func (c *call) updateLive(fn func(doc map[string]any) error) (answer, error) {
	id := c.vars["connector_id"]
	result, _, err := c.change(id, func(doc map[string]any) error {
		if doc["deleted"] == true {
			return connectorNotFound(id)
		}
		return fn(doc)
	})
	return ok(map[string]any{"result": result}), err
}

// set merges what was given.
func set(given map[string]any) func(doc map[string]any) error {
	return func(doc map[string]any) error {
		merge(doc, given)
		return nil
	}
}

// withoutNulls is what was given of fields for which null means nothing.
func withoutNulls(given map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range given {
		if v != nil {
			out[name] = v
		}
	}
	return out
}
