-- Who had a dead letter tried again or closed it, oldest first.
alter table dead_letters add column history jsonb not null default '[]';
-- A workflow's open letter: what a retry goes on from.
create index dead_letters_workflow on dead_letters (workflow_id) where workflow_id is not null;
