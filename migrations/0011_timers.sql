-- What has not happened in time. The rows are the timers; each is noted once.

-- The text of ours after which silence was noticed.
alter table conversations add column silence_noted_at timestamptz;
create index conversations_silent on conversations (last_outbound_at)
    where last_outbound_at is not null
      and last_outbound_at > coalesce(last_inbound_at, '-infinity')
      and last_outbound_at > coalesce(silence_noted_at, '-infinity');

-- When managers were reminded of an escalation that nobody was done with.
alter table escalation_events add column reminded_at timestamptz;
create index escalation_events_overdue on escalation_events (created_at)
    where status <> 'resolved' and reminded_at is null;

create index ai_response_queue_expiring on ai_response_queue (expires_at) where status = 'pending';
