-- `group` is a word of SQL, hence `log_group`.
CREATE TABLE log_groups (
    row INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE streams (
    row INTEGER PRIMARY KEY,
    log_group INTEGER NOT NULL,
    name TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX streams_by_name ON streams (log_group, name);

-- Positions are never used again: who reads on from one must not miss an event.
CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    log_group INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    at INTEGER NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_group ON events (log_group, position, at);
CREATE INDEX events_by_stream ON events (stream, position, at);
CREATE INDEX events_by_time ON events (at);
