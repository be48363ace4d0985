//! Log groups: what is known of each beside its events, and how long those are kept.
//!
//! That a group is there is the log store's to say. One that was made for a function, or by its first line, has no
//! document until somebody creates it or sets its retention.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use everstep_core::Timestamp;
use everstep_engine::Clock;
use everstep_store::{Catalog, Error as StoreError, Kind, LogQuery, Logs};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::error;

use crate::documents::Documents;
use crate::limits::{LOG_GROUPS_KEPT_MAX, LOG_LINES_FORGOTTEN, LOG_RETENTION_PAUSE};

/// A log group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// When it was created, in milliseconds since the epoch.
    pub created_at_millis: i64,
    /// How long its events are kept, in days; without it they are kept as long as there is room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<i64>,
    /// The tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Why a group could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is there.
    #[error("the log group is there already")]
    Exists,
    /// There are too many.
    #[error("there are too many log groups")]
    TooMany,
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The log groups of this server.
pub struct LogGroups {
    documents: Documents<LogGroup>,
    logs: Arc<dyn Logs>,
}

impl LogGroups {
    /// Opens the groups. Those that the log store has forgotten, because it may, are there again.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(catalog: Arc<dyn Catalog>, logs: Arc<dyn Logs>) -> Result<Self, StoreError> {
        let documents = Documents::<LogGroup>::open(catalog, Kind::LogGroup).await?;
        for group in documents.all() {
            logs.create_group(&group.name).await?;
        }
        Ok(Self { documents, logs })
    }

    /// Returns what is known of a group.
    pub fn find(&self, name: &str) -> Option<Arc<LogGroup>> {
        self.documents.get(name)
    }

    /// Tells whether a group cannot be created: somebody did, or something was printed to it.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_taken(&self, name: &str) -> Result<bool, StoreError> {
        let any = LogQuery::all(name, 1);
        Ok(self.find(name).is_some() || !self.logs.read(&any).await?.is_empty())
    }

    /// Creates a group. One that was made for a function, and has no line yet, becomes it.
    ///
    /// # Errors
    /// If there is one already, or too many.
    pub async fn create(&self, group: LogGroup) -> Result<(), Error> {
        let name = group.name.clone();
        if self.is_taken(&name).await? {
            return Err(Error::Exists);
        }
        if self.documents.len() >= LOG_GROUPS_KEPT_MAX {
            return Err(Error::TooMany);
        }
        if !self.documents.create(&name, group).await? {
            return Err(Error::Exists);
        }
        Ok(self.logs.create_group(&name).await?)
    }

    /// Changes what is known of a group that is there.
    ///
    /// # Errors
    /// The store's.
    pub async fn change(&self, name: &str, now: Timestamp, change: impl Fn(&mut LogGroup)) -> Result<(), StoreError> {
        let unknown = LogGroup {
            name: name.into(),
            created_at_millis: now.as_millis(),
            retention_days: None,
            tags: BTreeMap::new(),
        };
        self.documents.create(name, unknown).await?;
        let change = |group: &mut LogGroup| {
            change(group);
            Ok::<_, StoreError>(())
        };
        self.documents.change(name, change).await?;
        Ok(())
    }

    /// Deletes a group and its events.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.documents.delete(name, |_| Ok::<_, StoreError>(())).await?;
        self.logs.delete_group(name).await
    }

    /// Deletes a group that was made for a function that is gone, if nothing was printed to it and nobody created it. On AWS,
    /// where the first line makes the group, there would be none.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget_unused(&self, name: &str) -> Result<(), StoreError> {
        if self.is_taken(name).await? {
            return Ok(());
        }
        self.logs.delete_group(name).await
    }

    /// Forgets events that are older than their group keeps them.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget_old(&self, now: Timestamp) -> Result<(), StoreError> {
        for group in self.documents.all() {
            let Some(days) = group.retention_days else { continue };
            let before = Timestamp::from_millis(now.as_millis() - days * 86_400_000);
            while self.logs.trim(&group.name, before, LOG_LINES_FORGOTTEN).await? == LOG_LINES_FORGOTTEN {}
        }
        Ok(())
    }
}

/// Forgets old events now and then, until the server stops.
pub async fn run(groups: Arc<LogGroups>, clock: Arc<Clock>, mut stop: watch::Receiver<bool>) {
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(pause) => {}
        }
        if let Err(error) = groups.forget_old(clock.now()).await {
            error!(error = &error as &dyn std::error::Error, "old log lines could not be forgotten");
        }
        pause = LOG_RETENTION_PAUSE;
    }
}

#[cfg(test)]
mod tests {
    use everstep_store::LogEvent;
    use everstep_store::memory::Memory;

    use super::*;

    const DAY_MILLIS: i64 = 86_400_000;

    fn group(name: &str) -> LogGroup {
        LogGroup { name: name.into(), created_at_millis: 1, retention_days: None, tags: BTreeMap::new() }
    }

    async fn opened() -> (Arc<Memory>, LogGroups) {
        let store = Arc::new(Memory::new());
        let groups = LogGroups::open(store.clone(), store.clone()).await.unwrap();
        (store, groups)
    }

    async fn print(store: &Memory, group: &str, at_millis: i64) {
        let event = LogEvent { at: Timestamp::from_millis(at_millis), message: "line".into() };
        store.append(group, "stream", vec![event]).await.unwrap();
    }

    #[tokio::test]
    async fn a_group_is_created_once_and_is_there_again_after_the_log_store_forgot_it() {
        let (store, groups) = opened().await;
        store.create_group("of a function").await.unwrap();
        groups.create(group("of a function")).await.unwrap();
        assert!(matches!(groups.create(group("of a function")).await, Err(Error::Exists)));
        print(&store, "printed", 1).await;
        assert!(matches!(groups.create(group("printed")).await, Err(Error::Exists)));
        let forgetful = Arc::new(Memory::new());
        LogGroups::open(store, forgetful.clone()).await.unwrap();
        assert_eq!(forgetful.groups("").await.unwrap(), ["of a function"]);
    }

    #[tokio::test]
    async fn events_are_kept_as_long_as_their_group_says() {
        let (store, groups) = opened().await;
        for name in ["short", "long", "forever"] {
            groups.create(group(name)).await.unwrap();
            print(&store, name, 0).await;
            print(&store, name, DAY_MILLIS).await;
        }
        let now = Timestamp::from_millis(DAY_MILLIS + 1);
        groups.change("short", now, |group| group.retention_days = Some(1)).await.unwrap();
        groups.change("long", now, |group| group.retention_days = Some(3)).await.unwrap();
        groups.forget_old(now).await.unwrap();
        for (name, expected) in [("short", 1), ("long", 2), ("forever", 2)] {
            let streams = store.streams(name, "").await.unwrap();
            let left = if streams[0].first_at == streams[0].last_at { 1 } else { 2 };
            assert_eq!(left, expected, "{name}");
        }
        groups.delete("short").await.unwrap();
        assert_eq!(
            (groups.find("short"), store.groups("").await.unwrap()),
            (None, vec!["forever".into(), "long".into()])
        );
    }

    #[tokio::test]
    async fn groups_of_functions_that_are_gone_stay_if_somebody_printed_to_them_or_created_them() {
        let (store, groups) = opened().await;
        for name in ["silent", "created", "printed"] {
            store.create_group(name).await.unwrap();
        }
        groups.create(group("created")).await.unwrap();
        print(&store, "printed", 1).await;
        for name in ["silent", "created", "printed"] {
            groups.forget_unused(name).await.unwrap();
        }
        assert_eq!(store.groups("").await.unwrap(), ["created", "printed"]);
    }

    #[tokio::test]
    async fn there_may_be_so_many_groups() {
        let (_, groups) = opened().await;
        for number in 0..LOG_GROUPS_KEPT_MAX {
            groups.create(group(&number.to_string())).await.unwrap();
        }
        assert!(matches!(groups.create(group("one more")).await, Err(Error::TooMany)));
    }
}
