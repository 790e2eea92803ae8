-- Payment plans somebody proposed, each with the verdict of the rules at the time it was found.
-- Columns of the architecture's DDL where it names them; amounts also in cents, which are the truth.

create table payment_plan_attempts (
    id                uuid primary key,
    workflow_id       uuid         not null references orchestration_workflows (id) on delete cascade,
    conversation_id   text         not null,
    tenant_id         text,
    extracted_from    varchar(50)  not null,
    weekly_cents      bigint       not null check (weekly_cents > 0),
    duration_weeks    integer,
    start_date        date,
    end_date          date,
    confidence        integer,
    total_cents       bigint,
    payable_cents     bigint,
    status            varchar(50)  not null,
    -- The whole finding: verdict, counter-offers, schedule.
    validation_result jsonb        not null,
    created_at        timestamptz  not null,
    updated_at        timestamptz  not null,
    weekly_amount     numeric(14, 2) generated always as (weekly_cents / 100.0) stored
);
-- The same plan again, and a conversation's plans newest first.
create index payment_plan_attempts_conversation on payment_plan_attempts (conversation_id, created_at);

-- The offer as the reader found it, whole: a turn that is answered together needs it later.
alter table inbound_messages
    add column plan_start  date,
    add column plan_review boolean not null default false;

alter table ai_response_queue
    add column payment_plan_id uuid;
