-- Schema 5: what people were told, so that a restart neither repeats nor forgets it.

-- What whoever decides that keeps about a job or a summary, in its own words.
CREATE TABLE tellings (
    subject TEXT PRIMARY KEY,
    state   TEXT NOT NULL               -- JSON
) WITHOUT ROWID;

-- Messages that have not reached their target yet.
CREATE TABLE outbox (
    id     INTEGER PRIMARY KEY,
    target INTEGER NOT NULL,
    made   INTEGER NOT NULL,
    notice TEXT NOT NULL                -- JSON
);
