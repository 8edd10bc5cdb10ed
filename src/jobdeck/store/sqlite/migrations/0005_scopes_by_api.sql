-- Two APIs at one origin may give one ID to two jobs: a scope is "ORIGIN ORGANIZATION API" now. `budget` is the scope
-- without its API, whose rate limit all of them share (NULL: itself). The jobs of a scope tell its API; a scope without
-- jobs has none yet, and is taken over by its profile when that is used next.

ALTER TABLE scopes ADD COLUMN budget INTEGER REFERENCES scopes (id);

CREATE TEMP TABLE apis AS
  SELECT j.scope AS old, s.name, j.provider AS api, max(j.seq) AS newest FROM jobs j JOIN scopes s ON s.id = j.scope
  GROUP BY j.scope, j.provider;
-- The API of its newest job is what a scope goes on with; the others get one of their own.
CREATE TEMP TABLE firsts AS
  SELECT old, name, api FROM apis a WHERE newest = (SELECT max(newest) FROM apis b WHERE b.old = a.old);
CREATE TEMP TABLE others AS
  SELECT old, name, name || ' ' || api AS new_name, api FROM apis a WHERE newest < (
    SELECT max(newest) FROM apis b WHERE b.old = a.old);

UPDATE scopes SET name = f.name || ' ' || f.api FROM firsts f WHERE f.old = scopes.id;
INSERT INTO scopes (name) SELECT name FROM firsts;
UPDATE scopes SET budget = b.id FROM firsts f JOIN scopes b ON b.name = f.name WHERE f.old = scopes.id;
UPDATE budgets SET scope = s.budget FROM scopes s WHERE s.id = budgets.scope AND s.budget IS NOT NULL;

INSERT INTO scopes (name, budget) SELECT o.new_name, b.id FROM others o JOIN scopes b ON b.name = o.name;
INSERT INTO profiles (name, scope)
  SELECT p.name, s.id FROM others o JOIN profiles p ON p.scope = o.old JOIN scopes s ON s.name = o.new_name;
CREATE TEMP TABLE moves (job INTEGER PRIMARY KEY, scope INTEGER, profile INTEGER);
INSERT INTO moves
  SELECT j.seq, s.id, new.id FROM others o JOIN jobs j ON j.scope = o.old AND j.provider = o.api
  JOIN scopes s ON s.name = o.new_name JOIN profiles p ON p.id = j.profile
  JOIN profiles new ON new.name = p.name AND new.scope = s.id;
UPDATE jobs SET (scope, profile) = (m.scope, m.profile) FROM moves m WHERE m.job = jobs.seq;
UPDATE exchanges SET (scope, profile) = (m.scope, m.profile) FROM moves m WHERE m.job = exchanges.job;
UPDATE watches SET profile = new.id FROM moves m, profiles p, profiles new
  WHERE m.job = watches.job AND p.id = watches.profile AND new.name = p.name AND new.scope = m.scope;

DROP TABLE moves;
DROP TABLE others;
DROP TABLE firsts;
DROP TABLE apis;
