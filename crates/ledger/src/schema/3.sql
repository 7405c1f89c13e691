-- Schema 3. Runs that were skipped because they would remove too much, for a person to approve.

CREATE TABLE approvals (
    run     TEXT PRIMARY KEY,
    job     TEXT NOT NULL,
    at      INTEGER NOT NULL,
    found   TEXT NOT NULL,              -- JSON: by step
    why     TEXT NOT NULL,
    used_by TEXT
) WITHOUT ROWID;
