//! STEP: code that runs once, and whose result is remembered.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Kind, Operation, OperationFuture};
use crate::context::{Context, Name};
use crate::error::{Error, OperationError, OperationErrorKind, Result, StepInterrupted, error_type};
use crate::journal::Journal;
use crate::plugin::AttemptOutcome;
use crate::replay::id::OperationId;
use crate::replay::retry::too_long;
use crate::replay::step::{Next, Semantics, next};
use crate::retry::Retry;
use crate::scoped::Attempt;
use crate::serdes::{Json, Serdes};
use crate::wire::{Action, Change, ErrorObject, OperationType};

pub(crate) const STEP: Kind =
    Kind { operation_type: OperationType::Step, sub_type: "Step", failure: OperationErrorKind::StepFailed };

impl Context {
    /// Runs code once and remembers its result.
    ///
    /// If the process dies while the body runs, it runs again, unless the step is [at most once](Step::at_most_once). If
    /// the body fails it is tried again as [`Retry`] says. It may borrow from the handler.
    ///
    /// ```
    /// # use everstep::{Context, Result};
    /// # async fn price(item: &str) -> std::io::Result<u32> { Ok(3) }
    /// # async fn handler(item: String, mut ctx: Context) -> Result<u32> {
    /// let price = ctx.step("price", async |_| Ok(price(&item).await?)).await?;
    /// # Ok(price) }
    /// ```
    ///
    /// # Errors
    /// [`OperationErrorKind::StepFailed`] with the error of the last attempt.
    pub fn step<'a, T, F, Fut>(&mut self, name: impl Into<Name>, body: F) -> Step<'a, T, F>
    where
        F: FnMut(StepContext) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
        T: Send + 'a,
    {
        let operation = Operation::call(&self.scope, name.into(), STEP);
        let (semantics, retry) = (Semantics::default(), Retry::default());
        Step { operation, body, semantics, retry, serdes: Json, result: PhantomData }
    }
}

/// A step that was called and not yet awaited.
#[must_use = "operations do nothing until awaited"]
pub struct Step<'a, T, F, S = Json> {
    pub(super) operation: Operation,
    pub(super) body: F,
    pub(super) semantics: Semantics,
    pub(super) retry: Retry<'a>,
    pub(super) serdes: S,
    pub(super) result: PhantomData<fn() -> T>,
}

impl<'a, T, F, S> Step<'a, T, F, S> {
    /// Never runs the body twice in one attempt: if the process dies while it runs, the attempt failed with
    /// [`StepInterrupted`]. Costs a round trip before the body.
    pub fn at_most_once(self) -> Self {
        Self { semantics: Semantics::AtMostOnce, ..self }
    }

    /// Sets whether and when the body is tried again.
    pub fn retry(self, retry: Retry<'a>) -> Self {
        Self { retry, ..self }
    }

    /// Does not try again.
    pub fn no_retry(self) -> Self {
        self.retry(Retry::none())
    }

    /// Sets how the result becomes text.
    pub fn serdes<R: Serdes<T>>(self, serdes: R) -> Step<'a, T, F, R> {
        let Self { operation, body, semantics, retry, serdes: _, result } = self;
        Step { operation, body, semantics, retry, serdes, result }
    }
}

impl<'a, T, F, Fut, S> IntoFuture for Step<'a, T, F, S>
where
    F: FnMut(StepContext) -> Fut + Send + 'a,
    Fut: Future<Output = Result<T>> + Send + 'a,
    T: Send + 'a,
    S: Serdes<T> + 'a,
{
    type Output = Result<T, OperationError>;
    type IntoFuture = OperationFuture<'a, T>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<'a, T, F, Fut, S> Step<'a, T, F, S>
where
    F: FnMut(StepContext) -> Fut + Send + 'a,
    Fut: Future<Output = Result<T>> + Send + 'a,
    T: Send + 'a,
    S: Serdes<T> + 'a,
{
    pub(super) async fn run(mut self) -> Result<T, OperationError> {
        self.operation.check(None)?;
        let outcome = self.outcome().await;
        self.operation.passed();
        outcome
    }

    async fn outcome(&mut self) -> Result<T, OperationError> {
        loop {
            let record = self.operation.record().await;
            let attempt = match next(record.as_deref(), self.semantics) {
                Next::Begin { attempt } => {
                    match self.semantics {
                        Semantics::AtLeastOnce => self.operation.queue(Change::start()).await,
                        Semantics::AtMostOnce => drop(self.operation.send(Change::start()).await),
                    }
                    attempt
                }
                Next::Resume { attempt } => attempt,
                Next::Interrupted { attempt } => {
                    self.operation.send(self.failure(&StepInterrupted.into(), attempt)).await;
                    continue;
                }
                Next::Park => {
                    self.operation.settled().await;
                    continue;
                }
                Next::Succeeded(text) => return Ok(self.operation.decode(&self.serdes, text).await),
                Next::Failed(error) => return Err(self.operation.error(error)),
            };
            let attempt_info = self.operation.begin_attempt(attempt);
            let result = self.attempt(&attempt_info).await;
            let change = match result.map(|value| self.operation.encode(&self.serdes, &value)) {
                Ok(Ok(text)) => Change::succeed(Some(text)),
                // Writing it again would not help.
                Ok(Err(error)) => Change::fail(error),
                Err(error) => self.failure(&error, attempt),
            };
            let outcome = match change.action {
                Action::Succeed => AttemptOutcome::Succeeded,
                Action::Retry => AttemptOutcome::Retrying,
                Action::Fail | Action::Start => AttemptOutcome::Failed,
            };
            self.operation.attempt_ended(&attempt_info, outcome, change.error.as_ref());
            self.operation.send(change).await;
        }
    }

    /// Runs the body.
    async fn attempt(&mut self, attempt: &Arc<Attempt>) -> Result<T> {
        let Self { operation, body, .. } = self;
        operation.scope.goes_live();
        let _executing = operation.journal().executing();
        #[cfg(feature = "test")]
        operation.journal().invocation.witness.body_begins(&operation.id, attempt.number, self.semantics);
        let context = StepContext {
            journal: Arc::clone(operation.journal()),
            operation_id: operation.id.clone(),
            attempt: attempt.number,
        };
        let code = async { body(context).await };
        operation.run_attempt(attempt, &operation.scope, code).await
    }

    /// Returns what the service is told of an attempt that failed.
    fn failure(&self, error: &Error, attempt: u32) -> Change {
        let object = error.to_object();
        let Some(delay_seconds) = self.retry.decide(error, attempt) else { return Change::fail(object) };
        match too_long(delay_seconds) {
            None => Change { error: Some(object), ..Change::retry(delay_seconds) },
            Some(problem) => {
                let message = format!("{problem}; the attempt failed with {}: {error}", error.error_type());
                Change::fail(ErrorObject::new(error_type::VALIDATION, message))
            }
        }
    }
}

impl<T, F, S> fmt::Debug for Step<'_, T, F, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Step({})", self.operation.label())
    }
}

/// What the body of a step is told.
#[derive(Clone)]
pub struct StepContext {
    journal: Arc<Journal>,
    operation_id: OperationId,
    attempt: u32,
}

impl StepContext {
    /// Returns the number of the attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the id of the operation.
    pub fn operation_id(&self) -> &str {
        self.operation_id.as_str()
    }

    /// Returns the ARN of the execution.
    pub fn execution_arn(&self) -> &str {
        &self.journal.invocation.execution_arn
    }

    /// Returns a key that is this step's alone, and the same for each of its attempts: for services that take one.
    pub fn idempotency_key(&self) -> String {
        format!("{}:{}", self.execution_arn(), self.operation_id)
    }

    /// Returns when Lambda ends this invocation.
    pub fn deadline(&self) -> SystemTime {
        self.journal.invocation.deadline
    }
}

impl fmt::Debug for StepContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StepContext({}, attempt {})", self.operation_id, self.attempt)
    }
}
