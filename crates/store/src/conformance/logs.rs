//! The suite of [`Logs`].

use std::sync::Arc;

use everstep_core::Timestamp;

use super::run;
use super::sample::at;
use crate::logs::{LogEvent, LogQuery, LogStream, Logs, StoredLogEvent};

/// Checks the guarantees of [`Logs`].
///
/// # Panics
/// If one is not kept.
pub async fn logs(store: Arc<dyn Logs>) {
    run!(
        store,
        clear,
        what_is_appended_is_read_in_order,
        reading_on_from_a_position_misses_nothing,
        queries_choose_by_stream_and_time,
        events_are_read_backwards_and_up_to_a_position,
        streams_are_listed_by_prefix_with_their_times,
        positions_are_never_reused,
        fullest_group_is_shrunk_and_only_if_there_is_too_much,
        groups_are_listed_by_prefix,
        deleted_group_is_gone_alone,
        trimming_forgets_the_oldest_of_a_group_up_to_the_limit,
    );
}

async fn clear(store: &Arc<dyn Logs>) {
    for group in store.groups("").await.unwrap() {
        store.delete_group(&group).await.unwrap();
    }
}

fn events(lines: &[(i64, &str)]) -> Vec<LogEvent> {
    lines.iter().map(|(millis, message)| LogEvent { at: at(*millis), message: (*message).to_owned() }).collect()
}

fn everything(group: &str) -> LogQuery {
    LogQuery::all(group, usize::MAX)
}

async fn messages(store: &Arc<dyn Logs>, query: &LogQuery) -> Vec<String> {
    store.read(query).await.unwrap().into_iter().map(|stored| stored.event.message).collect()
}

async fn what_is_appended_is_read_in_order(store: Arc<dyn Logs>) {
    // Times run backwards: what counts is the order of arrival.
    store.append("g", "s", events(&[(9, "one"), (8, "zwei \u{1f980}\0"), (8, "")])).await.unwrap();
    store.append("g", "t", events(&[(1, "four")])).await.unwrap();
    let stored = store.read(&everything("g")).await.unwrap();
    let seen: Vec<_> =
        stored.iter().map(|stored| (stored.stream.as_str(), stored.event.at, stored.event.message.as_str())).collect();
    assert_eq!(seen, [("s", at(9), "one"), ("s", at(8), "zwei \u{1f980}\0"), ("s", at(8), ""), ("t", at(1), "four")]);
    assert!(stored.is_sorted_by(|a, b| a.position < b.position));
    assert!(store.read(&everything("other")).await.unwrap().is_empty());
}

async fn reading_on_from_a_position_misses_nothing(store: Arc<dyn Logs>) {
    for line in ["a", "b", "c", "d", "e"] {
        store.append("g", line, events(&[(5, line)])).await.unwrap();
        store.append("other", "s", events(&[(5, "not this")])).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page: Vec<StoredLogEvent> = store.read(&LogQuery { after, limit: 2, ..everything("g") }).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else {
            break;
        };
        after = Some(last.position);
        seen.extend(page.into_iter().map(|stored| stored.event.message));
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
}

async fn queries_choose_by_stream_and_time(store: Arc<dyn Logs>) {
    store.append("g", "s", events(&[(1, "s1"), (2, "s2"), (3, "s3")])).await.unwrap();
    store.append("g", "t", events(&[(2, "t2"), (4, "t4")])).await.unwrap();
    store.append("h", "s", events(&[(2, "h2")])).await.unwrap();
    let stream = |stream: &str| LogQuery { stream: Some(stream.to_owned()), ..everything("g") };
    assert_eq!(messages(&store, &stream("s")).await, ["s1", "s2", "s3"]);
    assert_eq!(messages(&store, &stream("t")).await, ["t2", "t4"]);
    assert!(messages(&store, &stream("none")).await.is_empty());
    let from = LogQuery { from: Some(at(2)), ..everything("g") };
    assert_eq!(messages(&store, &from).await, ["s2", "s3", "t2", "t4"]);
    let until = LogQuery { until: Some(at(2)), ..everything("g") };
    assert_eq!(messages(&store, &until).await, ["s1"]);
    let both = LogQuery { from: Some(at(2)), until: Some(at(3)), ..stream("s") };
    assert_eq!(messages(&store, &both).await, ["s2"]);
    assert!(messages(&store, &LogQuery { limit: 0, ..everything("g") }).await.is_empty());
}

async fn events_are_read_backwards_and_up_to_a_position(store: Arc<dyn Logs>) {
    store.append("g", "s", events(&[(1, "a"), (2, "b"), (3, "c"), (4, "d")])).await.unwrap();
    let backwards = LogQuery { newest_first: true, limit: 2, ..everything("g") };
    let page = store.read(&backwards).await.unwrap();
    assert_eq!(page.iter().map(|stored| stored.event.message.as_str()).collect::<Vec<_>>(), ["d", "c"]);
    let before = Some(page[1].position);
    assert_eq!(messages(&store, &LogQuery { before, ..backwards }).await, ["b", "a"]);
    assert_eq!(messages(&store, &LogQuery { before, ..everything("g") }).await, ["a", "b"]);
}

async fn streams_are_listed_by_prefix_with_their_times(store: Arc<dyn Logs>) {
    store.append("g", "2026/b", events(&[(5, "late"), (3, "early")])).await.unwrap();
    store.append("g", "2026/a", events(&[(1, "one")])).await.unwrap();
    store.append("g", "2027/c", events(&[(9, "other year")])).await.unwrap();
    store.append("h", "2026/d", events(&[(9, "other group")])).await.unwrap();
    let stream = |name: &str, first, last| LogStream { name: name.into(), first_at: at(first), last_at: at(last) };
    assert_eq!(store.streams("g", "2026/").await.unwrap(), [stream("2026/a", 1, 1), stream("2026/b", 3, 5)]);
    assert_eq!(store.streams("g", "").await.unwrap().len(), 3);
    assert!(store.streams("nowhere", "").await.unwrap().is_empty());
    store.trim("g", at(2), usize::MAX).await.unwrap();
    assert_eq!(store.streams("g", "2026/").await.unwrap(), [stream("2026/b", 3, 5)]);
}

async fn positions_are_never_reused(store: Arc<dyn Logs>) {
    store.append("g", "s", events(&[(1, "old")])).await.unwrap();
    let old = store.read(&everything("g")).await.unwrap()[0].position;
    store.delete_group("g").await.unwrap();
    store.append("g", "s", events(&[(1, "new")])).await.unwrap();
    assert_eq!(messages(&store, &LogQuery { after: Some(old), ..everything("g") }).await, ["new"]);
}

async fn fullest_group_is_shrunk_and_only_if_there_is_too_much(store: Arc<dyn Logs>) {
    // By what the lines take, not by how many there are.
    let long = "x".repeat(1_000);
    store.append("quiet", "s", events(&[(1, "a"), (2, "b"), (3, "c")])).await.unwrap();
    store.append("flood", "s", events(&[(4, &long), (5, "last")])).await.unwrap();
    assert_eq!(store.shrink(u64::MAX, 10).await.unwrap(), 0);
    assert_eq!(store.shrink(0, 1).await.unwrap(), 1);
    assert_eq!(messages(&store, &everything("flood")).await, ["last"]);
    assert_eq!(messages(&store, &everything("quiet")).await, ["a", "b", "c"]);
    assert_eq!(store.shrink(0, 10).await.unwrap(), 1);
    assert_eq!(store.shrink(0, 10).await.unwrap(), 3);
    assert_eq!(store.shrink(0, 10).await.unwrap(), 0);
}

async fn groups_are_listed_by_prefix(store: Arc<dyn Logs>) {
    for group in ["/aws/lambda/b", "/aws/lambda/a", "/aws/other", "/aws/lambda", "zz"] {
        store.create_group(group).await.unwrap();
    }
    store.create_group("zz").await.unwrap();
    store.append("/aws/lambda/c", "s", Vec::new()).await.unwrap();
    assert_eq!(store.groups("/aws/lambda/").await.unwrap(), ["/aws/lambda/a", "/aws/lambda/b", "/aws/lambda/c"]);
    assert_eq!(store.groups("").await.unwrap().len(), 6);
    assert!(store.groups("/aws/lambda/c/d").await.unwrap().is_empty());
}

async fn deleted_group_is_gone_alone(store: Arc<dyn Logs>) {
    store.append("g", "s", events(&[(1, "g")])).await.unwrap();
    store.append("h", "s", events(&[(1, "h")])).await.unwrap();
    store.delete_group("g").await.unwrap();
    store.delete_group("never there").await.unwrap();
    assert_eq!(store.groups("").await.unwrap(), ["h"]);
    assert!(messages(&store, &everything("g")).await.is_empty());
    assert_eq!(messages(&store, &everything("h")).await, ["h"]);
    store.append("g", "s", Vec::new()).await.unwrap();
    assert!(messages(&store, &everything("g")).await.is_empty());
}

async fn trimming_forgets_the_oldest_of_a_group_up_to_the_limit(store: Arc<dyn Logs>) {
    store.append("g", "s", events(&[(3, "s3"), (1, "s1"), (2, "s2"), (4, "s4")])).await.unwrap();
    store.append("h", "t", events(&[(2, "t2")])).await.unwrap();
    assert_eq!(store.trim("g", at(4), 2).await.unwrap(), 2);
    assert_eq!(messages(&store, &everything("g")).await, ["s3", "s4"]);
    assert_eq!(store.trim("g", at(4), 2).await.unwrap(), 1);
    assert_eq!(store.trim("g", at(4), 2).await.unwrap(), 0);
    assert_eq!(messages(&store, &everything("h")).await, ["t2"]);
    assert_eq!(store.trim("g", at(5), 2).await.unwrap(), 1);
    assert_eq!(store.groups("").await.unwrap(), ["g", "h"]);
    store.append("g", "s", events(&[(9, "s9")])).await.unwrap();
    assert_eq!(messages(&store, &everything("g")).await, ["s9"]);
    assert_eq!(store.trim("g", Timestamp::from_millis(i64::MIN), 2).await.unwrap(), 0);
    assert_eq!(store.trim("nowhere", at(9), 2).await.unwrap(), 0);
}
