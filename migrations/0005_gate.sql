-- The gate: permits, consents with holds, texts that wait for an hour.
--
-- Replicas of the version before cannot send any more once this is applied: their texts carry no
-- permit, the database refuses them, and the messages come again for a replica that has one.

-- What holds a number in this moment, copied from `holds` in the transaction that changes those:
-- the row that a send intent locks anyway shows everything that stops it.
alter table consents add column holds text[] not null default '{}';
alter table consent_history
    add column entered_by varchar(100),
    add column note       text;

create table holds (
    id              uuid primary key,
    kind            varchar(30)  not null,
    -- A number, a tenant wherever they write from, or both.
    phone_number    text,
    tenant_id       text,
    conversation_id text,
    workflow_id     uuid,
    reason          text         not null,
    placed_by       varchar(100) not null,
    placed_at       timestamptz  not null,
    lifted_by       varchar(100),
    lift_reason     text,
    lifted_at       timestamptz,
    check (phone_number is not null or tenant_id is not null),
    check ((lifted_at is null) = (lifted_by is null))
);
create unique index holds_active on holds (kind, coalesce(phone_number, ''), coalesce(tenant_id, ''))
    where lifted_at is null;
create index holds_of_tenant on holds (tenant_id) where lifted_at is null;
create index holds_of_number on holds (phone_number) where lifted_at is null;
create index holds_listed on holds (placed_at);

-- Whether a text of ours has named the company and the way out (R27).
alter table conversations add column introduced_at timestamptz;
-- A hold of a tenant reaches every number they wrote from, an opt-out every conversation of a number.
create index conversations_phone on conversations (phone_number);
create index conversations_tenant on conversations (tenant_id) where tenant_id is not null;

alter table deliveries
    -- Answers to STOP, HELP and calls for help come from no draft.
    alter column response_queue_id drop not null,
    add column permit_id     uuid,
    add column permit_rules  text[],
    add column permit_inputs bytea,
    add column permitted_at  timestamptz,
    -- status held: not before this moment, and what is said again then.
    add column not_before    timestamptz,
    add column released      jsonb;
update deliveries set permit_id = id, permit_rules = '{before_the_gate}', permitted_at = intended_at
    where status in ('intended', 'sent');
-- No text goes out, and none counts as sent, without a permit.
alter table deliveries add constraint deliveries_permitted
    check (status not in ('intended', 'sent') or (permit_id is not null and permitted_at is not null));
alter table deliveries add constraint deliveries_held
    check (status <> 'held' or (not_before is not null and released is not null));
create index deliveries_due on deliveries (not_before) where status = 'held';
-- Replaces the index on claimed rows: it finds those too, and counts what a number was sent lately.
create index deliveries_number on deliveries (phone_number, created_at);
drop index deliveries_claimed;

-- Every verdict of the gate. Rows are only ever added.
create table gate_decisions (
    id              uuid primary key,
    delivery_id     uuid        not null,
    conversation_id text        not null,
    kind            varchar(20) not null,
    outcome         varchar(10) not null,
    rules           text[]      not null,
    -- SHA-256 over everything the verdict follows from, but the time.
    inputs          bytea       not null,
    not_before      timestamptz,
    overridden_by   varchar(100),
    override_reason text,
    decided_at      timestamptz not null
);
create index gate_decisions_delivery on gate_decisions (delivery_id);
create index gate_decisions_conversation on gate_decisions (conversation_id, decided_at);

create function refuse_to_forget_a_verdict() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('orchestrator.purge', true) = 'on' then
        return old;
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end
$$;
create trigger append_only before update or delete on gate_decisions
    for each row execute function refuse_to_forget_a_verdict();
