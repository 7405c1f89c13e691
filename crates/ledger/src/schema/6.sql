-- Schema 6. What each step of an approval was when it was looked at; and of several approvals that a job waited for only
-- the newest is one.

ALTER TABLE approvals ADD COLUMN titles TEXT NOT NULL DEFAULT '{}';     -- JSON: by step
DELETE FROM approvals WHERE used_by IS NULL AND EXISTS (
    SELECT 1 FROM approvals AS newer
    WHERE newer.job = approvals.job AND newer.used_by IS NULL
      AND (newer.at, newer.run) > (approvals.at, approvals.run)
);
