-- Times are INTEGER microseconds since the epoch, UTC; ids are UUIDv7 as 16 bytes; lists and objects are JSON text.
-- `scope` is the profile and `actor` who wrote the row. AUTOINCREMENT, so that no row number ever means two things.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Cursors name the database they belong to: after a corrupt one was set aside, an old cursor must not be understood.
INSERT INTO meta VALUES ('database', lower(hex(randomblob(16))));

CREATE TABLE scopes (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE actors (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE jobs (
  seq                 INTEGER PRIMARY KEY AUTOINCREMENT,
  id                  BLOB    NOT NULL,
  scope               INTEGER NOT NULL REFERENCES scopes (id),
  actor               INTEGER NOT NULL REFERENCES actors (id),
  account_group       TEXT    NOT NULL,           -- '' where the API has none
  job_id              TEXT    NOT NULL,
  provider            TEXT    NOT NULL,
  resource            TEXT    NOT NULL,
  accepted_request_id TEXT,
  accepted_trace_id   TEXT,
  added_us            INTEGER NOT NULL,
  active_us           INTEGER NOT NULL,           -- when anything about it was last heard or said

  -- The lease is a column of its own: moving the due time instead sends abandoned jobs behind the backlog.
  fence               INTEGER NOT NULL DEFAULT 0,
  lease_owner         INTEGER REFERENCES actors (id),
  lease_until_us      INTEGER,
  next_poll_us        INTEGER,

  status              TEXT,
  phase               TEXT    NOT NULL DEFAULT 'unknown',
  kind                TEXT    NOT NULL,
  progress            REAL,
  stages              TEXT,                       -- [[name, status, phase, progress, started, changed, ended]]
  error               TEXT,                       -- [code, message, details]
  facts               TEXT,                       -- [[name, value]]
  created_us          INTEGER,
  updated_us          INTEGER,
  ended_us            INTEGER,
  observed_us         INTEGER,
  asked_us            INTEGER,
  changed_us          INTEGER,
  ended_seen_us       INTEGER,
  seen_queued         INTEGER NOT NULL DEFAULT 0,
  problem             TEXT,                       -- [kind, message, http_status, request_id, trace_id, retry_at]
  failures            INTEGER NOT NULL DEFAULT 0,
  misses              INTEGER NOT NULL DEFAULT 0,
  http_status         INTEGER,
  request_id          TEXT,
  trace_id            TEXT,
  anomalies           TEXT,                       -- [text]
  result_bytes        INTEGER,
  result_digest       BLOB,
  whole_digest        BLOB,                       -- of the last whole observation and of the last list row, so that
  row_digest          BLOB,                       -- one that says the same again is known without reading the state
  first_shown         INTEGER,                    -- exchanges.seq of the first and last to show the present phase
  last_shown          INTEGER,
  UNIQUE (scope, account_group, job_id)
) STRICT;

CREATE INDEX jobs_by_activity ON jobs (active_us);
CREATE INDEX jobs_by_accepted_request ON jobs (accepted_request_id) WHERE accepted_request_id IS NOT NULL;
CREATE INDEX jobs_by_accepted_trace ON jobs (accepted_trace_id) WHERE accepted_trace_id IS NOT NULL;

-- The request ledger. There is no column for headers, and none for bodies.
CREATE TABLE exchanges (
  seq             INTEGER PRIMARY KEY AUTOINCREMENT,
  id              BLOB    NOT NULL,
  scope           INTEGER NOT NULL REFERENCES scopes (id),
  actor           INTEGER NOT NULL REFERENCES actors (id),
  job             INTEGER,                        -- jobs.seq; NULL for a list
  bucket          TEXT    NOT NULL,
  state           TEXT    NOT NULL,               -- sent | answered | abandoned
  sent_us         INTEGER NOT NULL,
  started_us      INTEGER,
  duration_us     INTEGER,
  method          TEXT,
  url             TEXT,
  http_status     INTEGER,
  request_id      TEXT,
  body_request_id TEXT,
  trace_id        TEXT,
  size            INTEGER,
  problem         TEXT
) STRICT;

CREATE INDEX exchanges_by_job ON exchanges (job) WHERE job IS NOT NULL;
CREATE INDEX exchanges_by_request ON exchanges (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX exchanges_by_trace ON exchanges (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX exchanges_by_body_request ON exchanges (body_request_id)
  WHERE body_request_id IS NOT NULL AND body_request_id IS NOT request_id;

-- One row for each job an exchange told about, in 17 to 25 bytes; its time, scope and actor are the exchange's.
-- No foreign key to exchanges: a delete there would search this whole table, which the job comes first in.
CREATE TABLE observations (
  job      INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
  exchange INTEGER NOT NULL,
  PRIMARY KEY (job, exchange)
) STRICT, WITHOUT ROWID;

-- What an observation said, only where it changed something.
CREATE TABLE states (
  seq      INTEGER PRIMARY KEY,
  job      INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
  exchange INTEGER NOT NULL,
  at_us    INTEGER NOT NULL,
  fields   TEXT    NOT NULL
) STRICT;

CREATE INDEX states_by_job ON states (job, exchange);

CREATE TABLE timeline (
  seq          INTEGER PRIMARY KEY,
  job          INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
  exchange     INTEGER NOT NULL,
  at_us        INTEGER NOT NULL,
  kind         TEXT    NOT NULL,                  -- phase | stage | anomaly
  stage        TEXT,
  phase_before TEXT,
  phase_after  TEXT,
  words        TEXT    NOT NULL,
  request_id   TEXT,                              -- copied, because a job outlives its exchanges
  trace_id     TEXT
) STRICT;

CREATE INDEX timeline_by_job ON timeline (job);

-- The last result of a job, only when the user wants results kept.
CREATE TABLE results (
  job  INTEGER PRIMARY KEY REFERENCES jobs (seq) ON DELETE CASCADE,
  body TEXT NOT NULL
) STRICT;

CREATE TABLE watches (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  job      INTEGER NOT NULL UNIQUE REFERENCES jobs (seq) ON DELETE CASCADE,
  actor    INTEGER NOT NULL REFERENCES actors (id),
  since_us INTEGER NOT NULL
) STRICT;

CREATE TABLE annotations (
  job          INTEGER PRIMARY KEY REFERENCES jobs (seq) ON DELETE CASCADE,
  actor        INTEGER NOT NULL REFERENCES actors (id),
  acknowledged INTEGER NOT NULL,
  note         TEXT    NOT NULL,
  at_us        INTEGER NOT NULL
) STRICT;

-- What must happen once, whichever process sees the cause first: hooks and notifications.
CREATE TABLE told (
  job   INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
  event TEXT    NOT NULL,
  actor INTEGER NOT NULL REFERENCES actors (id),
  at_us INTEGER NOT NULL,
  PRIMARY KEY (job, event)
) STRICT, WITHOUT ROWID;

CREATE TABLE budgets (
  scope            INTEGER NOT NULL REFERENCES scopes (id),
  bucket           TEXT    NOT NULL,
  actor            INTEGER NOT NULL REFERENCES actors (id),
  per_minute       INTEGER,
  tat_us           INTEGER NOT NULL DEFAULT 0,
  blocked_until_us INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (scope, bucket)
) STRICT, WITHOUT ROWID;

CREATE TABLE estimates (
  scope INTEGER PRIMARY KEY REFERENCES scopes (id),
  actor INTEGER NOT NULL REFERENCES actors (id),
  data  TEXT    NOT NULL,
  at_us INTEGER NOT NULL
) STRICT;

CREATE TABLE change_log (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  at_us    INTEGER NOT NULL,
  scope    INTEGER,
  actor    INTEGER NOT NULL,
  kind     TEXT    NOT NULL,
  jobs     TEXT,                                  -- [jobs.seq]
  exchange INTEGER
) STRICT;
