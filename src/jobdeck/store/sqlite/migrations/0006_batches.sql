-- What was added together has a name.

ALTER TABLE jobs ADD COLUMN batch TEXT;
