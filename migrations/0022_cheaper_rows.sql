-- What a mark's events are, as text: Postgres reads JSON at sixteen nanoseconds a byte, of which a text
-- has some ten thousand on its way, and nobody asks for them before a crash. The sweep, which looks at
-- every mark, needs their ids and subjects only. `emitted` is what marks of older binaries have; of
-- newer ones it holds what those cannot read, so that they leave such marks to a newer one.
alter table handled_events
    add column events    text,
    add column event_ids uuid[],
    add column subjects  text[];
alter table handled_events alter column events set storage external;

-- A workflow moves four times and a conversation twice a text. Where no indexed column changes and the
-- page has room, the new version of the row needs no entry in any index.
alter table orchestration_workflows set (fillfactor = 70);
alter table conversations set (fillfactor = 70);
create index orchestration_workflows_unfinished on orchestration_workflows (created_at)
    where completed_at is null;
-- Its key changed with every move. Its one reader counts what is undecided.
drop index orchestration_workflows_open;
