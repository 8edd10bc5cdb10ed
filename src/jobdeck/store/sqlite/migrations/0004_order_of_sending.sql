-- Newer is what was sent later: `sequence` is exchanges.seq of the request that gave the state, whatever a clock said.
ALTER TABLE jobs ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET sequence = coalesce(last_shown, 0);

-- The runs of an ID that is used again: which one the state is of, since when, and what tells it from others.
ALTER TABLE jobs ADD COLUMN run INTEGER NOT NULL DEFAULT 1;
ALTER TABLE jobs ADD COLUMN begun_us INTEGER;
ALTER TABLE jobs ADD COLUMN attempt TEXT;
ALTER TABLE jobs ADD COLUMN started_us INTEGER;

-- Not found takes time, not looks. The same of the answer that accepted a job: whether there was one.
ALTER TABLE jobs ADD COLUMN missing_since_us INTEGER;
ALTER TABLE jobs ADD COLUMN not_found INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET accepted = 1 WHERE accepted_request_id IS NOT NULL OR accepted_trace_id IS NOT NULL;
UPDATE jobs SET not_found = 1 WHERE misses > 1;
