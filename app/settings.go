package app

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/server"
)

// Settings are what a server's file says (docs/server.md).
type Settings struct {
	Listen       string       `yaml:"listen"`
	TLS          TLS          `yaml:"tls"`
	Hosts        []string     `yaml:"hosts"`
	Roots        []string     `yaml:"roots"`
	AllowPrivate *bool        `yaml:"allow_private"`
	Elastic      Elastic      `yaml:"elastic"`
	Google       Google       `yaml:"google"`
	DataTransfer DataTransfer `yaml:"datatransfer"`
}

// TLS names the files of a certificate.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Elastic is about the dialect elastic.
type Elastic struct {
	Upstream *Upstream `yaml:"upstream"`
}

// Upstream is a search cluster and how to come in there.
type Upstream struct {
	URL      string `yaml:"url"`
	User     string `yaml:"user"`
	Password string `yaml:"password"`
	APIKey   string `yaml:"api_key"`
	CA       string `yaml:"ca"`
}

// Google is what the names of the Google dialects begin with. What is empty is for each of
// them to choose.
type Google struct {
	Project  string `yaml:"project"`
	Location string `yaml:"location"`
}

// DataTransfer is about the dialect datatransfer.
type DataTransfer struct {
	Destination string `yaml:"destination"`
}

// ReadSettings reads a server's file. Its references are resolved, and its paths count from
// where it lies.
func ReadSettings(path string) (s Settings, err error) {
	f, err := readSettingsFile(path)
	if err != nil {
		return s, err
	}
	f.decode(&s)
	if len(f.problems) == 0 {
		f.check(&s)
	}
	return s, f.err()
}

// check says what is wrong with each setting, and makes it what it stands for.
func (f *settingsFile) check(s *Settings) {
	if s.Listen != "" {
		if err := (server.Listen{Address: s.Listen}).Check(); err != nil {
			f.bad("listen", "%s", err)
		}
	}
	if (s.TLS.Cert == "") != (s.TLS.Key == "") {
		f.bad("tls", "tls needs both cert and key")
	}
	s.TLS.Cert, s.TLS.Key = f.path(s.TLS.Cert), f.path(s.TLS.Key)
	for i, name := range s.Hosts {
		if name == "" || strings.ContainsAny(name, "/:@ *") {
			f.bad(fmt.Sprintf("hosts[%d]", i), "%q is no name of a host: neither port nor pattern belongs to it", name)
		}
	}
	for i, root := range s.Roots {
		s.Roots[i] = f.path(root)
		if info, err := os.Stat(s.Roots[i]); err != nil || !info.IsDir() {
			f.bad(fmt.Sprintf("roots[%d]", i), "%q is no folder", root)
		}
	}
	if s.Elastic.Upstream != nil {
		f.upstream(s.Elastic.Upstream)
	}
	f.google(&s.Google)
	if s.DataTransfer.Destination != "" {
		if _, err := s.DataTransfer.database(); err != nil {
			f.bad("datatransfer.destination", "%s", err)
		}
	}
}

// Both stand in paths between two slashes.
var (
	project  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.:_]{0,98}[a-z0-9])?$`)
	location = regexp.MustCompile(`^[a-z][-a-z0-9]{0,62}$`)
)

func (f *settingsFile) google(g *Google) {
	g.Location = strings.ToLower(g.Location) // their case does not count
	if g.Project != "" && !project.MatchString(g.Project) {
		f.bad("google.project", "%q is no id of a project: use small letters, digits and hyphens", g.Project)
	}
	if g.Location != "" && !location.MatchString(g.Location) {
		f.bad("google.location", "%q is no location: write one such as eu or europe-west1", g.Location)
	}
}

func (f *settingsFile) upstream(u *Upstream) {
	const at = "elastic.upstream"
	for name, value := range map[string]*string{"url": &u.URL, "user": &u.User, "password": &u.Password, "api_key": &u.APIKey} {
		var err error
		if *value, err = catalog.New(catalog.Options{}).Resolve(*value); err != nil {
			f.bad(at+"."+name, "%s %s", name, err)
		}
	}
	to, err := url.Parse(u.URL)
	switch {
	case u.URL == "":
		f.bad(at, "upstream needs a url")
	case err != nil || to.Scheme != "http" && to.Scheme != "https" || to.Host == "":
		f.bad(at+".url", "url must be http://host:port or https://host:port") // not repeated: it may hold a password
	case to.User != nil:
		f.bad(at+".url", "url holds a user: write user and password as keys of their own")
	case to.RawQuery != "" || to.Fragment != "":
		f.bad(at+".url", "url must end with the host or a path")
	}
	switch {
	case (u.User == "") != (u.Password == ""):
		f.bad(at, "upstream needs both user and password, or neither")
	case u.User != "" && u.APIKey != "":
		f.bad(at+".api_key", "upstream has both a user and an api_key")
	}
	u.CA = f.path(u.CA)
}

// path counts a relative path from the folder of the file.
func (f *settingsFile) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(filepath.Dir(f.name), p)
}
