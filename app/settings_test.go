package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
)

func settingsOf(t *testing.T, text string) (Settings, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return ReadSettings(path)
}

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SEARCH_USER", "syncline")
	s, err := settingsOf(t, `
listen: 9200
tls: {cert: server.crt, key: /etc/server.key}
hosts:
  - syncline.example
roots: [`+dir+`]
allow_private: true
elastic:
  upstream:
    url: https://search.example:9200/es
    user: ${env:SEARCH_USER}
    password: "${file:`+dir+`/secret}"
    ca: ca.pem
google: {project: p, location: EU}
datatransfer:
  destination: postgres://${env:SEARCH_USER}:${file:`+dir+`/secret}@warehouse.example:5433/dw?sslmode=require
`)
	if err != nil {
		t.Fatal(err)
	}
	u := s.Elastic.Upstream
	if s.Listen != "9200" || !filepath.IsAbs(s.TLS.Cert) || s.TLS.Key != "/etc/server.key" || s.Hosts[0] != "syncline.example" || s.Roots[0] != dir ||
		!*s.AllowPrivate || u.User != "syncline" || u.Password != "canary" || !strings.HasSuffix(u.CA, "/ca.pem") || s.Google.Project != "p" || s.Google.Location != "eu" {
		t.Errorf("%+v %+v", s, u)
	}
	w, err := s.DataTransfer.Warehouse(dir)
	if err != nil {
		t.Fatal(err)
	}
	e, err := w.Dataset("sales")
	var database struct {
		Host, User, Password, Database, Schema, SSLMode string
		Port                                            int
	}
	if err != nil || json.Unmarshal(e.Settings, &database) != nil || e.Kind != "postgres" || database.Host != "warehouse.example" || database.Port != 5433 ||
		database.User != "syncline" || database.Password != "canary" || database.Database != "dw" || database.Schema != "sales" || database.SSLMode != "require" {
		t.Errorf("%+v, %v", database, err)
	}
	for _, empty := range []string{"", "# nothing\n"} {
		if s, err := settingsOf(t, empty); err != nil || s.Listen != "" || s.AllowPrivate != nil {
			t.Errorf("%q: %+v, %v", empty, s, err)
		}
	}
}

// What is wrong is said with its place, and never with a value that may be a password.
func TestSettingsSayWhere(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"listn: 9200":                     `server.yaml:1:1: unknown key "listn" of the file: did you mean "listen"?`,
		"listen: 1\nnothing: 2":           `server.yaml:2:1: unknown key "nothing" of the file: known are: listen, tls, hosts`,
		"tls:\n  cert: a\n  kye: b":       `server.yaml:3:3: unknown key "kye" of tls: did you mean "key"?`,
		"tls:\n  cert: a":                 `server.yaml:2:3: tls needs both cert and key`,
		"tls: yes":                        `server.yaml:1:6: this must be an object`,
		"listen: a:b:c":                   `server.yaml:1:9: "a:b:c" is no address`,
		"listen: [1]":                     `server.yaml:1:9: this must be text`,
		"hosts: x":                        `server.yaml:1:8: this must be a list`,
		"hosts: [x, 'http://y']":          `server.yaml:1:12: "http://y" is no name of a host`,
		"roots:\n  - /\n  - /none/at/all": `server.yaml:3:5: "/none/at/all" is no folder`,
		"allow_private: maybe":            `server.yaml:1:16: this must be true or false`,
		"listen: 1\nlisten: 2":            `server.yaml:2:1: this is not YAML: mapping key "listen" already defined`,
		"listen: \"x":                     `server.yaml:1:9: this is not YAML`,
		"- a":                             `server.yaml:1:1: this must be an object`,
		"elastic: {upstream: {user: u}}":  `server.yaml:1:21: upstream needs a url`,
		"elastic:\n  upstream:\n    url: ftp://canary@x":                                 `server.yaml:3:10: url must be http`,
		"elastic:\n  upstream:\n    url: http://u:canary@x":                              `server.yaml:3:10: url holds a user`,
		"elastic:\n  upstream:\n    url: http://x\n    password: canary":                 `server.yaml:3:5: upstream needs both user and password`,
		"elastic:\n  upstream:\n    url: http://x\n    api_key: ${env:NOT_SET_ANYWHERE}": `server.yaml:4:14: api_key the environment variable NOT_SET_ANYWHERE is not set`,
		"google: {project: a/b}":                                                         `server.yaml:1:19: "a/b" is no id of a project`,
		"google: {project: Big}":                                                         `server.yaml:1:19: "Big" is no id of a project`,
		"google:\n  location: '-'":                                                       `server.yaml:2:13: "-" is no location`,
		"google: {projekt: x}":                                                           `server.yaml:1:10: unknown key "projekt" of google: did you mean "project"?`,
		"datatransfer: {destination: out.db}":                                            `server.yaml:1:29: a destination sqlite has no schemas`,
		"datatransfer: {destination: x://canary}":                                        `server.yaml:1:29: no destination speaks x://`,
		"datatransfer:\n  destination: postgres://u:canary@h/db?schema=s":                `server.yaml:2:16: the destination names a schema`,
		"datatransfer:\n  destination: postgres://u:canary@h/db?schem=s":                 `server.yaml:2:16: `,
		"datatransfer:\n  destination: postgres:///db?host=/run/canary":                  `server.yaml:2:16: the destination is a socket`,
		"datatransfer:\n  destination: postgres://u:${env:NOT_SET_ANYWHERE}@h/db":        `server.yaml:2:16: the destination the environment variable NOT_SET_ANYWHERE is not set`,
		"datatransfer:\n  destination: postgres://u:$${env:canary}@h/db":                 `server.yaml:2:16: the destination has a value with the characters ${`,
		"datatransfer:\n  destination: postgres://u:canary#x@h/db":                       `server.yaml:2:16: `,
		"datatransfer: {destnation: x}":                                                  `server.yaml:1:16: unknown key "destnation" of datatransfer: did you mean "destination"?`,
		"elastic:\n  upstrem:\n    url: http://u:canary@x":                               `server.yaml:2:3: unknown key "upstrem" of elastic: did you mean "upstream"?`,
	} {
		_, err := settingsOf(t, text)
		e, _ := err.(*syncline.Error)
		if e == nil || e.Code != syncline.InvalidArgument || e.Hint == "" || !strings.Contains(e.Message, says) || strings.Contains(e.Message, "canary") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ReadSettings("/none/server.yaml"); syncline.CodeOf(err) != syncline.InvalidArgument || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
	_, err := settingsOf(t, "hosts: ['a b', 'c:d']\nroots: [/none]")
	if n := strings.Count(err.Error(), "server.yaml:"); n != 3 {
		t.Errorf("%d of three problems: %v", n, err)
	}
}
