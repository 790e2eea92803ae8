-- The story of a text. Table names and columns follow the architecture's DDL where it names them;
-- conversation ids are opaque text (no foreign key to anybody's sms_conversations), times are
-- timestamptz, money is bigint cents. Open work is found through partial indexes; hot tables carry
-- no index that no query uses.

-- One row per conversation: the lock that puts its texts in order, and its turn.
create table conversations (
    id                        text primary key,
    phone_number              text        not null,
    tenant_id                 text,
    -- Number of the newest turn; rises with every text.
    turn                      bigint      not null default 0,
    -- Whether that turn still wants an answer. False once its reply has left or a person has it.
    turn_open                 boolean     not null default false,
    -- The newest open text's workflow.
    turn_workflow_id          uuid,
    last_inbound_at           timestamptz,
    last_outbound_at          timestamptz,
    sms_agent_conversation_id bigint,
    created_at                timestamptz not null default now()
);

-- Every text that reached us, as received.
create table inbound_messages (
    id              uuid primary key,
    conversation_id text        not null,
    workflow_id     uuid        not null,
    -- The turn that answers it; texts of one turn are answered together.
    turn            bigint      not null,
    arrival_epoch   integer     not null,
    arrival_seq     bigint      not null,
    idempotency_key text,
    -- sha-256 over conversation, phone, content and, when given, the sender's time.
    content_key     bytea       not null,
    phone_number    text        not null,
    tenant_id       text,
    content         text        not null,
    triggers        text[]      not null default '{}',
    -- Weekly cents and weeks of an offered plan.
    plan_cents      bigint,
    plan_weeks      integer,
    sent_at         timestamptz,
    received_at     timestamptz not null,
    metadata        jsonb
);
create unique index inbound_messages_idempotency on inbound_messages (idempotency_key)
    where idempotency_key is not null;
create index inbound_messages_turn on inbound_messages (conversation_id, turn);
-- Only texts without a key are recognised by their content.
create index inbound_messages_content on inbound_messages (content_key)
    where idempotency_key is null;

create table orchestration_workflows (
    id                uuid primary key,
    conversation_id   text        not null,
    workflow_type     varchar(50) not null default 'sms_processing',
    status            varchar(50) not null default 'received',
    current_step      varchar(100) not null default 'sms_received',
    action_taken      varchar(50),
    outcome           varchar(50),
    tenant_id         varchar(100),
    phone_number      varchar(20),
    turn              bigint      not null default 0,
    confidence_score  numeric(5, 4),
    degraded          text[]      not null default '{}',
    response_queue_id uuid,
    escalation_id     uuid,
    payment_plan_id   uuid,
    merged_into       uuid,
    retry_count       integer     not null default 0,
    error_message     text,
    correlation_id    text        not null,
    -- Where somebody waits for the outcome. Not a secret, not personal; useless after the wait.
    reply_subject     text,
    metadata          jsonb       not null default '{}',
    started_at        timestamptz not null default now(),
    completed_at      timestamptz,
    last_message_at   timestamptz not null default now(),
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now()
);
create index orchestration_workflows_conversation on orchestration_workflows (conversation_id, created_at);
create index orchestration_workflows_open on orchestration_workflows (status)
    where status in ('received', 'processing', 'awaiting_approval', 'escalated', 'failed');

-- The audit trail of a workflow. Rows are only ever added.
create table workflow_steps (
    id            uuid primary key,
    workflow_id   uuid         not null,
    step_name     varchar(100) not null,
    step_type     varchar(50)  not null,
    status        varchar(50)  not null,
    output_data   jsonb,
    error_details jsonb,
    started_at    timestamptz  not null,
    completed_at  timestamptz,
    duration_ms   integer
);
create index workflow_steps_workflow on workflow_steps (workflow_id);

-- Drafts: sent unread (auto_sent), waiting (pending) or decided.
create table ai_response_queue (
    id                uuid primary key,
    workflow_id       uuid          not null references orchestration_workflows (id) on delete cascade,
    conversation_id   text          not null,
    turn              bigint        not null,
    phone_number      text          not null,
    tenant_id         text,
    tenant_name       text,
    tenant_message    text          not null,
    ai_response       text          not null,
    ai_response_en    text,
    language          text,
    confidence_score  numeric(5, 4) not null,
    status            varchar(50)   not null default 'pending',
    routing_reason    varchar(50),
    escalation_triggers text[]      not null default '{}',
    degraded          text[]        not null default '{}',
    -- Tenant facts and history as the model saw them, for the person who decides.
    context           jsonb         not null default '{}',
    model             text,
    prompt_version    text,
    prompt_tokens     bigint,
    completion_tokens bigint,
    plan_cents        bigint,
    plan_weeks        integer,
    newest_known_message bigint     not null default 0,
    approval_action   varchar(50),
    modified_response text,
    final_response    text,
    actioned_by       varchar(100),
    actioned_at       timestamptz,
    escalation_id     uuid,
    -- The workflow that answers instead.
    superseded_by     uuid,
    expires_at        timestamptz,
    created_at        timestamptz   not null default now(),
    updated_at        timestamptz   not null default now()
);
-- Never more than one live draft per conversation: the database itself refuses a second.
create unique index ai_response_queue_one_pending on ai_response_queue (conversation_id)
    where status = 'pending';
create index ai_response_queue_pending on ai_response_queue (created_at) where status = 'pending';
create index ai_response_queue_workflow on ai_response_queue (workflow_id);
create index ai_response_queue_conversation on ai_response_queue (conversation_id, created_at);

create table approval_audit_log (
    id                uuid primary key,
    response_queue_id uuid         not null references ai_response_queue (id) on delete cascade,
    action            varchar(50)  not null,
    original_response text         not null,
    final_response    text,
    reason            text,
    notes             text,
    approved_by       varchar(100) not null,
    created_at        timestamptz  not null default now()
);
create index approval_audit_log_draft on approval_audit_log (response_queue_id);

create table escalation_events (
    id                uuid primary key,
    workflow_id       uuid        not null references orchestration_workflows (id) on delete cascade,
    conversation_id   text        not null,
    tenant_id         text,
    tenant_name       text,
    phone_number      text,
    escalation_type   varchar(50) not null,
    severity          varchar(20) not null,
    reason            text        not null,
    auto_detected     boolean     not null default false,
    status            varchar(20) not null default 'open',
    escalated_by      varchar(100) not null default 'system',
    assigned_to       varchar(100),
    handled_by        varchar(100),
    resolution        text,
    response_queue_id uuid,
    metadata          jsonb       not null default '{}',
    created_at        timestamptz not null default now(),
    resolved_at       timestamptz
);
create index escalation_events_conversation on escalation_events (conversation_id, created_at);
create index escalation_events_open on escalation_events (created_at) where status <> 'resolved';

-- One row per text that may go out. The row is written before the SMS Agent is called.
create table deliveries (
    id                   uuid primary key,
    response_queue_id    uuid        not null,
    workflow_id          uuid        not null,
    conversation_id      text        not null,
    phone_number         text        not null,
    kind                 varchar(20) not null,
    body                 text        not null,
    -- intended: called or about to be; waiting: certainly not sent, will be tried again;
    -- sent, failed, unknown, suppressed: final.
    status               varchar(20) not null,
    attempts             integer     not null default 1,
    newest_known_message bigint      not null default 0,
    sms_message_id       text,
    twilio_sid           text,
    last_error           text,
    reply_subject        text,
    intended_at          timestamptz not null,
    finished_at          timestamptz,
    created_at           timestamptz not null default now()
);
create index deliveries_conversation on deliveries (conversation_id);
-- The agent's rows we know to be ours, by number as the agent keeps them.
create index deliveries_claimed on deliveries (phone_number) where sms_message_id is not null;
create index deliveries_draft on deliveries (response_queue_id);

create table notifications (
    id           uuid primary key,
    about_event  uuid        not null unique,
    workflow_id  uuid        not null,
    kind         varchar(50) not null,
    tracking_id  text,
    sent_at      timestamptz not null
);

-- Whether a number may be texted. The row exists from the first text on, so that it can be locked:
-- an opt-out and a send intent of the same number take turns.
create table consents (
    phone_number text primary key,
    opted_out    boolean     not null default false,
    source       varchar(50) not null,
    changed_at   timestamptz not null
);
-- What was said when. Rows are only ever added.
create table consent_history (
    id              uuid primary key,
    phone_number    text        not null,
    opted_out       boolean     not null,
    source          varchar(50) not null,
    conversation_id text,
    workflow_id     uuid,
    at              timestamptz not null
);
create index consent_history_phone on consent_history (phone_number, at);
