package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/durable"
	"github.com/synclinehq/syncline/format/sidecar"
	"github.com/synclinehq/syncline/format/tree"
	"github.com/synclinehq/syncline/rows"
)

// markers are the files in .syncline in which the standing of one stream is durable:
// <hash>.json for the stream, <hash>.<part>.json for every part of the load in progress,
// so that a checkpoint rewrites little however many parts there are.
type markers struct {
	tree     *tree.Tree
	base     string
	patience time.Duration // with a lock
}

func newMarkers(t *tree.Tree, dir, stream string) *markers {
	return &markers{t, filepath.Join(dir, sidecar.Dir, short(stream)), patience}
}

// stream is who may write, which load is in progress, and what was published last.
type stream struct {
	Stream string `json:"stream"`
	Token  int64  `json:"token"`
	// Turn counts takeovers: a token may take over again, and its lanes of before must
	// not go on.
	Turn  int64  `json:"turn"`
	Load  string `json:"load"`
	Shape string `json:"shape"` // of the stages: columns, format, compression
	// Publishing is set right before the rename that publishes, Published after it.
	Publishing *intent    `json:"publishing,omitempty"`
	Published  *published `json:"published,omitempty"`
}

// intent is a publish under way: whether it happened shows by where the file is.
type intent struct {
	Staged string    `json:"staged"` // "" when there is nothing to rename
	As     published `json:"as"`
}

// published is a load that readers see.
type published struct {
	Load   string          `json:"load"`
	Target string          `json:"target"`
	Append bool            `json:"append,omitempty"`
	File   identity        `json:"file"`
	Total  int64           `json:"total"`
	Swept  int64           `json:"swept"`
	Counts syncline.Counts `json:"counts"`
	Mark   []byte          `json:"mark,omitempty"`
}

func (p *published) answer() destination.Published {
	where := "file " + p.Target
	if p.File == (identity{}) {
		where = "folder " + filepath.Dir(p.Target) + ", no new file"
	}
	return destination.Published{Total: p.Total, Swept: p.Swept, Counts: p.Counts, Where: where}
}

// holds reports whether readers still see what was published. Of appended files only
// the folder counts: whoever takes files away to process them has not lost them.
func (p *published) holds(t *tree.Tree) bool {
	if p.Append {
		info, err := t.Stat(filepath.Dir(p.Target))
		return err == nil && info.IsDir()
	}
	return identify(t, p.Target) == p.File
}

// identity tells whether a file is the one that was there.
type identity struct {
	Size  int64  `json:"size"`
	MTime int64  `json:"mtime"` // nanoseconds
	Inode uint64 `json:"inode"`
}

// identify answers with the zero identity when there is no such file.
func identify(t *tree.Tree, path string) identity {
	info, err := t.Stat(path)
	if err != nil {
		return identity{}
	}
	id := identity{Size: info.Size(), MTime: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id.Inode = st.Ino
	}
	return id
}

// part is how far one part has come.
type part struct {
	ID       string        `json:"id"`
	Token    int64         `json:"token"`
	File     string        `json:"file"` // its stage, beside the target
	Size     int64         `json:"size"` // bytes of it that are valid
	Position rows.Position `json:"position"`
}

func (m *markers) readStream() (stream, error) {
	var s stream
	err := m.read(m.base+".json", &s)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	return s, err
}

func (m *markers) writeStream(s stream) error { return m.write(m.base+".json", s) }

func (m *markers) partPath(id string) string { return m.base + "." + short(id) + ".json" }

func (m *markers) readPart(id string) (p part, ok bool, err error) {
	err = m.read(m.partPath(id), &p)
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	return p, err == nil, err
}

func (m *markers) writePart(p part) error { return m.write(m.partPath(p.ID), p) }

// parts lists those of the load in progress.
func (m *markers) parts() ([]part, error) {
	entries, err := m.tree.ReadDir(filepath.Dir(m.base))
	if err != nil {
		return nil, failed("list", filepath.Dir(m.base), err)
	}
	var all []part
	for _, e := range entries {
		middle, ok := strings.CutPrefix(e.Name(), filepath.Base(m.base)+".")
		if !ok || !strings.HasSuffix(middle, ".json") {
			continue
		}
		var p part
		if err := m.read(filepath.Join(filepath.Dir(m.base), e.Name()), &p); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func (m *markers) removePart(id string) error {
	return removed(m.tree, m.partPath(id))
}

func removed(t *tree.Tree, path string) error {
	if err := t.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed("remove", path, err)
	}
	return nil
}

func (m *markers) read(path string, into any) error {
	data, err := m.tree.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil {
		return failed("read", path, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return syncline.Errorf(syncline.DataLoss, "the marker %s is damaged: %w", path, err).Of(syncline.ClassDestination).
			Try("remove it: the next run begins anew")
	}
	return nil
}

func (m *markers) write(path string, from any) error {
	data, err := json.MarshalIndent(from, "", " ")
	if err != nil {
		return fmt.Errorf("marker %s: %w", path, err)
	}
	return failed("write", path, durable.WriteFile(m.tree, path, data))
}
