-- Schema 10: the times in which probes said no.

CREATE TABLE incidents (
    probe  TEXT NOT NULL,
    opened INTEGER NOT NULL,            -- the first answer of no
    known  INTEGER NOT NULL,            -- when there were enough of them
    closed INTEGER,                     -- the first answer of yes of those that ended it
    why    TEXT NOT NULL,
    ended  TEXT,                        -- how, where it did not end by answers of yes
    PRIMARY KEY (probe, opened)
) WITHOUT ROWID;

CREATE INDEX incidents_by_time ON incidents (opened);
