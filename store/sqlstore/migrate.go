package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/synclinehq/syncline"
)

// Schema is the version of the ledger that this program writes: the number of its
// newest migration.
const Schema = 4

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the ledger up to Schema. A newer ledger is left as it is, and refused
// when it says that programs of this age would misread it. before is called, when there
// is an older ledger to change, with its version. Migrations only ever go forward.
func Migrate(ctx context.Context, db *sql.DB, f *Flavor, dialect goose.Dialect, before func(version int64) error) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	table := f.Write.Replace("{migrations}")
	p, err := goose.NewProvider(dialect, db, worded{files, f.Types}, goose.WithTableName(table), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	version, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the ledger's version: %w", err)
	}
	if version < Schema {
		if version > 0 {
			if err := before(version); err != nil {
				return err
			}
		}
		if _, err := p.Up(ctx); err != nil {
			return fmt.Errorf("bring the ledger from version %d to %d: %w", version, Schema, err)
		}
	}
	return readable(ctx, db, f, max(version, Schema))
}

func readable(ctx context.Context, db *sql.DB, f *Flavor, version int64) error {
	var oldest int64
	if err := db.QueryRowContext(ctx, f.Write.Replace("select max(min_reader) from {ledger}")).Scan(&oldest); err != nil {
		return fmt.Errorf("read which programs may open the ledger: %w", err)
	}
	if oldest <= Schema {
		return nil
	}
	return syncline.Errorf(syncline.FailedPrecondition,
		"this program writes ledger version %d; the ledger has version %d, and programs older than version %d must not open it", Schema, version, oldest).
		Of(syncline.ClassConfig).Because("ledger_newer").Try("start a newer syncline")
}

// worded shows migrations in the words of one database.
type worded struct {
	fs.FS
	words *strings.Replacer
}

func (w worded) Open(name string) (fs.File, error) {
	f, err := w.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return f, err
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return worded1{f, strings.NewReader(w.words.Replace(string(bytes.TrimSpace(b))))}, nil
}

type worded1 struct {
	fs.File
	text *strings.Reader
}

func (w worded1) Read(b []byte) (int, error) { return w.text.Read(b) }
