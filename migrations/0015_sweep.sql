-- The sweep: events that were committed and that no stage has handled, because the stream lost them
-- or never got them. Found along the time of their causes' marks, so that a look costs what was
-- handled since the last one and not what was ever handled.

create index handled_events_at on handled_events (handled_at);

-- How far the marks were looked at. The row is the lock between replicas.
create table sweep (
    id         integer     primary key check (id = 1),
    position   timestamptz not null,
    -- When the stream of dead letters was made that has the copies of the open ones.
    dead_made  timestamptz
);
insert into sweep (id, position) values (1, '1970-01-01T00:00:00Z');

-- What was found without a mark: in a backlog, in a retry, or lost. Empty most of the time.
create table unfinished_events (
    event_id    uuid        not null,
    stage       text        not null,
    -- The mark that keeps the event.
    cause       uuid        not null,
    cause_stage text        not null,
    said_at     timestamptz not null,
    said_again  integer     not null default 0,
    primary key (event_id, stage)
);
