package sqlstore

import (
	"encoding/json"
	"fmt"

	"github.com/synclinehq/syncline"
)

// pipelineDoc is a pipeline without its definition, which is kept once, as a revision.
type pipelineDoc struct {
	*syncline.Pipeline
	Definition *struct{} `json:"definition,omitempty"`
}

const pipelines = `select p.version, p.doc, r.doc from {pipelines} p
	join {pipeline_revisions} r on r.pipeline_id = p.id and r.revision = p.revision`

func pipelineFrom(scan Scan) (*syncline.Pipeline, error) {
	var version int64
	var doc, definition []byte
	if err := scan(&version, &doc, &definition); err != nil {
		return nil, err
	}
	p := &syncline.Pipeline{}
	if err := json.Unmarshal(doc, &pipelineDoc{Pipeline: p}); err != nil {
		return nil, fmt.Errorf("read a pipeline's document: %w", err)
	}
	if err := json.Unmarshal(definition, &p.Definition); err != nil {
		return nil, fmt.Errorf("read the definition of pipeline %s: %w", p.ID, err)
	}
	p.Version = version
	return p, nil
}

// Pipeline finds a pipeline by its id.
func (t *Tx) Pipeline(id string) (*syncline.Pipeline, error) {
	p, err := first(t, pipelineFrom, pipelines+` where p.id = $1{lock p}`, id)
	if err == nil && p == nil {
		return nil, syncline.Errorf(syncline.NotFound, "no pipeline %q", id)
	}
	return p, wrapf(err, "read pipeline %s", id)
}

// PipelineNamed finds a pipeline by its name.
func (t *Tx) PipelineNamed(name string) (*syncline.Pipeline, error) {
	p, err := first(t, pipelineFrom, pipelines+` where p.name = $1{lock p}`, name)
	if err == nil && p == nil {
		return nil, syncline.Errorf(syncline.NotFound, "no pipeline named %q", name)
	}
	return p, wrapf(err, "read pipeline %q", name)
}

// Pipelines lists pipelines by name.
func (t *Tx) Pipelines(f syncline.PipelineFilter) ([]*syncline.Pipeline, error) {
	all, err := list(t, pipelineFrom, pipelines+` where p.name > $1 order by p.name limit $2`, f.After, page(f.Limit))
	return all, wrapf(err, "list pipelines")
}

// PutPipeline inserts or replaces a pipeline and stores its revision if it is new.
func (t *Tx) PutPipeline(p *syncline.Pipeline) error {
	d, err := doc(pipelineDoc{Pipeline: p})
	if err != nil {
		return err
	}
	if p.Version == 0 {
		err = t.insertPipeline(p, d)
	} else {
		err = t.replacePipeline(p, d)
	}
	if err != nil {
		return err
	}
	if err := t.putRevision(p); err != nil {
		return err
	}
	t.version(&p.Version, p.Version+1)
	return nil
}

func (t *Tx) insertPipeline(p *syncline.Pipeline, d string) error {
	n, err := t.s.Exec(`insert into {pipelines} (id, name, revision, version, shape, doc) values ($1, $2, $3, 1, $4, $5)
		on conflict do nothing`, p.ID, p.Name, p.Revision, Schema, d)
	if err == nil && n == 0 {
		return t.pipelineTaken(p)
	}
	return wrapf(err, "store pipeline %s", p.ID)
}

func (t *Tx) pipelineTaken(p *syncline.Pipeline) error {
	if id, err := list(t, text, `select id from {pipelines} where name = $1 and id <> $2`, p.Name, p.ID); err == nil && len(id) > 0 {
		return syncline.Errorf(syncline.AlreadyExists, "a pipeline named %q exists already", p.Name)
	}
	return syncline.Errorf(syncline.AlreadyExists, "pipeline %q exists already", p.ID)
}

const putPipeline = `update {pipelines} set name = $1, revision = $2, version = version + 1, shape = $3, doc = $4
	where id = $5 and version = $6 and shape <= $3
	and not exists (select 1 from {pipelines} o where o.name = $1 and o.id <> $5)`

func (t *Tx) replacePipeline(p *syncline.Pipeline, d string) error {
	n, err := t.s.Exec(putPipeline, p.Name, p.Revision, Schema, d, p.ID, p.Version)
	if err != nil || n > 0 {
		return wrapf(err, "store pipeline %s", p.ID)
	}
	var version, shape int64
	var old []byte
	found, err := t.one(`select version, shape, doc from {pipelines} where id = $1`, []any{p.ID}, &version, &shape, &old)
	switch {
	case err != nil:
		return wrapf(err, "store pipeline %s", p.ID)
	case !found:
		return syncline.Errorf(syncline.NotFound, "no pipeline %q", p.ID)
	case version != p.Version:
		return syncline.Errorf(syncline.Aborted, "pipeline %q was changed meanwhile", p.Name).Again()
	case shape <= Schema:
		return t.pipelineTaken(p)
	}
	n, err = t.s.Exec(putPipeline, p.Name, p.Revision, shape, carry[pipelineDoc](old, d), p.ID, p.Version)
	if err == nil && n == 0 {
		return t.pipelineTaken(p)
	}
	return wrapf(err, "store pipeline %s", p.ID)
}

// putRevision keeps what a newer program has put into the revision before.
func (t *Tx) putRevision(p *syncline.Pipeline) error {
	d, err := doc(p.Definition)
	if err != nil {
		return err
	}
	shape := int64(Schema)
	if p.Version > 0 {
		var old []byte
		found, err := t.one(`select shape, doc from {pipeline_revisions} where pipeline_id = $1 and revision > 0 and shape > $2
			order by revision desc limit 1`, []any{p.ID, Schema}, &shape, &old)
		if err != nil {
			return wrapf(err, "read the newest revision of pipeline %s", p.ID)
		}
		if found {
			d = carry[syncline.Definition](old, d)
		}
	}
	_, err = t.s.Exec(`insert into {pipeline_revisions} (pipeline_id, revision, shape, doc) values ($1, $2, $3, $4)
		on conflict do nothing`, p.ID, p.Revision, shape, d)
	return wrapf(err, "store revision %d of pipeline %s", p.Revision, p.ID)
}

const revisionDoc = `select doc from {pipeline_revisions} where pipeline_id = $1 and revision = $2`

// Revision finds a definition as it was.
func (t *Tx) Revision(pipelineID string, revision int64) (*syncline.Definition, error) {
	d, err := first(t, fromDoc[*syncline.Definition], revisionDoc, pipelineID, revision)
	if err == nil && d == nil {
		return nil, syncline.Errorf(syncline.NotFound, "no revision %d of pipeline %q", revision, pipelineID)
	}
	return d, wrapf(err, "read revision %d of pipeline %s", revision, pipelineID)
}

// PutRevision stores a definition beside the pipeline's own.
func (t *Tx) PutRevision(pipelineID string, d *syncline.Definition) (int64, error) {
	text, err := doc(d)
	if err != nil {
		return 0, err
	}
	var n int64
	if _, err = t.one(`select coalesce(min(revision), 0) from {pipeline_revisions} where pipeline_id = $1 and revision < 0`, []any{pipelineID}, &n); err == nil {
		n--
		_, err = t.s.Exec(`insert into {pipeline_revisions} (pipeline_id, revision, shape, doc) values ($1, $2, $3, $4)`, pipelineID, n, Schema, text)
	}
	return n, wrapf(err, "store a definition beside pipeline %s", pipelineID)
}

// DeleteRevision removes a definition beside the pipeline's own.
func (t *Tx) DeleteRevision(pipelineID string, revision int64) error {
	err := t.s.Later(`delete from {pipeline_revisions} where pipeline_id = $1 and revision = $2 and revision < 0`, pipelineID, revision)
	return wrapf(err, "delete revision %d of pipeline %s", revision, pipelineID)
}

// DeletePipeline removes a pipeline and all but its runs.
func (t *Tx) DeletePipeline(id string) error {
	n, err := t.s.Exec(`delete from {pipelines} where id = $1`, id)
	if err == nil && n == 0 {
		return syncline.Errorf(syncline.NotFound, "no pipeline %q", id)
	}
	for _, stmt := range []string{
		`delete from {pipeline_revisions} where pipeline_id = $1`,
		`delete from {names} where pipeline_id = $1`,
		`delete from {schedules} where pipeline_id = $1`,
		`delete from {slots} where pipeline_id = $1`,
	} {
		if err == nil {
			err = t.s.Later(stmt, id)
		}
	}
	return wrapf(err, "delete pipeline %s", id)
}

// Name finds the pipeline that a dialect calls so.
func (t *Tx) Name(dialect, name string) (string, error) {
	id, err := list(t, text, `select pipeline_id from {names} where dialect = $1 and name = $2`, dialect, name)
	if err == nil && len(id) == 0 {
		return "", syncline.Errorf(syncline.NotFound, "no pipeline with the %s name %q", dialect, name)
	}
	if err != nil {
		return "", fmt.Errorf("read %s name %q: %w", dialect, name, err)
	}
	return id[0], nil
}

// PutName gives a pipeline a name in a dialect. Doing it again changes nothing.
func (t *Tx) PutName(dialect, name, pipelineID string) error {
	n, err := t.s.Exec(`insert into {names} (dialect, name, pipeline_id) values ($1, $2, $3) on conflict do nothing`, dialect, name, pipelineID)
	if err != nil || n > 0 {
		return wrapf(err, "store %s name %q", dialect, name)
	}
	id, err := t.Name(dialect, name)
	if err == nil && id != pipelineID {
		return syncline.Errorf(syncline.AlreadyExists, "the %s name %q belongs to pipeline %q already", dialect, name, id)
	}
	return err
}

// DeleteName takes a name away.
func (t *Tx) DeleteName(dialect, name string) error {
	n, err := t.s.Exec(`delete from {names} where dialect = $1 and name = $2`, dialect, name)
	if err == nil && n == 0 {
		return syncline.Errorf(syncline.NotFound, "no pipeline with the %s name %q", dialect, name)
	}
	return wrapf(err, "delete %s name %q", dialect, name)
}
