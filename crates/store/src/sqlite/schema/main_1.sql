-- Executions, as far as lists and the task loop need to know them. A row changes only with its head.
CREATE TABLE executions (
    row INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    function TEXT NOT NULL,
    version TEXT NOT NULL,
    name TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    ended_at INTEGER,
    wake_up INTEGER,
    in_flight INTEGER NOT NULL
) STRICT;
-- Names are unique within a function, but found without one as well.
CREATE UNIQUE INDEX executions_by_name ON executions (name, function);
CREATE INDEX executions_by_start ON executions (started_at, id);
CREATE INDEX executions_by_status ON executions (status, started_at, id);
CREATE INDEX executions_by_function ON executions (function, started_at, id);
CREATE INDEX executions_by_function_and_status ON executions (function, status, started_at, id);
CREATE INDEX executions_by_wake_up ON executions (wake_up) WHERE wake_up IS NOT NULL;
CREATE INDEX executions_in_flight ON executions (row) WHERE in_flight;

-- What happened, one row for each commit, in the order of the commits. Rows are added and, with their
-- execution, deleted; they never change.
CREATE TABLE records (
    row INTEGER PRIMARY KEY,
    execution INTEGER NOT NULL,
    version INTEGER NOT NULL,
    first_event_id INTEGER NOT NULL,
    event_ids INTEGER NOT NULL,
    record TEXT NOT NULL
) STRICT;
-- This index is the version check: the second commit of a version does not fit in.
CREATE UNIQUE INDEX records_by_version ON records (execution, version);

-- Texts that are too large for a record.
CREATE TABLE payloads (
    row INTEGER PRIMARY KEY,
    execution INTEGER NOT NULL,
    digest BLOB NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX payloads_by_digest ON payloads (execution, digest);

-- What is owed to the world. An id is never used again: who finishes an effect twice must not finish another.
CREATE TABLE effects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    execution INTEGER,
    due INTEGER NOT NULL,
    effect TEXT NOT NULL
) STRICT;
CREATE INDEX effects_by_due ON effects (due);
CREATE INDEX effects_by_execution ON effects (execution) WHERE execution IS NOT NULL;

-- The catalog. The revision is the row id: a document that is written gets a new row.
CREATE TABLE documents (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX documents_by_key ON documents (kind, key);
