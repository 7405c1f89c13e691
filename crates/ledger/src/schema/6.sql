-- Schema 6: what the newest verification of each backup came to.

CREATE TABLE backups (
    name     TEXT PRIMARY KEY,
    verified INTEGER NOT NULL,
    run      TEXT NOT NULL,             -- the run and the step that did it
    step     INTEGER NOT NULL,
    report   TEXT NOT NULL              -- JSON, without its findings
) WITHOUT ROWID;

-- Its findings. One that is found again keeps its id and what people said to it; one that is gone is forgotten.
CREATE TABLE findings (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    backup    TEXT NOT NULL REFERENCES backups (name) ON DELETE CASCADE,
    mark      TEXT NOT NULL,            -- what tells it from the others
    place     INTEGER NOT NULL,         -- among them, the worst first
    since     INTEGER NOT NULL,
    finding   TEXT NOT NULL,            -- JSON
    ack_at    INTEGER,                  -- when a person said that they know of it
    ack_until INTEGER,
    ack_uid   INTEGER,
    UNIQUE (backup, mark)
);
