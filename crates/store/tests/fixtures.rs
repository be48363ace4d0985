//! What earlier versions stored still loads.
//!
//! `fixtures/records.jsonl` and `fixtures/effects.jsonl` are written by hand: a line that was released is never
//! changed, and what is new gets a line of its own. `fixtures/*_v1.sql` are whole files of that schema with those
//! lines in them. To make them again after lines were added:
//! `cargo test -p everstep-store --test fixtures -- --ignored write_fixtures`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use everstep_core::event::{Ending, Event, NextToken, Outcome, StartMode};
use everstep_core::operation::{OperationType, callback, chained_invoke, context, step, wait};
use everstep_core::{Digest, Effect, ExecutionStatus, Payload, Record};
use everstep_store::conformance::sample::{at, commit, id, new, record};
use everstep_store::sqlite::Sqlite;
use everstep_store::{Catalog, Commit, Executions, Head, Kind, ListOrder, ListQuery, LogEvent, LogQuery, Logs};
use rusqlite::Connection;
use serde_json::Value;

const FILES: [(&str, &str); 2] = [("everstep.db", "everstep_v1.sql"), ("logs.db", "logs_v1.sql")];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn lines(name: &str) -> Vec<String> {
    fs::read_to_string(fixture(name)).unwrap().lines().map(str::to_owned).collect()
}

/// A payload that is too large for a record; the hand-written lines refer to it.
fn large() -> String {
    "x".repeat(5_000)
}

fn heads() -> impl Iterator<Item = (u64, Head)> {
    let head = |index: usize, status| Head {
        status,
        ended_at: (index % 2 == 1).then(|| at(100 + index as i64)),
        wake_up: index.is_multiple_of(3).then(|| at(200 + index as i64)),
        in_flight: index.is_multiple_of(4),
    };
    (1..).zip(ExecutionStatus::ALL.into_iter().enumerate().map(move |(index, status)| head(index, status)))
}

/// Fills a store with what the fixtures hold.
async fn fill(store: &Sqlite) {
    let records = lines("records.jsonl");
    let effects = lines("effects.jsonl");
    let parse = |line: &String| serde_json::from_str::<Effect>(line).unwrap();
    for (number, head) in heads() {
        let record = if number == 1 { serde_json::from_str(&records[0]).unwrap() } else { record(1) };
        let commit = Commit { record, head: Some(head), ..commit(id(number), 1) };
        store.create(new("orders", &format!("n{number}"), number as i64), commit).await.unwrap();
    }
    for line in &records[1..] {
        let record: Record = serde_json::from_str(line).unwrap();
        let owed = if record.version == 2 { effects[..2].iter().map(parse).collect() } else { Vec::new() };
        let payloads = vec![(Digest::of(&large()), large().into())];
        store.commit(Commit { record, payloads, effects: owed, ..commit(id(1), 1) }).await.unwrap();
    }
    for line in &effects[2..] {
        store.add_effect(parse(line), at(5_000)).await.unwrap();
    }
    for kind in Kind::ALL {
        store.put(kind, "key", None, format!("{{\"kind\":\"{}\"}}", kind.as_str())).await.unwrap();
    }
    let event = |millis, message: &str| LogEvent { at: at(millis), message: message.to_owned() };
    store.append("/aws/lambda/orders", "s", vec![event(2, "one"), event(1, "zwei \u{1f980}")]).await.unwrap();
    store.create_group("/empty").await.unwrap();
}

/// Writes a database as SQL: its tables, their rows, its version.
fn dump(connection: &Connection) -> String {
    let mut sql = tables(connection);
    let names = strings(connection, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    for table in names {
        let columns = strings(connection, &format!("SELECT name FROM pragma_table_info('{table}')"));
        let quoted: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
        let rows = strings(connection, &format!("SELECT {} FROM {table} ORDER BY rowid", quoted.join(" || ', ' || ")));
        for row in rows {
            sql.push_str(&format!("INSERT INTO {table} ({}) VALUES ({row});\n", columns.join(", ")));
        }
    }
    for pragma in ["application_id", "user_version"] {
        let value: i64 = connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
        sql.push_str(&format!("PRAGMA {pragma} = {value};\n"));
    }
    sql
}

/// Writes the tables and indexes of a database as SQL.
fn tables(connection: &Connection) -> String {
    let own =
        "SELECT sql || ';\n' FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    strings(connection, own).concat()
}

fn strings(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Makes the files of a fixture.
fn restore(directory: &Path) {
    for (file, sql) in FILES {
        let connection = Connection::open(directory.join(file)).unwrap();
        connection.execute_batch(&fs::read_to_string(fixture(sql)).unwrap()).unwrap();
    }
}

#[tokio::test]
#[ignore = "writes the fixtures instead of checking them"]
async fn write_fixtures() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path()).unwrap();
    fill(&store).await;
    drop(store);
    for (file, sql) in FILES {
        let connection = Connection::open(directory.path().join(file)).unwrap();
        if file == "everstep.db" {
            // As they were written by hand, not as today's code says the same.
            for (line, version) in lines("records.jsonl").iter().zip(1_i64..) {
                let update = "UPDATE records SET record = ?1 WHERE version = ?2 AND execution = 1";
                assert_eq!(connection.execute(update, (line, version)).unwrap(), 1);
            }
            for (line, id) in lines("effects.jsonl").iter().zip(1_i64..) {
                assert_eq!(connection.execute("UPDATE effects SET effect = ?1 WHERE id = ?2", (line, id)).unwrap(), 1);
            }
        }
        fs::write(fixture(sql), dump(&connection)).unwrap();
    }
}

/// Tells whether everything that was stored is in what was read. What was read may have more: fields that were
/// added since, with their defaults.
fn assert_kept(stored: &Value, read: &Value) {
    match (stored, read) {
        (Value::Object(stored), Value::Object(read)) => {
            for (key, value) in stored {
                assert_kept(value, read.get(key).unwrap_or_else(|| panic!("`{key}` is lost in {read:?}")));
            }
        }
        (Value::Array(stored), Value::Array(read)) => {
            assert_eq!(stored.len(), read.len());
            stored.iter().zip(read).for_each(|(stored, read)| assert_kept(stored, read));
        }
        (stored, read) => assert_eq!(stored, read),
    }
}

#[tokio::test]
async fn schema_1_loads_with_all_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    restore(directory.path());
    let store = Sqlite::open(directory.path()).unwrap();

    let records = store.load(id(1), u64::MAX).await.unwrap().unwrap();
    let hand_written = lines("records.jsonl");
    assert_eq!(records.len(), hand_written.len());
    for (record, line) in records.iter().zip(&hand_written) {
        assert_kept(&serde_json::from_str(line).unwrap(), &serde_json::to_value(record).unwrap());
    }
    assert_eq!(store.payload(id(1), Digest::of(&large())).await.unwrap().as_deref(), Some(large().as_str()));

    let effects = store.effects(at(i64::MAX), usize::MAX).await.unwrap();
    let hand_written = lines("effects.jsonl");
    assert_eq!(effects.len(), hand_written.len());
    for (stored, line) in effects.iter().zip(&hand_written) {
        assert_kept(&serde_json::from_str(line).unwrap(), &serde_json::to_value(&stored.effect).unwrap());
    }

    let everything = ListQuery {
        function: None,
        version: None,
        name: None,
        status: None,
        started_after: None,
        started_before: None,
        order: ListOrder::Ascending,
        after: None,
        limit: usize::MAX,
    };
    let listed = Executions::list(&store, &everything).await.unwrap();
    let due = store.due(at(i64::MAX), usize::MAX).await.unwrap();
    let in_flight = store.in_flight().await.unwrap();
    assert_eq!(listed.len(), ExecutionStatus::ALL.len());
    for (listed, (number, head)) in listed.iter().zip(heads()) {
        assert_eq!(listed.execution, id(number));
        assert_eq!(listed.new, new("orders", &format!("n{number}"), number as i64));
        assert_eq!((listed.status, listed.ended_at), (head.status, head.ended_at));
        let wake_up = due.iter().find(|due| due.execution == id(number)).map(|due| due.wake_up);
        assert_eq!(wake_up, head.wake_up);
        assert_eq!(in_flight.contains(&id(number)), head.in_flight);
    }

    // What later versions added is not in there.
    for kind in [Kind::Function, Kind::AccessKey, Kind::TokenKey] {
        let document = store.get(kind, "key").await.unwrap().unwrap();
        assert_eq!(document.body, format!("{{\"kind\":\"{}\"}}", kind.as_str()));
    }
    assert_eq!(store.groups("").await.unwrap(), ["/aws/lambda/orders", "/empty"]);
    let events = store.read(&LogQuery::all("/aws/lambda/orders", 10)).await.unwrap();
    let messages: Vec<&str> = events.iter().map(|stored| stored.event.message.as_str()).collect();
    assert_eq!(messages, ["one", "zwei \u{1f980}"]);
}

#[tokio::test]
async fn schema_1_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    restore(directory.path());
    let store = Sqlite::open(directory.path()).unwrap();
    let versions = store.load(id(1), u64::MAX).await.unwrap().unwrap().len() as u64;
    let last_effect = store.effects(at(i64::MAX), usize::MAX).await.unwrap().into_iter().map(|stored| stored.id).max();
    let owed = store.effects(at(i64::MAX), 1).await.unwrap().remove(0).effect;
    let next = Commit { record: record(versions + 1), effects: vec![owed], ..commit(id(1), versions + 1) };
    let committed = store.commit(next).await.unwrap();
    assert!(committed.effects.iter().max() > last_effect.iter().max());
    assert!(Executions::delete(&store, id(1)).await.unwrap());
    store.create(new("orders", "n1", 0), commit(id(1), 1)).await.unwrap();
    store.append("/empty", "s", vec![LogEvent { at: at(1), message: "first".to_owned() }]).await.unwrap();
}

#[tokio::test]
async fn tables_of_today_are_those_of_the_newest_fixture() {
    let fresh = tempfile::tempdir().unwrap();
    drop(Sqlite::open(fresh.path()).unwrap());
    let stored = tempfile::tempdir().unwrap();
    restore(stored.path());
    for (file, _) in FILES {
        let tables = [&fresh, &stored].map(|directory| tables(&Connection::open(directory.path().join(file)).unwrap()));
        assert_eq!(tables[0], tables[1], "{file}: a released step was changed; add a step and a fixture instead");
    }
}

/// Declares the variants of an enum once, as a list and as a `match`: a new variant does not compile until it is
/// listed, and then not pass until a hand-written line has it.
macro_rules! variants {
    ($function:ident, $all:ident, $type:ty: $($name:literal $pattern:pat,)*) => {
        const $all: &[&str] = &[$($name),*];

        fn $function(value: &$type) -> &'static str {
            match value {
                $($pattern => $name,)*
            }
        }
    };
}

variants!(event, EVENTS, Event:
    "ExecutionStarted" Event::ExecutionStarted(_),
    "OperationAdded" Event::OperationAdded(_),
    "Step" Event::Step { .. },
    "Wait" Event::Wait { .. },
    "Callback" Event::Callback { .. },
    "Context" Event::Context { .. },
    "ChainedInvoke" Event::ChainedInvoke { .. },
    "InvocationStarted" Event::InvocationStarted { .. },
    "CheckpointAccepted" Event::CheckpointAccepted { .. },
    "InvocationCompleted" Event::InvocationCompleted(_),
    "OutcomeFixed" Event::OutcomeFixed(_),
    "ExecutionSucceeded" Event::ExecutionSucceeded { .. },
    "ExecutionFailed" Event::ExecutionFailed { .. },
    "ExecutionTimedOut" Event::ExecutionTimedOut { .. },
    "ExecutionStopped" Event::ExecutionStopped { .. },
    "PauseRequested" Event::PauseRequested(_),
    "ExecutionPaused" Event::ExecutionPaused(_),
    "ExecutionResumed" Event::ExecutionResumed { .. },
    "PauseCancelled" Event::PauseCancelled { .. },
    "DeletionRequested" Event::DeletionRequested,
);

variants!(step_event, STEP_EVENTS, step::Event:
    "step::Started" step::Event::Started,
    "step::Succeeded" step::Event::Succeeded { .. },
    "step::Failed" step::Event::Failed { .. },
    "step::Ready" step::Event::Ready,
);

variants!(wait_event, WAIT_EVENTS, wait::Event:
    "wait::Started" wait::Event::Started { .. },
    "wait::Succeeded" wait::Event::Succeeded,
    "wait::Cancelled" wait::Event::Cancelled { .. },
);

variants!(callback_event, CALLBACK_EVENTS, callback::Event:
    "callback::Started" callback::Event::Started { .. },
    "callback::Heartbeat" callback::Event::Heartbeat,
    "callback::Succeeded" callback::Event::Succeeded { .. },
    "callback::Failed" callback::Event::Failed { .. },
    "callback::TimedOut" callback::Event::TimedOut { .. },
);

variants!(context_event, CONTEXT_EVENTS, context::Event:
    "context::Started" context::Event::Started,
    "context::Succeeded" context::Event::Succeeded { .. },
    "context::Failed" context::Event::Failed { .. },
);

variants!(chained_invoke_event, CHAINED_INVOKE_EVENTS, chained_invoke::Event:
    "chained_invoke::Started" chained_invoke::Event::Started(_),
    "chained_invoke::Succeeded" chained_invoke::Event::Succeeded { .. },
    "chained_invoke::Failed" chained_invoke::Event::Failed { .. },
    "chained_invoke::TimedOut" chained_invoke::Event::TimedOut { .. },
    "chained_invoke::Stopped" chained_invoke::Event::Stopped { .. },
    "chained_invoke::Cancelled" chained_invoke::Event::Cancelled,
);

variants!(target, TARGETS, chained_invoke::Target:
    "Target::Durable" chained_invoke::Target::Durable(_),
    "Target::Plain" chained_invoke::Target::Plain { .. },
    "Target::Refused" chained_invoke::Target::Refused(_),
);

variants!(operation_type, OPERATION_TYPES, OperationType:
    "OperationType::Execution" OperationType::Execution,
    "OperationType::Context" OperationType::Context,
    "OperationType::Step" OperationType::Step,
    "OperationType::Wait" OperationType::Wait,
    "OperationType::Callback" OperationType::Callback,
    "OperationType::ChainedInvoke" OperationType::ChainedInvoke,
);

variants!(start_mode, START_MODES, StartMode:
    "StartMode::Sync" StartMode::Sync,
    "StartMode::Async" StartMode::Async,
);

variants!(next_token, NEXT_TOKENS, NextToken:
    "NextToken::Given" NextToken::Given,
    "NextToken::WithheldByPause" NextToken::WithheldByPause,
    "NextToken::WithheldByOutcome" NextToken::WithheldByOutcome,
);

variants!(ending, ENDINGS, Ending:
    "Ending::Clean" Ending::Clean,
    "Ending::Failed" Ending::Failed,
    "Ending::Lost" Ending::Lost,
);

variants!(outcome, OUTCOMES, Outcome:
    "Outcome::Succeeded" Outcome::Succeeded(_),
    "Outcome::Failed" Outcome::Failed(_),
    "Outcome::TimedOut" Outcome::TimedOut(_),
    "Outcome::Stopped" Outcome::Stopped(_),
);

variants!(payload, PAYLOADS, Payload:
    "Payload::Inline" Payload::Inline(_),
    "Payload::Stored" Payload::Stored { .. },
);

variants!(effect, EFFECTS, Effect:
    "StartChainedInvoke" Effect::StartChainedInvoke(_),
    "TellParent" Effect::TellParent { .. },
    "TellDestination" Effect::TellDestination(_),
    "InvokePlain" Effect::InvokePlain(_),
    "StartExecution" Effect::StartExecution(_),
);

/// Names the variants in an event that say more than the event's own.
fn inner(event: &Event) -> Vec<&'static str> {
    match event {
        Event::ExecutionStarted(start) => vec![start_mode(&start.mode)],
        Event::OperationAdded(opening) => vec![operation_type(&opening.operation_type)],
        Event::Step { event, .. } => {
            let mut names = vec![step_event(event)];
            if let step::Event::Succeeded { result: Some(result), .. } = event {
                names.push(payload(result));
            }
            names
        }
        Event::Wait { event, .. } => vec![wait_event(event)],
        Event::Callback { event, .. } => vec![callback_event(event)],
        Event::Context { event, .. } => vec![context_event(event)],
        Event::ChainedInvoke { event, .. } => {
            let mut names = vec![chained_invoke_event(event)];
            if let chained_invoke::Event::Started(request) = event {
                names.push(target(&request.target));
            }
            names
        }
        Event::CheckpointAccepted { token, .. } => vec![next_token(token)],
        Event::InvocationCompleted(completed) => vec![ending(&completed.ending)],
        Event::OutcomeFixed(fixed) => vec![outcome(fixed)],
        Event::InvocationStarted { .. }
        | Event::ExecutionSucceeded { .. }
        | Event::ExecutionFailed { .. }
        | Event::ExecutionTimedOut { .. }
        | Event::ExecutionStopped { .. }
        | Event::PauseRequested(_)
        | Event::ExecutionPaused(_)
        | Event::ExecutionResumed { .. }
        | Event::PauseCancelled { .. }
        | Event::DeletionRequested => Vec::new(),
    }
}

#[test]
fn hand_written_lines_have_every_variant() {
    let mut seen = BTreeSet::new();
    for line in lines("records.jsonl") {
        let record: Record = serde_json::from_str(&line).unwrap();
        for stored in &record.events {
            seen.insert(event(stored));
            seen.extend(inner(stored));
        }
    }
    for line in lines("effects.jsonl") {
        seen.insert(effect(&serde_json::from_str(&line).unwrap()));
    }
    let all = [
        EVENTS,
        STEP_EVENTS,
        WAIT_EVENTS,
        CALLBACK_EVENTS,
        CONTEXT_EVENTS,
        CHAINED_INVOKE_EVENTS,
        TARGETS,
        OPERATION_TYPES,
        START_MODES,
        NEXT_TOKENS,
        ENDINGS,
        OUTCOMES,
        PAYLOADS,
        EFFECTS,
    ]
    .concat();
    let missing: Vec<&str> = all.into_iter().filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "no line has {missing:?}");
}
