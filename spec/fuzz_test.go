package spec_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/synclinehq/syncline/spec"
)

// FuzzDecode: settings are taken or refused, never half taken, and a refusal does not say
// what the password was.
func FuzzDecode(f *testing.F) {
	s := spec.Spec{Fields: []spec.Field{
		{Name: "host", Label: "Host", Type: spec.String, Required: true},
		{Name: "port", Label: "Port", Type: spec.Int, Default: 5432},
		{Name: "password", Label: "Password", Type: spec.Password},
	}}
	for _, doc := range []string{`{"host":"a","port":1}`, `{"host":"a","host":"b"}`, `{"password":["canarycanary"]}`, `{"host":1}`, `[]`, `{"port":1e99}`} {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		var into struct {
			Host     string      `json:"host"`
			Port     int         `json:"port"`
			Password spec.Secret `json:"password"`
		}
		err := s.Decode(json.RawMessage(doc), &into)
		if (err == nil) != (s.Check(json.RawMessage(doc)) == nil) {
			t.Fatalf("%s: decoding says %v, checking %v", doc, err, s.Check(json.RawMessage(doc)))
		}
		if err == nil && into.Host == "" {
			t.Fatalf("%s: taken without its host", doc)
		}
		if err != nil && strings.Contains(err.Error(), "canarycanary") && strings.Contains(doc, `"password":`) {
			t.Fatalf("%s: %v", doc, err)
		}
	})
}
