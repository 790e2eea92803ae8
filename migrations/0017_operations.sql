-- What operations asks: figures over windows of time, the state of the neighbours, traces across a
-- wait for a manager.

-- Ranges of time over tables that only grow at the end: such an index is a few pages and costs an
-- insert next to nothing.
create index inbound_messages_time on inbound_messages using brin (received_at) with (autosummarize = on);
create index orchestration_workflows_time on orchestration_workflows using brin (created_at) with (autosummarize = on);
create index approval_audit_log_time on approval_audit_log using brin (created_at) with (autosummarize = on);
create index escalation_events_time on escalation_events using brin (created_at) with (autosummarize = on);
create index payment_plan_attempts_time on payment_plan_attempts using brin (created_at) with (autosummarize = on);

-- Texts that are with the agent or wait for it: counted every few seconds.
create index deliveries_unfinished on deliveries (created_at) where status in ('intended', 'waiting');
-- What is old enough to be purged is looked for by age.
create index conversations_created on conversations (created_at);

-- How the neighbours answered when asked for their health, summed up per hour.
create table neighbour_checks (
    service       text             not null,
    hour          timestamptz      not null,
    healthy       bigint           not null default 0,
    unhealthy     bigint           not null default 0,
    -- Of the healthy answers.
    response_ms   double precision not null default 0,
    last_check    timestamptz      not null,
    primary key (service, hour)
);

-- The W3C trace context in which the draft was written: a decision, hours later, is a trace of its
-- own that links back to it.
alter table ai_response_queue add column traceparent text;
