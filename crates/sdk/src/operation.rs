//! What all operations have in common: a place, a record, updates, and the wait for what the service makes of them.
//!
//! A file for each operation: the builder that a handler sees, and what it does, told in terms of [`Operation`].

pub(crate) mod batch;
pub(crate) mod callback;
pub(crate) mod child;
pub(crate) mod invoke;
pub(crate) mod map;
pub(crate) mod parallel;
pub(crate) mod race;
pub(crate) mod step;
pub(crate) mod wait;
pub(crate) mod wait_for_callback;
pub(crate) mod wait_until;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use crate::context::Name;
use crate::error::{Error, OperationError, OperationErrorKind, Result, error_type};
use crate::journal::{Fatal, Journal};
use crate::plugin::{AttemptEnd, AttemptOutcome, OperationInfo};
use crate::replay::id::{OperationId, Path};
use crate::scope::Scope;
use crate::scoped::{Attempt, Current, catch_panic, scoped};
use crate::serdes::{Read, Serdes, SerdesInfo};
use crate::wire::{Change, ErrorObject, OperationStatus, OperationType, Record, Update};

/// What an operation's builder becomes when it is awaited.
pub type OperationFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, OperationError>> + Send + 'a>>;

/// Type and subtype of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) operation_type: OperationType,
    pub(crate) sub_type: &'static str,
    /// The error of it that failed.
    pub(crate) failure: OperationErrorKind,
}

/// An operation that was called: it has its place, whatever becomes of it.
pub(crate) struct Operation {
    pub(crate) scope: Arc<Scope>,
    pub(crate) id: OperationId,
    pub(crate) path: Path,
    pub(crate) name: Name,
    pub(crate) kind: Kind,
    /// The context's time when it was called.
    pub(crate) called_at: SystemTime,
    /// Plugins know that it began.
    announced: AtomicBool,
}

impl Operation {
    /// Calls an operation in a context.
    pub(crate) fn call(scope: &Arc<Scope>, name: Name, kind: Kind) -> Self {
        let path = scope.mint();
        Self::new(scope, path, name, kind)
    }

    /// Calls the branch `index`, from 0, of a batch: whichever is started first, its place is its index.
    pub(crate) fn at(scope: &Arc<Scope>, index: usize, name: Name, kind: Kind) -> Self {
        let path = scope.claim(index);
        Self::new(scope, path, name, kind)
    }

    fn new(scope: &Arc<Scope>, path: Path, name: Name, kind: Kind) -> Self {
        let id = path.id();
        #[cfg(feature = "test")]
        scope.journal.invocation.witness.called(&id, &path);
        let (scope, called_at) = (Arc::clone(scope), scope.now());
        Self { scope, id, path, name, kind, called_at, announced: AtomicBool::new(false) }
    }

    /// Returns what is recorded about it. If its context ended without it, or the record is about another operation, the
    /// handler does not get any further.
    pub(crate) async fn record(&self) -> Option<Arc<Record>> {
        let record = self.known().await;
        let is_over = record.as_ref().is_some_and(|record| record.status.is_terminal());
        if (self.scope.sealed || self.journal().invocation.only_reads()) && !is_over {
            std::future::pending().await
        }
        record
    }

    /// Returns what is recorded about it, also in a context that ended without it. If the record is about another
    /// operation, the handler does not get any further.
    pub(crate) async fn known(&self) -> Option<Arc<Record>> {
        let record = self.journal().record(&self.id);
        match &record {
            Some(record) => {
                if let Some(difference) = self.difference(record) {
                    self.stop::<()>(Fatal::Fail(difference)).await;
                }
                self.observe(record);
            }
            None => self.scope.goes_live(),
        }
        record
    }

    /// Checks the operation before anything is told of it.
    pub(crate) fn check(&self, problem: Option<String>) -> Result<(), OperationError> {
        match self.name.problem().or(problem) {
            None => Ok(()),
            Some(problem) => {
                let object = ErrorObject::new(error_type::VALIDATION, problem);
                Err(OperationError::new(OperationErrorKind::Validation, self.label(), object))
            }
        }
    }

    /// Queues an update that nobody waits for.
    pub(crate) async fn queue(&self, change: Change) {
        self.push(change, false).await;
    }

    /// Sends an update, and returns the record once the service has taken it.
    pub(crate) async fn send(&self, change: Change) -> Arc<Record> {
        let ticket = self.push(change, true).await;
        self.journal().taken(&self.id, ticket).await;
        let record = self.journal().record(&self.id);
        match record {
            Some(record) => record,
            None => {
                let message = format!("the service took operation `{}` and does not know it", self.label());
                self.stop(Fatal::Throw(message)).await
            }
        }
    }

    /// Waits until the operation is over, or its next attempt is due.
    pub(crate) async fn settled(&self) -> Arc<Record> {
        self.journal().settled(&self.id).await
    }

    /// The operation is over for the handler.
    pub(crate) fn passed(&self) {
        // The handler goes on before it is known when a context ended.
        let is_timed = self.kind.operation_type != OperationType::Context;
        let record = self.journal().record(&self.id).filter(|_| is_timed);
        self.scope.passed(record.and_then(|record| record.end_timestamp));
    }

    /// Runs code of the user's, and tells plugins that it begins. A panic is an error.
    pub(crate) async fn run_attempt<T>(
        &self,
        attempt: &Arc<Attempt>,
        scope: &Arc<Scope>,
        body: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.journal().plugins.tell(|plugin| plugin.attempt_start(&attempt.info()));
        let current = Current { scope: Arc::clone(scope), attempt: Some(Arc::clone(attempt)) };
        match scoped(current, catch_panic(body)).await {
            Ok(result) => result,
            Err(panic) => Err(Error::of_panic(panic.as_ref())),
        }
    }

    /// Tells plugins how it ended.
    pub(crate) fn attempt_ended(&self, attempt: &Attempt, outcome: AttemptOutcome, error: Option<&ErrorObject>) {
        let end = AttemptEnd { outcome, error, ended_at: self.now() };
        self.journal().plugins.tell(|plugin| plugin.attempt_end(&attempt.info(), &end));
    }

    /// Describes an attempt of it that begins now.
    pub(crate) fn begin_attempt(&self, number: u32) -> Arc<Attempt> {
        let record = self.journal().record(&self.id);
        let is_replay = self.journal().was_known(&self.id);
        let record = record.unwrap_or_else(|| Arc::new(self.unrecorded()));
        let of_context = self.kind.operation_type == OperationType::Context;
        let is_replaying_children = of_context && record.status.is_terminal();
        let started_at = self.now();
        Arc::new(Attempt { record, number, started_at, is_replay, is_replaying_children, of_context })
    }

    /// Writes a value.
    pub(crate) fn encode<T, S: Serdes<T> + ?Sized>(&self, serdes: &S, value: &T) -> Result<String, ErrorObject> {
        serdes.serialize(value, &self.info()).map_err(|error| {
            let message = format!("the value of operation `{}` cannot be written: {error}", self.label());
            ErrorObject::new(error_type::SERIALIZATION, message)
        })
    }

    /// Reads a value that is on record. If that fails the handler does not get any further.
    pub(crate) async fn decode<T, S: Serdes<T> + ?Sized>(&self, serdes: &S, text: Option<&str>) -> T {
        let value = match text {
            Some(text) => serdes.deserialize(text, &self.info()),
            None => serdes.deserialize_absent(&self.info()),
        };
        self.readable(value).await
    }

    /// Reads a value that somebody else wrote. If that fails the handler does not get any further.
    pub(crate) async fn read<T>(&self, read: &Read<'_, T>, text: Option<&str>) -> T {
        self.readable(read.read(text, &self.info())).await
    }

    /// Returns a value that was read. If it could not be, the handler does not get any further.
    pub(crate) async fn readable<T>(&self, value: Result<T>) -> T {
        match value {
            Ok(value) => value,
            Err(error) => {
                let message = format!(
                    "the recorded value of operation `{}` cannot be read: {error}; was its type changed while this \
                     execution ran?",
                    self.label()
                );
                self.stop(Fatal::Fail(ErrorObject::new(error_type::SERIALIZATION, message))).await
            }
        }
    }

    /// Makes the error that the handler sees.
    pub(crate) fn error(&self, object: ErrorObject) -> OperationError {
        OperationError::new(self.kind.failure, self.label(), object)
    }

    /// Ends the invocation; nothing after it runs.
    pub(crate) async fn stop<T>(&self, fatal: Fatal) -> T {
        #[cfg(feature = "test")]
        self.journal().invocation.witness.stopped(&self.path, &fatal);
        self.journal().stop(fatal);
        std::future::pending().await
    }

    /// Returns what to call it in messages.
    pub(crate) fn label(&self) -> String {
        self.name.as_str().map_or_else(|| self.path.to_string(), str::to_owned)
    }

    /// Returns what time it is.
    pub(crate) fn now(&self) -> SystemTime {
        self.journal().invocation.clock.now()
    }

    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.scope.journal
    }

    pub(crate) fn info(&self) -> SerdesInfo<'_> {
        SerdesInfo {
            execution_arn: &self.journal().invocation.execution_arn,
            operation_id: Some(self.id.as_str()),
            operation_name: self.name.as_str(),
        }
    }

    /// Plugins hear that it began, if they have not.
    pub(crate) fn announce(&self, record: Option<&Record>, is_replay: bool) {
        let plugins = &self.journal().plugins;
        if plugins.is_empty() || self.announced.swap(true, Ordering::Relaxed) {
            return;
        }
        let unrecorded;
        let record = match record {
            Some(record) => record,
            None => {
                unrecorded = self.unrecorded();
                &unrecorded
            }
        };
        let info = OperationInfo::of_record(record, is_replay);
        plugins.tell(|plugin| plugin.operation_start(&info));
    }

    /// Plugins hear that it ended, of which no answer of the service tells; or did so before, if it has no record that
    /// says so.
    pub(crate) fn ended(&self, record: &Record, is_replay: bool) {
        let plugins = &self.journal().plugins;
        if !plugins.is_empty() {
            let info = OperationInfo::of_record(record, is_replay);
            plugins.tell(|plugin| plugin.operation_end(&info));
        }
    }

    /// Returns what is known of it before the service knows it.
    pub(crate) fn unrecorded(&self) -> Record {
        Record {
            id: self.id.clone(),
            parent_id: self.scope.parent.clone(),
            name: self.name.as_str().map(str::to_owned),
            operation_type: self.kind.operation_type,
            sub_type: Some(self.kind.sub_type.to_owned()),
            status: OperationStatus::Started,
            start_timestamp: Some(self.now()),
            end_timestamp: None,
            execution_details: None,
            context_details: None,
            step_details: None,
            wait_details: None,
            callback_details: None,
            chained_invoke_details: None,
        }
    }

    /// A record was met. One that goes on is announced again; one that ended while the handler was away is told of once.
    fn observe(&self, record: &Record) {
        if !record.status.is_terminal() {
            self.announce(Some(record), true);
        } else if self.journal().invocation.updated.contains(&self.id) && !self.announced.swap(true, Ordering::Relaxed)
        {
            self.ended(record, false);
        }
    }

    async fn push(&self, change: Change, urgent: bool) -> crate::journal::Ticket {
        if self.scope.is_closed() || self.scope.sealed || self.journal().invocation.only_reads() {
            std::future::pending().await
        }
        self.announce(None, false);
        let update = Update {
            id: self.id.clone(),
            parent_id: self.scope.parent.clone(),
            name: self.name.as_str().map(str::to_owned),
            operation_type: self.kind.operation_type,
            sub_type: Some(self.kind.sub_type),
            change,
        };
        self.journal().push(update, urgent)
    }

    /// Returns how a record differs from what the handler called.
    fn difference(&self, record: &Record) -> Option<ErrorObject> {
        let called = |name: Option<&str>, operation_type, sub_type: Option<&str>, is_inside: Option<&OperationId>| {
            let name = name.map_or_else(|| "no name".to_owned(), |name| format!("name `{name}`"));
            let inside = is_inside.map_or_else(String::new, |context| format!(" inside context {context}"));
            format!("{operation_type:?}/{} with {name}{inside}", sub_type.unwrap_or("-"))
        };
        let (name, kind) = (self.name.as_str(), self.kind);
        let (parent, recorded_parent) = (self.scope.parent.as_ref(), record.parent_id.as_ref());
        let same = record.operation_type == kind.operation_type
            && record.sub_type.as_deref().is_none_or(|sub_type| sub_type == kind.sub_type)
            && record.name.as_deref() == name;
        if same && parent == recorded_parent {
            return None;
        }
        // Which context it is in only matters if nothing else differs.
        let shown = |parent| if same { parent } else { None };
        let expected =
            called(record.name.as_deref(), record.operation_type, record.sub_type.as_deref(), shown(recorded_parent));
        let actual = called(name, kind.operation_type, Some(kind.sub_type), shown(parent));
        Some(self.contradiction(&expected, &actual))
    }

    /// Says that the record is about something else than the handler called.
    pub(crate) fn contradiction(&self, expected: &str, actual: &str) -> ErrorObject {
        let message = format!(
            "operation {} is on record as {expected}, but the handler called {actual}. A handler must call the same \
             operations in the same order whenever it is replayed: was an operation renamed, added or removed while \
             this execution ran, or does the order depend on time, chance or a hash map? Deploy such changes as a \
             new version, and let executions in flight end on the old one.",
            self.path
        );
        ErrorObject::new(error_type::NON_DETERMINISTIC, message)
    }
}
