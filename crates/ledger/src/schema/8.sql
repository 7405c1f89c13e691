-- Schema 8: what the last verification of each backup came to.

CREATE TABLE backups (
    backup   TEXT PRIMARY KEY,
    verified INTEGER NOT NULL,
    run      TEXT NOT NULL,
    report   TEXT NOT NULL              -- JSON
) WITHOUT ROWID;
