-- Every number of 64 bits is kept bit by bit, so one above 9223372036854775807 is negative here.
-- Times are in microseconds since 1970, less 2 to the power of 63, so that their order is kept:
--   to_timestamp((started_at + 9223372036854775807 + 1) / 1000000)
-- Texts are their UTF-8 bytes, because a text here cannot hold every character, and its order
-- would be that of a collation, which changes with the system:
--   convert_from(name, 'UTF8')

CREATE TABLE migrations (
    number bigint PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL
);

-- The latest owner. A write of an earlier epoch is refused.
CREATE TABLE owner (
    id bigint PRIMARY KEY CHECK (id = 1),
    epoch bigint NOT NULL,
    name bytea NOT NULL
);

INSERT INTO owner (id, epoch, name) VALUES (1, 0, '');

-- A stream is a run, 16 bytes with the highest first, or '' for the versions.
CREATE TABLE records (
    stream bytea NOT NULL,
    seq bigint NOT NULL,
    checksum bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (stream, seq)
);

-- Large bodies are not compressed: that would be done while everybody waits for the commit.
ALTER TABLE records ALTER COLUMN body SET STORAGE EXTERNAL;

-- Most rows are written with every commit of their run, and say that it has more records: there
-- is room for that in the same page, and then the indexes are left alone.
CREATE TABLE runs (
    run bytea NOT NULL PRIMARY KEY,
    namespace bytea NOT NULL,
    name bytea NOT NULL,
    version bigint NOT NULL,
    key bytea,
    status bytea NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint,
    records bigint NOT NULL,
    checksum bigint NOT NULL
) WITH (fillfactor = 70);

-- Every index has the order of a page of runs. What is in an index has a bounded length, and names
-- and keys have none.
CREATE INDEX runs_by_start ON runs (started_at, run);
CREATE INDEX runs_by_graph ON runs (substr(namespace, 1, 256), substr(name, 1, 256), started_at, run);
CREATE INDEX runs_by_status ON runs (substr(status, 1, 256), started_at, run);
CREATE INDEX runs_by_key ON runs (substr(key, 1, 256), started_at, run) WHERE key IS NOT NULL;
CREATE INDEX runs_unfinished ON runs (started_at, run) WHERE ended_at IS NULL;
