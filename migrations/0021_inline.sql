-- A mark holds the events it caused, a few kilobytes that are written once and read only after a crash.
-- Compressing them cost Postgres more than writing them: they stay in the row as they are, up to a page.
alter table handled_events set (toast_tuple_target = 8160);
-- Likewise what the model saw, kept with the draft.
alter table ai_response_queue set (toast_tuple_target = 8160);
