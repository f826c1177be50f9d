package sqlite

import (
	"path"
	"strings"
)

// endings of file names, which say nothing about the rows in them.
var endings = []string{".gz", ".zst", ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt"}

// Lands names the table of an entity: "public.orders" and "main.orders" land in orders,
// "sales.orders" in sales_orders, "in/flights.csv.gz" in flights. Letters are small: two
// names that differ in case alone would be one table to SQLite.
func (d *Destination) Lands(entity string) string {
	name := strings.ReplaceAll(entity, "\x00", "_")
	bare := path.Base(name)
	for _, e := range endings {
		bare = strings.TrimSuffix(bare, e)
	}
	if bare != path.Base(name) && bare != "" {
		name = bare
	}
	for _, schema := range []string{"public.", "main."} {
		if rest := strings.TrimPrefix(name, schema); rest != "" {
			name = rest
		}
	}
	name = strings.Map(small, strings.ReplaceAll(name, ".", "_"))
	if strings.HasPrefix(name, "sqlite_") || strings.HasPrefix(name, "_syncline") {
		return "t_" + name // such names are SQLite's and Syncline's own
	}
	return name
}

// small is for the letters that SQLite knows the case of.
func small(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r - 'A' + 'a'
	}
	return r
}
