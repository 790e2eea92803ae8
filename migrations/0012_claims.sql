-- A manager works on a draft: for a while nobody else decides about it.
alter table ai_response_queue
    add column claimed_by    varchar(100),
    add column claimed_until timestamptz;
