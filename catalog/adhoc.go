package catalog

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/registry"
)

// Adhoc is what a `syncline sync` command says.
type Adhoc struct {
	Source      string               `json:"source"` // URL or path
	Destination string               `json:"destination"`
	Entities    []string             `json:"entities,omitempty"` // names or patterns; none: everything
	Mode        syncline.Mode        `json:"mode,omitempty"`
	Cursor      string               `json:"cursor,omitempty"`
	Key         []string             `json:"key,omitempty"`
	Write       syncline.Disposition `json:"write,omitempty"`
	Name        string               `json:"name,omitempty"` // "": derived
	Cwd         string               `json:"cwd"`            // what relative paths count from
}

// Adhoc makes the pipeline of a `syncline sync` command: the same command again gives the
// same name, whatever the password is now. It stores nothing; Put does.
func (c *Catalog) Adhoc(a Adhoc) (name string, d syncline.Definition, err error) {
	if d.Source, err = c.Endpoint(registry.Source, a.Source, a.Cwd); err != nil {
		return "", d, err
	}
	if d.Destination, err = c.Endpoint(registry.Destination, a.Destination, a.Cwd); err != nil {
		return "", d, err
	}
	a.Entities = slices.Compact(slices.Sorted(slices.Values(a.Entities)))
	names := a.Entities
	if len(names) == 0 && (a.Mode != "" || a.Cursor != "" || a.Key != nil || a.Write != "") {
		names = []string{""} // everything, in this way
	}
	for _, n := range names {
		d.Entities = append(d.Entities, syncline.EntitySpec{Name: n, Mode: a.Mode, Cursor: a.Cursor, Key: a.Key, Write: a.Write})
	}
	p, problems := c.prepare(d)
	if len(problems) > 0 {
		return "", d, problems[0]
	}
	return cmp.Or(a.Name, c.derivedName(a, p)), d, nil
}

// derivedName is readable at its beginning and unique at its end.
func (c *Catalog) derivedName(a Adhoc, p prepared) string {
	identity := []any{p.Source.Kind, p.Source.Shown, p.Destination.Kind, p.Destination.Shown, a.Entities, a.Mode, a.Cursor, a.Key, a.Write}
	if p.local {
		identity = append(identity, c.o.Host) // the same path elsewhere is something else
	}
	said, _ := json.Marshal(identity) // strings and lists of them always encode
	hash := fmt.Sprintf("%x", sha256.Sum256(said))[:8]
	from := slug(place(p.Source) + "-" + strings.Join(a.Entities, "-"))
	return strings.Join(slices.DeleteFunc([]string{from, "to", slug(place(p.Destination)), hash},
		func(s string) bool { return s == "" }), "-")
}

// place is the end of what an endpoint shows: the database, the file without its endings.
func place(e syncline.Endpoint) string {
	shown, _, _ := strings.Cut(e.Shown, "?")
	_, shown, _ = strings.Cut(shown, "://")
	if plain, err := url.PathUnescape(shown); err == nil {
		shown = plain
	}
	base := path.Base(strings.TrimRight(shown, "/"))
	if base == "." || base == "/" || strings.HasPrefix(base, "*") {
		base = path.Base(path.Dir(strings.TrimRight(shown, "/")))
	}
	base, _, _ = strings.Cut(base, ".")
	if slug(base) == "" {
		return e.Kind
	}
	return base
}

// longestSlug keeps a derived name short enough for a line of `syncline runs`.
const longestSlug = 32

// slug keeps letters and digits, and one dash for everything between them.
func slug(text string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	var out []rune
	for i, w := range words {
		if i > 0 {
			out = append(out, '-')
		}
		out = append(out, []rune(w)...)
	}
	return strings.Trim(string(out[:min(len(out), longestSlug)]), "-")
}
