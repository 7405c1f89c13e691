-- Schema 4: holds that were set by hand, and cancels that were asked for.

CREATE TABLE holds (
    id      INTEGER PRIMARY KEY,
    begins  INTEGER NOT NULL,
    ends    INTEGER NOT NULL,
    scope   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    at      INTEGER NOT NULL,           -- when it was set
    uid     INTEGER NOT NULL            -- and by whom
);

-- A run that somebody cancelled and that is not over yet goes no further, also under the next daemon.
ALTER TABLE runs ADD COLUMN cancel_asked INTEGER;
