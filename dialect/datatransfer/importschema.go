package datatransfer

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

// importTypes are the words of pipelines for types of columns.
// https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types
var importTypes = map[pb.ImportedDataInfo_FieldSchema_Type]string{
	pb.ImportedDataInfo_FieldSchema_STRING:    "text",
	pb.ImportedDataInfo_FieldSchema_INTEGER:   "bigint",
	pb.ImportedDataInfo_FieldSchema_FLOAT:     "double",
	pb.ImportedDataInfo_FieldSchema_RECORD:    "json",
	pb.ImportedDataInfo_FieldSchema_BYTES:     "bytea",
	pb.ImportedDataInfo_FieldSchema_BOOLEAN:   "boolean",
	pb.ImportedDataInfo_FieldSchema_TIMESTAMP: "timestamptz",
	pb.ImportedDataInfo_FieldSchema_DATE:      "date",
	pb.ImportedDataInfo_FieldSchema_TIME:      "time",
	pb.ImportedDataInfo_FieldSchema_DATETIME:  "timestamp",
	pb.ImportedDataInfo_FieldSchema_NUMERIC:   "numeric(38,9)",
	pb.ImportedDataInfo_FieldSchema_GEOGRAPHY: "text",
}

// fieldName is what columns are called.
var fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]{0,127}$`)

// deepest is how far records may be nested.
// https://cloud.google.com/bigquery/docs/nested-repeated#limitations
const deepest = 15

// importSchema reads the schema of a table.
type importSchema struct {
	field string // of the request
	flat  bool   // the format has no records and no lists
}

// types are those of the columns, by name. Records and lists are kept as JSON.
func (s importSchema) types(r *pb.ImportedDataInfo_RecordSchema) (map[string]string, error) {
	if err := s.record(s.field, r, 0); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for i, f := range r.GetFields() {
		word := importTypes[f.GetType()]
		if f.GetIsRepeated() {
			word = importTypes[pb.ImportedDataInfo_FieldSchema_RECORD]
		}
		if s.flat && (f.GetIsRepeated() || f.GetType() == pb.ImportedDataInfo_FieldSchema_RECORD) {
			return nil, syncline.Invalid(fmt.Sprintf("%s.fields[%d]", s.field, i), "a CSV file has no place for %s, which is a list or a record", f.GetFieldName()).
				Try("stage the data as JSON, an object a line")
		}
		out[f.GetFieldName()] = word
	}
	return out, nil
}

func (s importSchema) record(field string, r *pb.ImportedDataInfo_RecordSchema, depth int) error {
	if depth > deepest {
		return syncline.Invalid(s.field, "records are nested more than %d deep", deepest)
	}
	seen := map[string]bool{}
	for i, f := range r.GetFields() {
		at, name := fmt.Sprintf("%s.fields[%d]", field, i), f.GetFieldName()
		if err := column(at, f); err != nil {
			return err
		}
		if seen[strings.ToLower(name)] {
			return syncline.Invalid(at+".field_name", "the field %s is there twice", name)
		}
		seen[strings.ToLower(name)] = true
		if err := s.record(at+".schema", f.GetSchema(), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func column(field string, f *pb.ImportedDataInfo_FieldSchema) error {
	nested := f.GetType() == pb.ImportedDataInfo_FieldSchema_RECORD
	switch {
	case !fieldName.MatchString(f.GetFieldName()):
		return syncline.Invalid(field+".field_name", "%q is no name of a field", f.GetFieldName()).
			Try("use letters, digits and _, up to 128, with no digit in front")
	case importTypes[f.GetType()] == "":
		return syncline.Invalid(field+".type", "the field %s needs a type, and %s is none", f.GetFieldName(), f.GetType())
	case nested && len(f.GetSchema().GetFields()) == 0:
		return syncline.Invalid(field+".schema", "the record %s needs a schema", f.GetFieldName())
	case !nested && f.GetSchema() != nil:
		return syncline.Invalid(field+".schema", "the field %s is no record, and has no schema of its own", f.GetFieldName())
	}
	return nil
}
