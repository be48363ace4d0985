//! Log events on SQLite.

use std::collections::BTreeSet;

use async_trait::async_trait;
use everstep_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Sqlite, rows, space};
use crate::error::Error;
use crate::logs::{LogEvent, LogPosition, LogQuery, LogStream, Logs, StoredLogEvent};

#[async_trait]
impl Logs for Sqlite {
    async fn append(&self, group: &str, stream: &str, events: Vec<LogEvent>) -> Result<(), Error> {
        let (group, stream) = (group.to_owned(), stream.to_owned());
        let bytes = events.iter().map(|event| event.message.len() + 32).sum();
        let write = move |connection: &Connection| {
            let group = make_group(connection, &group)?;
            if events.is_empty() {
                return Ok(());
            }
            let stream = make_stream(connection, group, &stream)?;
            let mut insert = connection
                .prepare_cached("INSERT INTO events (log_group, stream, at, message) VALUES (?1, ?2, ?3, ?4)")?;
            for LogEvent { at, message } in &events {
                insert.execute(params![group, stream, at.as_millis(), message])?;
            }
            Ok(())
        };
        self.logs.writer.write(bytes, write).await
    }

    async fn create_group(&self, group: &str) -> Result<(), Error> {
        let group = group.to_owned();
        let write = move |connection: &Connection| {
            make_group(connection, &group)?;
            Ok(())
        };
        self.logs.writer.write(0, write).await
    }

    async fn groups(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let prefix = prefix.to_owned();
        let read = move |connection: &Connection| {
            let mut statement =
                connection.prepare_cached("SELECT name FROM log_groups WHERE name >= ?1 ORDER BY name")?;
            let mut rows = statement.query(params![prefix])?;
            let mut names = Vec::new();
            while let Some(row) = rows.next()? {
                let name: String = row.get(0)?;
                if !name.starts_with(&prefix) {
                    break;
                }
                names.push(name);
            }
            Ok(names)
        };
        self.logs.readers.read(read).await
    }

    async fn read(&self, query: &LogQuery) -> Result<Vec<StoredLogEvent>, Error> {
        let query = query.clone();
        self.logs.readers.read(move |connection| read(connection, &query)).await
    }

    async fn streams(&self, group: &str, prefix: &str) -> Result<Vec<LogStream>, Error> {
        let (group, prefix) = (group.to_owned(), prefix.to_owned());
        self.logs.readers.read(move |connection| streams(connection, &group, &prefix)).await
    }

    async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let group = group.to_owned();
        let write = move |connection: &Connection| {
            let Some(row) = find_group(connection, &group)? else {
                return Ok(());
            };
            connection.prepare_cached("DELETE FROM events WHERE log_group = ?1")?.execute([row])?;
            connection.prepare_cached("DELETE FROM streams WHERE log_group = ?1")?.execute([row])?;
            connection.prepare_cached("DELETE FROM log_groups WHERE row = ?1")?.execute([row])?;
            Ok(space::give_back(connection)?)
        };
        self.logs.writer.write(0, write).await
    }

    async fn shrink(&self, bytes_max: u64, limit: usize) -> Result<usize, Error> {
        let write = move |connection: &Connection| {
            if space::used_bytes(connection)? <= bytes_max {
                return Ok(0);
            }
            let forgotten = shrink(connection, limit)?;
            space::give_back(connection)?;
            Ok(forgotten)
        };
        self.logs.writer.write(0, write).await
    }

    async fn trim(&self, group: &str, before: Timestamp, limit: usize) -> Result<usize, Error> {
        let group = group.to_owned();
        let write = move |connection: &Connection| {
            let trimmed = trim(connection, &group, before, limit)?;
            space::give_back(connection)?;
            Ok(trimmed)
        };
        self.logs.writer.write(0, write).await
    }
}

fn find_group(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT row FROM log_groups WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

fn make_group(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    if let Some(row) = find_group(connection, name)? {
        return Ok(row);
    }
    connection.prepare_cached("INSERT INTO log_groups (name) VALUES (?1)")?.execute([name])?;
    Ok(connection.last_insert_rowid())
}

fn find_stream(connection: &Connection, group: i64, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT row FROM streams WHERE log_group = ?1 AND name = ?2")?
        .query_row(params![group, name], |row| row.get(0))
        .optional()
}

fn make_stream(connection: &Connection, group: i64, name: &str) -> rusqlite::Result<i64> {
    if let Some(row) = find_stream(connection, group, name)? {
        return Ok(row);
    }
    connection
        .prepare_cached("INSERT INTO streams (log_group, name) VALUES (?1, ?2)")?
        .execute(params![group, name])?;
    Ok(connection.last_insert_rowid())
}

fn read(connection: &Connection, query: &LogQuery) -> rusqlite::Result<Vec<StoredLogEvent>> {
    let LogQuery { group, stream, from, until, after, before, newest_first, limit } = query;
    let Some(group) = find_group(connection, group)? else {
        return Ok(Vec::new());
    };
    // Of a group or of a stream: each has its index, which is in the order of positions.
    let (column, owner) = match stream {
        None => ("log_group", group),
        Some(name) => match find_stream(connection, group, name)? {
            Some(stream) => ("stream", stream),
            None => return Ok(Vec::new()),
        },
    };
    let direction = if *newest_first { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT e.position, e.at, e.message, s.name FROM events e JOIN streams s ON s.row = e.stream
         WHERE e.{column} = ?1 AND e.position > ?2 AND e.position < ?3 AND e.at >= ?4 AND (?5 IS NULL OR e.at < ?5)
         ORDER BY e.position {direction} LIMIT ?6"
    );
    let after = after.map_or(i64::MIN, |position| position.0);
    let before = before.map_or(i64::MAX, |position| position.0);
    let from = from.map_or(i64::MIN, Timestamp::as_millis);
    let until = until.map(Timestamp::as_millis);
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_map(params![owner, after, before, from, until, rows(*limit)], stored_event)?;
    found.collect()
}

fn streams(connection: &Connection, group: &str, prefix: &str) -> rusqlite::Result<Vec<LogStream>> {
    let Some(group) = find_group(connection, group)? else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(
        "SELECT s.name, (SELECT min(at) FROM events WHERE stream = s.row), (SELECT max(at) FROM events WHERE stream = s.row)
         FROM streams s WHERE s.log_group = ?1 AND s.name >= ?2 ORDER BY s.name",
    )?;
    let mut rows = statement.query(params![group, prefix])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if !name.starts_with(prefix) {
            break;
        }
        // A stream without events is about to be forgotten.
        if let (Some(first), Some(last)) = (row.get::<_, Option<i64>>(1)?, row.get::<_, Option<i64>>(2)?) {
            let (first_at, last_at) = (Timestamp::from_millis(first), Timestamp::from_millis(last));
            found.push(LogStream { name, first_at, last_at });
        }
    }
    Ok(found)
}

fn stored_event(row: &Row<'_>) -> rusqlite::Result<StoredLogEvent> {
    Ok(StoredLogEvent {
        position: LogPosition(row.get(0)?),
        stream: row.get(3)?,
        event: LogEvent { at: Timestamp::from_millis(row.get(1)?), message: row.get(2)? },
    })
}

/// Deletes the oldest events of a group.
fn trim(connection: &Connection, group: &str, before: Timestamp, limit: usize) -> rusqlite::Result<usize> {
    let Some(group) = find_group(connection, group)? else { return Ok(0) };
    let old = connection
        .prepare_cached(
            "SELECT position, stream FROM events WHERE log_group = ?1 AND at < ?2 ORDER BY at, position LIMIT ?3",
        )?
        .query_map(params![group, before.as_millis(), rows(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    forget(connection, old)
}

/// Deletes the oldest events of the group that has the most.
fn shrink(connection: &Connection, limit: usize) -> rusqlite::Result<usize> {
    let fullest =
        "SELECT log_group FROM events GROUP BY log_group ORDER BY sum(length(message)) DESC, log_group LIMIT 1";
    let group: Option<i64> = connection.prepare_cached(fullest)?.query_row((), |row| row.get(0)).optional()?;
    let old = connection
        .prepare_cached("SELECT position, stream FROM events WHERE log_group = ?1 ORDER BY position LIMIT ?2")?
        .query_map(params![group, rows(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    forget(connection, old)
}

/// Deletes events and the streams that have none left; groups stay.
fn forget(connection: &Connection, old: Vec<(i64, i64)>) -> rusqlite::Result<usize> {
    let mut delete = connection.prepare_cached("DELETE FROM events WHERE position = ?1")?;
    for (position, _) in &old {
        delete.execute([position])?;
    }
    let streams: BTreeSet<i64> = old.iter().map(|(_, stream)| *stream).collect();
    let mut empty = connection
        .prepare_cached("DELETE FROM streams WHERE row = ?1 AND NOT EXISTS (SELECT 1 FROM events WHERE stream = ?1)")?;
    for stream in streams {
        empty.execute([stream])?;
    }
    Ok(old.len())
}
