package datatransfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/ledger"
)

// StartBigQueryJobs adds loads of files to a partner's run, each a run of its own that
// Syncline does. All are started or none.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rpc/google.cloud.bigquery.datatransfer.v1#google.cloud.bigquery.datatransfer.v1.DataSourceService
func (a *API) StartBigQueryJobs(ctx context.Context, r *pb.StartBigQueryJobsRequest) (*emptypb.Empty, error) {
	c, run, err := a.reported(ctx, "name", r.GetName())
	if err != nil {
		return nil, err
	}
	jobs, err := importJobs(r)
	if err != nil {
		return nil, err
	}
	children, err := a.children(ctx, c, jobs)
	if err != nil {
		return nil, err
	}
	if run.State != syncline.StateRunning {
		if _, err := a.o.Ledger.ClaimOutside(ctx, run.ID, partner(ctx)); err != nil {
			return nil, err
		}
	}
	_, err = a.o.Ledger.StartChildren(ctx, run.ID, partner(ctx), int(r.GetMaxParallelism()), children...)
	return &emptypb.Empty{}, err
}

// importJob is the loading of files into one table.
type importJob struct {
	field string // of the request
	table string
	def   *pb.ImportedDataInfo_TableDefinition
	write syncline.Disposition
	paths []string
	types map[string]string
}

func importJobs(r *pb.StartBigQueryJobsRequest) (all []importJob, err error) {
	switch n := r.GetMaxParallelism(); {
	case n < 0:
		return nil, syncline.Invalid("max_parallelism", "max_parallelism is %d", n).Try("give how many loads may be at work at a time, 0 for any number")
	case len(r.GetImportedData()) == 0:
		return nil, syncline.Invalid("imported_data", "a call needs imported_data: at least one table to load")
	}
	files := 0
	for i, d := range r.GetImportedData() {
		j, err := importJobOf(fmt.Sprintf("imported_data[%d]", i), d)
		if err != nil {
			return nil, err
		}
		if files += len(j.paths); files > ledger.MaxChildren {
			return nil, syncline.Invalid(j.field, "more than %d URIs in one call", ledger.MaxChildren).Try("name several files by one URI with a * in it")
		}
		all = append(all, j)
	}
	return all, nil
}

func importJobOf(field string, d *pb.ImportedDataInfo) (j importJob, err error) {
	switch defs := d.GetTableDefs(); {
	case d.GetSql() != "":
		return j, syncline.Invalid(field+".sql", "Syncline loads files and runs no SQL").Try("leave sql out: the files of the table definition are loaded as they are")
	case len(d.GetUserDefinedFunctions()) > 0:
		return j, syncline.Invalid(field+".user_defined_functions", "functions serve sql, and Syncline runs no SQL")
	case len(defs) != 1:
		return j, syncline.Invalid(field+".table_defs", "without sql there is exactly one table definition, and here are %d", len(defs))
	default:
		j = importJob{field: field, def: defs[0]}
	}
	if err := j.target(d); err != nil {
		return j, err
	}
	if err := j.format(); err != nil {
		return j, err
	}
	if j.paths, err = filesOf(j.in("source_uris"), j.def.GetSourceUris()); err != nil {
		return j, err
	}
	s := importSchema{field: j.in("schema"), flat: j.def.GetFormat() == pb.ImportedDataInfo_CSV}
	j.types, err = s.types(j.def.GetSchema())
	return j, err
}

// in is the name of a member of the table definition.
func (j *importJob) in(member string) string { return j.field + ".table_defs[0]." + member }

// tableID is what tables are called, and the partition that may stand behind.
// https://cloud.google.com/bigquery/docs/tables#table_naming
var tableID = regexp.MustCompile(`^([\p{L}\p{M}\p{N}\p{Pc}\p{Pd}\p{Zs}]+)(\$(?:\d{4}|\d{6}|\d{8}|\d{10}))?$`)

// target settles which table is written, and how.
func (j *importJob) target(d *pb.ImportedDataInfo) error {
	field, id := j.field+".destination_table_id", d.GetDestinationTableId()
	parts := tableID.FindStringSubmatch(id)
	switch {
	case id == "":
		return syncline.Invalid(field, "the data needs a destination_table_id")
	case parts == nil || utf8.RuneCountInString(parts[1]) > 1024:
		return syncline.Invalid(field, "%q is no name of a table", id).Try("use up to 1024 letters, digits, _, - and spaces; a partition such as $20260304 may stand behind")
	}
	j.table = parts[1]
	switch w := d.GetWriteDisposition(); w {
	case pb.WriteDisposition_WRITE_TRUNCATE:
		j.write = syncline.Replace
	case pb.WriteDisposition_WRITE_APPEND, pb.WriteDisposition_WRITE_DISPOSITION_UNSPECIFIED:
		j.write = syncline.Append
	default:
		return syncline.Invalid(j.field+".write_disposition", "%s is no write disposition", w)
	}
	if parts[2] != "" && j.write == syncline.Replace {
		return syncline.Invalid(field, "%q names one partition, and Syncline would replace the whole table", id).
			Try("append with WRITE_APPEND, or name the table without its partition")
	}
	return nil
}

// format refuses files that cannot be read as they are described.
func (j *importJob) format() error {
	switch f := j.def.GetFormat(); f {
	case pb.ImportedDataInfo_FORMAT_UNSPECIFIED, pb.ImportedDataInfo_CSV, pb.ImportedDataInfo_JSON:
	default:
		return syncline.Invalid(j.in("format"), "Syncline does not load files of the format %s", f).Try("stage the data as CSV, or as JSON, an object a line")
	}
	switch e := j.def.GetEncoding(); e {
	case pb.ImportedDataInfo_ENCODING_UNSPECIFIED, pb.ImportedDataInfo_UTF8:
	default:
		return syncline.Invalid(j.in("encoding"), "Syncline does not load files in the encoding %s", e).Try("stage the data in UTF8")
	}
	if n := j.def.GetMaxBadRecords(); n < 0 {
		return syncline.Invalid(j.in("max_bad_records"), "max_bad_records is %d", n)
	}
	return j.csv()
}

func (j *importJob) csv() error {
	o, field := j.def.GetCsvOptions(), j.in("csv_options.")
	if d := o.GetFieldDelimiter(); d != nil && d.GetValue() != `\t` && !oneSign(d.GetValue()) {
		return syncline.Invalid(field+"field_delimiter", "the delimiter %q is not one ASCII sign", d.GetValue())
	}
	if q := o.GetQuoteChar(); q != nil && !oneSign(q.GetValue()) {
		return syncline.Invalid(field+"quote_char", "the quote %q is not one ASCII sign", q.GetValue()).
			Try("name a sign that stands nowhere in the files if nothing is quoted in them")
	}
	switch skip := o.GetSkipLeadingRows(); {
	case skip == nil || skip.GetValue() == 1:
	case skip.GetValue() != 0:
		return syncline.Invalid(field+"skip_leading_rows", "Syncline passes over one leading row or none, not %d", skip.GetValue())
	case len(j.def.GetSchema().GetFields()) > 0:
		return syncline.Invalid(field+"skip_leading_rows", "a file without a leading row names no columns, and a schema is told by their names").
			Try("let the first row name the columns: skip_leading_rows 1")
	}
	return nil
}

// oneSign reports whether a text is a sign that files can be read by.
func oneSign(text string) bool { return len(text) == 1 && text[0] > 0 && text[0] < utf8.RuneSelf }

// filesOf are the paths of URIs.
func filesOf(field string, uris []string) (paths []string, err error) {
	if len(uris) == 0 {
		return nil, syncline.Invalid(field, "the table definition names no source_uris")
	}
	first, _, _ := strings.Cut(uris[0], ":")
	for _, text := range uris {
		if scheme, _, _ := strings.Cut(text, ":"); !strings.EqualFold(scheme, first) {
			return nil, syncline.Invalid(field, "the URIs lead to several storage systems").Try("make an entry in imported_data for each")
		}
		path, err := fileOf(field, text)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// fileOf is the path of a URI.
func fileOf(field, text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", syncline.Invalid(field, "this is no URI: %q", text).Try("write signs such as %% as %%25")
	case u.Scheme != "file":
		return "", syncline.Invalid(field, "Syncline loads files that its server can read, and %q is none", text).Try("write file:///path/to/file.csv")
	case u.User != nil || u.Host != "" && u.Host != "localhost" || !strings.HasPrefix(u.Path, "/"):
		return "", syncline.Invalid(field, "%q names a host, or no whole path", u.Redacted()).Try("write file:///path/to/file.csv, with three slashes")
	case u.RawQuery != "" || u.Fragment != "":
		return "", syncline.Invalid(field, "%q goes on behind the path", text).Try("write ? as %%3F and # as %%23")
	}
	return u.Path, nil
}

// children are the loads of the jobs. Those of one table follow one another, so that what
// is to be replaced is replaced by the first.
func (a *API) children(ctx context.Context, c *config, jobs []importJob) (all []ledger.Child, err error) {
	to, err := a.o.Dataset(c.doc.GetDestinationDatasetId())
	if err != nil {
		return nil, fmt.Errorf("dataset of %s: %w", c.name(), err)
	}
	for _, j := range jobs {
		for i, path := range j.paths {
			d, err := j.definition(path, to, i == 0)
			if err != nil {
				return nil, err
			}
			if d, err = a.o.Catalog.Storable(ctx, j.table, d); err != nil {
				return nil, j.blame(err)
			}
			all = append(all, ledger.Child{Task: j.table, Definition: d})
		}
	}
	return all, nil
}

func (j *importJob) definition(path string, to syncline.Endpoint, first bool) (syncline.Definition, error) {
	raw, err := json.Marshal(j.settings(path))
	if err != nil {
		return syncline.Definition{}, err
	}
	e := syncline.EntitySpec{Name: j.table, Table: j.table, Mode: syncline.ModeFull, Write: j.write, Types: j.types}
	if !first {
		e.Write = syncline.Append
	}
	if j.def.GetIgnoreUnknownValues().GetValue() {
		e.Columns = syncline.ColumnsIgnore
	}
	return syncline.Definition{
		Owner: syncline.OwnerEngine, Overlap: syncline.OverlapQueue, Outcome: syncline.OutcomeAll,
		Source: syncline.Endpoint{Kind: "files", Settings: raw}, Destination: to, Entities: []syncline.EntitySpec{e},
	}, nil
}

// settings are those of the source. A format that is not given is known by the file's name.
func (j *importJob) settings(path string) map[string]any {
	s := map[string]any{"path": path, "entity": j.table}
	switch j.def.GetFormat() {
	case pb.ImportedDataInfo_JSON:
		s["format"] = "jsonl"
		return s
	case pb.ImportedDataInfo_CSV:
		s["format"], s["separator"] = "csv", ","
	}
	o := j.def.GetCsvOptions()
	if d := o.GetFieldDelimiter(); d != nil {
		s["separator"] = d.GetValue()
	}
	if q := o.GetQuoteChar(); q != nil {
		s["quote"] = q.GetValue()
	}
	if skip := o.GetSkipLeadingRows(); skip != nil {
		s["header"] = skip.GetValue() == 1
	}
	return s
}

// blame puts an error of a definition to the member that it comes from.
func (j *importJob) blame(err error) error {
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok {
		return err
	}
	if strings.HasPrefix(e.Field, "destination") {
		return under(j.field+".destination_table_id", err)
	}
	return under(j.in("source_uris"), err)
}
