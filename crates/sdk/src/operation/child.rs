//! CONTEXT: operations that belong together, and one result of them all.

use std::fmt;
use std::sync::Arc;

use super::{Kind, Operation, OperationFuture};
use crate::context::{Context, Name};
use crate::error::{OperationError, OperationErrorKind, Result};
use crate::journal::Fatal;
use crate::limits::CONTEXT_RESULT_BYTES_MAX;
use crate::plugin::AttemptOutcome;
use crate::scope::{Nesting, Scope};
use crate::serdes::{Json, Serdes};
use crate::wire::{Change, ContextOptions, ErrorObject, OperationStatus, OperationType};

pub(super) const CHILD: Kind = Kind {
    operation_type: OperationType::Context,
    sub_type: "RunInChildContext",
    failure: OperationErrorKind::ChildFailed,
};

impl Context {
    /// Runs code with a context of its own, and remembers its result. The operations in it are remembered one by one
    /// until it is over.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use everstep::{Context, Result};
    /// # async fn handler(name: String, mut ctx: Context) -> Result<String> {
    /// let greeting = ctx
    ///     .child("greeting", async |mut ctx| {
    ///         let greeting = ctx.step("greet", async |_| Ok(format!("Hello, {name}!"))).await?;
    ///         ctx.wait("pause", Duration::from_secs(1)).await?;
    ///         Ok(greeting)
    ///     })
    ///     .await?;
    /// # Ok(greeting) }
    /// ```
    ///
    /// # Errors
    /// [`OperationErrorKind::ChildFailed`] with the error of the body.
    pub fn child<'a, T, F, Fut>(&mut self, name: impl Into<Name>, body: F) -> Child<'a, T, F>
    where
        F: FnOnce(Context) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
        T: Send + 'a,
    {
        let operation = Operation::call(&self.scope, name.into(), CHILD);
        Child { operation, body, nesting: Nesting::Nested, summary: None, serdes: Json }
    }
}

type Summarize<'a, T> = Box<dyn Fn(&T) -> String + Send + Sync + 'a>;

/// A child context that was called and not yet awaited.
#[must_use = "operations do nothing until awaited"]
pub struct Child<'a, T, F, S = Json> {
    operation: Operation,
    body: F,
    nesting: Nesting,
    summary: Option<Summarize<'a, T>>,
    serdes: S,
}

impl<'a, T, F, S> Child<'a, T, F, S> {
    /// Keeps no record of the context: its operations belong to the context around it, and its body runs on every
    /// replay.
    pub fn flat(self) -> Self {
        Self { nesting: Nesting::Virtual, ..self }
    }

    /// Sets what is kept of a result that is too large to be kept whole (256 KiB). It is for people: replay makes the
    /// result anew from the operations.
    pub fn summary(self, summarize: impl Fn(&T) -> String + Send + Sync + 'a) -> Self {
        Self { summary: Some(Box::new(summarize)), ..self }
    }

    /// Sets how the result becomes text.
    pub fn serdes<R: Serdes<T>>(self, serdes: R) -> Child<'a, T, F, R> {
        let Self { operation, body, nesting, summary, serdes: _ } = self;
        Child { operation, body, nesting, summary, serdes }
    }
}

impl<'a, T, F, Fut, S> IntoFuture for Child<'a, T, F, S>
where
    F: FnOnce(Context) -> Fut + Send + 'a,
    Fut: Future<Output = Result<T>> + Send + 'a,
    T: Send + 'a,
    S: Serdes<T> + 'a,
{
    type Output = Result<T, OperationError>;
    type IntoFuture = OperationFuture<'a, T>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { operation, body, nesting, summary, serdes } = self;
            operation.check(None)?;
            let text = run_context(&operation, nesting, async |scope, _| {
                let value = body(Context::new(scope)).await?;
                let text = operation.encode(&serdes, &value).map_err(crate::error::Error::from_object)?;
                let summary = summary.map(|summarize| summarize(&value)).unwrap_or_default();
                Ok(Produced { text, summary, by_chance: false })
            });
            let text = text.await?;
            Ok(operation.decode(&serdes, text.as_deref()).await)
        })
    }
}

impl<T, F, S> fmt::Debug for Child<'_, T, F, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Child({})", self.operation.label())
    }
}

/// What the body of a context gave.
pub(super) struct Produced {
    /// Its result.
    pub(super) text: String,
    /// What is kept of the result if it is too large.
    pub(super) summary: String,
    /// Another run might give another result, because it went by who was first.
    pub(super) by_chance: bool,
}

/// Runs a context to the text of its result. The body is given its scope and, if its result is made anew, the summary
/// that was kept.
pub(super) async fn run_context<'a, Fut>(
    operation: &Operation,
    nesting: Nesting,
    body: impl FnOnce(Arc<Scope>, Option<String>) -> Fut,
) -> Result<Option<String>, OperationError>
where
    Fut: Future<Output = Result<Produced>> + 'a,
{
    let outcome = match nesting {
        Nesting::Nested => run_nested(operation, body).await,
        Nesting::Virtual => run_virtual(operation, body).await,
    };
    operation.passed();
    outcome.map_err(|error| operation.error(error))
}

async fn run_nested<Fut: Future<Output = Result<Produced>>>(
    operation: &Operation,
    body: impl FnOnce(Arc<Scope>, Option<String>) -> Fut,
) -> Result<Option<String>, ErrorObject> {
    let record = operation.known().await;
    let ended = record.filter(|record| record.status.is_terminal());
    if let Some(record) = ended {
        let result = record.result().map(str::to_owned);
        return match record.status {
            OperationStatus::Succeeded if record.replays_children() => remake(operation, result, body).await.map(Some),
            OperationStatus::Succeeded => Ok(result),
            _ => Err(record.error().cloned().unwrap_or_default()),
        };
    }
    if operation.scope.sealed {
        // The context around it ended without it.
        std::future::pending::<()>().await;
    }
    if operation.journal().record(&operation.id).is_none() {
        operation.queue(Change::start()).await;
    }
    let scope = operation.scope.open(&operation.path, &operation.id, Nesting::Nested, false, operation.called_at);
    let result = attempt(operation, &scope, body(Arc::clone(&scope), None)).await;
    // From here on nothing in it is told any more: what it did not wait for stays as it is.
    scope.close();
    let by_chance = result.as_ref().is_ok_and(|produced| produced.by_chance);
    let (change, result) = match result {
        Ok(Produced { text, summary, .. }) if text.len() > CONTEXT_RESULT_BYTES_MAX => {
            let context_options = Some(ContextOptions { replay_children: true });
            (Change { context_options, ..Change::succeed(Some(summary)) }, Ok(Some(text)))
        }
        Ok(Produced { text, .. }) => (Change::succeed(Some(text.clone())), Ok(Some(text))),
        Err(error) => (Change::fail(error.clone()), Err(error)),
    };
    // The next operation must not see a value before it is on record if it would not be the same again: without
    // operations it is a step in effect. And plugins are to see the record of the end.
    if by_chance || scope.is_empty() || !operation.journal().plugins.is_empty() {
        operation.send(change).await;
    } else {
        operation.queue(change).await;
    }
    result
}

/// Makes the result of a context anew that ended before: its operations are read, and nothing is told.
async fn remake<Fut: Future<Output = Result<Produced>>>(
    operation: &Operation,
    summary: Option<String>,
    body: impl FnOnce(Arc<Scope>, Option<String>) -> Fut,
) -> Result<String, ErrorObject> {
    let scope = operation.scope.open(&operation.path, &operation.id, Nesting::Nested, true, operation.called_at);
    match attempt(operation, &scope, body(Arc::clone(&scope), summary)).await {
        Ok(Produced { text, .. }) => Ok(text),
        Err(error) => {
            let message = format!(
                "context `{}` succeeded before, and fails when it is replayed: {}",
                operation.label(),
                error.error_message.unwrap_or_default()
            );
            let object = ErrorObject::new(crate::error::error_type::NON_DETERMINISTIC, message);
            operation.stop(Fatal::Fail(object)).await
        }
    }
}

async fn run_virtual<Fut: Future<Output = Result<Produced>>>(
    operation: &Operation,
    body: impl FnOnce(Arc<Scope>, Option<String>) -> Fut,
) -> Result<Option<String>, ErrorObject> {
    if operation.journal().record(&operation.id).is_some() {
        let difference = operation.contradiction("a context of its own", "it as a flat one");
        operation.stop::<()>(Fatal::Fail(difference)).await;
    }
    let scope = operation.scope.open(&operation.path, &operation.id, Nesting::Virtual, false, operation.called_at);
    operation.announce(None, scope.is_replaying());
    let result = attempt(operation, &scope, body(Arc::clone(&scope), None)).await;
    scope.close();
    if !operation.journal().plugins.is_empty() {
        let mut record = operation.unrecorded();
        record.status = if result.is_ok() { OperationStatus::Succeeded } else { OperationStatus::Failed };
        record.end_timestamp = Some(operation.now());
        // It runs in each invocation, and ended in that one in which the handler went on for the first time.
        operation.passed();
        operation.ended(&record, operation.scope.is_replaying());
    }
    result.map(|produced| Some(produced.text))
}

/// Runs the body, and tells plugins of it.
async fn attempt<T>(
    operation: &Operation,
    scope: &Arc<Scope>,
    body: impl Future<Output = Result<T>>,
) -> Result<T, ErrorObject> {
    let attempt = operation.begin_attempt(1);
    let result = operation.run_attempt(&attempt, scope, body).await.map_err(|error| error.to_object());
    let outcome = if result.is_ok() { AttemptOutcome::Succeeded } else { AttemptOutcome::Failed };
    operation.attempt_ended(&attempt, outcome, result.as_ref().err());
    result
}
