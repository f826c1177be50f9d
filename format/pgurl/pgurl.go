// Package pgurl names and reaches a PostgreSQL server: the settings that the source and
// the destination share, the URL they are written as, the connection, and what the
// server's errors mean. No error of it holds a password.
package pgurl

import (
	"encoding/json"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/synclinehq/syncline/spec"
)

// Schemes are the URL schemes that mean PostgreSQL.
var Schemes = []string{"postgres", "postgresql"}

const (
	defaultHost = "localhost"
	defaultPort = 5432
)

// Fields are the settings of a connection, to which a plugin adds its own.
var Fields = []spec.Field{
	{Name: "host", Label: "Host", Type: spec.String, Default: defaultHost, Help: "name or address of the server, the folder of its socket, or several, separated by commas, each with its own port if need be: a:5433,b:5434"},
	{Name: "port", Label: "Port", Type: spec.Int, Default: defaultPort, Help: "TCP port of the server"},
	{Name: "user", Label: "User", Type: spec.String, Required: true, Help: "role to log in as: postgres://USER@host/database"},
	{Name: "password", Label: "Password", Type: spec.Password, Help: "password of the role; not asked of the environment or a password file"},
	{Name: "database", Label: "Database", Type: spec.String, Required: true, Help: "database to connect to: postgres://user@host/DATABASE"},
	{Name: "sslmode", Label: "TLS", Type: spec.String, Default: "prefer", Options: []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}, Help: "whether the connection is encrypted and the server's certificate checked"},
	{Name: "sslrootcert", Label: "Root certificate", Type: spec.String, File: true, Help: "file with the certificates that the server's is checked against"},
	{Name: "sslcert", Label: "Client certificate", Type: spec.String, File: true, Help: "file with the client's certificate"},
	{Name: "sslkey", Label: "Client key", Type: spec.String, File: true, Help: "file with the client's key"},
	{Name: "target_session_attrs", Label: "Kind of server", Type: spec.String, Default: "any", Options: []string{"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}, Help: "which of several hosts will do"},
}

// Settings are Fields decoded. A plugin embeds them in its own.
type Settings struct {
	Host               string      `json:"host"`
	Port               int         `json:"port"`
	User               string      `json:"user"`
	Password           spec.Secret `json:"password"`
	Database           string      `json:"database"`
	SSLMode            string      `json:"sslmode"`
	SSLRootCert        string      `json:"sslrootcert"`
	SSLCert            string      `json:"sslcert"`
	SSLKey             string      `json:"sslkey"`
	TargetSessionAttrs string      `json:"target_session_attrs"`
}

// FromURL turns postgres://user:password@host:port/database?setting=value into settings;
// fields are all that the plugin knows, its own among them.
func FromURL(kind string, fields []spec.Field, u *url.URL) (json.RawMessage, error) {
	settings, err := spec.FromText(kind, fields, parameters(u.Query()))
	if err != nil {
		return nil, err
	}
	give := func(name, value string) {
		if value != "" {
			settings[name] = value
		}
	}
	several := strings.Contains(u.Host, ",")
	if several {
		give("host", u.Host)
	} else {
		give("host", u.Hostname())
	}
	give("user", u.User.Username())
	password, _ := u.User.Password()
	give("password", password)
	give("database", strings.TrimPrefix(u.Path, "/"))
	if port := u.Port(); port != "" && !several {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, &spec.Error{Field: "port", Message: "the port in the URL is not a number from 1 to 65535"}
		}
		settings["port"] = n
	}
	return json.Marshal(settings)
}

// parameters takes libpq's other spelling of the database.
func parameters(q url.Values) url.Values {
	if q.Has("dbname") && !q.Has("database") {
		q["database"] = q["dbname"]
		q.Del("dbname")
	}
	return q
}

// Local reports whether settings name a socket of this machine, where a server may know its
// callers by the user they run as.
func Local(settings json.RawMessage) bool {
	var s struct{ Host string }
	_ = json.Unmarshal(settings, &s) // what does not fit is refused where it is used
	hosts, _ := Settings{Host: s.Host}.servers()
	return slices.ContainsFunc(hosts, func(host string) bool { return strings.HasPrefix(host, "/") })
}

// Show draws settings as a URL without secrets: the same text for the same database.
func Show(settings json.RawMessage) string {
	var s struct {
		Host, User, Database string
		Port                 json.Number
	}
	_ = json.Unmarshal(settings, &s) // what does not fit is refused where it is used
	u := url.URL{Scheme: Schemes[0], Path: "/" + s.Database}
	if s.User != "" {
		u.User = url.User(s.User)
	}
	port, err := strconv.Atoi(s.Port.String())
	if err != nil {
		port = defaultPort
	}
	u.Host = address(s.Host, port)
	if strings.HasPrefix(s.Host, "/") {
		u.Host, u.RawQuery = "", "host="+url.QueryEscape(s.Host)
	}
	return u.String()
}

func address(host string, port int) string {
	if host == "" {
		host = defaultHost
	}
	if strings.Contains(host, ",") {
		return host
	}
	if port != defaultPort && port != 0 {
		return net.JoinHostPort(host, strconv.Itoa(port))
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
