package catalog

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A reference is ${env:NAME} or ${file:/path} inside a setting. It is stored as it is and
// replaced when a run opens the endpoint; $${ stands for ${ itself.
var reference = regexp.MustCompile(`\$?\$\{([a-zA-Z]+):([^}]*)\}`)

// refers reports whether text holds a reference.
func refers(text string) bool {
	for _, m := range reference.FindAllString(text, -1) {
		if !strings.HasPrefix(m, "$$") {
			return true
		}
	}
	return false
}

// checkReferences says what is wrong with the references in text, never repeating it: it
// may be a password.
func checkReferences(text string) error {
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		switch {
		case strings.HasPrefix(m[0], "$$"):
		case m[1] != "env" && m[1] != "file":
			return fmt.Errorf("holds a reference that is neither ${env:NAME} nor ${file:/path}; write $${ for the characters ${")
		case m[2] == "":
			return fmt.Errorf("holds a reference ${%s:} without a name", m[1])
		case m[1] == "file" && !filepath.IsAbs(m[2]):
			return fmt.Errorf("holds a reference to the file %s: its path must begin with /, since servers start anywhere", m[2])
		}
	}
	return nil
}

// resolve replaces the references in text.
func (c *Catalog) resolve(text string) (string, error) {
	var failed error
	out := reference.ReplaceAllStringFunc(text, func(m string) string {
		if rest, ok := strings.CutPrefix(m, "$$"); ok {
			return "$" + rest
		}
		parts := reference.FindStringSubmatch(m)
		value, err := c.lookUp(parts[1], parts[2])
		if err != nil && failed == nil {
			failed = err
		}
		return value
	})
	return out, failed
}

func (c *Catalog) lookUp(kind, name string) (string, error) {
	if kind == "env" {
		value, ok := c.o.LookupEnv(name)
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
		return value, nil
	}
	text, err := c.o.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("the file %s cannot be read: %w", name, err)
	}
	// An editor's last newline is not part of a password.
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}

// maxReferenced bounds what one reference may bring in.
const maxReferenced = 64 << 10

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxReferenced+1))
	if err == nil && len(text) > maxReferenced {
		return nil, fmt.Errorf("it is larger than %d bytes", maxReferenced)
	}
	return text, err
}

// stand holds stand-ins for the references of a URL: words that survive parsing, where
// ${file:/run/secret} would be cut at its colon and slashes.
type stand struct {
	word       string
	references []string
}

// in replaces the references of raw by stand-ins.
func (s *stand) in(raw string) string {
	s.word = "reference"
	for strings.Contains(strings.ToLower(raw), s.word) {
		s.word += "x"
	}
	return reference.ReplaceAllStringFunc(raw, func(m string) string {
		s.references = append(s.references, m)
		return s.of(len(s.references) - 1)
	})
}

// of begins and ends the word, so that the stand-in of 1 is not found in that of 10.
func (s *stand) of(i int) string { return fmt.Sprintf("%s%dz", s.word, i) }

// out puts the references back. A path that began with one was taken for relative to cwd.
func (s *stand) out(text, cwd string) string {
	for i, m := range s.references {
		text = strings.ReplaceAll(text, filepath.Join(cwd, s.of(i)), m)
		text = strings.ReplaceAll(text, s.of(i), m)
	}
	return text
}
