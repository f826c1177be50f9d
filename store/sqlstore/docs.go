package sqlstore

import (
	"encoding/json"

	"github.com/synclinehq/syncline"
)

func docFrom(scan Scan) (syncline.Doc, error) {
	var d syncline.Doc
	var body []byte
	err := scan(&d.Dialect, &d.Kind, &d.ID, &d.Revision, &body)
	d.Body = body
	return d, err
}

// Doc finds a dialect's document.
func (t *Tx) Doc(dialect, kind, id string) (*syncline.Doc, error) {
	d, err := list(t, docFrom, `select dialect, kind, id, revision, body from {docs} where dialect = $1 and kind = $2 and id = $3{lock}`,
		dialect, kind, id)
	if err != nil {
		return nil, wrapf(err, "read %s %s %s", dialect, kind, id)
	}
	if len(d) == 0 {
		return nil, noDoc(dialect, kind, id)
	}
	return &d[0], nil
}

func noDoc(dialect, kind, id string) error {
	return syncline.Errorf(syncline.NotFound, "no %s %s %q", dialect, kind, id)
}

// Docs lists the documents of a kind by id.
func (t *Tx) Docs(dialect, kind, afterID string, limit int) ([]syncline.Doc, error) {
	all, err := list(t, docFrom, `select dialect, kind, id, revision, body from {docs} where dialect = $1 and kind = $2 and id > $3
		order by id limit $4`, dialect, kind, afterID, most(limit))
	return all, wrapf(err, "list %s %s documents", dialect, kind)
}

// PutDoc inserts a document whose Revision is 0, and else replaces that revision.
func (t *Tx) PutDoc(d *syncline.Doc) error {
	if !json.Valid(d.Body) {
		return syncline.Errorf(syncline.InvalidArgument, "the body of %s %s %q is not JSON", d.Dialect, d.Kind, d.ID)
	}
	stmt := `insert into {docs} (dialect, kind, id, revision, body) values ($1, $2, $3, $4 + 1, $5) on conflict do nothing`
	if d.Revision > 0 {
		stmt = `update {docs} set revision = $4 + 1, body = $5 where dialect = $1 and kind = $2 and id = $3 and revision = $4`
	}
	n, err := t.s.Exec(stmt, d.Dialect, d.Kind, d.ID, d.Revision, utf8(string(d.Body)))
	if err != nil {
		return wrapf(err, "store %s %s %s", d.Dialect, d.Kind, d.ID)
	}
	if n == 0 {
		return t.docNotPut(d)
	}
	d.Revision++
	return nil
}

func (t *Tx) docNotPut(d *syncline.Doc) error {
	if d.Revision == 0 {
		return syncline.Errorf(syncline.AlreadyExists, "%s %s %q exists already", d.Dialect, d.Kind, d.ID)
	}
	if _, err := t.Doc(d.Dialect, d.Kind, d.ID); err != nil {
		return err
	}
	return syncline.Errorf(syncline.Aborted, "%s %s %q was changed meanwhile", d.Dialect, d.Kind, d.ID).Again()
}

// DeleteDoc removes a document.
func (t *Tx) DeleteDoc(dialect, kind, id string) error {
	n, err := t.s.Exec(`delete from {docs} where dialect = $1 and kind = $2 and id = $3`, dialect, kind, id)
	if err == nil && n == 0 {
		return noDoc(dialect, kind, id)
	}
	return wrapf(err, "delete %s %s %s", dialect, kind, id)
}
