-- Roles with least rights. Run by a superuser (or a role that may create roles) before the first
-- migration, and again after every migration: what is there already stays, what is new is added.
--
--   psql "$ADMIN_URL" -f deploy/postgres/roles.sql
--
-- None of them can log in. Give a login of your own one of them:
--
--   create role orchestrator_app login password '…' in role orchestrator_service;
--
-- | role                   | for                                    | may                                     |
-- |------------------------|----------------------------------------|-----------------------------------------|
-- | orchestrator_migrator  | `orchestrator migrate`                 | owns the tables                         |
-- | orchestrator_service   | serve, bridge, worker, relay           | read and write state, add to the audit  |
-- | orchestrator_dashboard | dashboards, reports                    | read the views of schema dashboard      |
-- | orchestrator_ops       | people on call, export, purge, doctor  | read everything, purge what is old      |
--
-- Run the service with SETUP_ON_START=false: its role cannot migrate.

do $$
declare
    name text;
begin
    foreach name in array array['orchestrator_migrator', 'orchestrator_service',
                                'orchestrator_dashboard', 'orchestrator_ops'] loop
        begin
            execute format('create role %I nologin', name);
        exception when duplicate_object or unique_violation then
            -- Made for another database of the cluster, or in this moment by somebody else.
            null;
        end;
    end loop;
end
$$;

-- The sweep has to see how old the oldest transaction is, whoever runs it. Where an administrator may
-- not grant this, all replicas must use one login: those of one login see each other.
do $$
begin
    grant pg_read_all_stats to orchestrator_service, orchestrator_ops;
exception when insufficient_privilege or internal_error then
    raise notice 'pg_read_all_stats cannot be granted here: let all replicas use one login';
end
$$;

grant usage, create on schema public to orchestrator_migrator;
grant usage on schema public to orchestrator_service, orchestrator_ops;
do $$
begin
    execute format('grant create on database %I to orchestrator_migrator', current_database());
end
$$;

do $$
declare
    -- Every table with what the service does to it; a test compares the list with the migrations.
    tables constant text[][] := array[
        ['ai_response_queue',       'select, insert, update'],
        -- What happened is only ever added to.
        ['approval_audit_log',      'select, insert'],
        ['attempts',                'select, insert, update, delete'],
        ['consent_history',         'select, insert'],
        ['consents',                'select, insert, update'],
        ['contact_windows',         'select, insert, update'],
        ['conversations',           'select, insert, update'],
        ['dead_letters',            'select, insert, update'],
        ['deliveries',              'select, insert, update'],
        ['escalation_events',       'select, insert, update'],
        ['gate_decisions',          'select, insert'],
        ['handled_events',          'select, insert, delete'],
        ['holds',                   'select, insert, update'],
        ['inbound_messages',        'select, insert, update'],
        ['neighbour_checks',        'select, insert, update'],
        ['notifications',           'select, insert'],
        ['orchestration_workflows', 'select, insert, update'],
        ['payment_plan_attempts',   'select, insert, update'],
        ['purge_runs',              'select, insert'],
        ['relay_cursors',           'select, insert, update'],
        ['relay_missing',           'select, insert, delete'],
        ['relay_queue',             'select, insert, update, delete'],
        ['stream_epochs',           'select, insert'],
        ['sweep',                   'select, update'],
        ['unfinished_events',       'select, insert, update, delete'],
        ['workflow_steps',          'select, insert']
    ];
    pair text[];
begin
    foreach pair slice 1 in array tables loop
        if to_regclass('public.' || pair[1]) is null then
            continue;
        end if;
        execute format('revoke all on public.%I from public, orchestrator_service, orchestrator_ops, orchestrator_dashboard', pair[1]);
        execute format('grant %s on public.%I to orchestrator_service', pair[2], pair[1]);
        execute format('grant select on public.%I to orchestrator_ops', pair[1]);
        execute format('drop policy if exists service on public.%I', pair[1]);
        execute format('create policy service on public.%I to orchestrator_service using (true) with check (true)', pair[1]);
        execute format('drop policy if exists ops on public.%I', pair[1]);
        execute format('create policy ops on public.%I for select to orchestrator_ops using (true)', pair[1]);
    end loop;
    if to_regclass('public.purge_runs') is not null then
        grant insert on purge_runs to orchestrator_ops;
        drop policy if exists ops_adds on purge_runs;
        create policy ops_adds on purge_runs for insert to orchestrator_ops with check (true);
        grant execute on function purge_conversations(timestamptz, integer)
            to orchestrator_service, orchestrator_ops;
        grant execute on function purge_remains(timestamptz, timestamptz, timestamptz, integer)
            to orchestrator_service, orchestrator_ops;
    end if;
    -- Readiness looks whether the migrations are there.
    if to_regclass('public._sqlx_migrations') is not null then
        grant select on _sqlx_migrations to orchestrator_service, orchestrator_ops;
    end if;
    if to_regnamespace('dashboard') is not null then
        grant usage on schema dashboard to orchestrator_dashboard, orchestrator_ops;
        grant select on all tables in schema dashboard to orchestrator_dashboard, orchestrator_ops;
    end if;
end
$$;
