-- Schema 9: what the newest verification of each backup found. A finding that is found again keeps its id and what people
-- said to it; one that is gone is forgotten.

CREATE TABLE findings (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    backup    TEXT NOT NULL,
    mark      TEXT NOT NULL,            -- what tells it from the others
    place     INTEGER NOT NULL,         -- among them, the worst first
    since     INTEGER NOT NULL,
    finding   TEXT NOT NULL,            -- JSON
    ack_at    INTEGER,                  -- when a person said that they know of it
    ack_until INTEGER,
    ack_uid   INTEGER,
    UNIQUE (backup, mark)
);
