-- Schema 1. Times are microseconds since 1970 UTC, durations milliseconds, sizes bytes. Words (outcome, grade,
-- room) are those of the config and the journal, so that a person with the sqlite3 tool can read along.
-- Never edit a schema that was released: write the next one.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- `seq` is the order in which runs were made: it survives clock steps, which ids and times do not.
CREATE TABLE runs (
    seq     INTEGER PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    job     TEXT NOT NULL,
    trigger TEXT NOT NULL,              -- JSON
    slot    INTEGER,                    -- of a scheduled or caught-up run only
    digest  TEXT NOT NULL,
    dry_run INTEGER NOT NULL,
    queued  INTEGER NOT NULL,
    started INTEGER,
    ended   INTEGER,
    outcome TEXT,
    grade   TEXT,
    reason  TEXT,                       -- JSON
    CHECK ((ended IS NULL) = (outcome IS NULL))
);
-- A slot is answered by one run: neither a restart nor a reload can double it.
CREATE UNIQUE INDEX runs_slot ON runs (job, slot) WHERE slot IS NOT NULL;
CREATE INDEX runs_by_job ON runs (job);
CREATE INDEX runs_ended_by_job ON runs (job) WHERE ended IS NOT NULL;
CREATE INDEX runs_by_end ON runs (ended) WHERE ended IS NOT NULL;
CREATE INDEX runs_open ON runs (seq) WHERE ended IS NULL;

CREATE TABLE steps (
    run       INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
    step      INTEGER NOT NULL,
    title     TEXT NOT NULL,
    room      TEXT NOT NULL,
    at        INTEGER NOT NULL,
    journaled INTEGER NOT NULL DEFAULT 0,
    started   INTEGER,
    ended     INTEGER,
    took      INTEGER,
    outcome   TEXT,
    grade     TEXT,
    reasons   TEXT,                     -- JSON
    visited   INTEGER,
    failed    INTEGER,
    removed   INTEGER,
    freed     INTEGER,
    exit      INTEGER,
    signal    TEXT,
    lines     INTEGER,
    bytes     INTEGER,
    omitted   INTEGER,
    peak_rss  INTEGER,
    PRIMARY KEY (run, step),
    CHECK ((ended IS NULL) = (outcome IS NULL))
) WITHOUT ROWID;

-- Kept output in a table of its own: listings never read past it.
CREATE TABLE outputs (
    id    INTEGER PRIMARY KEY,
    run   INTEGER NOT NULL,
    step  INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    copy  BLOB NOT NULL,                -- gzip
    UNIQUE (run, step),
    FOREIGN KEY (run, step) REFERENCES steps (run, step) ON DELETE CASCADE
);
CREATE INDEX outputs_by_end ON outputs (ended);

-- Up to where the slots of a job are dealt with.
CREATE TABLE marks (
    job      TEXT PRIMARY KEY,
    handled  INTEGER NOT NULL,
    state    TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE pauses (
    job TEXT PRIMARY KEY,
    at  INTEGER NOT NULL,
    uid INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE retries (
    job        TEXT PRIMARY KEY,
    of_run     TEXT NOT NULL,
    attempt    INTEGER NOT NULL,
    slot       INTEGER,
    not_before INTEGER NOT NULL,
    digest     TEXT NOT NULL
) WITHOUT ROWID;
