-- +goose Up
-- The words in braces are those of each database: see Flavor. "shape" is the schema
-- version of the program that wrote a document; an older program that replaces the row
-- carries through what it does not know.

create table {ledger} (
  min_reader integer not null -- the oldest schema whose programs may open this ledger
);
insert into {ledger} (min_reader) values (1);

create table {pipelines} (
  id       {text}  not null primary key,
  name     {text}  not null,
  revision bigint  not null,
  version  bigint  not null,
  shape    integer not null,
  doc      {doc}   not null
);
create unique index pipelines_name on {pipelines} (name);

create table {pipeline_revisions} (
  pipeline_id {text}  not null,
  revision    bigint  not null,
  shape       integer not null,
  doc         {doc}   not null,
  primary key (pipeline_id, revision)
);

create table {names} (
  dialect     {text} not null,
  name        {text} not null,
  pipeline_id {text} not null,
  primary key (dialect, name)
);
create index names_pipeline on {names} (pipeline_id);

create table {runs} (
  id          {text}  not null primary key,
  di          {text}  not null, -- the id from its end, to find a run by its last letters
  pipeline_id {text}  not null,
  lane        {text}  not null,
  owner       {text}  not null,
  kind        {text}  not null,
  state       {text}  not null,
  wait        {text}  not null,
  head        boolean not null,
  priority    integer not null,
  not_before  bigint  not null,
  host        {text}  not null,
  parent_run  {text}  not null,
  dedupe_key  {text},           -- null: none
  created_at  bigint  not null,
  ended_at    bigint,           -- null: not ended
  alarm_at    bigint,           -- the earliest thing that time alone does to the run
  version     bigint  not null,
  shape       integer not null,
  doc         {doc}   not null
);
create unique index runs_head   on {runs} (lane) where head;
create unique index runs_dedupe on {runs} (dedupe_key) where dedupe_key is not null;
create index runs_claim  on {runs} (priority, not_before, id)
  where head and owner = 'engine' and (state = 'pending' or (state = 'suspended' and wait = 'shutdown'));
create index runs_queue  on {runs} (lane, priority, not_before, id) where not head and state = 'pending';
create index runs_alarm  on {runs} (alarm_at) where alarm_at is not null;
create index runs_hist   on {runs} (pipeline_id, created_at, id);
create index runs_ended  on {runs} (pipeline_id, ended_at) where ended_at is not null;
create index runs_new    on {runs} (created_at, id);
create index runs_state  on {runs} (state, created_at, id) where state <> 'succeeded'; -- the rare ones: most of all runs succeed
create index runs_parent on {runs} (parent_run, created_at, id) where parent_run <> '';
create index runs_di     on {runs} (di);

create table {tasks} (
  run_id  {text}  not null,
  name    {text}  not null,
  ordinal integer not null,
  shape   integer not null,
  doc     {doc}   not null,
  primary key (run_id, name)
);
create index tasks_order on {tasks} (run_id, ordinal, name);

-- Written once a second by every worker, so it is kept away from the tasks' documents.
create table {task_stats} (
  run_id {text} not null,
  task   {text} not null,
  doc    {doc}  not null,
  primary key (run_id, task)
) {narrow};

-- Written with every beat. No index but the key: on PostgreSQL a beat then touches one page.
create table {leases} (
  run_id     {text}   not null,
  part       {text}   not null, -- '': the run itself
  token      bigint   not null,
  worker     {text}   not null,
  session    {text}   not null,
  seen_at    bigint   not null,
  expires_at bigint   not null,
  ask        smallint not null,
  primary key (run_id, part)
) {narrow};

create table {schedules} (
  pipeline_id {text}  not null,
  schedule_id {text}  not null,
  ordinal     integer not null,
  enabled     boolean not null,
  next_slot   bigint,           -- null: never again
  doc         {doc}   not null,
  primary key (pipeline_id, schedule_id)
);
create index schedules_due on {schedules} (next_slot) where enabled and next_slot is not null;

create table {slots} (
  pipeline_id {text} not null,
  schedule_id {text} not null,
  slot_at     bigint not null,
  run_id      {text} not null,
  primary key (pipeline_id, schedule_id, slot_at)
) {keyed};
create index slots_at  on {slots} (pipeline_id, slot_at);
create index slots_run on {slots} (run_id);

create table {events} (
  run_id {text} not null,
  seq    bigint not null,
  doc    {doc}  not null,
  primary key (run_id, seq)
) {keyed};

create table {messages} (
  run_id {text} not null,
  seq    bigint not null,
  doc    {doc}  not null,
  primary key (run_id, seq)
) {keyed};

create table {rejects} (
  run_id {text} not null,
  task   {text} not null,
  part   {text} not null,
  row_no bigint not null,
  doc    {doc}  not null,
  primary key (run_id, task, part, row_no)
);

create table {docs} (
  dialect  {text} not null,
  kind     {text} not null,
  id       {text} not null,
  revision bigint not null,
  body     {doc}  not null,
  primary key (dialect, kind, id)
);
