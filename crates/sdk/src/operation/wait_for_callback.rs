//! CONTEXT, WaitForCallback: a callback, and the step that tells somebody of it.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::callback::{CALLBACK, CreateCallback, too_long};
use super::child::{Produced, run_context};
use super::step::STEP;
use super::{Kind, Operation, OperationFuture};
use crate::context::{Context, Name};
use crate::error::{OperationError, OperationErrorKind, Result};
use crate::operation::step::{Step, StepContext};
use crate::replay::retry::whole_seconds;
use crate::replay::step::Semantics;
use crate::retry::Retry;
use crate::scope::{Nesting, Scope};
use crate::serdes::{Json, Raw, Read, Serdes};
use crate::wire::{CallbackOptions, OperationType};

const WAIT_FOR_CALLBACK: Kind = Kind {
    operation_type: OperationType::Context,
    sub_type: "WaitForCallback",
    failure: OperationErrorKind::CallbackFailed,
};

impl Context {
    /// Makes a callback, tells somebody of it by `submit`, and waits for the answer without compute.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use everstep::{Context, Result};
    /// # async fn send(callback_id: &str) -> std::io::Result<()> { Ok(()) }
    /// # async fn handler(_: (), mut ctx: Context) -> Result<u32> {
    /// let number: u32 = ctx
    ///     .wait_for_callback("number", async |callback| Ok(send(callback.id()).await?))
    ///     .timeout(Duration::from_secs(3600))
    ///     .await?;
    /// # Ok(number) }
    /// ```
    ///
    /// # Errors
    /// [`OperationErrorKind::CallbackFailed`] with the error that was sent or that `submit` gave,
    /// [`OperationErrorKind::CallbackTimedOut`], or [`OperationErrorKind::CallbackHeartbeatTimedOut`];
    /// [`OperationErrorKind::Validation`] if a timeout is longer than 99,999,999 seconds.
    pub fn wait_for_callback<'a, T, F, Fut>(&mut self, name: impl Into<Name>, submit: F) -> WaitForCallback<'a, T, F>
    where
        F: FnMut(SubmitContext) -> Fut + Send + 'a,
        Fut: Future<Output = Result<()>> + Send + 'a,
        T: DeserializeOwned + Send + 'a,
    {
        let operation = Operation::call(&self.scope, name.into(), WAIT_FOR_CALLBACK);
        let (options, retry) = (CallbackOptions::default(), Retry::default());
        WaitForCallback { operation, submit, options, retry, read: Read::json() }
    }
}

/// A wait for a callback that was called and not yet awaited.
#[must_use = "operations do nothing until awaited"]
pub struct WaitForCallback<'a, T, F> {
    operation: Operation,
    submit: F,
    options: CallbackOptions,
    retry: Retry<'a>,
    read: Read<'a, T>,
}

impl<'a, T: Send + 'a, F> WaitForCallback<'a, T, F> {
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

    /// Sets whether and when `submit` is tried again.
    pub fn retry(self, retry: Retry<'a>) -> Self {
        Self { retry, ..self }
    }

    /// Sets how the answer is read.
    pub fn serdes(mut self, serdes: impl Serdes<T> + 'a) -> Self {
        self.read = Read::by(serdes);
        self
    }

    /// Gives the answer as the text that it is.
    pub fn raw(self) -> WaitForCallback<'a, String, F> {
        let Self { operation, submit, options, retry, .. } = self;
        WaitForCallback { operation, submit, options, retry, read: Read::by(Raw) }
    }
}

impl<'a, T, F, Fut> IntoFuture for WaitForCallback<'a, T, F>
where
    F: FnMut(SubmitContext) -> Fut + Send + 'a,
    Fut: Future<Output = Result<()>> + Send + 'a,
    T: Send + 'a,
{
    type Output = Result<T, OperationError>;
    type IntoFuture = OperationFuture<'a, T>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { operation, submit, options, retry, read } = self;
            operation.check(too_long(&options))?;
            let inner = |part: &str| match operation.name.as_str() {
                Some(name) => Name::from(format!("{name}-{part}")),
                None => Name::NONE,
            };
            let (callback_name, submitter_name) = (inner("callback"), inner("submitter"));
            let text = run_context(&operation, Nesting::Nested, async |scope: std::sync::Arc<Scope>, _| {
                let create = CreateCallback {
                    operation: Operation::call(&scope, callback_name, CALLBACK),
                    options,
                    // Nothing was sent: that is JSON's null.
                    read: Read::by(Answer),
                };
                let submitter = Operation::call(&scope, submitter_name, STEP);
                let callback = create.create().await?;
                let mut submit = submit;
                let id = callback.id().to_owned();
                let body = |step| submit(SubmitContext { callback_id: id.clone(), step });
                let (semantics, result) = (Semantics::AtLeastOnce, std::marker::PhantomData);
                Step { operation: submitter, body, semantics, retry, serdes: Json, result }.run().await?;
                Ok(Produced { text: callback.result().await?, summary: String::new(), by_chance: false })
            });
            let text = text.await?;
            Ok(operation.read(&read, text.as_deref()).await)
        })
    }
}

/// The answer as text; none is JSON's null.
struct Answer;

impl Serdes<String> for Answer {
    fn serialize(&self, value: &String, info: &crate::serdes::SerdesInfo<'_>) -> Result<String> {
        Raw.serialize(value, info)
    }

    fn deserialize(&self, text: &str, info: &crate::serdes::SerdesInfo<'_>) -> Result<String> {
        Raw.deserialize(text, info)
    }
}

impl<T, F> fmt::Debug for WaitForCallback<'_, T, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "WaitForCallback({})", self.operation.label())
    }
}

/// What whoever is to tell of a callback is told.
#[derive(Clone, Debug)]
pub struct SubmitContext {
    callback_id: String,
    step: StepContext,
}

impl SubmitContext {
    /// Returns the id by which the callback is completed.
    pub fn id(&self) -> &str {
        &self.callback_id
    }

    /// Returns what the step is told that this is.
    pub fn step(&self) -> &StepContext {
        &self.step
    }
}
