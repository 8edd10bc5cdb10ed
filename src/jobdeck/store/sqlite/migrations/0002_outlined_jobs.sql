-- Whether a job's status comes from a list row, and no look since has told its stages, error and result.
ALTER TABLE jobs ADD COLUMN outlined INTEGER NOT NULL DEFAULT 0;
