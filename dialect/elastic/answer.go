package elastic

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// answer writes what a handler answers, or its error, in the envelope all clients know.
func (c *call) answer(a answer, err error) {
	if err != nil {
		f := c.translate(err)
		if f.status == http.StatusUnauthorized {
			c.w.Header()["Www-Authenticate"] = []string{`Basic realm="security", charset="UTF-8"`, "ApiKey"}
		}
		a = answer{status: f.status, body: f.envelope()}
	}
	if a.sent {
		return
	}
	doc, err := c.encode(a.status, a.body)
	if err != nil {
		c.api.o.Log.Error("encode an answer", "path", c.r.URL.Path, "err", err)
		a.status, doc = http.StatusInternalServerError, []byte(`{"error":{"type":"exception","reason":"internal error"},"status":500}`)
	}
	h := c.w.Header()
	h.Set("X-Elastic-Product", "Elasticsearch") // clients take nothing from a server without it
	h.Set("Content-Type", mediaType(c.r.Header.Get("Accept")))
	c.w.WriteHeader(a.status)
	if c.r.Method == http.MethodHead {
		return
	}
	if _, err := c.w.Write(doc); err != nil {
		c.api.o.Log.Debug("write an answer", "err", err)
	}
}

// mediaType is the one that was asked for, if it is one of Elasticsearch's.
func mediaType(accept string) string {
	for one := range strings.SplitSeq(accept, ",") {
		one = strings.TrimSpace(one)
		if strings.HasPrefix(one, "application/vnd.elasticsearch+json") {
			return one
		}
	}
	return "application/json"
}

// encode draws a body as the query asks for it: cut down by filter_path, indented by
// pretty.
func (c *call) encode(status int, body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	if paths := c.list("filter_path"); len(paths) > 0 && status < http.StatusBadRequest { // errors are always whole
		body = filter(body, paths)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	doc := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	q := c.r.URL.Query()
	if !q.Has("pretty") || q.Get("pretty") == "false" {
		return doc, nil
	}
	var indented bytes.Buffer
	err := json.Indent(&indented, doc, "", "  ")
	indented.WriteByte('\n')
	return indented.Bytes(), err
}
