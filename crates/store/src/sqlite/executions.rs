//! Executions and effects on SQLite.
//!
//! JSON is written and digests are compared in the caller's thread: the writer thread only moves bytes.

use std::sync::Arc;

use async_trait::async_trait;
use everstep_core::id::{ExecutionId, ExecutionName, FunctionName};
use everstep_core::{Digest, Effect, Record, Timestamp};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::writer::Refusal;
use super::{Sqlite, failure, list, rows, space};
use crate::error::Error;
use crate::executions::{
    Commit, Committed, Due, EffectId, Executions, Head, ListQuery, Listed, NewExecution, StoredEffect,
};

const FIND: &str = "SELECT id FROM executions WHERE function = ?1 AND name = ?2";
const DUE: &str = "SELECT id, wake_up FROM executions WHERE wake_up <= ?1 ORDER BY wake_up, row LIMIT ?2";
const IN_FLIGHT: &str = "SELECT id FROM executions WHERE in_flight";
const EFFECTS: &str = "SELECT id, due, effect FROM effects WHERE due <= ?1 ORDER BY due, id LIMIT ?2";

#[async_trait]
impl Executions for Sqlite {
    async fn create(&self, execution: NewExecution, commit: Commit) -> Result<Committed, Error> {
        let commit = Prepared::new(commit);
        let bytes = commit.bytes();
        let write = move |connection: &Connection| {
            if commit.version != 1 {
                return Err(Refusal::Rejected(Error::Conflict));
            }
            let row = insert_execution(connection, &execution, &commit)?;
            connection
                .prepare_cached(
                    "INSERT INTO records (execution, version, first_event_id, event_ids, record)
                     VALUES (?1, 1, ?2, ?3, ?4)",
                )?
                .execute(params![row, commit.first_event_id, commit.event_ids, commit.record])?;
            Ok(insert_belongings(connection, row, &commit)?)
        };
        self.main.writer.write(bytes, write).await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, Error> {
        let commit = Prepared::new(commit);
        let bytes = commit.bytes();
        let write = move |connection: &Connection| {
            let Some(row) = find_row(connection, commit.execution)? else {
                return Err(Refusal::Rejected(Error::Conflict));
            };
            if !insert_record(connection, row, &commit)? {
                return Err(Refusal::Rejected(Error::Conflict));
            }
            if let Some(head) = &commit.head {
                update_head(connection, row, head)?;
            }
            Ok(insert_belongings(connection, row, &commit)?)
        };
        self.main.writer.write(bytes, write).await
    }

    async fn load(&self, execution: ExecutionId, version: u64) -> Result<Option<Vec<Record>>, Error> {
        let read = move |connection: &Connection| {
            let Some(row) = find_row(connection, execution)? else {
                return Ok(None);
            };
            let sql = "SELECT record FROM records WHERE execution = ?1 AND version <= ?2 ORDER BY version";
            json_column(connection, sql, params![row, integer(version)]).map(Some)
        };
        self.main.readers.read(read).await
    }

    async fn records(
        &self,
        execution: ExecutionId,
        first: u64,
        last: u64,
        limit: usize,
        newest_first: bool,
    ) -> Result<Vec<Record>, Error> {
        let read = move |connection: &Connection| {
            let Some(row) = find_row(connection, execution)? else {
                return Ok(Vec::new());
            };
            let versions = last_version(connection, row)?;
            // Event ids never fall from one version to the next, so the index of versions finds them as well.
            let before_first = partition(versions, |version| {
                event_ids(connection, row, version).map(|(first_id, count)| first_id.saturating_add(count) <= first)
            })?;
            let up_to_last = partition(versions, |version| {
                event_ids(connection, row, version).map(|(first_id, _)| first_id <= last)
            })?;
            let sql = if newest_first {
                "SELECT record FROM records WHERE execution = ?1 AND version > ?2 AND version <= ?3 AND event_ids > 0
                 ORDER BY version DESC LIMIT ?4"
            } else {
                "SELECT record FROM records WHERE execution = ?1 AND version > ?2 AND version <= ?3 AND event_ids > 0
                 ORDER BY version LIMIT ?4"
            };
            json_column(connection, sql, params![row, before_first, up_to_last, rows(limit)])
        };
        self.main.readers.read(read).await
    }

    async fn payload(&self, execution: ExecutionId, digest: Digest) -> Result<Option<Arc<str>>, Error> {
        let read = move |connection: &Connection| {
            connection
                .prepare_cached(
                    "SELECT text FROM payloads
                     WHERE execution = (SELECT row FROM executions WHERE id = ?1) AND digest = ?2",
                )?
                .query_row(params![execution.as_bytes(), digest.as_bytes()], |row| row.get(0))
                .optional()
        };
        self.main.readers.read(read).await
    }

    async fn find(&self, function: &FunctionName, name: &ExecutionName) -> Result<Option<ExecutionId>, Error> {
        let (function, name) = (function.clone(), name.clone());
        self.main.readers.read(move |connection| find(connection, &function, &name)).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Listed>, Error> {
        let query = query.clone();
        self.main.readers.read(move |connection| list::read(connection, &query)).await
    }

    async fn due(&self, until: Timestamp, limit: usize) -> Result<Vec<Due>, Error> {
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(DUE)?;
            let found = statement.query_map(params![until.as_millis(), rows(limit)], |row| {
                Ok(Due { execution: execution_id(row, 0)?, wake_up: Timestamp::from_millis(row.get(1)?) })
            })?;
            found.collect()
        };
        self.main.readers.read(read).await
    }

    async fn in_flight(&self) -> Result<Vec<ExecutionId>, Error> {
        let read = move |connection: &Connection| {
            connection.prepare_cached(IN_FLIGHT)?.query_map((), |row| execution_id(row, 0))?.collect()
        };
        self.main.readers.read(read).await
    }

    async fn delete(&self, execution: ExecutionId) -> Result<bool, Error> {
        let write = move |connection: &Connection| {
            let Some(row) = find_row(connection, execution)? else {
                return Ok(false);
            };
            connection.prepare_cached("DELETE FROM records WHERE execution = ?1")?.execute([row])?;
            connection.prepare_cached("DELETE FROM payloads WHERE execution = ?1")?.execute([row])?;
            connection.prepare_cached("DELETE FROM effects WHERE execution = ?1")?.execute([row])?;
            connection.prepare_cached("DELETE FROM executions WHERE row = ?1")?.execute([row])?;
            space::give_back(connection)?;
            Ok(true)
        };
        self.main.writer.write(0, write).await
    }

    async fn add_effect(&self, effect: Effect, due: Timestamp) -> Result<EffectId, Error> {
        let effect = json(&effect);
        let bytes = effect.len();
        let write = move |connection: &Connection| Ok(insert_effect(connection, None, due, &effect)?);
        self.main.writer.write(bytes, write).await
    }

    async fn effects(&self, until: Timestamp, limit: usize) -> Result<Vec<StoredEffect>, Error> {
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(EFFECTS)?;
            let found = statement.query_map(params![until.as_millis(), rows(limit)], |row| {
                let (id, due) = (EffectId(row.get(0)?), Timestamp::from_millis(row.get(1)?));
                Ok(StoredEffect { id, due, effect: from_json(row, 2)? })
            })?;
            found.collect()
        };
        self.main.readers.read(read).await
    }

    async fn postpone_effect(&self, id: EffectId, effect: Effect, due: Timestamp) -> Result<(), Error> {
        let effect = json(&effect);
        let bytes = effect.len();
        let write =
            move |connection: &Connection| {
                connection
                    .prepare_cached("UPDATE effects SET effect = ?2, due = ?3 WHERE id = ?1")?
                    .execute(params![id.0, effect, due.as_millis()])?;
                Ok(())
            };
        self.main.writer.write(bytes, write).await
    }

    async fn finish_effect(&self, id: EffectId) -> Result<(), Error> {
        let write = move |connection: &Connection| {
            connection.prepare_cached("DELETE FROM effects WHERE id = ?1")?.execute([id.0])?;
            Ok(())
        };
        self.main.writer.write(0, write).await
    }
}

/// A commit with its JSON written.
struct Prepared {
    execution: ExecutionId,
    version: i64,
    at: Timestamp,
    first_event_id: i64,
    event_ids: i64,
    record: String,
    head: Option<Head>,
    payloads: Vec<(Digest, Arc<str>)>,
    effects: Vec<String>,
}

impl Prepared {
    fn new(commit: Commit) -> Self {
        let Commit { execution, record, head, payloads, effects } = commit;
        Self {
            execution,
            version: integer(record.version),
            at: record.at,
            first_event_id: integer(record.first_event_id),
            event_ids: integer(record.event_ids),
            record: json(&record),
            head,
            payloads,
            effects: effects.iter().map(json).collect(),
        }
    }

    fn bytes(&self) -> usize {
        let payloads: usize = self.payloads.iter().map(|(_, text)| text.len()).sum();
        let effects: usize = self.effects.iter().map(String::len).sum();
        self.record.len() + payloads + effects
    }
}

fn find_row(connection: &Connection, execution: ExecutionId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT row FROM executions WHERE id = ?1")?
        .query_row([execution.as_bytes()], |row| row.get(0))
        .optional()
}

fn find(
    connection: &Connection,
    function: &FunctionName,
    name: &ExecutionName,
) -> rusqlite::Result<Option<ExecutionId>> {
    connection
        .prepare_cached(FIND)?
        .query_row([function.as_str(), name.as_str()], |row| execution_id(row, 0))
        .optional()
}

fn insert_execution(connection: &Connection, new: &NewExecution, commit: &Prepared) -> Result<i64, Refusal> {
    let head = commit.head.unwrap_or(Head::AT_BIRTH);
    let inserted = connection
        .prepare_cached(
            "INSERT INTO executions
             (id, function, version, name, started_at, status, ended_at, wake_up, in_flight)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            commit.execution.as_bytes(),
            new.function.as_str(),
            new.version.to_string(),
            new.name.as_str(),
            new.started_at.as_millis(),
            head.status.as_str(),
            head.ended_at.map(Timestamp::as_millis),
            head.wake_up.map(Timestamp::as_millis),
            head.in_flight,
        ])?;
    if inserted == 1 {
        return Ok(connection.last_insert_rowid());
    }
    Err(Refusal::Rejected(match find(connection, &new.function, &new.name)? {
        Some(holder) => Error::NameTaken(holder),
        // The id is taken, by an execution of another name.
        None => Error::Conflict,
    }))
}

/// Adds the record, unless its version is not the next one: then it changes nothing.
///
/// The version before must be there, and the unique index has no room for one that is there already.
fn insert_record(connection: &Connection, row: i64, commit: &Prepared) -> rusqlite::Result<bool> {
    let inserted = connection
        .prepare_cached(
            "INSERT INTO records (execution, version, first_event_id, event_ids, record)
             SELECT ?1, ?2, ?3, ?4, ?5
             WHERE EXISTS (SELECT 1 FROM records WHERE execution = ?1 AND version = ?2 - 1)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![row, commit.version, commit.first_event_id, commit.event_ids, commit.record])?;
    Ok(inserted == 1)
}

fn update_head(connection: &Connection, row: i64, head: &Head) -> rusqlite::Result<()> {
    let Head { status, ended_at, wake_up, in_flight } = head;
    connection
        .prepare_cached(
            "UPDATE executions SET status = ?2, ended_at = ?3, wake_up = ?4, in_flight = ?5 WHERE row = ?1",
        )?
        .execute(params![
            row,
            status.as_str(),
            ended_at.map(Timestamp::as_millis),
            wake_up.map(Timestamp::as_millis),
            in_flight,
        ])?;
    Ok(())
}

fn insert_belongings(connection: &Connection, row: i64, commit: &Prepared) -> rusqlite::Result<Committed> {
    for (digest, text) in &commit.payloads {
        connection
            .prepare_cached(
                "INSERT INTO payloads (execution, digest, text) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute(params![row, digest.as_bytes(), text])?;
    }
    let effects = commit.effects.iter().map(|effect| insert_effect(connection, Some(row), commit.at, effect));
    Ok(Committed { effects: effects.collect::<rusqlite::Result<_>>()? })
}

fn insert_effect(
    connection: &Connection,
    execution: Option<i64>,
    due: Timestamp,
    effect: &str,
) -> rusqlite::Result<EffectId> {
    connection.prepare_cached("INSERT INTO effects (execution, due, effect) VALUES (?1, ?2, ?3)")?.execute(params![
        execution,
        due.as_millis(),
        effect
    ])?;
    Ok(EffectId(connection.last_insert_rowid()))
}

fn last_version(connection: &Connection, row: i64) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT ifnull(max(version), 0) FROM records WHERE execution = ?1")?
        .query_row([row], |row| row.get(0))
}

/// Returns the first event id of a version, and how many it has.
fn event_ids(connection: &Connection, row: i64, version: i64) -> rusqlite::Result<(u64, u64)> {
    connection
        .prepare_cached("SELECT first_event_id, event_ids FROM records WHERE execution = ?1 AND version = ?2")?
        .query_row([row, version], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Returns the last of the versions from 1 to `versions` for which `holds` is true, if it is for all before it; else 0.
fn partition(versions: i64, holds: impl Fn(i64) -> rusqlite::Result<bool>) -> rusqlite::Result<i64> {
    let (mut low, mut high) = (0, versions);
    while low < high {
        let middle = high - (high - low) / 2;
        if holds(middle)? {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(low)
}

pub(super) fn execution_id(row: &Row<'_>, column: usize) -> rusqlite::Result<ExecutionId> {
    row.get(column).map(ExecutionId::from_bytes)
}

fn json_column<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(params, |row| from_json(row, 0))?.collect()
}

fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| failure::unreadable(column, error))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("names, numbers and texts serialise")
}

/// Makes an integer that SQLite can hold; no version or event id is ever larger.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema;

    /// Says how SQLite goes about a query on empty tables, without statistics, as in real life.
    fn plan(sql: &str) -> String {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::MAIN.migrate(&mut connection, 0).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let unbound = vec![rusqlite::types::Null; statement.parameter_count()];
        let steps = statement.query_map(rusqlite::params_from_iter(unbound), |row| row.get::<_, String>(3)).unwrap();
        steps.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("; ")
    }

    #[test]
    fn task_loop_reads_through_its_indexes() {
        for (sql, index) in [
            (DUE, "SEARCH executions USING INDEX executions_by_wake_up"),
            (EFFECTS, "SEARCH effects USING INDEX effects_by_due"),
            (FIND, "SEARCH executions USING INDEX executions_by_name"),
        ] {
            let plan = plan(sql);
            assert!(plan.starts_with(index) && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    }

    #[test]
    fn in_flight_reads_only_those_in_flight() {
        let plan = plan(IN_FLIGHT);
        assert!(plan.contains("USING INDEX executions_in_flight"), "{plan}");
    }

    #[test]
    fn partition_finds_the_border_wherever_it_is() {
        for versions in 0..40 {
            for border in 0..=versions {
                assert_eq!(partition(versions, |version| Ok(version <= border)).unwrap(), border);
            }
        }
    }
}
