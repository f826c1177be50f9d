package elastic

import (
	"bytes"
	"cmp"
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"unicode/utf8"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
)

// connector is a pipeline as this API shows it. doc has no id; its sensitive values are
// sealed: show makes of them what the caller may read.
type connector struct {
	id  string
	p   *syncline.Pipeline
	doc map[string]any
}

// maxDocument bounds what many small changes may make of a document: every poll reads it.
const maxDocument = 4 << 20

// deleted reports whether it was deleted softly: most calls do not see it then.
func (k *connector) deleted() bool { return k.doc["deleted"] == true }

// foreign reports whether the pipeline was made elsewhere: it is shown under its derived
// name, and changed where it was made.
func foreign(p *syncline.Pipeline) bool { return p.Ext[Name] == nil }

// document reads the drawer of a pipeline that was made here. The connector's id is kept
// in it, since the pipeline's name may have had to differ.
func document(p *syncline.Pipeline) (*connector, error) {
	k := &connector{p: p}
	if err := exactly(p.Ext[Name], &k.doc); err != nil {
		return nil, syncline.Errorf(syncline.Internal, "read the connector of pipeline %s: %s", p.ID, err)
	}
	k.id, _ = k.doc["id"].(string)
	delete(k.doc, "id")
	return k, nil
}

// encodeDocument is what document reads. Equal documents give equal bytes.
func encodeDocument(id string, doc map[string]any) (json.RawMessage, error) {
	whole := maps.Clone(doc)
	whole["id"] = id
	return json.Marshal(whole)
}

// connectorNotFound is the 404 of most calls.
func connectorNotFound(id string) error { return notThere("connector [%s] not found", id) }

// connector finds a connector, also one that was deleted softly, if the caller may do with
// it what the call is for.
func (c *call) connector(id string) (*connector, error) {
	if !storable(id) {
		return nil, connectorNotFound(id)
	}
	p, err := c.api.o.Catalog.Named(c.ctx(), Name, id)
	if err := c.reaches(id, p, err); err != nil {
		return nil, err
	}
	k, err := c.api.sketch(p)
	if err == nil {
		err = c.recent(k)
	}
	return k, err
}

// live is connector for calls that do not see what was deleted softly.
func (c *call) live(id string) (*connector, error) {
	k, err := c.connector(id)
	if err == nil && k.deleted() {
		return nil, connectorNotFound(id)
	}
	return k, err
}

// reaches settles what became of a look for a connector. Who is limited to some pipelines
// does not learn which others there are.
func (c *call) reaches(id string, p *syncline.Pipeline, err error) error {
	name := id
	if err == nil {
		name = p.Name
	} else if syncline.CodeOf(err) != syncline.NotFound {
		return err
	}
	if err := c.may(name); err != nil {
		return err
	}
	if err != nil {
		return connectorNotFound(id)
	}
	return nil
}

// storable reports whether a text can be a name in any store.
func storable(text string) bool {
	return utf8.ValidString(text) && !bytes.ContainsRune([]byte(text), 0)
}

// sketch is a connector without what a foreign one's runs say.
func (a *API) sketch(p *syncline.Pipeline) (*connector, error) {
	if foreign(p) {
		return &connector{id: catalog.NameIn(p), p: p, doc: a.drawForeign(p)}, nil
	}
	return document(p)
}

// connectors are all that the caller sees, also those deleted softly, in no order that
// means something. They are sketches: recent completes those that are shown.
func (c *call) connectors() iter.Seq2[*connector, error] {
	return func(yield func(*connector, error) bool) {
		for p, err := range c.pipelines() {
			var k *connector
			if err == nil {
				k, err = c.api.sketch(p)
			}
			if !yield(k, err) || err != nil {
				return
			}
		}
	}
}

// pipelines are all that the caller sees; an error is the last.
func (c *call) pipelines() iter.Seq2[*syncline.Pipeline, error] {
	return func(yield func(*syncline.Pipeline, error) bool) {
		for p, err := range c.api.o.Catalog.All(c.ctx()) {
			if (err != nil || c.who().Sees(p.Name)) && !yield(p, err) {
				return
			}
		}
	}
}

// change changes a connector's document, also one that was deleted softly. fn may be
// called again and touches nothing else; sensitive values read as masked in it, and those
// it leaves so stay as they are. What changes nothing is "noop" and stores nothing.
func (c *call) change(id string, fn func(doc map[string]any) error) (result string, k *connector, err error) {
	return c.changeAt(id, func(_ *syncline.Pipeline, doc map[string]any) error { return fn(doc) })
}

// changeAt is change for who must see the pipeline as well, as it is stored.
func (c *call) changeAt(id string, fn func(p *syncline.Pipeline, doc map[string]any) error) (result string, k *connector, err error) {
	if !storable(id) {
		return "", nil, connectorNotFound(id)
	}
	p, err := c.api.o.Catalog.Alter(c.ctx(), Name, id, func(tx syncline.Tx, p *syncline.Pipeline) error {
		if err := c.may(p.Name); err != nil {
			return err
		}
		before, err := document(p)
		if err != nil {
			return err
		}
		doc := masked(before.doc)
		if err := fn(p, doc); err != nil {
			return err
		}
		k, result, err = c.api.keep(tx, before, doc)
		return err
	})
	if syncline.CodeOf(err) == syncline.NotFound {
		return "", nil, c.reaches(id, nil, err)
	}
	if err != nil && p != nil {
		err = cmp.Or(c.may(p.Name), err) // also of what was made elsewhere, which fn is not asked about
	}
	if err != nil {
		return "", nil, err
	}
	k.p = p
	return result, k, nil
}

// keep stores a changed document in its pipeline: secrets sealed, the index claimed, the
// definition derived anew where it may differ.
func (a *API) keep(tx syncline.Tx, before *connector, doc map[string]any) (*connector, string, error) {
	after := &connector{id: before.id, p: before.p, doc: doc}
	if err := a.seal(after, before.doc); err != nil {
		return nil, "", err
	}
	if err := a.complete(after); err != nil {
		return nil, "", err
	}
	was, err := encodeDocument(before.id, before.doc)
	if err != nil {
		return nil, "", err
	}
	is, err := encodeDocument(after.id, after.doc)
	if err != nil {
		return nil, "", err
	}
	if bytes.Equal(was, is) && before.p.Version > 0 {
		return after, "noop", nil
	}
	if len(is) > maxDocument {
		return nil, "", fault(http.StatusRequestEntityTooLarge, "status_exception", "the document would be larger than %d bytes", maxDocument)
	}
	if err := claimIndex(tx, before, after); err != nil {
		return nil, "", err
	}
	after.p.Ext[Name] = is
	if !defines(before.doc, after.doc) {
		return after, "updated", nil
	}
	open, err := a.opened(after)
	if err != nil {
		return nil, "", err
	}
	return after, "updated", a.define(after.p, open)
}

// merge puts src into dst: objects member by member, everything else as a whole, null as
// null.
func merge(dst, src map[string]any) {
	for name, v := range src {
		from, isObject := v.(map[string]any)
		into, hasObject := dst[name].(map[string]any)
		if isObject && hasObject {
			merge(into, from)
			continue
		}
		dst[name] = copied(v)
	}
}
