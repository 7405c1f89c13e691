-- Schema 7. A message names its target by a key instead of its position in the configuration, which an edit moves. Whose
-- an old one was nobody knows any more: what stood for a position is no key of any target, and the message is given up.

CREATE TABLE outbox_by_key (
    id     INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    made   INTEGER NOT NULL,
    notice TEXT NOT NULL                -- JSON
);
INSERT INTO outbox_by_key SELECT id, 'position-' || (target + 1), made, notice FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_by_key RENAME TO outbox;
