package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/synclinehq/syncline/rows"
)

// refusal is the server's refusal of a row: of a value, or by a rule of the table's; nil
// when err is something else.
func refusal(err error) *pgconn.PgError {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return nil
	}
	if strings.HasPrefix(e.Code, "22") || strings.HasPrefix(e.Code, "23") || e.Code == "P0001" || e.Code == "44000" {
		return e
	}
	return nil
}

// codes of rejects by SQLSTATE.
var codes = map[string]string{
	"22001": rows.CodeOutOfRange, // longer than the column
	"22003": rows.CodeOutOfRange,
	"22008": rows.CodeOutOfRange,
	"22015": rows.CodeOutOfRange,
	"22021": rows.CodeEncoding,
	"22P05": rows.CodeEncoding,
	"23502": rows.CodeNull,
	"23505": rows.CodeDuplicate,
}

func codeOf(e *pgconn.PgError) string {
	if code, ok := codes[e.Code]; ok {
		return code
	}
	if strings.HasPrefix(e.Code, "22") {
		return rows.CodeType
	}
	return rows.CodeConstraint
}
