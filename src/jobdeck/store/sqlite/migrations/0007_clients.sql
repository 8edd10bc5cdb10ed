-- Names of the field: a client is one run of jobdeck, which holds leases and budgets; what was once said of an ended
-- job is a notification. What nothing reads goes: IDs that only the database saw, and when a job was due.

ALTER TABLE actors RENAME TO clients;
ALTER TABLE jobs RENAME COLUMN actor TO client;
ALTER TABLE exchanges RENAME COLUMN actor TO client;
ALTER TABLE watches RENAME COLUMN actor TO client;
ALTER TABLE annotations RENAME COLUMN actor TO client;
ALTER TABLE budgets RENAME COLUMN actor TO client;
ALTER TABLE estimates RENAME COLUMN actor TO client;
ALTER TABLE change_log RENAME COLUMN actor TO client;
ALTER TABLE told RENAME COLUMN actor TO client;
ALTER TABLE told RENAME TO notifications;

ALTER TABLE jobs RENAME COLUMN outlined TO summary_only;
ALTER TABLE jobs DROP COLUMN id;
ALTER TABLE jobs DROP COLUMN next_poll_us;
ALTER TABLE exchanges DROP COLUMN id;

-- A list that one client gets needs no other to get it, too.
CREATE TABLE list_leases (
  scope    INTEGER NOT NULL REFERENCES scopes (id),
  url      TEXT    NOT NULL,
  client   INTEGER NOT NULL REFERENCES clients (id),
  until_us INTEGER NOT NULL,
  PRIMARY KEY (scope, url)
) STRICT, WITHOUT ROWID;

-- Of an answer: the jobs that it showed and did not change.
ALTER TABLE change_log ADD COLUMN seen TEXT;

UPDATE meta SET name = 'preference.' || substr(name, 8) WHERE name LIKE 'choice.%';
