package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/dialect"
	"github.com/synclinehq/syncline/dialect/datatransfer"
	"github.com/synclinehq/syncline/dialect/elastic"
	"github.com/synclinehq/syncline/server"
)

// adminKey is the file, in the data directory, with the key that is there from the start:
// whoever may read the ledger's file may read it too, and needs no other.
const adminKey = "admin.key"

// listenTCP opens the port early: whoever cannot have it asks nobody for the ledger.
func (a *App) listenTCP(ctx context.Context) (err error) {
	s := a.o.Settings
	if s.Listen != "" {
		how := server.Listen{Address: s.Listen, Cert: s.TLS.Cert, Key: s.TLS.Key, InsecureHTTP: a.o.InsecureHTTP, NoAuth: a.o.NoAuth}
		if a.listener, err = how.Open(ctx); err != nil {
			return err
		}
		a.metrics = server.NewMetrics()
	}
	allowed := a.listener == nil || a.listener.Loopback
	if s.AllowPrivate != nil {
		allowed = *s.AllowPrivate
	}
	a.o.NoLoopback = !allowed
	return nil
}

// openDoor serves the ledger's seat on the port.
func (a *App) openDoor(ctx context.Context) error {
	if a.listener == nil {
		return nil
	}
	if !a.o.NoAuth {
		if err := a.keepAdminKey(ctx, a.seat.keys); err != nil {
			return err
		}
	}
	a.warn()
	s := a.seat
	connectors := elastic.New(elastic.Options{Ledger: s.ledger, Catalog: s.catalog, Log: a.log, Upstream: a.upstream()})
	if err := connectors.Settle(ctx); err != nil {
		return fmt.Errorf("settle connectors: %w", err)
	}
	transfers, err := a.transfers()
	if err != nil {
		return err
	}
	s.door = server.New(server.Options{
		Dialects: []dialect.Dialect{s.api, transfers, connectors},
		Keys:     s.keys, NoAuth: a.o.NoAuth, Hosts: a.o.Settings.Hosts, Ready: s.ready, Metrics: a.metrics, Log: a.log,
	})
	s.door.Serve(a.listener)
	return nil
}

// transfers is the Data Transfer API over the ledger's seat.
func (a *App) transfers() (dialect.Dialect, error) {
	set := a.o.Settings
	w, err := set.DataTransfer.Warehouse(a.dir)
	if err != nil {
		return nil, err
	}
	return datatransfer.New(datatransfer.Options{
		Ledger: a.seat.ledger, Catalog: a.seat.catalog, Log: a.log, Dataset: w.Dataset,
		Box: a.box, Project: set.Google.Project, Location: set.Google.Location,
	})
}

func (a *App) warn() {
	if a.o.NoAuth {
		a.log.Warn("keys are not asked for: every process of this machine can do everything")
	}
	if !a.listener.Loopback && a.listener.Certificate == nil {
		a.log.Warn("no TLS: keys and data can be read on their way", "listen", a.listener.Addr().String())
	}
}

// Listening is the URL of the open port, "" when there is none, and AdminKey the file of the
// key that opens it, "" when none is asked for.
func (a *App) Listening() (url, key string) {
	if a.listener == nil {
		return "", ""
	}
	if !a.o.NoAuth {
		key = filepath.Join(a.dir, adminKey)
	}
	return a.listener.URL(), key
}

// keepAdminKey makes a key when there is none, or it opens nothing any more: it may have
// been revoked, or the ledger is another one now.
func (a *App) keepAdminKey(ctx context.Context, keys *auth.Keys) error {
	path := filepath.Join(a.dir, adminKey)
	ok, err := opens(ctx, keys, path)
	if err != nil || ok {
		return err
	}
	_, c, err := keys.Replace(ctx, auth.Key{Name: "admin of " + a.self.Host, Role: auth.Admin, Place: a.self.Host + ":" + a.dir})
	if err != nil {
		return fmt.Errorf("make the first key: %w", err)
	}
	if err := replaceFile(path, []byte(c.Bearer()+"\n")); err != nil {
		return syncline.Errorf(syncline.FailedPrecondition, "write the first key to %s: %w", path, err).Of(syncline.ClassConfig).
			Try("the data directory must be one that this user can write to")
	}
	return nil
}

func opens(ctx context.Context, keys *auth.Keys, path string) (bool, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return false, fmt.Errorf("read the first key: %w", err)
	}
	c, _ := auth.Presented("Bearer " + strings.TrimSpace(string(text)))
	who, err := keys.Check(ctx, c)
	if syncline.CodeOf(err) == syncline.Unauthenticated {
		return false, nil
	}
	return who.Role == auth.Admin, err
}

// ready reports whether the ledger answers.
func (s *seat) ready(ctx context.Context) error {
	return s.store.View(ctx, func(tx syncline.Tx) error {
		_, err := tx.NearestSlot()
		return err
	})
}
