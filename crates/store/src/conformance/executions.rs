//! The suite of [`Executions`].

use std::sync::Arc;

use everstep_core::id::{ExecutionId, Version};
use everstep_core::{Digest, ExecutionStatus, Record, Timestamp};

use super::run;
use super::sample::{at, commit, effect, id, new, plain_invocation, record};
use crate::error::Error;
use crate::executions::{
    Commit, Due, EffectId, Executions, Head, ListOrder, ListPosition, ListQuery, Listed, NewExecution, StoredEffect,
};

/// Checks the guarantees of [`Executions`].
///
/// # Panics
/// If one is not kept.
pub async fn executions(store: Arc<dyn Executions>) {
    run!(
        store,
        clear,
        what_is_committed_is_loaded,
        each_read_sees_the_commit_before_it,
        unknown_execution_is_none,
        second_commit_of_a_version_conflicts,
        skipped_version_conflicts,
        commit_to_unknown_execution_conflicts,
        refused_commit_leaves_nothing,
        one_of_rival_commits_succeeds,
        conflict_fails_nobody_else,
        taken_name_says_who_has_it,
        refused_creation_leaves_nothing,
        names_are_unique_within_a_function_only,
        one_of_rival_creators_succeeds,
        creation_makes_version_one_of_a_new_id,
        name_finds_its_execution,
        payloads_belong_to_their_execution,
        payload_of_any_text_comes_back,
        records_are_found_by_event_id,
        head_changes_only_when_given,
        due_are_the_earliest_first,
        in_flight_are_those_whose_head_says_so,
        effects_of_a_commit_are_due_at_once,
        effects_come_in_the_order_of_their_time,
        postponed_effect_changes,
        finished_effect_is_gone,
        effect_ids_are_never_reused,
        deleted_execution_is_gone_with_all_it_had,
        deletion_leaves_others_alone,
        list_chooses_by_every_field,
        list_pages_are_complete_in_both_orders,
    );
}

async fn clear(store: &Arc<dyn Executions>) {
    for listed in store.list(&anything()).await.unwrap() {
        assert!(store.delete(listed.execution).await.unwrap());
    }
    for stored in effects(store).await {
        store.finish_effect(stored.id).await.unwrap();
    }
}

const END_OF_TIME: Timestamp = Timestamp::from_millis(i64::MAX);

fn anything() -> ListQuery {
    ListQuery {
        function: None,
        version: None,
        name: None,
        status: None,
        started_after: None,
        started_before: None,
        order: ListOrder::Ascending,
        after: None,
        limit: usize::MAX,
    }
}

fn head(wake_up: Option<i64>, in_flight: bool) -> Head {
    Head { wake_up: wake_up.map(at), in_flight, ..Head::AT_BIRTH }
}

fn payload(text: &str) -> (Digest, Arc<str>) {
    (Digest::of(text), Arc::from(text))
}

fn assert_conflict<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Conflict)), "{result:?} is no conflict");
}

fn assert_taken<T: std::fmt::Debug>(result: Result<T, Error>, by: ExecutionId) {
    assert!(matches!(result, Err(Error::NameTaken(holder)) if holder == by), "{result:?} is not taken by {by}");
}

/// Creates execution `number` of function `f`, named and started by its number.
async fn create(store: &Arc<dyn Executions>, number: u64) -> ExecutionId {
    store.create(new("f", &format!("n{number}"), number as i64), commit(id(number), 1)).await.unwrap();
    id(number)
}

async fn versions(store: &Arc<dyn Executions>, execution: ExecutionId) -> Option<Vec<u64>> {
    let records = store.load(execution, u64::MAX).await.unwrap();
    records.map(|records| records.iter().map(|record| record.version).collect())
}

async fn effects(store: &Arc<dyn Executions>) -> Vec<StoredEffect> {
    store.effects(END_OF_TIME, usize::MAX).await.unwrap()
}

async fn listed(store: &Arc<dyn Executions>, query: &ListQuery) -> Vec<ExecutionId> {
    store.list(query).await.unwrap().into_iter().map(|listed| listed.execution).collect()
}

async fn due(store: &Arc<dyn Executions>) -> Vec<ExecutionId> {
    store.due(END_OF_TIME, usize::MAX).await.unwrap().into_iter().map(|due| due.execution).collect()
}

async fn what_is_committed_is_loaded(store: Arc<dyn Executions>) {
    let execution = create(&store, 1).await;
    for version in 2..=5 {
        store.commit(commit(execution, version)).await.unwrap();
    }
    let all: Vec<Record> = (1..=5).map(record).collect();
    assert_eq!(store.load(execution, u64::MAX).await.unwrap().as_deref(), Some(&all[..]));
    assert_eq!(store.load(execution, 5).await.unwrap().as_deref(), Some(&all[..]));
    assert_eq!(store.load(execution, 3).await.unwrap().as_deref(), Some(&all[..3]));
    assert_eq!(store.load(execution, 0).await.unwrap().as_deref(), Some(&all[..0]));
}

async fn each_read_sees_the_commit_before_it(store: Arc<dyn Executions>) {
    let execution = create(&store, 1).await;
    for version in 2..=50 {
        let wake_up = version as i64;
        store.commit(Commit { head: Some(head(Some(wake_up), false)), ..commit(execution, version) }).await.unwrap();
        assert_eq!(versions(&store, execution).await.unwrap().last(), Some(&version));
        assert_eq!(store.due(END_OF_TIME, 1).await.unwrap(), [Due { execution, wake_up: at(wake_up) }]);
    }
}

async fn unknown_execution_is_none(store: Arc<dyn Executions>) {
    create(&store, 1).await;
    assert_eq!(store.load(id(2), u64::MAX).await.unwrap(), None);
    assert_eq!(store.payload(id(2), Digest::of("")).await.unwrap(), None);
    assert!(store.records(id(2), 0, u64::MAX, 10, false).await.unwrap().is_empty());
    assert!(!store.delete(id(2)).await.unwrap());
}

async fn second_commit_of_a_version_conflicts(store: Arc<dyn Executions>) {
    let execution = create(&store, 1).await;
    assert_conflict(store.commit(commit(execution, 1)).await);
    store.commit(commit(execution, 2)).await.unwrap();
    assert_conflict(store.commit(commit(execution, 2)).await);
    assert_conflict(store.commit(commit(execution, 1)).await);
    assert_eq!(versions(&store, execution).await, Some(vec![1, 2]));
}

async fn skipped_version_conflicts(store: Arc<dyn Executions>) {
    let execution = create(&store, 1).await;
    for version in [0, 3, 4, 1_000_000] {
        assert_conflict(store.commit(commit(execution, version)).await);
    }
    assert_eq!(versions(&store, execution).await, Some(vec![1]));
}

async fn commit_to_unknown_execution_conflicts(store: Arc<dyn Executions>) {
    for version in [1, 2] {
        assert_conflict(store.commit(commit(id(1), version)).await);
    }
    assert_eq!(store.load(id(1), u64::MAX).await.unwrap(), None);
}

async fn refused_commit_leaves_nothing(store: Arc<dyn Executions>) {
    let execution = create(&store, 1).await;
    let before = store.list(&anything()).await.unwrap();
    let refused = Commit {
        head: Some(Head { status: ExecutionStatus::Failed, ..head(Some(1), true) }),
        payloads: vec![payload("refused")],
        effects: vec![effect(execution, "refused")],
        ..commit(execution, 1)
    };
    assert_conflict(store.commit(refused.clone()).await);
    assert_conflict(store.commit(Commit { record: record(3), ..refused }).await);
    assert_eq!(store.load(execution, u64::MAX).await.unwrap(), Some(vec![record(1)]));
    assert_eq!(store.list(&anything()).await.unwrap(), before);
    assert!(due(&store).await.is_empty());
    assert!(store.in_flight().await.unwrap().is_empty());
    assert_eq!(store.payload(execution, Digest::of("refused")).await.unwrap(), None);
    assert!(effects(&store).await.is_empty());
}

async fn one_of_rival_commits_succeeds(store: Arc<dyn Executions>) {
    let execution = create(&store, 1).await;
    for version in 2..=10 {
        let rivals = (0..8).map(|rival| {
            let store = Arc::clone(&store);
            let at = at(rival);
            let commit = Commit { record: Record { at, ..record(version) }, ..commit(execution, version) };
            tokio::spawn(async move { store.commit(commit).await.map(|_| at) })
        });
        let mut winners = Vec::new();
        for rival in rivals.collect::<Vec<_>>() {
            match rival.await.unwrap() {
                Ok(at) => winners.push(at),
                result => assert_conflict(result),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(store.load(execution, version).await.unwrap().unwrap().last().unwrap().at, winners[0]);
    }
}

async fn conflict_fails_nobody_else(store: Arc<dyn Executions>) {
    for number in 0..32 {
        create(&store, number).await;
    }
    let commits = (0..32).flat_map(|number| {
        // A good one among a stale one, one from the future, one to nowhere and a taken name.
        let versions = [(number, 1), (number, 2), (number, 9), (number + 1_000, 2)];
        versions.map(|(number, version)| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.commit(commit(id(number), version)).await.is_ok() })
        })
    });
    let commits: Vec<_> = commits.collect();
    let taken = store.create(new("f", "n1", 0), commit(id(2_000), 1)).await;
    assert_taken(taken, id(1));
    for (index, committing) in commits.into_iter().enumerate() {
        assert_eq!(committing.await.unwrap(), index % 4 == 1);
    }
    for number in 0..32 {
        assert_eq!(versions(&store, id(number)).await, Some(vec![1, 2]));
    }
}

async fn taken_name_says_who_has_it(store: Arc<dyn Executions>) {
    let holder = create(&store, 1).await;
    assert_taken(store.create(new("f", "n1", 5), commit(id(2), 1)).await, holder);
    assert_taken(store.create(new("f", "n1", 1), commit(holder, 1)).await, holder);
}

async fn refused_creation_leaves_nothing(store: Arc<dyn Executions>) {
    let holder = create(&store, 1).await;
    let refused = Commit {
        head: Some(head(Some(1), true)),
        payloads: vec![payload("refused")],
        effects: vec![effect(id(2), "refused")],
        ..commit(id(2), 1)
    };
    assert_taken(store.create(new("f", "n1", 5), refused.clone()).await, holder);
    assert_conflict(store.create(new("f", "free", 5), Commit { record: record(2), ..refused }).await);
    assert_eq!(store.load(id(2), u64::MAX).await.unwrap(), None);
    assert_eq!(listed(&store, &anything()).await, [holder]);
    assert_eq!(store.payload(id(2), Digest::of("refused")).await.unwrap(), None);
    assert!(due(&store).await.is_empty());
    assert!(store.in_flight().await.unwrap().is_empty());
    assert!(effects(&store).await.is_empty());
    assert_eq!(versions(&store, holder).await, Some(vec![1]));
}

async fn names_are_unique_within_a_function_only(store: Arc<dyn Executions>) {
    for (number, function, name) in [(1, "f", "n"), (2, "g", "n"), (3, "f", "N"), (4, "f", "m")] {
        store.create(new(function, name, 0), commit(id(number), 1)).await.unwrap();
    }
    assert_eq!(listed(&store, &anything()).await, [id(1), id(2), id(3), id(4)]);
}

async fn one_of_rival_creators_succeeds(store: Arc<dyn Executions>) {
    let rivals = (0..8).map(|rival| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.create(new("f", "n", 0), commit(id(rival), 1)).await })
    });
    let mut losers = Vec::new();
    let mut winners = Vec::new();
    for (rival, creating) in rivals.collect::<Vec<_>>().into_iter().enumerate() {
        match creating.await.unwrap() {
            Ok(_) => winners.push(id(rival as u64)),
            result => losers.push(result),
        }
    }
    assert_eq!(winners.len(), 1);
    losers.into_iter().for_each(|result| assert_taken(result, winners[0]));
    assert_eq!(listed(&store, &anything()).await, winners);
}

async fn creation_makes_version_one_of_a_new_id(store: Arc<dyn Executions>) {
    for version in [0, 2] {
        assert_conflict(store.create(new("f", "n", 0), commit(id(1), version)).await);
    }
    store.create(new("f", "n", 0), commit(id(1), 1)).await.unwrap();
    assert_conflict(store.create(new("f", "another", 0), commit(id(1), 1)).await);
    assert_eq!(versions(&store, id(1)).await, Some(vec![1]));
    assert_eq!(listed(&store, &anything()).await, [id(1)]);
}

async fn name_finds_its_execution(store: Arc<dyn Executions>) {
    let execution = create(&store, 1).await;
    let find = async |function: &str, name: &str| {
        store.find(&function.parse().unwrap(), &name.parse().unwrap()).await.unwrap()
    };
    assert_eq!(find("f", "n1").await, Some(execution));
    assert_eq!(find("f", "n2").await, None);
    assert_eq!(find("g", "n1").await, None);
}

async fn payloads_belong_to_their_execution(store: Arc<dyn Executions>) {
    let execution = create(&store, 1).await;
    let other = create(&store, 2).await;
    let payloads = vec![payload("a"), payload("b"), payload("a")];
    store.commit(Commit { payloads, ..commit(execution, 2) }).await.unwrap();
    store.commit(Commit { payloads: vec![payload("b"), payload("c")], ..commit(execution, 3) }).await.unwrap();
    for text in ["a", "b", "c"] {
        assert_eq!(store.payload(execution, Digest::of(text)).await.unwrap().as_deref(), Some(text));
        assert_eq!(store.payload(other, Digest::of(text)).await.unwrap(), None);
    }
    assert_eq!(store.payload(execution, Digest::of("d")).await.unwrap(), None);
    let created = Commit { payloads: vec![payload("a")], ..commit(id(3), 1) };
    store.create(new("f", "n3", 0), created).await.unwrap();
    assert_eq!(store.payload(id(3), Digest::of("a")).await.unwrap().as_deref(), Some("a"));
}

async fn payload_of_any_text_comes_back(store: Arc<dyn Executions>) {
    let execution = create(&store, 1).await;
    let texts = ["".to_owned(), "\0".to_owned(), "ä\u{1f980}\r\n\0\"'".to_owned(), "0123456789".repeat(300_000)];
    let payloads = texts.iter().map(|text| payload(text)).collect();
    store.commit(Commit { payloads, ..commit(execution, 2) }).await.unwrap();
    for text in &texts {
        let stored = store.payload(execution, Digest::of(text)).await.unwrap();
        assert!(stored.as_deref() == Some(text), "a text of {} bytes", text.len());
    }
}

async fn records_are_found_by_event_id(store: Arc<dyn Executions>) {
    let execution = id(1);
    // Version and how many event ids it has: 1 has 1..=3, 3 has 4, 4 has 5..=6, 6 has 7.
    let counts = [(1, 3), (2, 0), (3, 1), (4, 2), (5, 0), (6, 1), (7, 0)];
    let mut first_event_id = 1;
    for (version, event_ids) in counts {
        let record = Record { first_event_id, event_ids, ..record(version) };
        let commit = Commit { record, ..commit(execution, version) };
        if version == 1 {
            store.create(new("f", "n", 0), commit).await.unwrap();
        } else {
            store.commit(commit).await.unwrap();
        }
        first_event_id += event_ids;
    }
    for ((first, last, limit), expected) in [
        ((1, 7, 10), vec![1, 3, 4, 6]),
        ((0, u64::MAX, 10), vec![1, 3, 4, 6]),
        ((1, 1, 10), vec![1]),
        ((3, 4, 10), vec![1, 3]),
        ((4, 4, 10), vec![3]),
        ((4, 5, 10), vec![3, 4]),
        ((6, 6, 10), vec![4]),
        ((6, 7, 10), vec![4, 6]),
        ((8, 9, 10), vec![]),
        ((5, 4, 10), vec![]),
        ((1, 7, 0), vec![]),
    ] {
        let found = async |limit, newest_first| -> Vec<u64> {
            let records = store.records(execution, first, last, limit, newest_first).await.unwrap();
            records.iter().map(|record| record.version).collect()
        };
        assert_eq!(found(limit, false).await, expected, "from {first} to {last}");
        let backwards: Vec<u64> = expected.iter().rev().copied().collect();
        assert_eq!(found(limit, true).await, backwards, "from {last} down to {first}");
        let one = limit.min(1);
        assert_eq!(found(one, false).await, expected[..one.min(expected.len())]);
        assert_eq!(found(one, true).await, backwards[..one.min(expected.len())]);
    }
}

async fn head_changes_only_when_given(store: Arc<dyn Executions>) {
    let execution = create(&store, 1).await;
    let standing = async || {
        let listed = store.list(&anything()).await.unwrap();
        (listed[0].status, listed[0].ended_at, due(&store).await.len(), store.in_flight().await.unwrap().len())
    };
    assert_eq!(standing().await, (ExecutionStatus::Running, None, 0, 0));
    store.commit(Commit { head: Some(head(Some(5), true)), ..commit(execution, 2) }).await.unwrap();
    assert_eq!(standing().await, (ExecutionStatus::Running, None, 1, 1));
    store.commit(commit(execution, 3)).await.unwrap();
    assert_eq!(standing().await, (ExecutionStatus::Running, None, 1, 1));
    let statuses = [
        ExecutionStatus::Pausing,
        ExecutionStatus::Paused,
        ExecutionStatus::Failed,
        ExecutionStatus::TimedOut,
        ExecutionStatus::Stopped,
        ExecutionStatus::Succeeded,
        ExecutionStatus::Deleting,
    ];
    for (status, version) in statuses.into_iter().zip(4..) {
        let ended = Head { status, ended_at: Some(at(version as i64)), ..Head::AT_BIRTH };
        store.commit(Commit { head: Some(ended), ..commit(execution, version) }).await.unwrap();
        assert_eq!(standing().await, (status, Some(at(version as i64)), 0, 0));
    }
}

async fn due_are_the_earliest_first(store: Arc<dyn Executions>) {
    for (number, wake_up) in [(1, Some(30)), (2, Some(10)), (3, None), (4, Some(20)), (5, Some(-5))] {
        let commit = Commit { head: Some(head(wake_up, false)), ..commit(id(number), 1) };
        store.create(new("f", &format!("n{number}"), 0), commit).await.unwrap();
    }
    let due = async |until, limit| store.due(at(until), limit).await.unwrap();
    let expected = [(5, -5), (2, 10), (4, 20), (1, 30)]
        .map(|(number, wake_up)| Due { execution: id(number), wake_up: at(wake_up) });
    assert_eq!(due(30, 10).await, expected);
    assert_eq!(due(29, 10).await, expected[..3]);
    assert_eq!(due(20, 10).await, expected[..3]);
    assert_eq!(due(30, 2).await, expected[..2]);
    assert_eq!(due(30, 0).await, expected[..0]);
    assert_eq!(due(-6, 10).await, expected[..0]);
    store.commit(Commit { head: Some(head(Some(15), false)), ..commit(id(5), 2) }).await.unwrap();
    store.commit(Commit { head: Some(head(None, false)), ..commit(id(2), 2) }).await.unwrap();
    let expected =
        [(5, 15), (4, 20), (1, 30)].map(|(number, wake_up)| Due { execution: id(number), wake_up: at(wake_up) });
    assert_eq!(due(30, 10).await, expected);
}

async fn in_flight_are_those_whose_head_says_so(store: Arc<dyn Executions>) {
    for number in 1..=4 {
        let commit = Commit { head: Some(head(None, number % 2 == 0)), ..commit(id(number), 1) };
        store.create(new("f", &format!("n{number}"), 0), commit).await.unwrap();
    }
    store.commit(Commit { head: Some(head(None, false)), ..commit(id(2), 2) }).await.unwrap();
    store.commit(Commit { head: Some(head(None, true)), ..commit(id(1), 2) }).await.unwrap();
    let mut in_flight = store.in_flight().await.unwrap();
    in_flight.sort_unstable();
    assert_eq!(in_flight, [id(1), id(4)]);
}

async fn effects_of_a_commit_are_due_at_once(store: Arc<dyn Executions>) {
    let execution = id(1);
    let first = Commit { effects: vec![effect(execution, "a")], ..commit(execution, 1) };
    let mut ids = store.create(new("f", "n", 0), first).await.unwrap().effects;
    assert_eq!(ids.len(), 1);
    let second = Commit { effects: vec![effect(execution, "b"), plain_invocation("ä\0")], ..commit(execution, 2) };
    ids.extend(store.commit(second).await.unwrap().effects);
    assert!(store.commit(commit(execution, 3)).await.unwrap().effects.is_empty());
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let expected = [
        StoredEffect { id: ids[0], due: record(1).at, effect: effect(execution, "a") },
        StoredEffect { id: ids[1], due: record(2).at, effect: effect(execution, "b") },
        StoredEffect { id: ids[2], due: record(2).at, effect: plain_invocation("ä\0") },
    ];
    assert_eq!(effects(&store).await, expected);
}

async fn effects_come_in_the_order_of_their_time(store: Arc<dyn Executions>) {
    let mut ids = Vec::new();
    for due in [30, 10, 20, 10] {
        ids.push(store.add_effect(plain_invocation(""), at(due)).await.unwrap());
    }
    let found = async |until, limit| -> Vec<EffectId> {
        store.effects(at(until), limit).await.unwrap().into_iter().map(|stored| stored.id).collect()
    };
    assert_eq!(found(30, 10).await, [ids[1], ids[3], ids[2], ids[0]]);
    assert_eq!(found(20, 10).await, [ids[1], ids[3], ids[2]]);
    assert_eq!(found(30, 1).await, [ids[1]]);
    assert!(found(9, 10).await.is_empty());
    assert!(found(30, 0).await.is_empty());
}

async fn postponed_effect_changes(store: Arc<dyn Executions>) {
    let first = store.add_effect(plain_invocation("first"), at(1)).await.unwrap();
    let second = store.add_effect(plain_invocation("second"), at(2)).await.unwrap();
    store.postpone_effect(first, plain_invocation("again"), at(3)).await.unwrap();
    let expected = [
        StoredEffect { id: second, due: at(2), effect: plain_invocation("second") },
        StoredEffect { id: first, due: at(3), effect: plain_invocation("again") },
    ];
    assert_eq!(effects(&store).await, expected);
    store.finish_effect(first).await.unwrap();
    store.postpone_effect(first, plain_invocation("gone"), at(4)).await.unwrap();
    assert_eq!(effects(&store).await, expected[..1]);
}

async fn finished_effect_is_gone(store: Arc<dyn Executions>) {
    let execution = create(&store, 1).await;
    let owed = Commit { effects: vec![effect(execution, "a"), effect(execution, "b")], ..commit(execution, 2) };
    let ids = store.commit(owed).await.unwrap().effects;
    store.finish_effect(ids[0]).await.unwrap();
    store.finish_effect(ids[0]).await.unwrap();
    let left: Vec<EffectId> = effects(&store).await.into_iter().map(|stored| stored.id).collect();
    assert_eq!(left, ids[1..]);
}

async fn effect_ids_are_never_reused(store: Arc<dyn Executions>) {
    let first = store.add_effect(plain_invocation("first"), at(1)).await.unwrap();
    store.finish_effect(first).await.unwrap();
    let second = store.add_effect(plain_invocation("second"), at(1)).await.unwrap();
    assert!(second > first, "{second:?} comes after {first:?}");
    store.finish_effect(first).await.unwrap();
    assert_eq!(effects(&store).await.len(), 1);
}

async fn deleted_execution_is_gone_with_all_it_had(store: Arc<dyn Executions>) {
    let execution = id(1);
    let creation = Commit {
        record: Record { event_ids: 1, ..record(1) },
        head: Some(head(Some(1), true)),
        payloads: vec![payload("a")],
        effects: vec![effect(execution, "a")],
        ..commit(execution, 1)
    };
    store.create(new("f", "n", 0), creation).await.unwrap();
    store.commit(commit(execution, 2)).await.unwrap();
    assert!(store.delete(execution).await.unwrap());
    assert!(!store.delete(execution).await.unwrap());
    assert_conflict(store.commit(commit(execution, 3)).await);
    assert_conflict(store.commit(commit(execution, 1)).await);
    assert!(listed(&store, &anything()).await.is_empty());
    assert!(effects(&store).await.is_empty());
    // What comes next inherits nothing, whether it has the same name, the same id or neither.
    for (number, name) in [(2, "n"), (1, "m"), (3, "l")] {
        store.create(new("f", name, 0), commit(id(number), 1)).await.unwrap();
        assert_eq!(versions(&store, id(number)).await, Some(vec![1]));
        assert_eq!(store.payload(id(number), Digest::of("a")).await.unwrap(), None);
        assert!(store.records(id(number), 0, u64::MAX, 10, false).await.unwrap().is_empty());
    }
    assert!(due(&store).await.is_empty());
    assert!(store.in_flight().await.unwrap().is_empty());
}

async fn deletion_leaves_others_alone(store: Arc<dyn Executions>) {
    for number in [1, 2] {
        let commit = Commit {
            head: Some(head(Some(1), true)),
            payloads: vec![payload("a")],
            effects: vec![effect(id(number), "a")],
            ..commit(id(number), 1)
        };
        store.create(new("f", &format!("n{number}"), 0), commit).await.unwrap();
    }
    let own = store.add_effect(plain_invocation(""), at(1)).await.unwrap();
    assert!(store.delete(id(1)).await.unwrap());
    assert_eq!(versions(&store, id(2)).await, Some(vec![1]));
    assert_eq!(store.payload(id(2), Digest::of("a")).await.unwrap().as_deref(), Some("a"));
    assert_eq!(due(&store).await, [id(2)]);
    assert_eq!(store.in_flight().await.unwrap(), [id(2)]);
    let left = effects(&store).await;
    assert_eq!(left.len(), 2);
    assert_eq!(left[0].id, own);
    assert_eq!(left[1].effect, effect(id(2), "a"));
}

/// Creates executions that differ in all that lists choose by.
async fn create_many(store: &Arc<dyn Executions>) -> Vec<Listed> {
    let statuses = [ExecutionStatus::Running, ExecutionStatus::Succeeded, ExecutionStatus::TimedOut];
    let mut created = Vec::new();
    for number in 0..60_u64 {
        let status = statuses[number as usize % 3];
        let new = NewExecution {
            version: if number % 5 == 0 { Version::Number(2) } else { Version::Latest },
            // Four start at a time, and ids run against the time.
            ..new(["f", "g"][number as usize / 2 % 2], &format!("n{}", number / 4), (number / 4) as i64)
        };
        let ended_at = (status != ExecutionStatus::Running).then_some(at(number as i64));
        let execution = id(1_000 - number);
        let name = format!("{}-{}", new.name, number % 2).parse().unwrap();
        let new = NewExecution { name, ..new };
        let head = Head { status, ended_at, ..Head::AT_BIRTH };
        store.create(new.clone(), Commit { head: Some(head), ..commit(execution, 1) }).await.unwrap();
        created.push(Listed { execution, new, status, ended_at });
    }
    created.sort_by_key(|listed| (listed.new.started_at, listed.execution));
    created
}

/// Every combination of what lists choose by, with what it says.
fn choices() -> Vec<ListQuery> {
    let mut queries = vec![anything()];
    let additions: [fn(&mut ListQuery); 6] = [
        |query| query.function = Some("f".parse().unwrap()),
        |query| query.version = Some(Version::Number(2)),
        |query| query.name = Some("n5-0".parse().unwrap()),
        |query| query.status = Some(ExecutionStatus::Succeeded),
        |query| query.started_after = Some(at(3)),
        |query| query.started_before = Some(at(11)),
    ];
    for addition in additions {
        for mut query in queries.clone() {
            addition(&mut query);
            queries.push(query);
        }
    }
    queries
}

fn chosen(query: &ListQuery, listed: &Listed) -> bool {
    query.function.as_ref().is_none_or(|function| *function == listed.new.function)
        && query.version.is_none_or(|version| version == listed.new.version)
        && query.name.as_ref().is_none_or(|name| *name == listed.new.name)
        && query.status.is_none_or(|status| status == listed.status)
        && query.started_after.is_none_or(|after| listed.new.started_at > after)
        && query.started_before.is_none_or(|before| listed.new.started_at < before)
}

async fn list_chooses_by_every_field(store: Arc<dyn Executions>) {
    let all = create_many(&store).await;
    for query in choices() {
        let mut expected: Vec<Listed> = all.iter().filter(|listed| chosen(&query, listed)).cloned().collect();
        assert_eq!(store.list(&query).await.unwrap(), expected, "{query:?}");
        expected.reverse();
        let query = ListQuery { order: ListOrder::Descending, ..query };
        assert_eq!(store.list(&query).await.unwrap(), expected, "{query:?}");
    }
    assert!(store.list(&ListQuery { limit: 0, ..anything() }).await.unwrap().is_empty());
    let nobody = ListQuery { function: Some("nobody".parse().unwrap()), ..anything() };
    assert!(store.list(&nobody).await.unwrap().is_empty());
}

async fn list_pages_are_complete_in_both_orders(store: Arc<dyn Executions>) {
    let all = create_many(&store).await;
    for query in choices() {
        for order in [ListOrder::Ascending, ListOrder::Descending] {
            let mut expected: Vec<ExecutionId> =
                all.iter().filter(|listed| chosen(&query, listed)).map(|listed| listed.execution).collect();
            if order == ListOrder::Descending {
                expected.reverse();
            }
            let mut page_query = ListQuery { order, limit: 7, ..query.clone() };
            let mut seen = Vec::new();
            loop {
                let page = store.list(&page_query).await.unwrap();
                assert!(page.len() <= 7);
                let Some(last) = page.last() else {
                    break;
                };
                page_query.after = Some(ListPosition { started_at: last.new.started_at, execution: last.execution });
                seen.extend(page.into_iter().map(|listed| listed.execution));
            }
            assert_eq!(seen, expected, "{page_query:?}");
        }
    }
}
