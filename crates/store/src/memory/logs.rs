//! Log events in memory.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;
use everstep_core::Timestamp;

use super::{Memory, lock};
use crate::error::Error;
use crate::logs::{LogEvent, LogPosition, LogQuery, LogStream, Logs, StoredLogEvent};

#[derive(Debug, Default)]
pub(super) struct State {
    groups: BTreeMap<String, BTreeMap<LogPosition, StoredLogEvent>>,
    last_position: i64,
}

#[async_trait]
impl Logs for Memory {
    async fn append(&self, group: &str, stream: &str, events: Vec<LogEvent>) -> Result<(), Error> {
        let mut state = lock(&self.logs);
        let State { groups, last_position } = &mut *state;
        let group = groups.entry(group.to_owned()).or_default();
        for event in events {
            *last_position += 1;
            let position = LogPosition(*last_position);
            group.insert(position, StoredLogEvent { position, stream: stream.to_owned(), event });
        }
        Ok(())
    }

    async fn create_group(&self, group: &str) -> Result<(), Error> {
        lock(&self.logs).groups.entry(group.to_owned()).or_default();
        Ok(())
    }

    async fn groups(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let state = lock(&self.logs);
        let following = state.groups.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        Ok(following.map(|(name, _)| name).take_while(|name| name.starts_with(prefix)).cloned().collect())
    }

    async fn read(&self, query: &LogQuery) -> Result<Vec<StoredLogEvent>, Error> {
        let LogQuery { group, stream, from, until, after, before, newest_first, limit } = query;
        let state = lock(&self.logs);
        let Some(events) = state.groups.get(group) else {
            return Ok(Vec::new());
        };
        let (first, last) = (after.unwrap_or(LogPosition(i64::MIN)), before.unwrap_or(LogPosition(i64::MAX)));
        let asked_for = events.values().filter(|stored| {
            stored.position > first
                && stored.position < last
                && stream.as_ref().is_none_or(|stream| stored.stream == *stream)
                && from.is_none_or(|from| stored.event.at >= from)
                && until.is_none_or(|until| stored.event.at < until)
        });
        Ok(if *newest_first {
            asked_for.rev().take(*limit).cloned().collect()
        } else {
            asked_for.take(*limit).cloned().collect()
        })
    }

    async fn streams(&self, group: &str, prefix: &str) -> Result<Vec<LogStream>, Error> {
        let state = lock(&self.logs);
        let mut streams: BTreeMap<&str, (Timestamp, Timestamp)> = BTreeMap::new();
        for stored in state.groups.get(group).into_iter().flat_map(BTreeMap::values) {
            if stored.stream.starts_with(prefix) {
                let at = stored.event.at;
                let (first, last) = streams.entry(&stored.stream).or_insert((at, at));
                (*first, *last) = ((*first).min(at), (*last).max(at));
            }
        }
        let stream = |(name, (first_at, last_at)): (&str, _)| LogStream { name: name.into(), first_at, last_at };
        Ok(streams.into_iter().map(stream).collect())
    }

    async fn delete_group(&self, group: &str) -> Result<(), Error> {
        lock(&self.logs).groups.remove(group);
        Ok(())
    }

    async fn shrink(&self, bytes_max: u64, limit: usize) -> Result<usize, Error> {
        let mut state = lock(&self.logs);
        let events = state.groups.values().flat_map(BTreeMap::values);
        let bytes: usize = events.map(|stored| stored.event.message.len() + stored.stream.len()).sum();
        let size = |events: &BTreeMap<_, StoredLogEvent>| -> usize {
            events.values().map(|stored| stored.event.message.len()).sum()
        };
        let fullest = state.groups.values_mut().rev().max_by_key(|events| size(events));
        let Some(events) = fullest.filter(|_| bytes as u64 > bytes_max) else { return Ok(0) };
        let old: Vec<LogPosition> = events.keys().copied().take(limit).collect();
        old.iter().for_each(|position| drop(events.remove(position)));
        Ok(old.len())
    }

    async fn trim(&self, group: &str, before: Timestamp, limit: usize) -> Result<usize, Error> {
        let mut state = lock(&self.logs);
        let Some(group) = state.groups.get_mut(group) else { return Ok(0) };
        let events = group.values();
        let mut old: Vec<(Timestamp, LogPosition)> =
            events.filter(|stored| stored.event.at < before).map(|stored| (stored.event.at, stored.position)).collect();
        old.sort_unstable();
        old.truncate(limit);
        for (_, position) in &old {
            group.remove(position);
        }
        Ok(old.len())
    }
}
