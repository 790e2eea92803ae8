-- What dashboards and reports read: views in a schema of their own, named as the readers expect and
-- holding the union of what they want. Nothing in `public` of a shared database is touched, and a
-- reader may simply put `dashboard` first in its search path.
--
--   grant usage on schema dashboard to reader;
--   grant select on all tables in schema dashboard to reader;

-- The architecture's tables name it; the trail itself has had no use for it so far.
alter table workflow_steps
    add column input_data jsonb;

create schema dashboard;
comment on schema dashboard is
    'Views for dashboards and reports. Read-only: decisions go through the HTTP interface or the subjects.';

-- An update here would change state without an event, so nobody else would hear of it.
create function dashboard.refuse_writes() returns trigger language plpgsql as $$
begin
    raise exception 'dashboard.% is for reading: decide through /orchestrate or the subjects', tg_table_name
        using errcode = 'insufficient_privilege';
end $$;

-- Both scales follow the contract of the HTTP answers; a test compares them with the code.
create function dashboard.escalation_type(kind text) returns text immutable language sql as $$
    select case kind
        when 'hostile_language' then 'threatening'
        when 'legal_threat' then 'threatening'
        when 'media_or_regulator_threat' then 'threatening'
        when 'payment_dispute' then 'amount_dispute'
        when 'delivery_failed' then 'phone_failed'
        when 'no_response' then 'no_response'
        else 'complex_situation'
    end
$$;

create function dashboard.escalation_priority(kind text, severity text) returns text immutable language sql as $$
    select case
        when kind = 'no_response' and severity in ('low', 'medium') then 'next_business_day'
        when severity in ('critical', 'high') then 'immediate'
        when severity = 'medium' then 'same_day'
        else 'next_business_day'
    end
$$;

create view dashboard.payment_plans as
select p.id,
       p.workflow_id,
       p.tenant_id,
       p.conversation_id,
       -- Of another service's queue; we do not know it.
       null::bigint                                              as collections_queue_id,
       p.weekly_amount,
       p.duration_weeks                                          as duration,
       p.duration_weeks                                          as number_of_payments,
       (p.total_cents / 100.0)::numeric(14, 2)                   as total_amount,
       -- Text, because both readers take it as text; ISO dates sort and cast as they are.
       to_char(p.start_date, 'YYYY-MM-DD')                       as start_date,
       false                                                     as includes_late_fees,
       case p.status
           when 'validated' then 'proposed'
           when 'needs_review' then 'proposed'
           when 'rejected' then 'denied'
           when 'cancelled' then 'denied'
           else p.status
       end                                                       as status,
       round((p.validation_result #>> '{verdict,coverage_permille}')::numeric / 10)::integer
                                                                 as coverage,
       p.extracted_from = 'ai_response'                          as ai_proposed,
       (p.confidence / 10000.0)::numeric(5, 4)                   as ai_confidence_score,
       p.created_at,
       p.updated_at
from payment_plan_attempts p
where p.status <> 'invalid';
comment on view dashboard.payment_plans is
    'Plans tenants or the model proposed, without those the rules refuse.';
comment on column dashboard.payment_plans.status is
    'proposed (validated or needs_review), approved, denied (rejected or cancelled), active, completed';
comment on column dashboard.payment_plans.coverage is
    'Total in percent of what the plan has to cover; null while the debt is unknown';
comment on column dashboard.payment_plans.start_date is 'YYYY-MM-DD; null when nobody named a day';
comment on column dashboard.payment_plans.includes_late_fees is 'Always false: fees are never computed here';
comment on column dashboard.payment_plans.ai_confidence_score is '0 to 1; null when nobody gave one';

create view dashboard.escalations as
select e.id,
       e.workflow_id,
       e.tenant_id,
       e.tenant_name,
       e.conversation_id,
       dashboard.escalation_type(e.escalation_type)                as type,
       dashboard.escalation_priority(e.escalation_type, e.severity) as priority,
       e.escalation_type,
       e.severity,
       e.reason                                                    as description,
       e.status,
       e.assigned_to,
       e.created_at,
       e.resolved_at
from escalation_events e;
comment on view dashboard.escalations is 'What a person has to look at, in the words of the dashboard.';
comment on column dashboard.escalations.type is
    'phone_failed, threatening, amount_dispute, complex_situation, no_response; escalation_type has the exact one';
comment on column dashboard.escalations.priority is
    'immediate, same_day, next_business_day; severity has the scale low to critical';
comment on column dashboard.escalations.status is 'open, in_progress, resolved';

create view dashboard.escalated_items as
select e.id,
       e.workflow_id,
       e.tenant_id,
       e.conversation_id,
       e.reason                                                    as escalation_reason,
       dashboard.escalation_priority(e.escalation_type, e.severity) as priority,
       e.status,
       e.assigned_to,
       e.created_at
from escalation_events e;
comment on view dashboard.escalated_items is 'The same as dashboard.escalations, in the words of the backend API.';

create view dashboard.ai_response_queue as
select q.id,
       q.workflow_id,
       q.conversation_id,
       q.tenant_id,
       q.tenant_message,
       q.ai_response,
       q.confidence_score,
       round(100 * q.confidence_score)::integer as confidence,
       round(100 * q.confidence_score)::integer as confidence_percent,
       q.status,
       q.approval_action,
       q.approval_action                        as manager_action,
       q.modified_response,
       q.actioned_by,
       q.actioned_at,
       q.created_at,
       q.updated_at
from ai_response_queue q;
comment on view dashboard.ai_response_queue is 'Drafted replies: waiting for a manager, decided, or sent unread.';
comment on column dashboard.ai_response_queue.confidence is '0 to 100; confidence_score has 0 to 1';
comment on column dashboard.ai_response_queue.manager_action is 'The older name of approval_action';

create view dashboard.workflow_instances as
select w.id,
       w.conversation_id,
       w.workflow_type,
       w.status,
       case w.status
           when 'received' then 'pending'
           when 'processing' then 'processing'
           when 'awaiting_approval' then 'processing'
           when 'failed' then 'failed'
           else 'completed'
       end                                          as dashboard_status,
       w.current_step,
       w.tenant_id,
       w.phone_number,
       w.confidence_score                           as ai_confidence,
       w.escalation_id is not null                  as escalation_triggered,
       w.started_at,
       w.completed_at,
       w.last_message_at,
       w.error_message,
       w.metadata,
       w.created_at,
       w.updated_at,
       w.updated_at                                 as last_updated
from orchestration_workflows w;
comment on view dashboard.workflow_instances is 'Every text and request with what became of it; also known as orchestration_workflows.';
comment on column dashboard.workflow_instances.dashboard_status is 'pending, processing, completed, failed';

create trigger read_only instead of insert or update or delete on dashboard.payment_plans
    for each row execute function dashboard.refuse_writes();
create trigger read_only instead of insert or update or delete on dashboard.escalations
    for each row execute function dashboard.refuse_writes();
create trigger read_only instead of insert or update or delete on dashboard.escalated_items
    for each row execute function dashboard.refuse_writes();
create trigger read_only instead of insert or update or delete on dashboard.ai_response_queue
    for each row execute function dashboard.refuse_writes();
create trigger read_only instead of insert or update or delete on dashboard.workflow_instances
    for each row execute function dashboard.refuse_writes();
