-- What the relay of the SMS Agent's texts must not forget. Phone numbers and texts are only here
-- while they are needed: a row that was taken keeps its id and its times.

create table relay_queue (
    -- The order of arrival.
    id           bigint generated always as identity primary key,
    message_sid  text        not null unique,
    -- forwarding: handed to the agent, whose answer is not known yet; ready: the agent has it, the
    -- stream does not; published: the stream has it; taken: a stage has handled it; refused: can
    -- never be published; unconfirmed: the agent neither said yes nor has it. The last two are kept
    -- for inspection.
    state        varchar(20) not null,
    -- As posted, until it is published.
    sender       text,
    content      text,
    num_media    integer     not null default 0,
    -- As published, until it is taken: a stream may lose what it has acknowledged.
    event        jsonb,
    attempts     integer     not null default 0,
    last_error   text,
    received_at  timestamptz not null,
    -- When somebody should look at it next.
    due_at       timestamptz not null,
    finished_at  timestamptz
);
create index relay_queue_open on relay_queue (due_at) where state in ('forwarding', 'ready', 'published');
-- Texts of one phone are published in order.
create index relay_queue_sender on relay_queue (sender, id) where state = 'ready';
create index relay_queue_taken on relay_queue (finished_at) where state = 'taken';

-- How far the agent's tables were read. The row is the lock between replicas.
create table relay_cursors (
    source     text        primary key,
    position   bigint      not null,
    updated_at timestamptz not null
);

-- Ids below the position that were not there when they were passed: a transaction of the agent
-- that is still under way, or a number nobody will ever use.
create table relay_missing (
    source     text        not null,
    message_id bigint      not null,
    noticed_at timestamptz not null,
    primary key (source, message_id)
);
