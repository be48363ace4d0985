//! STEP, WaitForCondition: a check that is made again and again, without compute in between.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::{Kind, Operation, OperationFuture};
use crate::context::{Context, Name};
use crate::error::{ConditionExhausted, Error, OperationError, OperationErrorKind, Result, error_type};
use crate::plugin::AttemptOutcome;
use crate::replay::retry::{Backoff, delay_seconds, too_long};
use crate::replay::step::{Next, Semantics, next};
use crate::retry::{Jitter, random};
use crate::serdes::{Json, Serdes};
use crate::wire::{Change, ErrorObject, OperationType};

const WAIT_FOR_CONDITION: Kind = Kind {
    operation_type: OperationType::Step,
    sub_type: "WaitForCondition",
    failure: OperationErrorKind::ConditionFailed,
};

/// What a check found, and the state that the next one, or the handler, is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<S> {
    /// It holds.
    Met(S),
    /// It does not hold; look again after the operation's delay.
    NotYet(S),
    /// It does not hold; look again after this delay.
    Later(S, Duration),
}

impl Context {
    /// Checks a condition, beginning with a state, until it holds. Each check is given the state that the one before
    /// returned.
    ///
    /// Without further words it is checked 60 times at most: after 5 seconds, then half as long again each time, never
    /// more than 5 minutes, with full jitter.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use everstep::{Condition, Context, Result};
    /// # async fn is_ready(export: &str) -> std::io::Result<bool> { Ok(true) }
    /// # async fn handler(export: String, mut ctx: Context) -> Result<u32> {
    /// let checks = ctx
    ///     .wait_until("export", 0, async |checks| {
    ///         let ready = is_ready(&export).await?;
    ///         Ok(if ready { Condition::Met(checks + 1) } else { Condition::NotYet(checks + 1) })
    ///     })
    ///     .every(Duration::from_secs(30))
    ///     .max_checks(20)
    ///     .await?;
    /// # Ok(checks) }
    /// ```
    ///
    /// # Errors
    /// [`OperationErrorKind::ConditionFailed`] if a check fails, [`OperationErrorKind::ConditionExhausted`] after the last.
    pub fn wait_until<'a, T, F, Fut>(&mut self, name: impl Into<Name>, initial: T, check: F) -> WaitUntil<'a, T, F>
    where
        F: FnMut(T) -> Fut + Send + 'a,
        Fut: Future<Output = Result<Condition<T>>> + Send + 'a,
        T: Send + 'a,
    {
        let operation = Operation::call(&self.scope, name.into(), WAIT_FOR_CONDITION);
        let (first, cap) = (Duration::from_secs(5), Duration::from_secs(300));
        let backoff = Backoff { attempts: 60, first, factor: 1.5, cap, jitter: Jitter::Full };
        WaitUntil { operation, initial: Some(initial), check, backoff, serdes: Json, borrows: PhantomData }
    }
}

/// A wait for a condition that was called and not yet awaited.
#[must_use = "operations do nothing until awaited"]
pub struct WaitUntil<'a, T, F, S = Json> {
    operation: Operation,
    initial: Option<T>,
    check: F,
    backoff: Backoff,
    serdes: S,
    borrows: PhantomData<&'a ()>,
}

impl<'a, T, F, S> WaitUntil<'a, T, F, S> {
    /// Checks with the same delay in between.
    pub fn every(mut self, delay: Duration) -> Self {
        self.backoff = Backoff { first: delay, factor: 1.0, cap: delay, jitter: Jitter::None, ..self.backoff };
        self
    }

    /// Sets how often it is checked at most.
    pub fn max_checks(mut self, checks: u32) -> Self {
        self.backoff.attempts = checks;
        self
    }

    /// Sets the delay after the first check, by what it grows, and what it never exceeds.
    pub fn delays(mut self, first: Duration, factor: f64, cap: Duration) -> Self {
        self.backoff = Backoff { first, factor, cap, ..self.backoff };
        self
    }

    /// Sets how much of a delay is left to chance.
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.backoff.jitter = jitter;
        self
    }

    /// Sets how the state becomes text.
    pub fn serdes<R: Serdes<T>>(self, serdes: R) -> WaitUntil<'a, T, F, R> {
        let Self { operation, initial, check, backoff, serdes: _, borrows } = self;
        WaitUntil { operation, initial, check, backoff, serdes, borrows }
    }
}

impl<'a, T, F, Fut, S> IntoFuture for WaitUntil<'a, T, F, S>
where
    F: FnMut(T) -> Fut + Send + 'a,
    Fut: Future<Output = Result<Condition<T>>> + Send + 'a,
    T: Send + 'a,
    S: Serdes<T> + 'a,
{
    type Output = Result<T, OperationError>;
    type IntoFuture = OperationFuture<'a, T>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            self.operation.check(None)?;
            let outcome = self.outcome().await;
            self.operation.passed();
            outcome
        })
    }
}

impl<'a, T, F, Fut, S> WaitUntil<'a, T, F, S>
where
    F: FnMut(T) -> Fut + Send + 'a,
    Fut: Future<Output = Result<Condition<T>>> + Send + 'a,
    T: Send + 'a,
    S: Serdes<T> + 'a,
{
    async fn outcome(&mut self) -> Result<T, OperationError> {
        loop {
            let record = self.operation.record().await;
            let number = match next(record.as_deref(), Semantics::AtLeastOnce) {
                Next::Begin { attempt } => {
                    self.operation.queue(Change::start()).await;
                    attempt
                }
                Next::Resume { attempt } | Next::Interrupted { attempt } => attempt,
                Next::Park => {
                    self.operation.settled().await;
                    continue;
                }
                Next::Succeeded(text) => return Ok(self.operation.decode(&self.serdes, text).await),
                Next::Failed(error) => return Err(self.operation.error(error)),
            };
            let state = match record.as_ref().and_then(|record| record.result()) {
                Some(text) => self.operation.decode(&self.serdes, Some(text)).await,
                None => match self.initial.take() {
                    Some(initial) => initial,
                    None => unreachable!("a check that is over left a state on record"),
                },
            };
            let change = self.check(state, number).await;
            self.operation.send(change).await;
        }
    }

    /// Makes a check, and returns what the service is told of it.
    async fn check(&mut self, state: T, number: u32) -> Change {
        let Self { operation, check, serdes, backoff, .. } = self;
        operation.scope.goes_live();
        let _executing = operation.journal().executing();
        let attempt = operation.begin_attempt(number);
        let code = async { check(state).await };
        let result = operation.run_attempt(&attempt, &operation.scope, code).await;
        let (state, delay) = match result {
            Ok(Condition::Met(state)) => (Ok(state), None),
            Ok(Condition::NotYet(state)) => (Ok(state), Some(backoff.delay_seconds(number, random()))),
            Ok(Condition::Later(state, delay)) => {
                (Ok(state), Some((number < backoff.attempts).then(|| delay_seconds(delay))))
            }
            Err(error) => (Err(error.to_object()), None),
        };
        let text = state.and_then(|state| operation.encode(serdes, &state));
        let (change, outcome) = match (text, delay) {
            (Err(error), _) => (Change::fail(error), AttemptOutcome::Failed),
            (Ok(text), None) => (Change::succeed(Some(text)), AttemptOutcome::Succeeded),
            (Ok(text), Some(Some(seconds))) => match too_long(seconds) {
                None => (Change { payload: Some(text), ..Change::retry(seconds) }, AttemptOutcome::Retrying),
                Some(problem) => {
                    (Change::fail(ErrorObject::new(error_type::VALIDATION, problem)), AttemptOutcome::Failed)
                }
            },
            (Ok(_), Some(None)) => {
                let exhausted = Error::from(ConditionExhausted { checks: number });
                (Change::fail(exhausted.to_object()), AttemptOutcome::Failed)
            }
        };
        operation.attempt_ended(&attempt, outcome, change.error.as_ref());
        change
    }
}

impl<T, F, S> fmt::Debug for WaitUntil<'_, T, F, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "WaitUntil({})", self.operation.label())
    }
}
