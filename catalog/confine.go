package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/spec"
)

// A definition of somebody who is not this machine's user is confined: it must not reach
// what is that user's. References to the environment and to files are refused in it, and
// so are files outside the roots, when it is defined and again when it is opened: roots
// and links change.

// confine marks a whole definition by who gives it.
func (c *Catalog) confine(ctx context.Context, d syncline.Definition) syncline.Definition {
	d.Confined = d.Confined || !c.o.Local(ctx)
	return d
}

// confining is fn, and keeps what was confined so, whoever calls: a dialect makes a
// definition of what it has kept, which others wrote. What a caller who is not this
// machine's user changes becomes confined; what they leave as it is stays what it was, for
// a run's report must not take away what the user's own definition names.
func (c *Catalog) confining(ctx context.Context, fn Changing) Changing {
	return func(tx syncline.Tx, p *syncline.Pipeline) error {
		was := p.Definition.Confined
		before, err := json.Marshal(p.Definition)
		if err != nil {
			return fmt.Errorf("definition of %s: %w", p.Name, err)
		}
		if err := fn(tx, p); err != nil {
			return err
		}
		p.Definition.Confined = was
		after, err := json.Marshal(p.Definition)
		if err != nil {
			return fmt.Errorf("definition of %s: %w", p.Name, err)
		}
		if !c.o.Local(ctx) && (p.Version == 0 || !bytes.Equal(before, after)) {
			p.Definition.Confined = true
		}
		return nil
	}
}

// confined adds what a confined definition names and may not.
func (k *checker) confined() {
	if !k.d.Confined {
		return
	}
	for _, side := range []registry.Side{registry.Source, registry.Destination} {
		e := k.d.Source
		if side == registry.Destination {
			e = k.d.Destination
		}
		s, ok := k.c.o.Registry.Spec(side, e.Kind)
		if !ok {
			continue // said already, or an outside worker's
		}
		if err := k.c.within(s, e.Settings); err != nil {
			k.add(string(side), err)
		}
	}
}

// within says what in the settings of a confined definition is not for it.
func (c *Catalog) within(s spec.Spec, settings json.RawMessage) error {
	_, err := s.MapTexts(settings, func(field, value string) (string, error) {
		if !refers(value) {
			return value, nil
		}
		return "", syncline.Invalid(field, "setting %q of %s holds a reference, and this pipeline was defined over the network: it may name no variable and no file of this machine", field, s.Kind).
			Try("give the value itself, which is kept sealed; write $${ for the characters ${")
	})
	if err != nil {
		return err
	}
	if s.Local != nil && s.Local(settings) && s.Root == "" {
		return syncline.Invalid("kind", "%s reaches this machine itself, and this pipeline was defined over the network", s.Kind).
			Try("define it on the machine: syncline apply")
	}
	files, err := filesIn(s, settings)
	for _, f := range files {
		if _, err := c.root(f.field, f.path); err != nil {
			return err
		}
	}
	return err
}

// reached is a file or folder that a setting names.
type reached struct{ field, path string }

func filesIn(s spec.Spec, settings json.RawMessage) (all []reached, err error) {
	_, err = s.MapTexts(settings, func(field, value string) (string, error) {
		if f, _ := s.Field(field); f.File && value != "" {
			all = append(all, reached{field, value})
		}
		return value, nil
	})
	return all, err
}

// root is the folder of Options.Roots that a path is in, by its words.
func (c *Catalog) root(field, path string) (string, error) {
	dotted := slices.Contains(strings.Split(path, string(filepath.Separator)), "..")
	for _, root := range c.o.Roots {
		name, err := filepath.Rel(root, path)
		if err == nil && filepath.IsAbs(path) && !dotted && !strings.ContainsRune(path, 0) && filepath.IsLocal(name) {
			return root, nil
		}
	}
	err := syncline.Invalid(field, "%q is outside the folders that pipelines defined over the network may touch", path).Because("outside_root")
	if len(c.o.Roots) == 0 {
		return "", err.Try("there are none: whoever runs the server can name some as roots in its configuration")
	}
	return "", err.Try("name a whole path below one of them, without ..: %s", strings.Join(c.o.Roots, ", "))
}

// rooted ties the settings of a confined definition to the roots. A kind that keeps to a
// root is told which; of another the files' real places are looked at.
func (c *Catalog) rooted(s spec.Spec, settings json.RawMessage) (json.RawMessage, error) {
	if err := c.within(s, settings); err != nil {
		return nil, err
	}
	files, err := filesIn(s, settings)
	if err != nil || len(files) == 0 {
		return settings, err
	}
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(settings))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		return nil, fmt.Errorf("settings of %s: %w", s.Kind, err)
	}
	for _, f := range files {
		root, err := c.root(f.field, f.path)
		if err != nil {
			return nil, err
		}
		if s.Root != "" {
			members[s.Root] = root
			continue
		}
		if members[f.field], err = c.real(f, root); err != nil {
			return nil, err
		}
	}
	return json.Marshal(members)
}

// real is where a path leads after all links, if that is in the root too.
func (c *Catalog) real(f reached, root string) (string, error) {
	top, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", syncline.Invalid(f.field, "the root %s: %s", root, cause(err)).Try("make the folder, and let the user that Syncline runs as read it")
	}
	path, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return "", syncline.Invalid(f.field, "%s: %s", f.path, cause(err)).Try("check the path")
	}
	if name, err := filepath.Rel(top, path); err != nil || !filepath.IsLocal(name) {
		return "", syncline.Invalid(f.field, "%s leads out of the folder %s", f.path, root).Because("outside_root").Try("name a file in it")
	}
	return path, nil
}
