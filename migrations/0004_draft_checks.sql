-- What our checks found in a draft, and what it cost. Only adds; older rows keep the defaults.

alter table ai_response_queue
    -- Findings in the order of the checks: name, passed, reason, ceiling.
    add column checks         jsonb not null default '[]',
    -- The model's own rating; confidence_score is what the checks left of it.
    add column model_rating   numeric(5, 4),
    -- Millionths of a dollar.
    add column cost_micro_usd bigint;
