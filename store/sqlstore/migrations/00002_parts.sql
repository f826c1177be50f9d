-- +goose Up
-- What the holder of a run has offered to other workers: a task, and each of its parts.

create table {offers} (
  run_id {text} not null,
  task   {text} not null,
  doc    {doc}  not null,
  primary key (run_id, task)
);

create table {parts} (
  run_id  {text}  not null,
  task    {text}  not null,
  part    {text}  not null,
  ordinal integer not null,
  state   {text}  not null,
  doc     {doc}   not null,
  primary key (run_id, task, part)
);
create index parts_open on {parts} (run_id, task, ordinal) where state = 'open';
