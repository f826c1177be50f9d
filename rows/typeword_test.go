package rows_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
)

func TestTypeWord(t *testing.T) {
	for word, want := range map[string]string{
		"text": "utf8", "VarChar": "utf8", "int": "int32", "bigint": "int64", "int2": "int16",
		"double  precision": "float64", "real": "float32", "bool": "bool", "date": "date32", "time": "time64[us]",
		"timestamp": "timestamp[us]", "timestamptz": "timestamp[us, tz=UTC]",
		"numeric(12,2)": "decimal(12, 2)", "decimal( 38 )": "decimal(38, 0)", "numeric(76,70)": "decimal256(76, 70)",
		"uuid": "extension<arrow.uuid>", "jsonb": "extension<arrow.json[storage_type=utf8]>", "bytea": "binary", "interval": "month_day_nano_interval",
	} {
		got, err := rows.TypeWord(word)
		if err != nil {
			t.Errorf("%s: %v", word, err)
		} else if got.String() != want {
			t.Errorf("%s: got %s, want %s", word, got, want)
		}
	}
}

func TestTypeWordRefuses(t *testing.T) {
	for _, word := range []string{"", "geometry", "numeric", "numeric(0)", "numeric(77,2)", "numeric(5,6)", "numeric(5,-1)", "int32; drop"} {
		_, err := rows.TypeWord(word)
		var e *syncline.Error
		if !errors.As(err, &e) || e.Code != syncline.InvalidArgument || e.Hint == "" || !strings.Contains(e.Message, word) {
			t.Errorf("%q: %v", word, err)
		}
	}
}
