//! Random requests get the same answers from memory and from SQLite, which is reopened now and then.

use std::fmt::Debug;

use everstep_core::event::{Event, Outcome};
use everstep_core::id::{ExecutionId, FunctionName, Version};
use everstep_core::{Digest, Effect, ExecutionStatus, Payload, Record, Timestamp};
use everstep_store::conformance::sample::{at, effect, id, new, plain_invocation};
use everstep_store::memory::Memory;
use everstep_store::sqlite::Sqlite;
use everstep_store::{
    Catalog, Commit, EffectId, Error, Executions, Head, Kind, ListOrder, ListPosition, ListQuery, LogEvent,
    LogPosition, LogQuery, Logs, NewExecution, Revision,
};
use proptest::option;
use proptest::prelude::*;

/// A request to a store, or a restart of it.
#[derive(Clone, Debug)]
enum Request {
    Reopen,
    Create(NewExecution, Draft),
    Commit(Draft),
    Load(ExecutionId, u64),
    Records(ExecutionId, u64, u64, usize, bool),
    Payload(ExecutionId, Digest),
    Find(FunctionName, u8),
    List(ListQuery),
    Due(Timestamp, usize),
    InFlight,
    Delete(ExecutionId),
    AddEffect(Effect, Timestamp),
    Effects(Timestamp, usize),
    PostponeEffect(EffectId, Effect, Timestamp),
    FinishEffect(EffectId),
    Get(Kind, String),
    Put(Kind, String, Option<Revision>, String),
    DeleteDocument(Kind, String, Revision),
    ListDocuments(Kind, Option<String>, usize),
    Append(String, String, Vec<LogEvent>),
    CreateGroup(String),
    Groups(String),
    Read(LogQuery),
    Streams(String),
    DeleteGroup(String),
    Trim(String, Timestamp, usize),
}

/// A commit whose version is meant relative to what is there, so that many of them fit.
#[derive(Clone, Debug)]
struct Draft {
    execution: ExecutionId,
    /// Added to the version that fits.
    off_by: i64,
    event_ids: u64,
    text: String,
    head: Option<Head>,
    payloads: Vec<String>,
    effects: Vec<Effect>,
}

impl Draft {
    async fn commit(self, store: &Memory) -> Commit {
        let records = store.load(self.execution, u64::MAX).await.unwrap().unwrap_or_default();
        let version = (records.len() as u64 + 1).saturating_add_signed(self.off_by);
        let first_event_id = records.last().map_or(1, |last| last.first_event_id + last.event_ids);
        let outcome = Event::OutcomeFixed(Outcome::Succeeded(Some(Payload::from(self.text.as_str()))));
        let record = Record {
            version,
            at: at(version as i64),
            first_event_id,
            event_ids: self.event_ids,
            events: vec![outcome],
        };
        let payloads = self.payloads.iter().map(|text| (Digest::of(text), text.as_str().into())).collect();
        Commit { execution: self.execution, record, head: self.head, payloads, effects: self.effects }
    }
}

fn execution() -> impl Strategy<Value = ExecutionId> {
    (0..6_u64).prop_map(id)
}

fn point() -> impl Strategy<Value = Timestamp> {
    (-2..12_i64).prop_map(at)
}

fn limit() -> impl Strategy<Value = usize> {
    prop_oneof![0..5_usize, Just(usize::MAX)]
}

fn function() -> impl Strategy<Value = FunctionName> {
    prop::sample::select(vec!["f", "g"]).prop_map(|name| name.parse().unwrap())
}

fn version() -> impl Strategy<Value = Version> {
    prop::sample::select(vec![Version::Latest, Version::Number(1), Version::Number(10)])
}

fn status() -> impl Strategy<Value = ExecutionStatus> {
    prop::sample::select(vec![ExecutionStatus::Running, ExecutionStatus::TimedOut, ExecutionStatus::Succeeded])
}

fn new_execution() -> impl Strategy<Value = NewExecution> {
    (function(), version(), 0..4_u8, 0..6_i64).prop_map(|(function, version, name, started_at)| NewExecution {
        version,
        ..new(function.as_str(), &format!("n{name}"), started_at)
    })
}

fn head() -> impl Strategy<Value = Head> {
    (status(), option::of(point()), option::of(point()), any::<bool>())
        .prop_map(|(status, ended_at, wake_up, in_flight)| Head { status, ended_at, wake_up, in_flight })
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "\0", "\u{1f980}\"\\"]).prop_map(str::to_owned)
}

fn some_effect() -> impl Strategy<Value = Effect> {
    prop_oneof![execution().prop_map(|child| effect(child, "o")), text().prop_map(|text| plain_invocation(&text))]
}

fn draft() -> impl Strategy<Value = Draft> {
    (
        execution(),
        prop_oneof![6 => Just(0), 1 => -2..=2_i64],
        0..3_u64,
        text(),
        option::of(head()),
        prop::collection::vec(text(), 0..3),
        prop::collection::vec(some_effect(), 0..3),
    )
        .prop_map(|(execution, off_by, event_ids, text, head, payloads, effects)| Draft {
            execution,
            off_by,
            event_ids,
            text,
            head,
            payloads,
            effects,
        })
}

fn list_query() -> impl Strategy<Value = ListQuery> {
    let position = (point(), execution()).prop_map(|(started_at, execution)| ListPosition { started_at, execution });
    let chosen = (option::of(function()), option::of(version()), option::of(0..4_u8), option::of(status()));
    let range = (option::of(point()), option::of(point()), any::<bool>(), option::of(position), limit());
    (chosen, range).prop_map(|((function, version, name, status), (after, before, ascending, position, limit))| {
        ListQuery {
            function,
            version,
            name: name.map(|name| format!("n{name}").parse().unwrap()),
            status,
            started_after: after,
            started_before: before,
            order: if ascending { ListOrder::Ascending } else { ListOrder::Descending },
            after: position,
            limit,
        }
    })
}

fn execution_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        6 => (new_execution(), draft()).prop_map(|(new, draft)| Request::Create(new, draft)),
        12 => draft().prop_map(Request::Commit),
        2 => (execution(), 0..6_u64).prop_map(|(execution, version)| Request::Load(execution, version)),
        3 => (execution(), 0..8_u64, 0..8_u64, limit(), any::<bool>())
            .prop_map(|(execution, first, last, limit, newest)| Request::Records(execution, first, last, limit, newest)),
        2 => (execution(), text()).prop_map(|(execution, text)| Request::Payload(execution, Digest::of(&text))),
        1 => (function(), 0..4_u8).prop_map(|(function, name)| Request::Find(function, name)),
        5 => list_query().prop_map(Request::List),
        2 => (point(), limit()).prop_map(|(until, limit)| Request::Due(until, limit)),
        1 => Just(Request::InFlight),
        2 => execution().prop_map(Request::Delete),
        2 => (some_effect(), point()).prop_map(|(effect, due)| Request::AddEffect(effect, due)),
        2 => (point(), limit()).prop_map(|(until, limit)| Request::Effects(until, limit)),
        2 => (1..12_i64, some_effect(), point())
            .prop_map(|(id, effect, due)| Request::PostponeEffect(EffectId(id), effect, due)),
        2 => (1..12_i64).prop_map(|id| Request::FinishEffect(EffectId(id))),
    ]
}

fn catalog_request() -> impl Strategy<Value = Request> {
    let kind = || prop::sample::select(Kind::ALL.to_vec());
    let key = || prop::sample::select(vec!["", "a", "a/b", "ä", "b"]).prop_map(str::to_owned);
    let revision = || (1..8_i64).prop_map(Revision);
    prop_oneof![
        2 => (kind(), key()).prop_map(|(kind, key)| Request::Get(kind, key)),
        6 => (kind(), key(), option::of(revision()), text())
            .prop_map(|(kind, key, seen, body)| Request::Put(kind, key, seen, body)),
        2 => (kind(), key(), revision()).prop_map(|(kind, key, seen)| Request::DeleteDocument(kind, key, seen)),
        2 => (kind(), option::of(key()), limit())
            .prop_map(|(kind, after, limit)| Request::ListDocuments(kind, after, limit)),
    ]
}

fn log_request() -> impl Strategy<Value = Request> {
    let group = || prop::sample::select(vec!["", "/a", "/a/b", "z"]).prop_map(str::to_owned);
    let stream = || prop::sample::select(vec!["s", "t"]).prop_map(str::to_owned);
    let event = || (point(), text()).prop_map(|(at, message)| LogEvent { at, message });
    let position = || (0..12_i64).prop_map(LogPosition);
    prop_oneof![
        6 => (group(), stream(), prop::collection::vec(event(), 0..4))
            .prop_map(|(group, stream, events)| Request::Append(group, stream, events)),
        1 => group().prop_map(Request::CreateGroup),
        1 => group().prop_map(Request::Groups),
        5 => (
            group(),
            option::of(stream()),
            (option::of(point()), option::of(point())),
            (option::of(position()), option::of(position())),
            any::<bool>(),
            limit(),
        )
            .prop_map(|(group, stream, (from, until), (after, before), newest_first, limit)| {
                Request::Read(LogQuery { group, stream, from, until, after, before, newest_first, limit })
            }),
        1 => group().prop_map(Request::Streams),
        1 => group().prop_map(Request::DeleteGroup),
        2 => (group(), point(), 0..4_usize).prop_map(|(group, before, limit)| Request::Trim(group, before, limit)),
    ]
}

/// Asks one store, and says what it answered. Errors are compared by what a caller does about them.
async fn ask<S: Catalog + Executions + Logs>(store: &S, request: Asked) -> String {
    match request {
        Asked::Create(new, commit) => said(store.create(new, commit).await),
        Asked::Commit(commit) => said(store.commit(commit).await),
        Asked::Other(request) => match request {
            Request::Reopen | Request::Create(..) | Request::Commit(_) => unreachable!("they are asked otherwise"),
            Request::Load(execution, version) => said(store.load(execution, version).await),
            Request::Records(execution, first, last, limit, newest_first) => {
                said(store.records(execution, first, last, limit, newest_first).await)
            }
            Request::Payload(execution, digest) => said(store.payload(execution, digest).await),
            Request::Find(function, name) => said(store.find(&function, &format!("n{name}").parse().unwrap()).await),
            Request::List(query) => said(Executions::list(store, &query).await),
            Request::Due(until, limit) => said(store.due(until, limit).await),
            Request::InFlight => said(store.in_flight().await.map(|mut executions| {
                executions.sort_unstable();
                executions
            })),
            Request::Delete(execution) => said(Executions::delete(store, execution).await),
            Request::AddEffect(effect, due) => said(store.add_effect(effect, due).await),
            Request::Effects(until, limit) => said(store.effects(until, limit).await),
            Request::PostponeEffect(id, effect, due) => said(store.postpone_effect(id, effect, due).await),
            Request::FinishEffect(id) => said(store.finish_effect(id).await),
            Request::Get(kind, key) => said(store.get(kind, &key).await),
            Request::Put(kind, key, seen, body) => said(store.put(kind, &key, seen, body).await),
            Request::DeleteDocument(kind, key, seen) => said(Catalog::delete(store, kind, &key, seen).await),
            Request::ListDocuments(kind, after, limit) => {
                said(Catalog::list(store, kind, after.as_deref(), limit).await)
            }
            Request::Append(group, stream, events) => said(store.append(&group, &stream, events).await),
            Request::CreateGroup(group) => said(store.create_group(&group).await),
            Request::Groups(prefix) => said(store.groups(&prefix).await),
            Request::Read(query) => said(store.read(&query).await),
            Request::Streams(group) => said(store.streams(&group, "").await),
            Request::DeleteGroup(group) => said(store.delete_group(&group).await),
            Request::Trim(group, before, limit) => said(store.trim(&group, before, limit).await),
        },
    }
}

/// A request whose commit is fixed, so that both stores get the same.
#[derive(Clone)]
enum Asked {
    Create(NewExecution, Commit),
    Commit(Commit),
    Other(Request),
}

fn said<T: Debug>(answer: Result<T, Error>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(Error::Conflict) => "conflict".to_owned(),
        Err(Error::NameTaken(holder)) => format!("name taken by {holder}"),
        Err(error @ (Error::Unknown(_) | Error::Failed { .. })) => panic!("{error:?}"),
    }
}

/// Asks both stores the same, one request after the other.
fn check(requests: Vec<Request>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let memory = Memory::new();
        let mut sqlite = Some(Sqlite::open(directory.path()).unwrap());
        for request in requests {
            let shown = format!("{request:?}");
            let asked = match request {
                Request::Reopen => {
                    drop(sqlite.take());
                    sqlite = Some(Sqlite::open(directory.path()).unwrap());
                    continue;
                }
                Request::Create(new, draft) => Asked::Create(new, draft.commit(&memory).await),
                Request::Commit(draft) => Asked::Commit(draft.commit(&memory).await),
                other => Asked::Other(other),
            };
            let expected = ask(&memory, asked.clone()).await;
            let answer = ask(sqlite.as_ref().unwrap(), asked).await;
            assert_eq!(answer, expected, "{shown}");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn executions_are_the_same_on_both_engines(
        requests in prop::collection::vec(prop_oneof![40 => execution_request(), 1 => Just(Request::Reopen)], 1..150)
    ) {
        check(requests);
    }

    #[test]
    fn catalog_is_the_same_on_both_engines(
        requests in prop::collection::vec(prop_oneof![30 => catalog_request(), 1 => Just(Request::Reopen)], 1..80)
    ) {
        check(requests);
    }

    #[test]
    fn logs_are_the_same_on_both_engines(
        requests in prop::collection::vec(prop_oneof![30 => log_request(), 1 => Just(Request::Reopen)], 1..100)
    ) {
        check(requests);
    }
}
