-- Times are bigint microseconds since the epoch, UTC, on the clock of this server; lists and objects are JSON text.
-- Shared by everyone of a scope (origin + organization + API): jobs, exchanges, timeline, annotations, budgets. Personal,
-- by user: watches, preferences, measured durations.

CREATE TABLE meta (
  name  text PRIMARY KEY,
  value text NOT NULL
);

-- Cursors name the database they belong to.
INSERT INTO meta VALUES ('database', replace(gen_random_uuid()::text, '-', ''));

CREATE FUNCTION now_us() RETURNS bigint LANGUAGE sql VOLATILE AS
  $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $$;

CREATE TABLE scopes (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name   text NOT NULL UNIQUE,
  budget bigint REFERENCES scopes (id)            -- whose rate limit holds; NULL: its own
);

-- One run of jobdeck. It holds an advisory lock (LOCK_CLASS, id) for as long as its connection lives, unless a pooler
-- in between has no sessions to give (`has_session`).
CREATE TABLE clients (
  id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name        text    NOT NULL UNIQUE,
  user_name   text    NOT NULL,
  has_session boolean NOT NULL,
  opened_us   bigint  NOT NULL
);

CREATE TABLE jobs (
  id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  scope               bigint NOT NULL REFERENCES scopes (id),
  profile             text   NOT NULL,            -- the name under which it was watched last
  account_group       text   NOT NULL,            -- '' where the API has none
  job_id              text   NOT NULL,
  provider            text   NOT NULL,
  resource            text   NOT NULL,
  accepted_request_id text,
  accepted_trace_id   text,
  accepted            boolean NOT NULL DEFAULT false,
  batch               text,
  added_us            bigint NOT NULL,
  active_us           bigint NOT NULL,

  fence               bigint NOT NULL DEFAULT 0,
  lease_owner         integer,
  lease_until_us      bigint,
  version             bigint NOT NULL DEFAULT 0,  -- grows with every write of what follows

  status              text,
  phase               text   NOT NULL DEFAULT 'unknown',
  kind                text   NOT NULL,
  progress            double precision,
  stages              text,
  error               text,
  facts               text,
  created_us          bigint,
  updated_us          bigint,
  ended_us            bigint,
  observed_us         bigint,
  asked_us            bigint,
  changed_us          bigint,
  ended_seen_us       bigint,
  seen_queued         integer NOT NULL DEFAULT 0,
  problem             text,
  failures            bigint NOT NULL DEFAULT 0,
  misses              bigint NOT NULL DEFAULT 0,
  http_status         bigint,
  request_id          text,
  trace_id            text,
  anomalies           text,
  summary_only        integer NOT NULL DEFAULT 0,
  sequence            bigint NOT NULL DEFAULT 0,
  run                 bigint NOT NULL DEFAULT 1,
  begun_us            bigint,
  attempt             text,
  started_us          bigint,
  missing_since_us    bigint,
  not_found           integer NOT NULL DEFAULT 0,
  result_bytes        bigint,
  result_digest       bytea,
  whole_digest        bytea,
  row_digest          bytea,
  first_shown         bigint,
  last_shown          bigint,
  UNIQUE (scope, account_group, job_id)
) WITH (fillfactor = 80);

CREATE INDEX jobs_by_activity ON jobs (scope, active_us);
CREATE INDEX jobs_by_age ON jobs (active_us);
CREATE INDEX jobs_by_accepted_request ON jobs (accepted_request_id) WHERE accepted_request_id IS NOT NULL;
CREATE INDEX jobs_by_accepted_trace ON jobs (accepted_trace_id) WHERE accepted_trace_id IS NOT NULL;

-- The record of requests. There is no column for headers, and none for bodies.
CREATE TABLE exchanges (
  seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  scope           bigint  NOT NULL REFERENCES scopes (id),
  profile         text    NOT NULL,
  client          integer NOT NULL,
  job             bigint,                         -- NULL for a list
  bucket          text    NOT NULL,
  state           text    NOT NULL,               -- sent | answered | abandoned
  sent_us         bigint  NOT NULL,
  started_us      bigint,
  duration_us     bigint,
  method          text,
  url             text,
  http_status     integer,
  request_id      text,
  body_request_id text,
  trace_id        text,
  size            bigint,
  problem         text
) WITH (fillfactor = 90);

CREATE INDEX exchanges_by_scope ON exchanges (scope, seq);
CREATE INDEX exchanges_by_job ON exchanges (job, seq) WHERE job IS NOT NULL;
CREATE INDEX exchanges_by_problem ON exchanges (scope, seq) WHERE problem IS NOT NULL;
CREATE INDEX exchanges_by_request ON exchanges (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX exchanges_by_trace ON exchanges (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX exchanges_by_body_request ON exchanges (body_request_id)
  WHERE body_request_id IS NOT NULL AND body_request_id IS DISTINCT FROM request_id;

-- The jobs that an exchange showed, in one row: a million unchanged observations by lists of a hundred are ten thousand
-- rows.
CREATE TABLE observations (
  exchange bigint   NOT NULL,
  jobs     bigint[] NOT NULL
);

CREATE INDEX observations_by_exchange ON observations (exchange);
CREATE INDEX observations_by_job ON observations USING gin (jobs) WITH (fastupdate = on);

-- The fields of an observation that changed something.
CREATE TABLE states (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  job      bigint NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  exchange bigint NOT NULL,
  at_us    bigint NOT NULL,
  fields   text   NOT NULL
);

CREATE INDEX states_by_job ON states (job, exchange);
CREATE INDEX states_by_time ON states (at_us);

CREATE TABLE timeline (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  job          bigint NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  exchange     bigint NOT NULL,
  at_us        bigint NOT NULL,
  kind         text   NOT NULL,
  stage        text,
  phase_before text,
  phase_after  text,
  words        text   NOT NULL,
  request_id   text,                              -- copied, because a job outlives its exchanges
  trace_id     text
);

CREATE INDEX timeline_by_job ON timeline (job, id);

CREATE TABLE results (
  job  bigint PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  body text NOT NULL
);

CREATE TABLE watches (
  seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  job       bigint NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  user_name text   NOT NULL,
  profile   text   NOT NULL,
  since_us  bigint NOT NULL,
  UNIQUE (job, user_name, profile)
);

CREATE INDEX watches_by_user ON watches (user_name, seq);

CREATE TABLE annotations (
  job          bigint PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  user_name    text    NOT NULL,
  acknowledged boolean NOT NULL,
  note         text    NOT NULL,
  at_us        bigint  NOT NULL
);

-- Events that act once for everyone (who = '') or once for each user, whichever client sees them first.
CREATE TABLE notifications (
  job   bigint NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  event text   NOT NULL,
  who   text   NOT NULL,
  at_us bigint NOT NULL,
  PRIMARY KEY (job, event, who)
);

CREATE TABLE budgets (
  scope            bigint NOT NULL REFERENCES scopes (id),
  bucket           text   NOT NULL,
  per_minute       integer,
  interval_us      bigint NOT NULL,
  burst            bigint NOT NULL,
  tat_us           bigint NOT NULL DEFAULT 0,
  blocked_until_us bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (scope, bucket)
) WITH (fillfactor = 50);

-- While one client gets a list, no other gets it.
CREATE TABLE list_leases (
  scope    bigint  NOT NULL REFERENCES scopes (id),
  url      text    NOT NULL,
  client   integer NOT NULL,
  until_us bigint  NOT NULL,
  PRIMARY KEY (scope, url)
);

-- Jobs on the screens of clients, which others poll sooner.
CREATE TABLE focus (
  client integer PRIMARY KEY,
  jobs   bigint[] NOT NULL,
  at_us  bigint   NOT NULL
);

CREATE TABLE estimates (
  scope     bigint NOT NULL REFERENCES scopes (id),
  user_name text   NOT NULL,
  profile   text   NOT NULL,
  data      text   NOT NULL,
  at_us     bigint NOT NULL,
  PRIMARY KEY (scope, user_name, profile)
);

CREATE TABLE preferences (
  user_name text NOT NULL,
  name      text NOT NULL,
  value     text NOT NULL,
  PRIMARY KEY (user_name, name)
);

CREATE TABLE change_log (
  seq    bigint PRIMARY KEY,
  at_us  bigint NOT NULL,
  scope  bigint,
  client integer NOT NULL,
  kind   text   NOT NULL,
  jobs   bigint[] NOT NULL,
  seen   bigint[] NOT NULL,                       -- of an answer: those that it showed and did not change
  exchange bigint
);

-- The order of a sequence is not that of commits: a reader would pass a number that is committed later. So numbers are
-- given under a lock that lasts to the end of the transaction. It is taken last: a transaction that waits for it holds
-- all other locks it needs.
CREATE TABLE change_counter (newest bigint NOT NULL);
INSERT INTO change_counter VALUES (0);

CREATE FUNCTION log_change(a_client integer, a_kind text, a_scope bigint, some_jobs bigint[],
                           seen_jobs bigint[] DEFAULT ARRAY[]::bigint[], an_exchange bigint DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  number bigint;
BEGIN
  UPDATE change_counter SET newest = newest + 1 RETURNING newest INTO number;
  INSERT INTO change_log VALUES (number, now_us(), a_scope, a_client, a_kind, some_jobs, seen_jobs, an_exchange);
  PERFORM pg_notify('jobdeck', '');
END $$;

-- Whether a client may live: its connection holds its lock. Behind a pooler, only its leases tell.
CREATE FUNCTION may_live(a_client integer) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT NOT c.has_session OR EXISTS (
    SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = 1785684580 AND l.objid::bigint = c.id
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.granted)
    FROM clients c WHERE c.id = a_client), false)
$$;

-- Permission to send requests. Each is {scope, budget, profile, group, id (null: no job), lease, bucket, method, url};
-- the answer to each is {sequence, fence} or {reason, until}. `rate` is that of a bucket nobody set a limit for.
CREATE FUNCTION claim(a_client integer, requests jsonb, rate_interval bigint, rate_burst bigint, lease_us bigint,
                      longest_cooldown_us bigint)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  one       jsonb;
  decided   jsonb := '[]';
  now_      bigint;
  a_job     jobs%ROWTYPE;
  a_budget  budgets%ROWTYPE;
  after_    bigint;
  ahead     bigint;
  number    bigint;
BEGIN
  -- All rows are locked in one order before anything is decided, jobs before budgets: two clients wait for each other,
  -- and do not lock up.
  PERFORM 1 FROM jobs j JOIN jsonb_array_elements(requests) r ON j.scope = (r->>'scope')::bigint
    AND j.account_group = r->>'group' AND j.job_id = r->>'id' ORDER BY j.id FOR NO KEY UPDATE OF j;
  INSERT INTO budgets (scope, bucket, interval_us, burst)
    SELECT DISTINCT (r->>'budget')::bigint, r->>'bucket', rate_interval, rate_burst
    FROM jsonb_array_elements(requests) r ORDER BY 1, 2 ON CONFLICT DO NOTHING;
  PERFORM 1 FROM budgets b WHERE (b.scope, b.bucket) IN (
    SELECT (r->>'budget')::bigint, r->>'bucket' FROM jsonb_array_elements(requests) r) ORDER BY b.scope, b.bucket FOR UPDATE;
  -- Only now: the locks may have been waited for.
  now_ := now_us();
  FOR one IN SELECT value FROM jsonb_array_elements(requests) LOOP
    a_job := NULL;
    IF one->>'id' IS NOT NULL THEN
      SELECT * INTO a_job FROM jobs WHERE scope = (one->>'scope')::bigint AND account_group = one->>'group'
        AND job_id = one->>'id';
      IF NOT FOUND THEN
        decided := decided || '[{"reason": "unknown", "until": 0}]';
        CONTINUE;
      END IF;
      IF (one->>'lease')::boolean AND a_job.lease_owner <> a_client AND a_job.lease_until_us > now_
         AND a_job.lease_until_us <= now_ + lease_us AND may_live(a_job.lease_owner) THEN
        -- The holder may die any moment: ask again soon.
        decided := decided || jsonb_build_object('reason', 'leased', 'until', least(a_job.lease_until_us, now_ + 1000000));
        CONTINUE;
      END IF;
    ELSIF (one->>'lease')::boolean THEN
      SELECT until_us INTO after_ FROM list_leases WHERE scope = (one->>'scope')::bigint AND url = one->>'url'
        AND client <> a_client AND until_us > now_ AND until_us <= now_ + lease_us AND may_live(client);
      IF FOUND THEN
        decided := decided || jsonb_build_object('reason', 'leased', 'until', after_);
        CONTINUE;
      END IF;
    END IF;
    SELECT * INTO a_budget FROM budgets WHERE scope = (one->>'budget')::bigint AND bucket = one->>'bucket';
    IF a_budget.blocked_until_us > now_ AND a_budget.blocked_until_us <= now_ + longest_cooldown_us THEN
      decided := decided || jsonb_build_object('reason', 'cooldown', 'until', a_budget.blocked_until_us);
      CONTINUE;
    END IF;
    -- The generic cell rate algorithm, as in store/gcra.py.
    ahead := a_budget.burst * a_budget.interval_us;
    IF a_budget.tat_us > now_ + ahead + 60000000 THEN
      after_ := now_ + ahead;
    ELSE
      after_ := greatest(a_budget.tat_us, now_) + a_budget.interval_us;
      IF after_ > now_ + ahead THEN
        decided := decided || jsonb_build_object('reason', 'budget', 'until', after_ - ahead,
                                                 'interval', a_budget.interval_us);
        CONTINUE;
      END IF;
    END IF;
    UPDATE budgets SET tat_us = after_ WHERE scope = a_budget.scope AND bucket = a_budget.bucket;
    INSERT INTO exchanges (scope, profile, client, job, bucket, state, sent_us, method, url)
      VALUES ((one->>'scope')::bigint, one->>'profile', a_client, a_job.id, one->>'bucket', 'sent', now_,
              one->>'method', one->>'url')
      RETURNING seq INTO number;
    IF (one->>'lease')::boolean AND a_job.id IS NULL THEN
      DELETE FROM list_leases WHERE scope = (one->>'scope')::bigint AND until_us < now_ - lease_us;
      INSERT INTO list_leases VALUES ((one->>'scope')::bigint, one->>'url', a_client, now_ + lease_us)
        ON CONFLICT (scope, url) DO UPDATE SET client = a_client, until_us = now_ + lease_us;
    END IF;
    IF (one->>'lease')::boolean AND a_job.id IS NOT NULL THEN
      UPDATE jobs SET fence = fence + 1, lease_owner = a_client, lease_until_us = now_ + lease_us WHERE id = a_job.id;
      decided := decided || jsonb_build_object('sequence', number, 'fence', a_job.fence + 1);
    ELSE
      decided := decided || jsonb_build_object('sequence', number, 'fence', NULL);
    END IF;
  END LOOP;
  RETURN decided;
END $$;

CREATE FUNCTION renew(sequences bigint[], fences bigint[], lease_us bigint) RETURNS void LANGUAGE sql AS $$
  UPDATE jobs j SET lease_until_us = now_us() + lease_us
  FROM unnest(sequences, fences) AS held (sequence, fence) JOIN exchanges e ON e.seq = held.sequence
  WHERE j.id = e.job AND j.fence = held.fence
$$;

CREATE FUNCTION release(a_client integer, sequences bigint[], fences bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  gone jsonb;
BEGIN
  WITH abandoned AS (
    UPDATE exchanges e SET state = 'abandoned' FROM unnest(sequences, fences) AS held (sequence, fence)
    WHERE e.seq = held.sequence AND e.state = 'sent' RETURNING e.scope, e.job, held.fence)
  SELECT coalesce(jsonb_agg(jsonb_build_object('scope', scope, 'job', job, 'fence', fence)), '[]') INTO gone
    FROM abandoned;
  UPDATE jobs j SET lease_owner = NULL, lease_until_us = NULL FROM jsonb_array_elements(gone) g
    WHERE j.id = (g->>'job')::bigint AND j.fence = (g->>'fence')::bigint;
  PERFORM log_change(a_client, 'abandoned', (g->>'scope')::bigint,
                     array_remove(ARRAY[(g->>'job')::bigint], NULL)) FROM jsonb_array_elements(gone) g;
END $$;

-- Records answers, each as store/postgres/complete.py makes it of what was read: `updates` are rows of jobs, `repeats`
-- jobs of which only the moment changes, each with the `version` it was read in; `order` is the request's place in the
-- order of sending; `noted` are the jobs that the answer showed, `news` and `seen` go to the change log. Returns false,
-- and writes nothing, when a job is not in that version any more, or the lease has ended meanwhile.
CREATE FUNCTION complete(a_client integer, answers jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  one      jsonb;
  item     jsonb;
  number   bigint;
  a_row    jobs%ROWTYPE;
  noted    bigint[];
  numbers  bigint[] := ARRAY[]::bigint[];
  now_     bigint := now_us();
BEGIN
  -- In one order, so that two clients that complete lists of the same jobs wait for each other and do not lock up.
  PERFORM 1 FROM jobs WHERE id IN (
    SELECT (u->>'id')::bigint FROM jsonb_array_elements(answers) a, jsonb_array_elements(a->'updates') u
    UNION SELECT (r->>'id')::bigint FROM jsonb_array_elements(answers) a, jsonb_array_elements(a->'repeats') r
    UNION SELECT (a->>'job')::bigint FROM jsonb_array_elements(answers) a WHERE a->>'job' IS NOT NULL)
    ORDER BY id FOR NO KEY UPDATE;
  IF EXISTS (
    SELECT 1 FROM jsonb_array_elements(answers) a, jsonb_array_elements((a->'updates') || (a->'repeats')) u
    LEFT JOIN jobs j ON j.id = (u->>'id')::bigint
    WHERE j.version IS DISTINCT FROM (u->>'version')::bigint)
  OR EXISTS (
    SELECT 1 FROM jsonb_array_elements(answers) a JOIN jobs j ON j.id = (a->>'job')::bigint
    WHERE a->>'fence' IS NOT NULL AND (j.fence <> (a->>'fence')::bigint) <> (a->>'late')::boolean) THEN
    RETURN false;
  END IF;
  FOR one IN SELECT value FROM jsonb_array_elements(answers) LOOP
    number := (one->>'sequence')::bigint;
    UPDATE exchanges e SET (state, started_us, duration_us, method, url, http_status, request_id, body_request_id,
                            trace_id, size, problem) =
      (SELECT 'answered', x.started_us, x.duration_us, x.method, x.url, x.http_status, x.request_id, x.body_request_id,
              x.trace_id, x.size, x.problem FROM jsonb_populate_record(NULL::exchanges, one->'exchange') x)
      WHERE e.seq = number;
    IF NOT FOUND THEN
      number := nextval(pg_get_serial_sequence('jobdeck.exchanges', 'seq'));
      INSERT INTO exchanges OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(NULL::exchanges,
        one->'exchange' || jsonb_build_object('seq', number, 'scope', one->'scope', 'profile', one->'profile',
          'client', a_client, 'job', one->'job', 'bucket', one->'bucket', 'state', 'answered',
          'sent_us', one->'exchange'->'started_us'))).*;
    END IF;
    numbers := numbers || number;
    IF one->>'cooldown' IS NOT NULL THEN
      UPDATE budgets SET blocked_until_us = greatest(blocked_until_us, (one->>'cooldown')::bigint)
        WHERE scope = (one->>'budget')::bigint AND bucket = one->>'bucket';
    END IF;
    IF one->>'list_until' IS NOT NULL THEN
      UPDATE list_leases SET until_us = (one->>'list_until')::bigint
        WHERE scope = (one->>'scope')::bigint AND url = one->>'list' AND client = a_client;
    END IF;
    IF one->>'fence' IS NOT NULL THEN
      UPDATE jobs SET lease_owner = NULL, lease_until_us = NULL
        WHERE id = (one->>'job')::bigint AND fence = (one->>'fence')::bigint;
    END IF;
    FOR item IN SELECT value FROM jsonb_array_elements(one->'updates') LOOP
      SELECT * INTO a_row FROM jobs WHERE id = (item->>'id')::bigint;
      a_row := jsonb_populate_record(a_row, item->'row');
      UPDATE jobs SET
        (status, phase, kind, progress, stages, error, facts, created_us, updated_us, ended_us, observed_us, asked_us,
         changed_us, ended_seen_us, seen_queued, problem, failures, misses, http_status, request_id, trace_id,
         anomalies, summary_only, sequence, run, begun_us, attempt, started_us, missing_since_us, not_found,
         result_bytes, result_digest, whole_digest, row_digest, first_shown, last_shown) =
        (a_row.status, a_row.phase, a_row.kind, a_row.progress, a_row.stages, a_row.error, a_row.facts,
         a_row.created_us, a_row.updated_us, a_row.ended_us, a_row.observed_us, a_row.asked_us, a_row.changed_us,
         a_row.ended_seen_us, a_row.seen_queued, a_row.problem, a_row.failures, a_row.misses, a_row.http_status,
         a_row.request_id, a_row.trace_id, a_row.anomalies, a_row.summary_only, a_row.sequence, a_row.run,
         a_row.begun_us, a_row.attempt, a_row.started_us, a_row.missing_since_us, a_row.not_found,
         a_row.result_bytes, a_row.result_digest, a_row.whole_digest, a_row.row_digest, a_row.first_shown,
         a_row.last_shown),
        active_us = greatest(active_us, (item->>'active_us')::bigint), version = version + 1
        WHERE id = a_row.id;
      IF (item->>'new_result')::boolean THEN
        DELETE FROM results WHERE job = a_row.id;
        INSERT INTO results SELECT a_row.id, item->>'result' WHERE item->>'result' IS NOT NULL;
      END IF;
      INSERT INTO states (job, exchange, at_us, fields)
        SELECT a_row.id, number, now_, item->>'fields' WHERE item->>'fields' IS NOT NULL;
      INSERT INTO timeline (job, exchange, at_us, kind, stage, phase_before, phase_after, words, request_id, trace_id)
        SELECT a_row.id, number, (t->>0)::bigint, t->>1, t->>2, t->>3, t->>4, t->>5, t->>6, t->>7
        FROM jsonb_array_elements(item->'timeline') WITH ORDINALITY AS lines (t, place) ORDER BY place;
    END LOOP;
    UPDATE jobs j SET observed_us = (one->>'now_us')::bigint, asked_us = (one->'exchange'->>'started_us')::bigint,
           sequence = (one->>'order')::bigint, http_status = (one->'exchange'->>'http_status')::bigint,
           request_id = one->'exchange'->>'request_id', trace_id = one->'exchange'->>'trace_id',
           last_shown = number, version = version + 1
      FROM jsonb_array_elements(one->'repeats') r WHERE j.id = (r->>'id')::bigint;
    noted := ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(one->'noted'));
    -- That a poll showed the job it was about needs no row.
    IF cardinality(noted) > 0 AND noted IS DISTINCT FROM ARRAY[(one->>'job')::bigint] THEN
      INSERT INTO observations VALUES (number, noted);
    END IF;
  END LOOP;
  PERFORM log_change(a_client, 'answered', (a->>'scope')::bigint,
                     ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(a->'news')),
                     ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(a->'seen')), numbers[place])
    FROM jsonb_array_elements(answers) WITH ORDINALITY AS all_answers (a, place);
  RETURN true;
END $$;

CREATE FUNCTION set_limit(a_budget bigint, a_bucket text, a_limit integer, an_interval bigint,
                          a_burst bigint, only_assumed boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  before budgets%ROWTYPE;
  now_   bigint;
  ahead  bigint;
BEGIN
  INSERT INTO budgets (scope, bucket, interval_us, burst) VALUES (a_budget, a_bucket, an_interval, a_burst)
    ON CONFLICT DO NOTHING;
  SELECT * INTO before FROM budgets WHERE scope = a_budget AND bucket = a_bucket FOR UPDATE;
  IF before.per_minute = a_limit OR (only_assumed AND before.per_minute IS NOT NULL) THEN
    RETURN;
  END IF;
  -- As many requests count as used as did before (`rescale` in store/gcra.py).
  now_ := now_us();
  ahead := before.tat_us - now_;
  IF ahead > 0 AND ahead <= before.burst * before.interval_us + 60000000 THEN
    ahead := least(ceil(ahead::numeric * an_interval / before.interval_us)::bigint, a_burst * an_interval + 60000000);
    before.tat_us := now_ + ahead;
  END IF;
  UPDATE budgets SET per_minute = a_limit, interval_us = an_interval, burst = a_burst, tat_us = before.tat_us
    WHERE scope = a_budget AND bucket = a_bucket;
END $$;

-- Puts targets on a user's watch list; each is {scope, profile, group, id, provider, resource, request_id, trace_id,
-- accepted, batch}. Returns for each whether it is new on the list.
CREATE FUNCTION watch(a_client integer, a_user text, targets jsonb, listed boolean) RETURNS boolean[]
LANGUAGE plpgsql AS $$
DECLARE
  one   jsonb;
  a_job bigint;
  added boolean[] := ARRAY[]::boolean[];
  rows_ jsonb := '[]';
  now_  bigint := now_us();
BEGIN
  FOR one IN SELECT value FROM jsonb_array_elements(targets) LOOP
    INSERT INTO jobs (scope, profile, account_group, job_id, provider, resource, kind, accepted_request_id,
                      accepted_trace_id, accepted, batch, added_us, active_us)
      VALUES ((one->>'scope')::bigint, one->>'profile', one->>'group', one->>'id', one->>'provider', one->>'resource',
              one->>'resource', one->>'request_id', one->>'trace_id', (one->>'accepted')::boolean, one->>'batch', now_,
              now_)
      ON CONFLICT (scope, account_group, job_id) DO UPDATE SET
        accepted_request_id = coalesce(jobs.accepted_request_id, excluded.accepted_request_id),
        accepted_trace_id = coalesce(jobs.accepted_trace_id, excluded.accepted_trace_id),
        accepted = jobs.accepted OR excluded.accepted, active_us = greatest(jobs.active_us, now_),
        profile = excluded.profile, batch = CASE WHEN (one->>'replaces_batch')::boolean THEN coalesce(excluded.batch, jobs.batch)
                ELSE coalesce(jobs.batch, excluded.batch) END
      RETURNING id INTO a_job;
    INSERT INTO watches (job, user_name, profile, since_us) SELECT a_job, a_user, one->>'profile', now_ WHERE listed
      ON CONFLICT DO NOTHING;
    added := added || FOUND;
    IF FOUND THEN
      rows_ := rows_ || jsonb_build_object('scope', one->'scope', 'job', a_job);
    END IF;
  END LOOP;
  PERFORM log_change(a_client, 'watched', (r->>'scope')::bigint, array_agg((r->>'job')::bigint))
    FROM jsonb_array_elements(rows_) r GROUP BY r->>'scope';
  RETURN added;
END $$;

-- Deletes one chunk of what is older, and returns how many requests, observations, jobs and changes; NULL while another
-- client does.
CREATE FUNCTION purge(before_us bigint, chunk integer) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
  gone_exchanges bigint;
  gone_observations bigint;
  gone_states bigint;
  gone_changes bigint;
  gone_jobs bigint;
BEGIN
  IF NOT pg_try_advisory_xact_lock(1785684581, 0) THEN
    RETURN NULL;
  END IF;
  DELETE FROM exchanges WHERE seq IN (
    SELECT seq FROM (SELECT seq, sent_us FROM exchanges ORDER BY seq LIMIT chunk) old WHERE sent_us < before_us);
  GET DIAGNOSTICS gone_exchanges = ROW_COUNT;
  DELETE FROM observations WHERE exchange IN (
    SELECT exchange FROM observations WHERE exchange < coalesce((SELECT min(seq) FROM exchanges), 0)
    ORDER BY exchange LIMIT chunk);
  GET DIAGNOSTICS gone_observations = ROW_COUNT;
  DELETE FROM states WHERE id IN (SELECT id FROM states WHERE at_us < before_us ORDER BY at_us LIMIT chunk);
  GET DIAGNOSTICS gone_states = ROW_COUNT;
  DELETE FROM change_log WHERE seq IN (
    SELECT seq FROM (SELECT seq, at_us FROM change_log ORDER BY seq LIMIT chunk) old WHERE at_us < before_us);
  GET DIAGNOSTICS gone_changes = ROW_COUNT;
  DELETE FROM focus WHERE at_us < before_us;
  DELETE FROM jobs WHERE id IN (
    SELECT j.id FROM jobs j WHERE j.active_us < before_us AND coalesce(j.observed_us, 0) < before_us
      AND NOT EXISTS (SELECT 1 FROM watches w WHERE w.job = j.id)
      AND NOT EXISTS (SELECT 1 FROM annotations n WHERE n.job = j.id AND n.note <> '')
    ORDER BY j.active_us LIMIT chunk);
  GET DIAGNOSTICS gone_jobs = ROW_COUNT;
  RETURN ARRAY[gone_exchanges, gone_observations + gone_states, gone_jobs, gone_changes];
END $$;

-- The search path of a session must not replace our tables.
DO $$
DECLARE
  one regprocedure;
BEGIN
  FOR one IN SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'jobdeck'::regnamespace LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = jobdeck, pg_temp', one);
  END LOOP;
END $$;
