//! CALLBACK: an id that is given to somebody, and what they answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::{Kind, Operation, OperationFuture};
use crate::context::{Context, Name};
use crate::error::{OperationError, OperationErrorKind, Result};
use crate::journal::Fatal;
use crate::limits::CALLBACK_SECONDS_MAX;
use crate::replay::retry::whole_seconds;
use crate::serdes::{Raw, Read, Serdes};
use crate::wire::{CallbackOptions, Change, OperationStatus, OperationType, Record};

pub(super) const CALLBACK: Kind =
    Kind { operation_type: OperationType::Callback, sub_type: "Callback", failure: OperationErrorKind::CallbackFailed };

impl Context {
    /// Makes a callback. Awaited, it gives the [`Callback`] with the id that whoever answers must be told of, in a step.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use everstep::{Context, Result};
    /// # async fn send(callback_id: &str) -> std::io::Result<()> { Ok(()) }
    /// # async fn handler(_: (), mut ctx: Context) -> Result<u32> {
    /// let callback = ctx.callback::<u32>("number").timeout(Duration::from_secs(3600)).await?;
    /// ctx.step("send", async |_| Ok(send(callback.id()).await?)).await?;
    /// let number = callback.result().await?;
    /// # Ok(number) }
    /// ```
    ///
    /// # Errors
    /// [`OperationErrorKind::Validation`] if a timeout is longer than 99,999,999 seconds. Those of the answer come with it,
    /// by [`Callback::result`].
    pub fn callback<'a, T>(&mut self, name: impl Into<Name>) -> CreateCallback<'a, T>
    where
        T: DeserializeOwned + Send + 'a,
    {
        let operation = Operation::call(&self.scope, name.into(), CALLBACK);
        CreateCallback { operation, options: CallbackOptions::default(), read: Read::json() }
    }
}

/// A callback that was called and not yet awaited.
#[must_use = "operations do nothing until awaited"]
pub struct CreateCallback<'a, T> {
    pub(super) operation: Operation,
    pub(super) options: CallbackOptions,
    pub(super) read: Read<'a, T>,
}

impl<'a, T: Send + 'a> CreateCallback<'a, T> {
    /// Sets how long the answer may take. Parts of a second are rounded up; zero is for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout_seconds = Some(whole_seconds(timeout));
        self
    }

    /// Sets how long it may be until the next heartbeat. Parts of a second are rounded up; zero is for ever.
    pub fn heartbeat(mut self, timeout: Duration) -> Self {
        self.options.heartbeat_timeout_seconds = Some(whole_seconds(timeout));
        self
    }

    /// Sets how the answer is read.
    pub fn serdes(mut self, serdes: impl Serdes<T> + 'a) -> Self {
        self.read = Read::by(serdes);
        self
    }

    /// Gives the answer as the text that it is.
    pub fn raw(self) -> CreateCallback<'a, String> {
        let Self { operation, options, .. } = self;
        CreateCallback { operation, options, read: Read::by(Raw) }
    }

    pub(super) async fn create(self) -> Result<Callback<'a, T>, OperationError> {
        let Self { operation, options, read } = self;
        operation.check(too_long(&options))?;
        // It exists from its start on, also for a context that ended without its answer.
        let record = match operation.known().await {
            Some(record) => record,
            None => operation.send(Change { callback_options: Some(options), ..Change::start() }).await,
        };
        let Some(details) = &record.callback_details else {
            let message = format!("the service gave no id for callback `{}`", operation.label());
            return operation.stop(Fatal::Throw(message)).await;
        };
        let id = details.callback_id.clone();
        Ok(Callback { operation, id, read })
    }
}

impl<'a, T: Send + 'a> IntoFuture for CreateCallback<'a, T> {
    type Output = Result<Callback<'a, T>, OperationError>;
    type IntoFuture = OperationFuture<'a, Callback<'a, T>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.create())
    }
}

impl<T> fmt::Debug for CreateCallback<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CreateCallback({})", self.operation.label())
    }
}

/// A callback that exists.
pub struct Callback<'a, T> {
    operation: Operation,
    id: String,
    read: Read<'a, T>,
}

impl<'a, T: Send + 'a> Callback<'a, T> {
    /// Returns the id by which it is completed.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Waits for the answer, without compute if nothing else is to be done.
    ///
    /// # Errors
    /// [`OperationErrorKind::CallbackFailed`] with the error that was sent, [`OperationErrorKind::CallbackTimedOut`] or
    /// [`OperationErrorKind::CallbackHeartbeatTimedOut`].
    pub async fn result(self) -> Result<T, OperationError> {
        let record = self.settled().await;
        match record.status {
            OperationStatus::Succeeded => Ok(self.operation.read(&self.read, record.result()).await),
            _ => Err(self.operation.error(record.error().cloned().unwrap_or_default())),
        }
    }

    /// Waits until it is over.
    async fn settled(&self) -> Arc<Record> {
        let known = self.operation.record().await.filter(|record| record.status.is_terminal());
        let record = match known {
            Some(record) => record,
            None => self.operation.settled().await,
        };
        self.operation.passed();
        record
    }
}

impl<T> fmt::Debug for Callback<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Callback({}, {})", self.operation.label(), self.id)
    }
}

/// Returns why the service does not wait so long for the answer, if it does not.
pub(super) fn too_long(options: &CallbackOptions) -> Option<String> {
    let seconds = options.timeout_seconds.max(options.heartbeat_timeout_seconds)?;
    (seconds > CALLBACK_SECONDS_MAX)
        .then(|| format!("a timeout of {seconds} seconds is longer than {CALLBACK_SECONDS_MAX}"))
}
