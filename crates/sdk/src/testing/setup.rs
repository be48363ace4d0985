//! What a test begins with: the function, what is around it, and what is to go wrong.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use everstep_api::reference::FunctionReference;
use everstep_core::id::FunctionName;
use everstep_core::limits::DURATION_SECONDS_MAX;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::faults::{Attempt, Fault, Faults};
use super::functions::Other;
use super::running::Running;
use super::world::World;
use crate::error::Result;
use crate::function::{Function, IntoFunction};
use crate::replay::retry::whole_seconds;

/// Begins a test of a handler. See [the module](crate::testing).
pub fn test<M>(handler: impl IntoFunction<M>) -> Test {
    Test {
        function: handler.into_function(),
        others: HashMap::new(),
        faults: Vec::new(),
        execution_timeout_seconds: None,
        tenant_id: None,
    }
}

/// A test that was not started.
#[must_use = "nothing runs before `start`"]
pub struct Test {
    pub(super) function: Function,
    pub(super) others: HashMap<FunctionName, Other>,
    pub(super) faults: Vec<Fault>,
    pub(super) execution_timeout_seconds: Option<u64>,
    pub(super) tenant_id: Option<String>,
}

impl Test {
    /// Answers invocations of a function by a closure. It is named as the handler names it: by its name or ARN, whatever
    /// the version.
    ///
    /// # Panics
    /// If that is no name of a function.
    pub fn stub_invoke<P, R>(self, function: &str, answer: impl Fn(P) -> Result<R> + Send + Sync + 'static) -> Self
    where
        P: DeserializeOwned,
        R: Serialize,
    {
        let stub = move |payload: &str| Ok(serde_json::to_string(&answer(serde_json::from_str(payload)?)?)?);
        self.other(function, Other::Stub(Arc::new(stub)))
    }

    /// Runs invocations of a function by a durable handler.
    ///
    /// # Panics
    /// If that is no name of a function.
    pub fn with_function<M>(self, function: &str, handler: impl IntoFunction<M>) -> Self {
        self.other(function, Other::Durable(handler.into_function()))
    }

    /// Sets how long the execution may take; without it, 366 days. Parts of a second are rounded up.
    ///
    /// # Panics
    /// If it is longer than that.
    pub fn execution_timeout(self, timeout: Duration) -> Self {
        let seconds = whole_seconds(timeout);
        assert!(
            (1..=DURATION_SECONDS_MAX).contains(&seconds),
            "an execution may take 1 to {DURATION_SECONDS_MAX} seconds"
        );
        Self { execution_timeout_seconds: Some(seconds), ..self }
    }

    /// Sets the tenant that the execution belongs to.
    pub fn tenant(self, tenant_id: impl Into<String>) -> Self {
        Self { tenant_id: Some(tenant_id.into()), ..self }
    }

    /// Lets the process die once, when the operation of that name has got so far.
    pub fn crash_after(self, operation: impl Into<String>, attempt: Attempt) -> Self {
        self.fault(Fault::CrashAfter { operation: operation.into(), attempt })
    }

    /// Lets the reply to a checkpoint be lost, however often it is asked for: the service has taken it, and the
    /// invocation ends without knowing. Checkpoints count from 1.
    pub fn lose_reply(self, checkpoint: usize) -> Self {
        self.fault(Fault::LoseReply { checkpoint })
    }

    /// Lets a checkpoint be sent with a token that was spent before, as if another invocation had taken over.
    pub fn stale_token(self) -> Self {
        self.fault(Fault::StaleToken)
    }

    /// Lets so many checkpoints be refused because there are too many requests, however often they are asked for.
    pub fn throttle(mut self, checkpoints: usize) -> Self {
        self.faults.extend(std::iter::repeat_n(Fault::Throttle, checkpoints));
        self
    }

    /// Starts an execution. It runs on while the test waits for something.
    ///
    /// # Panics
    /// If the input cannot be written as JSON, or no tokio runtime is there.
    pub fn start(self, input: impl Serialize) -> Running {
        let input = serde_json::to_string(&input).expect("the input can be written as JSON");
        let timeout_was_set = self.execution_timeout_seconds.is_some();
        Running::new(World::begin(self, Some(&input)), timeout_was_set)
    }

    fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    fn other(mut self, function: &str, other: Other) -> Self {
        let Some(reference) = FunctionReference::parse(function) else {
            panic!("`{function}` is neither the name nor the ARN of a function");
        };
        self.others.insert(reference.function, other);
        self
    }
}

impl Faults {
    pub(super) fn of(test: &Test) -> Self {
        Self::new(test.faults.clone())
    }
}

impl std::fmt::Debug for Test {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Test").field("faults", &self.faults).finish_non_exhaustive()
    }
}
