//! What happened to stacks, the newest first.
//!
//! The events of a stack have times of their own, a millisecond apart at least: AWS's tools tell old from new by the
//! time. Their keys are counted down, so that the order of the keys is the order in which they are shown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use everstep_store::{Catalog, Kind, Put};

use super::document::{Event, StackId};
use super::status::{ResourceStatus, StackStatus};
use super::{read, write};
use crate::http::error::Error;

/// The type of stacks, as events name it.
pub const STACK_TYPE: &str = "AWS::CloudFormation::Stack";

/// The events of all stacks.
pub struct Events {
    catalog: Arc<dyn Catalog>,
    last: Mutex<HashMap<StackId, Last>>,
}

/// The newest event of a stack.
#[derive(Clone, Copy, Debug)]
struct Last {
    number: u64,
    at_millis: i64,
}

/// Something that happened, before it has a time.
#[derive(Clone, Debug)]
pub struct Happening<'a> {
    /// To whom.
    pub logical_id: &'a str,
    /// What is in the world because of it.
    pub physical_id: Option<&'a str>,
    /// Its type.
    pub resource_type: &'a str,
    /// Where it is by now.
    pub status: &'static str,
    /// Why.
    pub reason: Option<String>,
    /// What the sender of the operation calls it.
    pub client_request_token: Option<String>,
}

impl<'a> Happening<'a> {
    /// Something that happened to a resource.
    pub fn of_resource(
        logical_id: &'a str,
        resource_type: &'a str,
        physical_id: Option<&'a str>,
        status: ResourceStatus,
    ) -> Self {
        let status = status.as_str();
        Self { logical_id, physical_id, resource_type, status, reason: None, client_request_token: None }
    }

    /// Something that happened to a stack, whose ARN is its physical id.
    pub fn of_stack(id: &'a StackId, arn: &'a str, status: StackStatus) -> Self {
        let (logical_id, status) = (id.name.as_str(), status.as_str());
        let physical_id = Some(arn);
        Self { logical_id, physical_id, resource_type: STACK_TYPE, status, reason: None, client_request_token: None }
    }

    /// Says why.
    pub fn because(self, reason: Option<String>) -> Self {
        Self { reason, ..self }
    }
}

impl Events {
    pub(super) fn new(catalog: Arc<dyn Catalog>) -> Self {
        Self { catalog, last: Mutex::default() }
    }

    /// Notes what happened to a stack or its resources.
    ///
    /// # Errors
    /// The store's.
    pub async fn record(&self, id: &StackId, happening: Happening<'_>) -> Result<(), Error> {
        let Put { kind, key, seen, body } = self.draw(id, happening).await?;
        self.catalog.put(kind, &key, seen, body).await?;
        Ok(())
    }

    /// Gives something that happened its time and its place, to be written with what has changed by it.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn draw(&self, id: &StackId, happening: Happening<'_>) -> Result<Put, Error> {
        let Last { number, at_millis } = self.next(id).await?;
        let Happening { logical_id, physical_id, resource_type, status, reason, client_request_token } = happening;
        let event = Event {
            id: match resource_type {
                STACK_TYPE => uuid::Uuid::new_v4().to_string(),
                _ => format!("{logical_id}-{status}-{}", super::iso(at_millis)),
            },
            at_millis,
            logical_id: logical_id.into(),
            physical_id: physical_id.map(str::to_string),
            resource_type: resource_type.into(),
            status: status.into(),
            reason,
            client_request_token,
        };
        Ok(Put { kind: Kind::StackEvent, key: key(id, number), seen: None, body: write(&event) })
    }

    /// Returns events of a stack with their keys, the newest first, those older than the one of key `after`.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, id: &StackId, after: Option<&str>, limit: usize) -> Result<Vec<(String, Event)>, Error> {
        let prefix = format!("{}/", id.key());
        let found = self.catalog.list(Kind::StackEvent, Some(after.unwrap_or(&prefix)), limit).await?;
        let found = found.into_iter().take_while(|(key, _)| key.starts_with(&prefix));
        found.map(|(key, document)| read(&key, &document.body).map(|event| (key, event))).collect()
    }

    pub(super) fn forget(&self, id: &StackId) {
        self.lock().remove(id);
    }

    /// Draws the place of the next event: no two get the same.
    async fn next(&self, id: &StackId) -> Result<Last, Error> {
        let known = self.lock().contains_key(id);
        let stored = if known { None } else { self.list(id, None, 1).await?.pop() };
        let stored = stored.and_then(|(key, event)| Some(Last { number: number(&key)?, at_millis: event.at_millis }));
        let mut all = self.lock();
        let last = all.entry(id.clone()).or_insert(stored.unwrap_or(Last { number: 0, at_millis: 0 }));
        let now = jiff::Timestamp::now().as_millisecond();
        *last = Last { number: last.number + 1, at_millis: now.max(last.at_millis + 1) };
        Ok(*last)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<StackId, Last>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The larger the number, the smaller the key.
fn key(id: &StackId, number: u64) -> String {
    format!("{}/{:020}", id.key(), u64::MAX - number)
}

fn number(key: &str) -> Option<u64> {
    let (_, inverted) = key.rsplit_once('/')?;
    Some(u64::MAX - inverted.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use everstep_store::memory::Memory;

    use super::*;

    #[tokio::test]
    async fn events_are_listed_newest_first_with_times_that_only_grow_also_after_a_restart() {
        let catalog = Arc::new(Memory::new());
        let id = StackId { name: "s".into(), unique: "1".into() };
        let other = StackId { name: "s".into(), unique: "2".into() };
        for round in 0..3 {
            let events = Events::new(catalog.clone());
            for status in [ResourceStatus::CreateInProgress, ResourceStatus::CreateComplete] {
                for id in [&id, &other] {
                    let name = round.to_string();
                    let happening = Happening::of_resource(&name, "T", None, status);
                    events.record(id, happening).await.unwrap();
                }
            }
        }
        let events = Events::new(catalog);
        let all = events.list(&id, None, 9).await.unwrap();
        let names: Vec<&str> = all.iter().map(|(_, event)| event.logical_id.as_str()).collect();
        assert_eq!(names, ["2", "2", "1", "1", "0", "0"]);
        assert!(all.is_sorted_by(|(_, newer), (_, older)| newer.at_millis > older.at_millis), "{all:?}");
        assert_eq!(events.list(&id, Some(&all[1].0), 2).await.unwrap(), all[2..4]);
    }
}
