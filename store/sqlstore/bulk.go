package sqlstore

// Bulk says of many rows what a statement says of one. Its arguments are those of the
// statement, each a list, for a database that unnests lists.
type Bulk struct {
	Text  string
	Table string
	Key   int // of the arguments: the run, or the pipeline, that the row belongs to
}

// Bulks are the statements that changes of many runs repeat. Unique things are left to
// the indexes: a session in doubt asks again by single rows.
var Bulks = map[string]Bulk{
	insertRun:               {insertRuns, "runs", 0},
	putRun:                  {putRuns, "runs", 19},
	putRun + ifFree:         {putRuns, "runs", 19},
	putRun + ifNew:          {putRuns, "runs", 19},
	putRun + ifFree + ifNew: {putRuns, "runs", 19},
	insertEvent:             {insertEvents, "events", 0},
	putLease:                {putLeases, "leases", 0},
	insertSlot:              {insertSlots, "slots", 0},
	setNextSlot:             {setNextSlots, "schedules", 1},
	deleteLeases:            {`delete from {leases} where run_id = any($1::text[])`, "leases", 0},
}

const (
	insertRuns = `insert into {runs} (id, di, pipeline_id, lane, owner, kind, state, wait, head, priority, not_before, host,
			parent_run, dedupe_key, created_at, ended_at, alarm_at, aspect, mode, shape, doc, version)
		select u.*, 1 from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
			$9::boolean[], $10::integer[], $11::bigint[], $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bigint[],
			$17::bigint[], $18::text[], $19::text[], $20::integer[], $21::text[]) u
		on conflict do nothing`
	putRuns = `update {runs} r set pipeline_id = u.pipeline_id, lane = u.lane, owner = u.owner, kind = u.kind, state = u.state,
			wait = u.wait, head = u.head, priority = u.priority, not_before = u.not_before, host = u.host, parent_run = u.parent_run,
			dedupe_key = u.dedupe_key, created_at = u.created_at, ended_at = u.ended_at, alarm_at = u.alarm_at,
			aspect = u.aspect, mode = u.mode, version = r.version + 1, shape = u.shape, doc = u.doc
		from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::integer[],
			$9::bigint[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[], $16::text[],
			$17::text[], $18::integer[], $19::text[], $20::text[], $21::bigint[])
			u(pipeline_id, lane, owner, kind, state, wait, head, priority, not_before, host, parent_run, dedupe_key, created_at,
			ended_at, alarm_at, aspect, mode, shape, doc, id, version)
		where r.id = u.id and r.version = u.version and r.shape <= u.shape`
	insertSlots = `insert into {slots} (pipeline_id, schedule_id, slot_at, run_id)
		select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) on conflict do nothing`
	setNextSlots = `update {schedules} s set next_slot = u.next_slot
		from unnest($1::bigint[], $2::text[], $3::text[]) u(next_slot, pipeline_id, schedule_id)
		where s.pipeline_id = u.pipeline_id and s.schedule_id = u.schedule_id`
	insertEvents = `insert into {events} (run_id, seq, doc) select * from unnest($1::text[], $2::bigint[], $3::text[]) on conflict do nothing`
	putLeases    = `insert into {leases} (run_id, part, token, worker, session, seen_at, expires_at, ask)
		select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::smallint[])` + orReplaced
)
