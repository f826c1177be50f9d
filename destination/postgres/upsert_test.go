package postgres

import "testing"

// TestUpsertMeetsAnotherSession: rows that move or go after the statement has looked them
// up, while it waits for the session that does it, are written and counted all the same.
func TestUpsertMeetsAnotherSession(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, kind := range []string{"", " partition by range (id); create table all_people partition of people default"} {
		p.anew(t)
		p.exec(t, "create table people (id bigint primary key, name text)"+kind)
		p.exec(t, "insert into people values (1, 'old'), (2, 'old'), (3, 'name 3'), (4, 'old')")
		other := placeAt(t, p.url)
		other.exec(t, "begin; update people set name = 'theirs' where id = 1; delete from people where id = 2; update people set name = 'name 4' where id = 4")
		l, err := p.start(t, "people", numbered(1, 7), upsert)
		if err != nil {
			t.Fatal(err)
		}
		wrote := make(chan error, 1)
		go func() { wrote <- l.write(t.Context()) }()
		waitFor(t, p, "select exists (select from pg_locks where not granted and locktype = 'transactionid')::text", "true")
		other.exec(t, "commit")
		if err := <-wrote; err != nil {
			t.Fatal(err)
		}
		p.shows(t, "select * from people", "(1,\"name 1\")\n(2,\"name 2\")\n(3,\"name 3\")\n(4,\"name 4\")\n(5,\"name 5\")\n(6,\"name 6\")")
		inserted := int64(3) // 2, 5 and 6
		if kind != "" {      // where 2 was found, and what became of it is not told
			inserted = 2
		}
		if c := l.sum; c.Unchanged != 1 || c.Inserted != inserted || c.Inserted+c.Updated != 5 {
			t.Errorf("%q: %+v", kind, c)
		}
	}
}
