//! The executions trait: logs of events, one head for each, and the effects they owe.

use std::sync::Arc;

use async_trait::async_trait;
use everstep_core::id::{ExecutionId, ExecutionName, FunctionName, Version};
use everstep_core::{Digest, Effect, ExecutionStatus, Record, Timestamp};

use crate::error::Error;

/// Keeps executions.
///
/// Guarantees, which the conformance suite checks:
///
/// 1. **All or nothing.** A [`Commit`] is taken whole (record, head, payloads, effects) or not at all.
/// 2. **On disk.** When `create`, `commit` or an effect method returns `Ok`, a crash of the process or the machine
///    does not undo it.
/// 3. **Fenced by version.** Of two commits that make the same version of an execution, one succeeds and the other
///    gets [`Error::Conflict`]. One item's conflict never fails another that happens to be written with it.
/// 4. **Read your writes.** A read that begins after a commit returned sees it.
/// 5. **Unique names.** Of two live executions of one function, no two share a name ([`Error::NameTaken`]).
/// 6. A deleted execution is gone with its record, payloads and effects, and its name is free.
#[async_trait]
pub trait Executions: Send + Sync + 'static {
    /// Creates an execution with its first record, which makes version 1.
    ///
    /// # Errors
    /// [`Error::NameTaken`] with the id of the execution that has the name, which may be this very one.
    async fn create(&self, execution: NewExecution, commit: Commit) -> Result<Committed, Error>;

    /// Adds a record to an execution.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the record's version is not the one after the last, or the execution is gone.
    async fn commit(&self, commit: Commit) -> Result<Committed, Error>;

    /// Returns every record of an execution in order, up to and including `version`, or `None` if there is no such execution.
    async fn load(&self, execution: ExecutionId, version: u64) -> Result<Option<Vec<Record>>, Error>;

    /// Returns the records that hold events with `EventId`s from `first` to `last`, in order, at most `limit` of them
    /// counted from the low end, or from the high end if `newest_first` (then in descending order).
    async fn records(
        &self,
        execution: ExecutionId,
        first: u64,
        last: u64,
        limit: usize,
        newest_first: bool,
    ) -> Result<Vec<Record>, Error>;

    /// Returns the text of a payload that a commit of this execution brought along.
    async fn payload(&self, execution: ExecutionId, digest: Digest) -> Result<Option<Arc<str>>, Error>;

    /// Returns the execution of a function that has this name.
    async fn find(&self, function: &FunctionName, name: &ExecutionName) -> Result<Option<ExecutionId>, Error>;

    /// Returns the page of executions that a query asks for.
    async fn list(&self, query: &ListQuery) -> Result<Vec<Listed>, Error>;

    /// Returns executions whose wake-up is at or before `until`, earliest first, at most `limit`.
    async fn due(&self, until: Timestamp, limit: usize) -> Result<Vec<Due>, Error>;

    /// Returns the executions that have an invocation in flight: after a start, those that were lost with the last server.
    async fn in_flight(&self) -> Result<Vec<ExecutionId>, Error>;

    /// Forgets an execution. Returns whether there was one.
    async fn delete(&self, execution: ExecutionId) -> Result<bool, Error>;

    /// Adds an effect that belongs to no execution.
    async fn add_effect(&self, effect: Effect, due: Timestamp) -> Result<EffectId, Error>;

    /// Returns effects that are due at or before `until`, earliest first, at most `limit`.
    async fn effects(&self, until: Timestamp, limit: usize) -> Result<Vec<StoredEffect>, Error>;

    /// Puts an effect off, and changes what it says. Does nothing if it is gone.
    async fn postpone_effect(&self, id: EffectId, effect: Effect, due: Timestamp) -> Result<(), Error>;

    /// Removes an effect that was done. Does nothing if it is gone.
    async fn finish_effect(&self, id: EffectId) -> Result<(), Error>;
}

/// What is fixed when an execution is created, as far as lists need it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewExecution {
    /// Its function.
    pub function: FunctionName,
    /// The version it is pinned to.
    pub version: Version,
    /// Its name.
    pub name: ExecutionName,
    /// When it started.
    pub started_at: Timestamp,
}

/// What one decision adds to an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// The execution.
    pub execution: ExecutionId,
    /// The record; its version says what it was decided on. Its `first_event_id` is the one after the last that an
    /// earlier record holds, also if it holds none itself: [`Executions::records`] searches by that.
    pub record: Record,
    /// The head, if it changed; an execution that is created without one gets [`Head::AT_BIRTH`].
    pub head: Option<Head>,
    /// Texts of large payloads that the record refers to; ones that are there already are skipped.
    pub payloads: Vec<(Digest, Arc<str>)>,
    /// What is owed to the world because of it, due at once: since the time of the record.
    pub effects: Vec<Effect>,
}

/// What was committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Committed {
    /// The ids of the commit's effects, in order.
    pub effects: Vec<EffectId>,
}

/// What lists and the task loop need to know of an execution; it changes less often than the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How it stands.
    pub status: ExecutionStatus,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When it wants attention next; `None` if only something from outside can change it.
    pub wake_up: Option<Timestamp>,
    /// Whether an invocation is in flight.
    pub in_flight: bool,
}

impl Head {
    /// How an execution stands if nothing else is said.
    pub const AT_BIRTH: Self =
        Self { status: ExecutionStatus::Running, ended_at: None, wake_up: None, in_flight: false };
}

/// An execution that wants attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The execution.
    pub execution: ExecutionId,
    /// Since when.
    pub wake_up: Timestamp,
}

/// Identifies an effect; later ones are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId(pub i64);

/// An effect that is to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEffect {
    /// Its id.
    pub id: EffectId,
    /// When it is due.
    pub due: Timestamp,
    /// What it says.
    pub effect: Effect,
}

/// Which executions to list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListQuery {
    /// Of which function; `None` for all.
    pub function: Option<FunctionName>,
    /// Of which version of it.
    pub version: Option<Version>,
    /// With this name.
    pub name: Option<ExecutionName>,
    /// With this status.
    pub status: Option<ExecutionStatus>,
    /// Started after this point, exclusive.
    pub started_after: Option<Timestamp>,
    /// Started before this point, exclusive.
    pub started_before: Option<Timestamp>,
    /// In which order.
    pub order: ListOrder,
    /// Only what comes after this position in that order.
    pub after: Option<ListPosition>,
    /// At most so many.
    pub limit: usize,
}

/// By start, either way; executions that started together are ordered by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOrder {
    /// Newest first.
    Descending,
    /// Oldest first.
    Ascending,
}

/// Where an execution stands in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListPosition {
    /// When it started.
    pub started_at: Timestamp,
    /// Its id.
    pub execution: ExecutionId,
}

/// An execution in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The execution.
    pub execution: ExecutionId,
    /// What was fixed at its creation.
    pub new: NewExecution,
    /// How it stands.
    pub status: ExecutionStatus,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}
