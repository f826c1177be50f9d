package elastic

import (
	"github.com/synclinehq/syncline"
)

var (
	nameParser      = parser{name: "connector_update_name_request", fields: []field{{name: "name", kind: textOrNull}, {name: "description", kind: textOrNull}}}
	apiKeyParser    = parser{name: "connector_update_api_key_id_request", fields: []field{{name: "api_key_id", kind: textOrNull}, {name: "api_key_secret_id", kind: textOrNull}}}
	indexNameParser = parser{name: "connector_update_index_name_request", fields: []field{{name: "index_name", kind: textOrNull, required: true}}}
	nativeParser    = parser{name: "connector_update_native_request", fields: []field{{name: "is_native", kind: boolean, required: true}}}
	serviceParser   = parser{name: "connector_update_service_type_request", fields: []field{{name: "service_type", required: true}}}
)

func (c *call) updateName() (answer, error) {
	return c.updateEither(nameParser, "[name] and [description] cannot both be [null]. Please provide a value for at least one of them.")
}

func (c *call) updateAPIKey() (answer, error) {
	return c.updateEither(apiKeyParser, "[api_key_id] and [api_key_secret_id] cannot both be [null]. Please provide a value for at least one of them.")
}

// updateEither sets those of a parser's fields that were given, none of which is refused.
func (c *call) updateEither(p parser, none string) (answer, error) {
	given, err := p.given(c, true)
	if err != nil {
		return answer{}, err
	}
	given = withoutNulls(given)
	var found []string
	if len(given) == 0 {
		found = []string{none}
	}
	if err := c.valid(found...); err != nil {
		return answer{}, err
	}
	return c.update(set(given))
}

// updateIndexName attaches an index, or none.
func (c *call) updateIndexName() (answer, error) {
	given, err := indexNameParser.given(c, true)
	if err != nil {
		return answer{}, err
	}
	index, attached := given["index_name"].(string)
	var found []string
	if attached {
		if why := illegalIndex(index); why != "" {
			found = []string{why}
		}
	}
	if err := c.valid(found...); err != nil {
		return answer{}, err
	}
	if err := c.indexFree(index); err != nil {
		return answer{}, err
	}
	return c.updateLive(func(doc map[string]any) error {
		if doc["is_native"] == true && attached && !managed(index) {
			return rule("Index attached to an Elastic-managed connector must start with the prefix: [%s]. The index name in the payload [%s] doesn't comply with this requirement.", managedPrefix, index)
		}
		doc["index_name"] = given["index_name"]
		return nil
	})
}

// indexFree refuses an index that another connector has, also for a connector that does
// not exist. It only settles which error comes first: what holds is the claim.
func (c *call) indexFree(index string) error {
	if index == "" {
		return nil
	}
	p, err := c.api.o.Catalog.Named(c.ctx(), indexes, index)
	if syncline.CodeOf(err) == syncline.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if foreign(p) {
		return nil
	}
	k, err := document(p)
	if err == nil && k.id != c.vars["connector_id"] && indexOf(k.doc) == index {
		return indexTaken(index)
	}
	return err
}

func (c *call) updateNative() (answer, error) {
	given, err := c.asked(nativeParser)
	if err != nil {
		return answer{}, err
	}
	id := c.vars["connector_id"]
	return c.updateLive(func(doc map[string]any) error {
		if index := indexOf(doc); given["is_native"] == true && index != "" && !managed(index) {
			return rule("The index name [%s] attached to the connector [%s] must start with the required prefix: [%s] to be Elastic-managed. Please update the attached index first to comply with this requirement.", index, id, managedPrefix)
		}
		doc["is_native"] = given["is_native"]
		if doc["status"] == "connected" {
			doc["status"] = configured
		}
		return nil
	})
}

func (c *call) updateServiceType() (answer, error) {
	given, err := serviceParser.given(c, true)
	if err != nil {
		return answer{}, err
	}
	var found []string
	if given["service_type"] == "" {
		found = []string{`[service_type] cannot be [null] or [""].`}
	}
	if err := c.valid(found...); err != nil {
		return answer{}, err
	}
	return c.updateLive(func(doc map[string]any) error {
		doc["service_type"] = given["service_type"]
		if doc["status"] != "created" {
			doc["status"] = needsConfiguration
		}
		return nil
	})
}
