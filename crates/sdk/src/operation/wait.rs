//! WAIT: time that passes without compute.

use std::fmt;
use std::time::Duration;

use super::{Kind, Operation, OperationFuture};
use crate::context::{Context, Name};
use crate::error::{OperationError, OperationErrorKind, Result};
use crate::limits::WAIT_SECONDS_MAX;
use crate::replay::retry::delay_seconds;
use crate::wire::{Change, OperationStatus, OperationType, WaitOptions};

const WAIT: Kind =
    Kind { operation_type: OperationType::Wait, sub_type: "Wait", failure: OperationErrorKind::Validation };

impl Context {
    /// Waits, without compute if nothing else is to be done: from a second to 366 days. Parts of a second are rounded up.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use everstep::{Context, Result};
    /// # async fn handler(_: (), mut ctx: Context) -> Result<()> {
    /// ctx.wait("a day", Duration::from_secs(86_400)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`OperationErrorKind::Validation`] if it is longer.
    pub fn wait(&mut self, name: impl Into<Name>, duration: Duration) -> Wait {
        Wait { operation: Operation::call(&self.scope, name.into(), WAIT), duration }
    }
}

/// A wait that was called and not yet awaited.
#[must_use = "operations do nothing until awaited"]
pub struct Wait {
    operation: Operation,
    duration: Duration,
}

impl IntoFuture for Wait {
    type Output = Result<(), OperationError>;
    type IntoFuture = OperationFuture<'static, ()>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl Wait {
    async fn run(self) -> Result<(), OperationError> {
        let wait_seconds = delay_seconds(self.duration);
        let too_long = (wait_seconds > WAIT_SECONDS_MAX)
            .then(|| format!("a wait of {wait_seconds} seconds is longer than {WAIT_SECONDS_MAX}"));
        self.operation.check(too_long)?;
        let mut record = match self.operation.record().await {
            Some(record) => record,
            None => {
                let wait_options = Some(WaitOptions { wait_seconds });
                self.operation.send(Change { wait_options, ..Change::start() }).await
            }
        };
        if !record.status.is_terminal() {
            record = self.operation.settled().await;
        }
        self.operation.passed();
        match record.status {
            OperationStatus::Succeeded => Ok(()),
            _ => Err(self.operation.error(record.error().cloned().unwrap_or_default())),
        }
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Wait({}, {:?})", self.operation.label(), self.duration)
    }
}
