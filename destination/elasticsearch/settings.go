package elasticsearch

import (
	"cmp"
	"encoding/json"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/spec"
)

const (
	kind        = "elasticsearch"
	defaultPort = 9200
	secured     = "+https" // ends the schemes that mean TLS
)

type settings struct {
	Host     string      `json:"host"`
	Port     int         `json:"port"`
	TLS      bool        `json:"tls"`
	CA       string      `json:"ca"`
	User     string      `json:"user"`
	Password spec.Secret `json:"password"`
	APIKey   spec.Secret `json:"api_key"`
	Index    string      `json:"index"`
	Pipeline string      `json:"pipeline"`
	Shards   int         `json:"shards"`
	Replicas int         `json:"replicas"`
	InFlight int         `json:"in_flight"`
}

var fields = []spec.Field{
	{Name: "host", Label: "Host", Type: spec.String, Required: true, Help: "name or address of a node: elasticsearch://HOST:9200/index"},
	{Name: "port", Label: "Port", Type: spec.Int, Default: defaultPort, Help: "port of its HTTP interface"},
	{Name: "tls", Label: "TLS", Type: spec.Bool, Default: false, Help: "whether the connection is encrypted and the certificate checked; elasticsearch+https:// says the same"},
	{Name: "ca", Label: "Certificate authority", Type: spec.String, File: true, Help: "file with the certificates that the server's is checked against; default: those of this machine"},
	{Name: "user", Label: "User", Type: spec.String, Help: "user to log in as"},
	{Name: "password", Label: "Password", Type: spec.Password, Help: "password of the user"},
	{Name: "api_key", Label: "API key", Type: spec.Password, Help: "API key in its encoded form, in place of user and password"},
	{Name: "index", Label: "Index", Type: spec.String, Help: "index in which the one entity lands; default: one named after each entity"},
	{Name: "pipeline", Label: "Ingest pipeline", Type: spec.String, Help: "ingest pipeline that documents pass through on their way in"},
	{Name: "shards", Label: "Shards", Type: spec.Int, Default: 1, Help: "primary shards of an index that is made"},
	{Name: "replicas", Label: "Replicas", Type: spec.Int, Default: 1, Help: "copies of each shard of an index that is made; 0 on a cluster of one node"},
	{Name: "in_flight", Label: "Requests in flight", Type: spec.Int, Default: 2, Help: "bulk requests side by side for each entity, of 5 MiB at most each"},
}

func kindSpec() spec.Spec {
	return spec.Spec{
		Kind:    kind,
		Summary: "documents of an Elasticsearch or OpenSearch index, a row each, found again by their key",
		Fields:  fields,
		Schemes: []string{kind, "opensearch", kind + secured, "opensearch" + secured},
		FromURL: fromURL,
		Show:    show,
	}
}

// fromURL reads elasticsearch://user:password@host:9200/index?replicas=0.
func fromURL(u *url.URL) (json.RawMessage, error) {
	given, err := spec.FromText(kind, fields, u.Query())
	if err != nil {
		return nil, source.SettingError(kindSpec(), err)
	}
	give := func(name, value string) {
		if value != "" {
			given[name] = value
		}
	}
	give("host", u.Hostname())
	give("user", u.User.Username())
	password, _ := u.User.Password()
	give("password", password)
	give("index", strings.Trim(u.Path, "/"))
	if strings.HasSuffix(u.Scheme, secured) {
		given["tls"] = true
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, syncline.Invalid("port", "the port in the URL is not a number from 1 to 65535")
		}
		given["port"] = n
	}
	return json.Marshal(given)
}

// show draws settings as a URL without secrets: the same for the same index.
func show(raw json.RawMessage) string {
	var s struct {
		Host, Index string
		Port        json.Number
		TLS         any
	}
	_ = json.Unmarshal(raw, &s) // what does not fit is refused where it is used
	u := url.URL{Scheme: kind, Host: s.Host, Path: "/" + s.Index}
	if s.TLS == true || s.TLS == "true" {
		u.Scheme += secured
	}
	port := cmp.Or(s.Port.String(), strconv.Itoa(defaultPort))
	if s.Host != "" {
		u.Host = net.JoinHostPort(s.Host, port)
	}
	return u.String()
}

func decode(raw json.RawMessage) (settings, error) {
	var s settings
	if err := kindSpec().Decode(raw, &s); err != nil {
		return s, source.SettingError(kindSpec(), err)
	}
	switch {
	case s.Port < 1 || s.Port > 65535:
		return s, syncline.Invalid("port", "port %d is not a number from 1 to 65535", s.Port)
	case !s.APIKey.Empty() && (s.User != "" || !s.Password.Empty()):
		return s, syncline.Invalid("api_key", "there is an API key and a user: one of them is too many").Try("leave user and password out, or the key")
	case s.User == "" && !s.Password.Empty():
		return s, syncline.Invalid("user", "there is a password and no user").Try("name the user: elasticsearch://USER:password@host")
	case s.CA != "" && !s.TLS:
		return s, syncline.Invalid("ca", "a certificate authority means nothing without TLS").Try("write elasticsearch+https://…")
	case s.Shards < 1 || s.Shards > 1024:
		return s, syncline.Invalid("shards", "an index has 1 to 1024 shards, not %d", s.Shards)
	case s.Replicas < 0:
		return s, syncline.Invalid("replicas", "an index cannot have %d replicas", s.Replicas)
	case s.InFlight < 1 || s.InFlight > 64:
		return s, syncline.Invalid("in_flight", "1 to 64 requests can be in flight, not %d", s.InFlight)
	}
	if s.Index != "" {
		return s, checkIndex(s.Index)
	}
	return s, nil
}
