// Package files writes CSV and JSON Lines files, plain or compressed: whole files that
// appear at once (replace), or one new file a run (append). What a load has written so
// far lies hidden beside its target, named by load and token, and a marker in .syncline
// says how much of it is valid.
package files

import (
	"context"
	"encoding/json"
	"path/filepath"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/tree"
	"github.com/synclinehq/syncline/source"
)

// Kind is the files destination.
var Kind = destination.Kind{Spec: kindSpec(), Open: open}

// Destination is a folder, or one file.
type Destination struct {
	settings settings
}

var (
	_ destination.Destination = (*Destination)(nil)
	_ source.Checker          = (*Destination)(nil)
)

func open(_ context.Context, _ source.Env, raw json.RawMessage) (destination.Destination, error) {
	s, err := decode(raw)
	if err != nil {
		return nil, err
	}
	if s.tree, err = tree.Below(s.Root); err != nil {
		return nil, err
	}
	if err := s.look(); err != nil {
		_ = s.tree.Close() // nothing was opened in it
		return nil, err
	}
	return &Destination{settings: s}, nil
}

// Lands is the file an entity is written to, below the folder of the settings.
func (d *Destination) Lands(entity string) string {
	if d.settings.file != "" {
		return d.settings.file
	}
	return fileName(entity) + d.settings.ext()
}

// Open prepares one entity. Files have no keys, so rows in them cannot be found again to
// be updated: upsert is refused, and so is replacing a stretch of a file.
func (d *Destination) Open(_ context.Context, t destination.Target) (destination.Writer, error) {
	if t.Disposition == syncline.Upsert {
		return nil, syncline.Invalid("write", "rows of the file %s cannot be updated", t.Table).
			Try("use write: replace, which writes the file anew, or write: append, which writes a new file each run")
	}
	if t.Window != nil {
		return nil, syncline.Invalid("window", "a stretch of the file %s cannot be replaced", t.Table).Try("run it without a window")
	}
	p, err := d.settings.place(t)
	if err != nil {
		return nil, err
	}
	return newWriter(t, d.settings, p)
}

// Close lets go of the root.
func (d *Destination) Close() error { return d.settings.tree.Close() }

// place is where one entity's files are.
type place struct {
	dir    string // of the target, the stages and the markers
	target string // the path that is published
	append bool
}

func (s settings) place(t destination.Target) (place, error) {
	if !filepath.IsLocal(t.Table) {
		return place{}, syncline.Invalid("table", "%q is not a path below %s", t.Table, s.dir()).Try("name a file, without .. and without a / at the beginning")
	}
	base := withoutExt(filepath.Join(s.dir(), t.Table))
	if t.Disposition == syncline.Append {
		return place{dir: filepath.Dir(base), target: filepath.Join(base, fileName(t.Load)+s.ext()), append: true}, nil
	}
	return place{dir: filepath.Dir(base), target: base + s.ext()}, nil
}
