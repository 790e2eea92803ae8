-- What is known about numbers is forgotten by its own age, not only along with a conversation: a
-- consent, a hold or hours without texts that a manager entered for a number nobody ever texted
-- with, and those of a number that a conversation has moved away from, stayed for ever. And hours
-- that were lifted lately went with an old conversation although they are not old themselves.
-- Replaces both functions of 0018, which replicas of the version before may go on calling.

-- Forgets conversations without activity since `cutoff`, at most `most` at a time, with everything that
-- belongs to them, and says how many rows of which table went. Null: another replica is at it.
--
-- The service may call this and may delete nothing by itself, so whatever happens to it, what is young
-- or on hold stays: it is checked here. A conversation is on hold while a hold on its number, its
-- tenant or itself stands.
create or replace function purge_conversations(cutoff timestamptz, most integer) returns jsonb
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    gone      text[];
    workflows uuid[];
    counts    jsonb := '{}';
    n         bigint;
begin
    if cutoff > now() - interval '30 days' then
        raise exception 'what happened within the last 30 days is never purged' using errcode = 'invalid_parameter_value';
    end if;
    if not pg_try_advisory_xact_lock(1347174735, 1) then
        return null;
    end if;
    -- Locked against a text that arrives in this moment.
    select array_agg(id) into gone from (
        select c.id from conversations c
        where c.created_at < cutoff
          and coalesce(c.last_inbound_at, c.created_at) < cutoff
          and coalesce(c.last_outbound_at, c.created_at) < cutoff
          and not exists (select from orchestration_workflows w
                          where w.conversation_id = c.id and w.updated_at >= cutoff)
          and not exists (select from holds h where h.lifted_at is null
                          and (h.phone_number = c.phone_number or h.tenant_id = c.tenant_id
                               or h.conversation_id = c.id))
          and not exists (select from orchestration_workflows w join holds h
                            on h.lifted_at is null
                               and (h.tenant_id = w.tenant_id or h.phone_number = w.phone_number)
                          where w.conversation_id = c.id)
        order by c.created_at limit most
        for update of c skip locked) old;
    if gone is null then
        -- Escalations and plans that somebody entered about a conversation nobody ever texted in.
        select array_agg(id) into gone from (
            select w.conversation_id as id from orchestration_workflows w
            where w.created_at < cutoff
              and not exists (select from conversations c where c.id = w.conversation_id)
              and not exists (select from holds h where h.lifted_at is null
                              and (h.conversation_id = w.conversation_id or h.tenant_id = w.tenant_id
                                   or h.phone_number = w.phone_number))
            group by w.conversation_id having max(w.updated_at) < cutoff
            order by min(w.created_at) limit most) old;
    end if;
    if gone is null then
        return counts;
    end if;
    perform set_config('orchestrator.purge', 'on', true);
    select array_agg(w.id) into workflows from orchestration_workflows w where w.conversation_id = any(gone);

    delete from approval_audit_log a using ai_response_queue q
      where q.id = a.response_queue_id and q.conversation_id = any(gone);
    get diagnostics n = row_count; counts := counts || jsonb_build_object('approval_audit_log', n);
    delete from ai_response_queue where conversation_id = any(gone);
    get diagnostics n = row_count; counts := counts || jsonb_build_object('ai_response_queue', n);
    delete from escalation_events where conversation_id = any(gone);
    get diagnostics n = row_count; counts := counts || jsonb_build_object('escalation_events', n);
    delete from payment_plan_attempts where conversation_id = any(gone);
    get diagnostics n = row_count; counts := counts || jsonb_build_object('payment_plan_attempts', n);
    delete from gate_decisions where conversation_id = any(gone);
    get diagnostics n = row_count; counts := counts || jsonb_build_object('gate_decisions', n);
    delete from deliveries where conversation_id = any(gone);
    get diagnostics n = row_count; counts := counts || jsonb_build_object('deliveries', n);
    delete from dead_letters where conversation_id = any(gone);
    get diagnostics n = row_count; counts := counts || jsonb_build_object('dead_letters', n);
    delete from notifications where workflow_id = any(workflows);
    get diagnostics n = row_count; counts := counts || jsonb_build_object('notifications', n);
    delete from workflow_steps where workflow_id = any(workflows);
    get diagnostics n = row_count; counts := counts || jsonb_build_object('workflow_steps', n);
    delete from inbound_messages where conversation_id = any(gone);
    get diagnostics n = row_count; counts := counts || jsonb_build_object('inbound_messages', n);
    delete from orchestration_workflows where id = any(workflows);
    get diagnostics n = row_count; counts := counts || jsonb_build_object('orchestration_workflows', n);
    delete from conversations where id = any(gone);
    get diagnostics n = row_count; counts := counts || jsonb_build_object('conversations', n);
    perform set_config('orchestrator.purge', 'off', true);
    return counts;
end
$$;

-- Forgets what the engine remembers, at most `most` rows of each kind: marks, with the events they keep,
-- and failed attempts before `marks`; closed dead letters before `letters`, open ones and texts the
-- relay could not publish before `cutoff`. Letters of conversations on hold stay.
-- Then what is known about numbers and was closed before `cutoff`, unless a conversation is left.
create or replace function purge_remains(cutoff timestamptz, letters timestamptz, marks timestamptz, most integer)
    returns jsonb language plpgsql security definer set search_path = public, pg_temp as $$
declare
    counts jsonb := '{}';
    n      bigint;
begin
    -- Streams keep messages for seven days: a mark that went earlier would let one be handled twice.
    if marks > now() - interval '8 days' or letters > now() - interval '30 days'
       or cutoff > now() - interval '30 days' then
        raise exception 'these moments are too young to purge' using errcode = 'invalid_parameter_value';
    end if;
    if not pg_try_advisory_xact_lock(1347174735, 1) then
        return null;
    end if;
    -- Oldest first: a mark that went before the mark of its cause would make its event look unhandled
    -- to the sweep, which would say it again.
    delete from handled_events where ctid = any(array(
        select ctid from handled_events where handled_at < marks order by handled_at limit most));
    get diagnostics n = row_count; counts := counts || jsonb_build_object('handled_events', n);
    delete from attempts where ctid = any(array(
        select ctid from attempts where last_at < marks limit most));
    get diagnostics n = row_count; counts := counts || jsonb_build_object('attempts', n);
    delete from dead_letters where id = any(array(
        select d.id from dead_letters d
        where d.updated_at < case when d.status = 'open' then cutoff else letters end
          and not exists (select from conversations c join holds h on h.lifted_at is null
                            and (h.phone_number = c.phone_number or h.tenant_id = c.tenant_id
                                 or h.conversation_id = c.id)
                          where c.id = d.conversation_id)
        limit most));
    get diagnostics n = row_count; counts := counts || jsonb_build_object('dead_letters', n);
    delete from relay_queue where id = any(array(
        select id from relay_queue
        where state in ('refused', 'unconfirmed') and received_at < cutoff limit most));
    get diagnostics n = row_count; counts := counts || jsonb_build_object('relay_queue', n);
    delete from neighbour_checks where ctid = any(array(
        select ctid from neighbour_checks where hour < cutoff limit most));
    get diagnostics n = row_count; counts := counts || jsonb_build_object('neighbour_checks', n);
    perform set_config('orchestrator.purge', 'on', true);
    -- Lifted holds are evidence as long as anything of theirs is left.
    delete from holds where id = any(array(
        select h.id from holds h
        where h.lifted_at < cutoff
          and not exists (select from conversations c where c.phone_number = h.phone_number)
          and not exists (select from conversations c where c.tenant_id = h.tenant_id)
          and not exists (select from conversations c where c.id = h.conversation_id)
        limit most));
    get diagnostics n = row_count; counts := counts || jsonb_build_object('holds', n);
    -- An opt-out and a wish about hours are honoured for ever, and so is what proves them. Locked
    -- against a text that arrives in this moment.
    delete from consents where phone_number = any(array(
        select s.phone_number from consents s
        where not s.opted_out and s.quiet = '{}' and s.holds = '{}' and s.changed_at < cutoff
          and not exists (select from conversations c where c.phone_number = s.phone_number)
          and not exists (select from holds h where h.phone_number = s.phone_number)
          and not exists (select from contact_windows w where w.phone_number = s.phone_number
                            and (w.lifted_at is null or w.lifted_at >= cutoff))
        limit most for update of s skip locked));
    get diagnostics n = row_count; counts := counts || jsonb_build_object('consents', n);
    delete from consent_history where id = any(array(
        select t.id from consent_history t
        where t.at < cutoff
          and not exists (select from consents s where s.phone_number = t.phone_number)
        limit most));
    get diagnostics n = row_count; counts := counts || jsonb_build_object('consent_history', n);
    delete from contact_windows where id = any(array(
        select w.id from contact_windows w
        where w.lifted_at < cutoff
          and not exists (select from conversations c where c.phone_number = w.phone_number)
        limit most));
    get diagnostics n = row_count; counts := counts || jsonb_build_object('contact_windows', n);
    perform set_config('orchestrator.purge', 'off', true);
    return counts;
end
$$;
