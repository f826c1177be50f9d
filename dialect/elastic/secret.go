package elastic

import (
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
)

const (
	secretPath = "/_connector/_secret"
	secretKind = "secret" // of the dialect's documents
)

// secretRoutes are the calls on secrets. They are private in the API that they are part of:
// its own agents keep connectors' API keys with them.
// https://github.com/elastic/elasticsearch/tree/main/x-pack/plugin/ent-search/src/main/java/org/elasticsearch/xpack/application/connector/secrets
var secretRoutes = []route{
	{method: http.MethodPost, path: secretPath, may: auth.Administer, handle: (*call).postSecret},
	{method: http.MethodGet, path: secretPath + "/{secret_id}", may: auth.Work, handle: (*call).getSecret},
	{method: http.MethodPut, path: secretPath + "/{secret_id}", may: auth.Administer, handle: (*call).putSecret},
	{method: http.MethodDelete, path: secretPath + "/{secret_id}", may: auth.Administer, handle: (*call).deleteSecret},
}

// secretBody is how a secret is kept: sealed for its id.
type secretBody struct {
	Value string `json:"value"`
}

var secretFields = []field{{name: "value", required: true}}

func (c *call) postSecret() (answer, error) {
	given, err := parser{"post_secret_request", secretFields}.read(c, true)
	if err != nil {
		return answer{}, err
	}
	if given["value"].text == "" {
		return answer{}, invalid(`[value] of the connector secret cannot be [null] or [""]`)
	}
	id := uuid.Must(uuid.NewV7()).String()
	if _, err := c.storeSecret(id, given["value"].text); err != nil {
		return answer{}, err
	}
	return ok(map[string]any{"id": id}), nil
}

func (c *call) putSecret() (answer, error) {
	given, err := parser{"connector_secret_put_request", secretFields}.read(c, true)
	if err != nil {
		return answer{}, err
	}
	id, value := c.vars["secret_id"], given["value"].text
	var wrong []string
	if id == "" || !storable(id) || len(id) > maxID {
		wrong = append(wrong, `[id] cannot be [null] or [""]`)
	}
	if value == "" {
		wrong = append(wrong, `[value] cannot be [null] or [""]`)
	}
	if err := invalid(wrong...); err != nil {
		return answer{}, err
	}
	made, err := c.storeSecret(id, value)
	if made {
		return answer{status: http.StatusCreated, body: map[string]any{"result": "created"}}, err
	}
	return ok(updated), err
}

func (c *call) storeSecret(id, value string) (made bool, err error) {
	sealed, err := c.api.o.Catalog.SealText(value, secretKind, id)
	if err != nil {
		return false, err
	}
	body, err := json.Marshal(secretBody{sealed})
	if err != nil {
		return false, err
	}
	return c.api.o.Catalog.PutDoc(c.ctx(), Name, secretKind, id, body)
}

func (c *call) getSecret() (answer, error) {
	id, err := c.secretID()
	if err != nil {
		return answer{}, err
	}
	if err := c.mayRead(id); err != nil {
		return answer{}, err
	}
	d, err := c.api.o.Catalog.Doc(c.ctx(), Name, secretKind, id)
	if err != nil {
		return answer{}, noSecret(id, err)
	}
	var body secretBody
	if err := json.Unmarshal(d.Body, &body); err != nil {
		return answer{}, err
	}
	value, err := c.api.o.Catalog.OpenText(body.Value, secretKind, id)
	return ok(map[string]any{"id": id, "value": value}), err
}

func (c *call) deleteSecret() (answer, error) {
	id, err := c.secretID()
	if err == nil {
		err = noSecret(id, c.api.o.Catalog.DeleteDoc(c.ctx(), Name, secretKind, id))
	}
	return ok(map[string]any{"deleted": true}), err
}

func (c *call) secretID() (string, error) {
	id := c.vars["secret_id"]
	switch {
	case id == "":
		return "", invalid("[id] of the connector secret cannot be null or empty.")
	case !storable(id):
		return "", notThere("No secret with id [%s]", id)
	}
	return id, nil
}

func noSecret(id string, err error) error {
	if syncline.CodeOf(err) == syncline.NotFound {
		return notThere("No secret with id [%s]", id)
	}
	return err
}

// mayRead lets a worker that is limited to some connectors read the secrets of those, and
// no others: those are not there.
func (c *call) mayRead(id string) error {
	who := c.who()
	for _, name := range who.Scope {
		p, err := c.api.o.Catalog.ByName(c.ctx(), name)
		if syncline.CodeOf(err) == syncline.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		if refersTo(p, id) {
			return nil
		}
	}
	if len(who.Scope) > 0 {
		return notThere("No secret with id [%s]", id)
	}
	return nil
}

func refersTo(p *syncline.Pipeline, secret string) bool {
	if foreign(p) {
		return false
	}
	k, err := document(p)
	return err == nil && k.doc["api_key_secret_id"] == secret
}
