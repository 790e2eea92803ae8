-- What the engine remembers about messages. Nothing in here is about tenants.

-- A stage has handled an event, and what it emitted because of it. Written in the transaction of
-- the decision: a redelivery finds the row, publishes the same events again and acknowledges.
create table handled_events (
    event_id   uuid        not null,
    stage      text        not null,
    emitted    jsonb       not null default '[]',
    handled_at timestamptz not null default now(),
    primary key (event_id, stage)
);

-- Failed attempts. Counted here because the server forgets a message silently past max_deliver.
create table attempts (
    event_id   uuid        not null,
    stage      text        not null,
    count      integer     not null,
    last_error text        not null,
    first_at   timestamptz not null,
    last_at    timestamptz not null,
    primary key (event_id, stage)
);

-- How often the inbound stream was made anew: part of the order of arrival.
create table stream_epochs (
    stream     text        not null,
    created_at timestamptz not null,
    epoch      integer     not null,
    primary key (stream, created_at),
    unique (stream, epoch)
);

-- Messages that could not be worked on, as they came.
create table dead_letters (
    id                uuid primary key,
    kind              varchar(20) not null,
    status            varchar(20) not null default 'open',
    stage             text        not null,
    subject           text        not null,
    event_id          uuid        not null,
    reason            varchar(50) not null,
    last_error        text        not null,
    workflow_id       uuid,
    conversation_id   text,
    response_queue_id uuid,
    headers           jsonb       not null default '{}',
    payload           bytea       not null,
    attempts          integer     not null,
    redrive_count     integer     not null default 0,
    first_attempt_at  timestamptz not null,
    last_attempt_at   timestamptz not null,
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    unique (event_id, stage)
);
create index dead_letters_open on dead_letters (created_at) where status = 'open';
