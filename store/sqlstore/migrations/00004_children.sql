-- +goose Up
-- The children that live are few, however long the history is.

create index runs_children on {runs} (parent_run) where parent_run <> '' and ended_at is null;
