package postgres

import (
	"context"
	"fmt"

	"github.com/synclinehq/syncline/source"
)

// oldest is the first version whose catalog has all that is asked of it.
const oldest = 140000

// Check says what stands in the way of writing here.
func (d *database) Check(ctx context.Context) ([]source.Finding, error) {
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer shut(conn)
	var version string
	var number int
	var standby, schema, makeSchema, create, temp, durable bool
	err = conn.QueryRow(ctx, `select current_setting('server_version'), pg_is_in_recovery(), to_regnamespace($1) is not null,
		has_database_privilege(current_database(), 'CREATE'), coalesce(has_schema_privilege(to_regnamespace($1)::oid, 'CREATE'), false),
		has_database_privilege(current_database(), 'TEMP'), current_setting('fsync')::bool, current_setting('server_version_num')::int`, quote(d.Schema)).
		Scan(&version, &standby, &schema, &makeSchema, &create, &temp, &durable, &number)
	if err != nil {
		return nil, classed(ctx, err, "check %s", d.Where())
	}
	what := fmt.Sprintf("schema %q", d.Schema)
	all := []source.Finding{{Level: source.OK, What: "connection", Text: fmt.Sprintf("PostgreSQL %s, %s", version, d.Where())}}
	if number < oldest {
		all[0].Level, all[0].Remedy = source.Fail, "use PostgreSQL 14 or later"
	}
	all = append(all, finding(!standby, "writable", "the server takes writes", "the server is a standby", "connect to the primary, or set target_session_attrs to read-write"))
	if schema {
		all = append(all, finding(create, what, "tables may be created", fmt.Sprintf("role %q may not create tables", d.User), fmt.Sprintf("grant create on schema %s to %s", quote(d.Schema), quote(d.User))))
	} else {
		all = append(all, finding(makeSchema, what, "is made with the first table", "is not there and may not be made", "create schema "+quote(d.Schema)+" authorization "+quote(d.User)))
	}
	all = append(all, finding(temp, "temporary tables", "may be created", "may not be created, which append and upsert need", fmt.Sprintf("grant temporary on database %s to %s", quote(d.Database), quote(d.User))))
	if !durable {
		all = append(all, source.Finding{Level: source.Warn, What: "durability", Text: "fsync is off: what is committed is lost when the machine fails", Remedy: "set fsync = on"})
	}
	return all, nil
}

func finding(ok bool, what, good, bad, remedy string) source.Finding {
	if ok {
		return source.Finding{Level: source.OK, What: what, Text: good}
	}
	return source.Finding{Level: source.Fail, What: what, Text: bad, Remedy: remedy}
}
