-- Every number of 64 bits is kept bit by bit, so one above 9223372036854775807 is negative here.
-- Times are in microseconds since 1970, less 2 to the power of 63, so that their order is kept:
--   datetime((started_at + 9223372036854775807 + 1) / 1000000, 'unixepoch')

CREATE TABLE migrations (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT;

-- The latest owner. A write of an earlier epoch is refused.
CREATE TABLE owner (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    name TEXT NOT NULL
) STRICT;

INSERT INTO owner (id, epoch, name) VALUES (1, 0, '');

-- A stream is a run, 16 bytes with the highest first, or x'' for the versions. Records are read
-- and written by their key alone, so they are in its tree and not in another one beside it.
CREATE TABLE records (
    stream BLOB NOT NULL,
    seq INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (stream, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    run BLOB NOT NULL PRIMARY KEY,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    key TEXT,
    status TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    records INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The primary key is the end of every index, so each of them has the order of a page of runs.
CREATE INDEX runs_by_start ON runs (started_at);
CREATE INDEX runs_by_graph ON runs (namespace, name, started_at);
CREATE INDEX runs_by_status ON runs (status, started_at);
CREATE INDEX runs_by_key ON runs (key, started_at) WHERE key IS NOT NULL;
CREATE INDEX runs_unfinished ON runs (started_at) WHERE ended_at IS NULL;
