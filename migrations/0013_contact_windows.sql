-- When a number wants no texts (rules.md R10), and how we know that it wants any (R31).

alter table consents
    -- Hours without texts, copied from `contact_windows` in the transaction that changes those: the row
    -- that a send intent locks anyway shows everything that decides about it.
    add column quiet    text[] not null default '{}',
    -- The entry of `consent_history` that lets us begin; null: replies only.
    add column proof_id uuid;
-- What was shown to whoever consented, how, who and when. All of them or none.
alter table consent_history
    add column proof_text   text,
    add column proof_method varchar(50),
    add column proof_by     varchar(200),
    add column proof_at     timestamptz,
    add constraint consent_history_proof
        check (num_nulls(proof_text, proof_method, proof_by, proof_at) in (0, 4)) not valid;
alter table consent_history validate constraint consent_history_proof;

-- Rows stay when they are lifted: they are the history too.
create table contact_windows (
    id              uuid primary key,
    phone_number    text         not null,
    -- As in the events: "mon-fri 09:00-17:00", "00:00-12:00", "sun"; by the clock of the number.
    quiet           text[]       not null,
    source          varchar(50)  not null,
    conversation_id text,
    workflow_id     uuid,
    -- The text that said so: inbound_messages.id.
    text_id         uuid,
    note            text,
    set_by          varchar(100) not null,
    set_at          timestamptz  not null,
    lifted_by       varchar(100),
    lift_reason     text,
    lifted_at       timestamptz,
    check (cardinality(quiet) > 0),
    check ((lifted_at is null) = (lifted_by is null))
);
create index contact_windows_number on contact_windows (phone_number, set_at);
create index contact_windows_listed on contact_windows (set_at);
