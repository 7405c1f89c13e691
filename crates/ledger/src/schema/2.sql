-- Schema 2. What the file system of the media had free around a step, in bytes.

ALTER TABLE steps ADD COLUMN disk INTEGER;
ALTER TABLE steps ADD COLUMN free_before INTEGER;
ALTER TABLE steps ADD COLUMN free_after INTEGER;
CREATE INDEX steps_space ON steps (ended) WHERE free_after IS NOT NULL;
