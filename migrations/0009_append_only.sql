-- What happened stays as it was written down: the database itself refuses to change or remove it.
-- A purge by the retention rules says so first: set local orchestrator.purge = 'on'.

create function refuse_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('orchestrator.purge', true) = 'on' then
        return old;
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end
$$;

create trigger append_only before update or delete on workflow_steps
    for each row execute function refuse_change();
create trigger append_only before update or delete on approval_audit_log
    for each row execute function refuse_change();
create trigger append_only before update or delete on consent_history
    for each row execute function refuse_change();
