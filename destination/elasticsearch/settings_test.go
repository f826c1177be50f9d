package elasticsearch

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
)

func fromText(t *testing.T, text string) (json.RawMessage, error) {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return Kind.Spec.FromURL(u)
}

func TestURLs(t *testing.T) {
	for text, shown := range map[string]string{
		"elasticsearch://me:canary@host/orders":               "elasticsearch://host:9200/orders",
		"opensearch://host:9201":                              "elasticsearch://host:9201/",
		"opensearch+https://host/?api_key=canary&in_flight=4": "elasticsearch+https://host:9200/",
		"elasticsearch://[::1]:9200/a?tls=true&replicas=0":    "elasticsearch+https://[::1]:9200/a",
	} {
		raw, err := fromText(t, text)
		if err == nil {
			_, err = decode(raw)
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got := Kind.Spec.Show(raw); got != shown {
			t.Errorf("%s is shown as %s, want %s", text, got, shown)
		}
	}
}

func TestSettingsRefused(t *testing.T) {
	for text, field := range map[string]string{
		"elasticsearch:///orders":                         "host",
		"elasticsearch://host:0/orders":                   "port",
		"elasticsearch://host:70000/orders":               "port",
		"elasticsearch://host/Orders":                     "index",
		"elasticsearch://host/a%2Fb":                      "index",
		"elasticsearch://:canary@host/a":                  "user",
		"elasticsearch://me:canary@host/a?api_key=canary": "api_key",
		"elasticsearch://host/a?ca=/tmp/ca.pem":           "ca",
		"elasticsearch://host/a?shards=0":                 "shards",
		"elasticsearch://host/a?replicas=-1":              "replicas",
		"elasticsearch://host/a?in_flight=0":              "in_flight",
		"elasticsearch://host/a?colour=red":               "colour",
	} {
		raw, err := fromText(t, text)
		if err == nil {
			_, err = decode(raw)
		}
		if err == nil || !strings.Contains(err.Error()+named(err), field) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want one that names %q", text, err, field)
		}
	}
}

func TestIndexNames(t *testing.T) {
	long := strings.Repeat("é", 200)
	seen := map[string]string{}
	for _, entity := range []string{"orders", "public.orders", "Orders", "ORDERS", "a b", "a-b", "a/b", "_x", "-x", "+x", "", ".", "..", "日本語", long, long + "x", "a\x00b"} {
		name := indexName(entity)
		if err := checkIndex(name); err != nil || len(name) > maxIndex {
			t.Errorf("%q lands in %q: %v", entity, name, err)
		}
		if other, taken := seen[name]; taken {
			t.Errorf("%q and %q both land in %q", other, entity, name)
		}
		seen[name] = entity
	}
	if indexName("public.orders") != "public.orders" {
		t.Errorf("public.orders lands in %q", indexName("public.orders"))
	}
}

func named(err error) string {
	if e, ok := errors.AsType[*syncline.Error](err); ok {
		return e.Field
	}
	return ""
}
