package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/synclinehq/syncline"
)

const (
	callTimeout = 5 * time.Second
	// fresh is how long a key is believed without looking again: a key that was revoked
	// elsewhere is of no use after a second.
	fresh = 900 * time.Millisecond
	// grain is how often the use of a key is written down.
	grain = 10 * time.Minute
	// maxCached bounds the keys in memory; beyond it they are looked up again.
	maxCached = 10_000
	pageSize  = 500
)

// A key is a document of the ledger.
const (
	docDialect = "auth"
	docKind    = "key"
)

// Keys are the keys of a ledger. They may be used from any goroutine, and by many servers
// of one ledger.
type Keys struct {
	store syncline.Store
	now   func() time.Time
	loads singleflight.Group

	mu    sync.Mutex
	known map[string]cached
}

type cached struct {
	key Key
	at  time.Time
}

// NewKeys are those in a store; now is time.Now but in tests.
func NewKeys(store syncline.Store, now func() time.Time) *Keys {
	return &Keys{store: store, now: now, known: map[string]cached{}}
}

// Create makes a key of which Name, Role, Scope, Place and ExpiresAt are given. What it
// returns beside the key is there this once and never again.
func (k *Keys) Create(ctx context.Context, key Key) (Key, Credential, error) {
	if err := key.check(k.now()); err != nil {
		return Key{}, Credential{}, err
	}
	key, c := k.draft(key)
	err := k.update(ctx, func(tx syncline.Tx) error { return put(tx, key, 0) })
	return key, c, err
}

func (k *Keys) draft(key Key) (Key, Credential) {
	c := Credential{random(idBytes), random(secretBytes)}
	key.ID, key.CreatedAt, key.UsedAt = c.ID, k.now().UTC().Truncate(time.Second), time.Time{}
	key.Hash = hash(c.Secret)
	return key, c
}

// Replace makes the key of a place instead of those that were made there before.
func (k *Keys) Replace(ctx context.Context, key Key) (Key, Credential, error) {
	key, c := k.draft(key)
	err := k.update(ctx, func(tx syncline.Tx) error {
		for d, err := range docs(tx) {
			if err != nil {
				return err
			}
			if d.Place != key.Place {
				continue
			}
			if err := tx.DeleteDoc(docDialect, docKind, d.ID); err != nil {
				return err
			}
		}
		return put(tx, key, 0)
	})
	return key, c, err
}

// List lists all keys in the order of their ids, without their hashes.
func (k *Keys) List(ctx context.Context) (out []Key, err error) {
	err = k.view(ctx, func(tx syncline.Tx) error {
		out = nil
		for d, err := range docs(tx) {
			if err != nil {
				return err
			}
			d.Hash = nil
			out = append(out, d)
		}
		return nil
	})
	return out, err
}

// docs goes through all keys.
func docs(tx syncline.Tx) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		for after := ""; ; {
			page, err := tx.Docs(docDialect, docKind, after, pageSize)
			if err != nil {
				yield(Key{}, err)
				return
			}
			for _, d := range page {
				key, err := decode(&d)
				if after = d.ID; !yield(key, err) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

// Revoke removes a key. Every server of the ledger refuses it within a second.
func (k *Keys) Revoke(ctx context.Context, id string) error {
	err := k.update(ctx, func(tx syncline.Tx) error {
		_, err := tx.Doc(docDialect, docKind, id)
		if err != nil {
			return err
		}
		return tx.DeleteDoc(docDialect, docKind, id)
	})
	k.forget(id)
	if syncline.CodeOf(err) == syncline.NotFound {
		return syncline.Errorf(syncline.NotFound, "no key %q", id).Of(syncline.ClassConfig).Try("syncline keys list")
	}
	return err
}

// Check says who a credential belongs to. It is Unauthenticated in the same words, and
// after the same work, whatever is wrong with it.
func (k *Keys) Check(ctx context.Context, c Credential) (Principal, error) {
	if !c.Plausible() {
		c = Credential{} // nobody's, looked for all the same
	}
	key, ok := k.cached(c.ID)
	if !ok || !key.opens(c.Secret) {
		var err error
		if key, err = k.load(ctx, c.ID); err != nil {
			return Principal{}, err
		}
	}
	if !key.opens(c.Secret) || key.Expired(k.now()) {
		return Principal{}, refused()
	}
	k.used(ctx, key)
	return key.principal(), nil
}

func refused() *syncline.Error {
	return syncline.Errorf(syncline.Unauthenticated, "the key is not valid: it is unknown, revoked or expired").Of(syncline.ClassAuth).
		Try("syncline keys list shows the keys; syncline keys create makes one")
}

func (k *Keys) cached(id string) (Key, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.known[id]
	return c.key, ok && k.now().Sub(c.at) < fresh
}

func (k *Keys) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.known, id)
}

// load reads a key; one that is not there is a key that nothing opens. Many who ask at
// once share a look, which therefore lasts no longer and no shorter than anyone of them.
func (k *Keys) load(ctx context.Context, id string) (Key, error) {
	got, err, _ := k.loads.Do(id, func() (any, error) {
		at := k.now()
		key, err := k.read(context.WithoutCancel(ctx), id)
		if err == nil && key.ID != "" {
			k.remember(key, at)
		}
		return key, err
	})
	key, _ := got.(Key)
	return key, err
}

func (k *Keys) read(ctx context.Context, id string) (key Key, err error) {
	err = k.view(ctx, func(tx syncline.Tx) error {
		d, err := tx.Doc(docDialect, docKind, id)
		if err != nil {
			return err
		}
		key, err = decode(d)
		return err
	})
	switch {
	case syncline.CodeOf(err) == syncline.NotFound:
		return Key{}, nil
	case err != nil:
		return Key{}, unavailable(err)
	}
	return key, nil
}

func (k *Keys) remember(key Key, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= maxCached {
		clear(k.known)
	}
	k.known[key.ID] = cached{key, at}
}

// used writes down that a key was used, seldom. It matters to people only: a store that
// refuses, or a key that was revoked meanwhile, changes nothing.
func (k *Keys) used(ctx context.Context, key Key) {
	now := k.now().UTC().Truncate(time.Second)
	if now.Sub(key.UsedAt) < grain {
		return
	}
	key.UsedAt = now
	k.amend(key)
	_ = k.update(ctx, func(tx syncline.Tx) error {
		d, err := tx.Doc(docDialect, docKind, key.ID)
		if err != nil {
			return err
		}
		return put(tx, key, d.Revision)
	})
}

// amend changes what is known of a key, not since when.
func (k *Keys) amend(key Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c, ok := k.known[key.ID]; ok {
		k.known[key.ID] = cached{key, c.at}
	}
}

func (k *Keys) view(ctx context.Context, fn func(syncline.Tx) error) error {
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	return k.store.View(ctx, fn)
}

func (k *Keys) update(ctx context.Context, fn func(syncline.Tx) error) error {
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	return k.store.Update(ctx, fn)
}

func put(tx syncline.Tx, key Key, revision int64) error {
	body, err := json.Marshal(key)
	if err != nil {
		return fmt.Errorf("key %s: %w", key.ID, err)
	}
	return tx.PutDoc(&syncline.Doc{Dialect: docDialect, Kind: docKind, ID: key.ID, Revision: revision, Body: body})
}

func decode(d *syncline.Doc) (key Key, err error) {
	if err := json.Unmarshal(d.Body, &key); err != nil {
		return Key{}, fmt.Errorf("key %s: %w", d.ID, err)
	}
	key.ID = d.ID
	return key, nil
}

// unavailable says that nobody can be let in, rather than that this caller may not.
func unavailable(err error) error {
	if _, told := errors.AsType[*syncline.Error](err); told {
		return err
	}
	return syncline.Errorf(syncline.Unavailable, "the ledger cannot be asked for the key: %w", err).Of(syncline.ClassInternal).Again()
}
