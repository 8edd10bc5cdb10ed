-- A scope was a profile's name: two servers under one name shared everything. Now it is "ORIGIN ORGANIZATION", and an
-- organization is the profile's name unless it is configured. Which origin an old scope was is told by its requests.
-- Where they tell one, all of the scope is that origin's. Where they tell several, each request goes to its own, and
-- each job to the one origin whose answers are remembered of it. What nobody can tell stays under the bare name: it is
-- kept, and shown for no server.

CREATE TABLE profiles (
  id    INTEGER PRIMARY KEY,
  name  TEXT    NOT NULL,
  scope INTEGER NOT NULL REFERENCES scopes (id),
  UNIQUE (name, scope)
) STRICT;

-- The profile through which a job was watched last, and a request sent.
ALTER TABLE jobs ADD COLUMN profile INTEGER REFERENCES profiles (id);
ALTER TABLE exchanges ADD COLUMN profile INTEGER REFERENCES profiles (id);

INSERT INTO profiles (id, name, scope) SELECT id, name, id FROM scopes;
UPDATE jobs SET profile = scope;
UPDATE exchanges SET profile = scope;

CREATE TEMP VIEW bases AS
  SELECT seq, scope, job,
         lower(substr(url, 1, instr(url, '://') + 2 + instr(substr(url, instr(url, '://') + 3) || '/', '/') - 1)) AS base
  FROM exchanges WHERE url LIKE 'http%://_%';

CREATE TEMP VIEW origins AS
  SELECT seq, scope, job,
         CASE WHEN base LIKE 'https://%:443' THEN substr(base, 1, length(base) - 4)
              WHEN base LIKE 'http://%:80' THEN substr(base, 1, length(base) - 3)
              ELSE base END AS origin
  FROM bases;

CREATE TEMP TABLE scope_origins AS SELECT DISTINCT scope, origin FROM origins;

CREATE TEMP TABLE splits AS
  SELECT o.scope AS old, o.origin, o.origin || ' ' || s.name AS name, s.name AS profile
  FROM scope_origins o JOIN scopes s ON s.id = o.scope
  WHERE (SELECT count(*) FROM scope_origins x WHERE x.scope = o.scope) > 1;

UPDATE scopes SET name = o.origin || ' ' || name FROM scope_origins o
  WHERE o.scope = scopes.id AND scopes.id NOT IN (SELECT old FROM splits);

INSERT INTO scopes (name) SELECT name FROM splits;
INSERT INTO profiles (name, scope) SELECT p.profile, s.id FROM splits p JOIN scopes s ON s.name = p.name;

-- Of each job of such a scope: the origins it was asked at, those that answered about it, and which one it is of.
CREATE TEMP TABLE answered AS
  SELECT DISTINCT b.job, o.origin FROM observations b JOIN origins o ON o.seq = b.exchange
  WHERE EXISTS (SELECT 1 FROM splits) AND o.scope IN (SELECT old FROM splits);
CREATE TEMP TABLE asked AS
  SELECT DISTINCT job, origin FROM origins
  WHERE EXISTS (SELECT 1 FROM splits) AND scope IN (SELECT old FROM splits) AND job IS NOT NULL
  UNION
  SELECT job, origin FROM answered;
CREATE TEMP TABLE homes AS
  SELECT job, min(origin) AS origin FROM answered GROUP BY job HAVING count(*) = 1
  UNION ALL
  SELECT job, min(origin) FROM asked WHERE job NOT IN (SELECT job FROM answered)
    -- A state whose answers are on record no more may be of another origin than the failures since.
    AND job IN (SELECT seq FROM jobs WHERE observed_us IS NULL) GROUP BY job HAVING count(*) = 1;
CREATE TEMP TABLE mixed AS SELECT job FROM answered GROUP BY job HAVING count(*) > 1;

UPDATE exchanges SET (scope, profile) = (p.scope, p.id)
  FROM origins o JOIN splits x ON x.old = o.scope AND x.origin = o.origin
  JOIN scopes s ON s.name = x.name JOIN profiles p ON p.scope = s.id
  WHERE o.seq = exchanges.seq;

-- What failed at another origin is no failure of the job.
UPDATE jobs SET problem = NULL, failures = 0, misses = 0
  WHERE seq IN (SELECT job FROM asked GROUP BY job HAVING count(*) > 1);
UPDATE jobs SET (scope, profile) = (p.scope, p.id)
  FROM homes h, splits x, scopes s, profiles p
  WHERE h.job = jobs.seq AND x.old = jobs.scope AND x.origin = h.origin AND s.name = x.name AND p.scope = s.id;

-- Everywhere else it was asked at, it becomes a job of its own, of which no state is known.
INSERT INTO jobs (id, scope, actor, account_group, job_id, provider, resource, kind, added_us, active_us, profile)
  SELECT randomblob(16), p.scope, j.actor, j.account_group, j.job_id, j.provider, j.resource, j.resource, j.added_us,
         j.active_us, p.id
  FROM asked a JOIN jobs j ON j.seq = a.job JOIN profiles old ON old.id = j.profile
  JOIN scopes s ON s.name = a.origin || ' ' || old.name JOIN profiles p ON p.scope = s.id
  WHERE p.scope <> j.scope;

CREATE TEMP TABLE moves (job INTEGER, scope INTEGER, origin TEXT, to_job INTEGER, PRIMARY KEY (job, scope));
INSERT INTO moves
  SELECT j.seq, t.scope, a.origin, t.seq
  FROM asked a JOIN jobs j ON j.seq = a.job JOIN profiles old ON old.id = j.profile
  JOIN scopes s ON s.name = a.origin || ' ' || old.name
  JOIN jobs t ON t.scope = s.id AND t.account_group = j.account_group AND t.job_id = j.job_id
  WHERE t.seq <> j.seq;
UPDATE exchanges SET job = m.to_job FROM moves m WHERE m.job = exchanges.job AND m.scope = exchanges.scope;
UPDATE observations SET job = m.to_job FROM moves m, exchanges e
  WHERE m.job = observations.job AND e.seq = observations.exchange AND m.scope = e.scope;
UPDATE states SET job = m.to_job FROM moves m, exchanges e
  WHERE m.job = states.job AND e.seq = states.exchange AND m.scope = e.scope;
UPDATE timeline SET job = m.to_job FROM moves m, exchanges e
  WHERE m.job = timeline.job AND e.seq = timeline.exchange AND m.scope = e.scope;
INSERT INTO annotations (job, actor, acknowledged, note, at_us)
  SELECT m.to_job, n.actor, 0, n.note, n.at_us FROM annotations n JOIN moves m ON m.job = n.job
  WHERE n.note <> '' AND n.job IN (SELECT job FROM mixed);

-- A job is on the watch list once for each profile that watches it. One that several origins answered about was
-- watched at each of them.
CREATE TABLE watches_by_profile (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  job      INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
  profile  INTEGER NOT NULL REFERENCES profiles (id),
  actor    INTEGER NOT NULL REFERENCES actors (id),
  since_us INTEGER NOT NULL,
  UNIQUE (job, profile)
) STRICT;
INSERT INTO watches_by_profile (job, profile, actor, since_us)
  SELECT job, profile, actor, since_us FROM (
    SELECT w.seq AS place, w.job, j.profile, w.actor, w.since_us FROM watches w JOIN jobs j ON j.seq = w.job
    WHERE w.job NOT IN (SELECT job FROM mixed)
    UNION ALL
    SELECT w.seq, t.seq, t.profile, w.actor, w.since_us FROM watches w JOIN moves m ON m.job = w.job
    JOIN answered a ON a.job = m.job AND a.origin = m.origin JOIN jobs t ON t.seq = m.to_job
    WHERE w.job IN (SELECT job FROM mixed)
  ) ORDER BY place;
DROP TABLE watches;
ALTER TABLE watches_by_profile RENAME TO watches;

-- Each profile writes its own, so that two of one scope do not overwrite what the other has learnt.
CREATE TABLE estimates_by_profile (
  profile INTEGER PRIMARY KEY REFERENCES profiles (id),
  actor   INTEGER NOT NULL REFERENCES actors (id),
  data    TEXT    NOT NULL,
  at_us   INTEGER NOT NULL
) STRICT;
INSERT INTO estimates_by_profile SELECT scope, actor, data, at_us FROM estimates;
DROP TABLE estimates;
ALTER TABLE estimates_by_profile RENAME TO estimates;

DROP TABLE moves;
DROP TABLE mixed;
DROP TABLE homes;
DROP TABLE answered;
DROP TABLE asked;
DROP TABLE splits;
DROP TABLE scope_origins;
DROP VIEW origins;
DROP VIEW bases;
