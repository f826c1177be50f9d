-- +goose Up
-- How a run looks, and what it reads, so that runs are found and counted by what an API
-- shows of them. A program that does not keep the columns would leave them untrue.

alter table {runs} add column aspect {text} not null default '';
alter table {runs} add column mode {text} not null default '';
update {runs} set
  mode = coalesce(doc{json} ->> 'mode', ''),
  aspect = case
    when state = 'pending' and doc{json} ->> 'started_at' is not null then 'again'
    when state = 'suspended' and wait = 'shutdown' then 'again'
    when state = 'running' and doc{json} -> 'facts' ->> 'cancel_asked_at' is not null then 'canceling'
    when state = 'succeeded' and doc{json} -> 'facts' ->> 'failed_tasks' is not null then 'partly'
    when state = 'succeeded' and doc{json} -> 'facts' ->> 'rejects' is not null then 'rejects'
    else state
  end;
drop index {index}runs_state;
create index runs_aspect on {runs} (aspect, created_at, id);
create index runs_mode on {runs} (mode, created_at, id);
update {ledger} set min_reader = 3;
