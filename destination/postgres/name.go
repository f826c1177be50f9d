package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
)

// maxName is the longest identifier, in bytes. The server would cut a longer one without
// an error, and two tables would become one.
const maxName = 63

// name is where a table stands. Its parts are as in the catalog: case and all.
type name struct{ schema, table string }

// parseName reads "table", "schema.table", and either with parts in double quotes, which
// only a dot or a quote makes necessary. Whatever else stands in it is part of a name.
func parseName(s, schema string) (name, error) {
	first, rest := cutName(s)
	n := name{schema, first}
	if rest != "" {
		second, more := cutName(rest[1:])
		if more != "" {
			second = rest[1:]
		}
		n = name{first, second}
	}
	for _, part := range []string{n.schema, n.table} {
		if err := checkName("table", part); err != nil {
			return n, err
		}
	}
	return n, nil
}

// cutName takes one name off the front; rest is empty or begins with the dot.
func cutName(s string) (first, rest string) {
	if strings.HasPrefix(s, `"`) {
		for i := 1; i < len(s); i++ {
			switch {
			case s[i] != '"':
			case i+1 < len(s) && s[i+1] == '"':
				i++
			case i+1 == len(s) || s[i+1] == '.':
				return strings.ReplaceAll(s[1:i], `""`, `"`), s[i+1:]
			}
		}
	}
	if dot := strings.IndexByte(s, '.'); dot > 0 && dot+1 < len(s) {
		return s[:dot], s[dot:]
	}
	return s, ""
}

// checkName refuses what the server cannot keep as it is.
func checkName(what, s string) error {
	refuse := func(why string) error {
		return syncline.Errorf(syncline.InvalidArgument, "%s name %q %s", what, s, why).Of(syncline.ClassConfig).
			Try("give another name")
	}
	switch {
	case s == "":
		return refuse("is empty")
	case len(s) > maxName:
		return refuse("is longer than the 63 bytes that PostgreSQL keeps")
	case strings.ContainsRune(s, 0):
		return refuse("holds a NUL byte")
	}
	return nil
}

func (n name) quoted() string { return pgx.Identifier{n.schema, n.table}.Sanitize() }

// text is the name as a person writes it and parseName reads it.
func (n name) text() string {
	part := func(s string) string {
		if strings.ContainsAny(s, `."`) {
			return quote(s)
		}
		return s
	}
	if n.schema == "" {
		return part(n.table)
	}
	return part(n.schema) + "." + part(n.table)
}

func quote(s string) string { return pgx.Identifier{s}.Sanitize() }

// list quotes names and joins them with commas, each with a prefix before it.
func list(prefix string, names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = prefix + quote(n)
	}
	return strings.Join(quoted, ", ")
}

const stagePrefix = "_syncline_stage_"

// stageName names the stage of a load. All stages of one stream begin alike, so that
// those of other loads are found even when nobody remembers them.
func stageName(schema, stream, load string) name {
	return name{schema, streamPrefix(stream) + hash(load)}
}

func streamPrefix(stream string) string { return stagePrefix + hash(stream) + "_" }

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// extensions of files that are not part of what the data is called.
var extensions = []string{".gz", ".zst", ".csv", ".tsv", ".json", ".jsonl", ".ndjson"}

func withoutExtension(entity string) string {
	for {
		i := slices.IndexFunc(extensions, func(x string) bool {
			return len(entity) > len(x) && strings.EqualFold(entity[len(entity)-len(x):], x)
		})
		if i < 0 {
			return entity
		}
		entity = entity[:len(entity)-len(extensions[i])]
	}
}
