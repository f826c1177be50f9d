// Package files reads CSV, TSV and JSON Lines files, plain or compressed. Every file is
// an entity of its own; with the setting entity all of them are one, a part each.
package files

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/tree"
	"github.com/synclinehq/syncline/source"
)

// Kind is the files source.
var Kind = source.Kind{Spec: kindSpec(), Open: open}

// Source reads the files that its settings' path matches.
type Source struct {
	settings settings
	tree     *tree.Tree
	closed   chan struct{}
	close    sync.Once
}

var (
	_ source.Source  = (*Source)(nil)
	_ source.Checker = (*Source)(nil)
)

func open(ctx context.Context, _ source.Env, raw json.RawMessage) (source.Source, error) {
	s, err := decode(raw)
	if err != nil {
		return nil, err
	}
	t, err := tree.Below(s.Root)
	if err != nil {
		return nil, err
	}
	src := &Source{settings: s, tree: t, closed: make(chan struct{})}
	// A path that is not there is better said now than when a run has begun; a pattern
	// may come to match later.
	if _, err := src.files(ctx); err != nil && !errors.Is(err, errNoMatch) {
		_ = src.Close() // nothing is under way
		return nil, err
	}
	return src, nil
}

// Close ends the reads that are under way.
func (s *Source) Close() error {
	var err error
	s.close.Do(func() {
		close(s.closed)
		err = s.tree.Close()
	})
	return err
}

// ended says why reading is to stop.
func (s *Source) ended(ctx context.Context) error {
	select {
	case <-s.closed:
		return syncline.Errorf(syncline.Canceled, "the source was closed").Of(syncline.ClassSource)
	default:
		return ctx.Err()
	}
}
