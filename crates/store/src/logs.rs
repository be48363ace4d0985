//! The logs trait: what functions print, by group and stream.

use async_trait::async_trait;
use everstep_core::Timestamp;

use crate::error::Error;

/// Keeps log events.
///
/// Guarantees: events of one `append` keep their order, and two appends keep theirs; a position says where an event
/// stands among all of its group. Logs may lose the last moments before a machine dies: they are not worth a flush.
#[async_trait]
pub trait Logs: Send + Sync + 'static {
    /// Adds events to a stream of a group, which need not exist before.
    async fn append(&self, group: &str, stream: &str, events: Vec<LogEvent>) -> Result<(), Error>;

    /// Creates a group without events. Does nothing if it is there.
    async fn create_group(&self, group: &str) -> Result<(), Error>;

    /// Returns the names of groups that begin with `prefix`, in order.
    async fn groups(&self, prefix: &str) -> Result<Vec<String>, Error>;

    /// Returns the events that a query asks for, in the order of their positions, which may be asked for backwards.
    async fn read(&self, query: &LogQuery) -> Result<Vec<StoredLogEvent>, Error>;

    /// Returns the streams of a group whose names begin with `prefix`, in the order of their names. A stream is there
    /// as long as one of its events is.
    async fn streams(&self, group: &str, prefix: &str) -> Result<Vec<LogStream>, Error>;

    /// Forgets a group and its events.
    async fn delete_group(&self, group: &str) -> Result<(), Error>;

    /// If all events together take more than `bytes_max`, forgets the oldest of the group whose lines take the most, at most
    /// `limit` of them: who floods loses lines, and the neighbours keep theirs. Returns how many.
    async fn shrink(&self, bytes_max: u64, limit: usize) -> Result<usize, Error>;

    /// Forgets events of a group that were printed before `before`, the oldest first, at most `limit` of them. Returns how many.
    async fn trim(&self, group: &str, before: Timestamp, limit: usize) -> Result<usize, Error>;
}

/// A line that a function printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// When.
    pub at: Timestamp,
    /// The line, without its end.
    pub message: String,
}

/// A stream of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStream {
    /// Its name.
    pub name: String,
    /// The earliest time of its events.
    pub first_at: Timestamp,
    /// The latest time of its events.
    pub last_at: Timestamp,
}

/// Where an event stands; later ones are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition(pub i64);

/// Which events to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// Of which group.
    pub group: String,
    /// Of which stream of it.
    pub stream: Option<String>,
    /// Printed at or after this point.
    pub from: Option<Timestamp>,
    /// Printed before this point.
    pub until: Option<Timestamp>,
    /// Only what comes after this position.
    pub after: Option<LogPosition>,
    /// Only what comes before this position.
    pub before: Option<LogPosition>,
    /// The last ones first.
    pub newest_first: bool,
    /// At most so many.
    pub limit: usize,
}

impl LogQuery {
    /// Asks for the first events of a group, at most `limit` of them.
    #[must_use]
    pub fn all(group: &str, limit: usize) -> Self {
        Self {
            group: group.to_owned(),
            stream: None,
            from: None,
            until: None,
            after: None,
            before: None,
            newest_first: false,
            limit,
        }
    }
}

/// An event as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLogEvent {
    /// Where it stands.
    pub position: LogPosition,
    /// Its stream.
    pub stream: String,
    /// The event.
    pub event: LogEvent,
}
