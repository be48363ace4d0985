//! CHAINED_INVOKE: another Lambda function, and its result.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Kind, Operation, OperationFuture};
use crate::context::{Context, Name};
use crate::error::{OperationError, OperationErrorKind, Result, error_type};
use crate::plugin::OperationInfo;
use crate::serdes::{Read, Serdes, SerdesInfo};
use crate::wire::{ChainedInvokeOptions, Change, ErrorObject, OperationStatus, OperationType, Record};

const CHAINED_INVOKE: Kind = Kind {
    operation_type: OperationType::ChainedInvoke,
    sub_type: "ChainedInvoke",
    failure: OperationErrorKind::InvokeFailed,
};

impl Context {
    /// Invokes a function, by its name or ARN, and waits for its result without compute.
    ///
    /// A durable function is named with a version or an alias; others need none.
    ///
    /// ```
    /// # use everstep::{Context, Result};
    /// # async fn handler(order: String, mut ctx: Context) -> Result<u32> {
    /// let parcel: u32 = ctx.invoke("warehouse:live", &order).name("ship").await?;
    /// # Ok(parcel) }
    /// ```
    ///
    /// # Errors
    /// [`OperationErrorKind::InvokeFailed`] with the error of the function, and the like if it took too long or was
    /// stopped.
    pub fn invoke<'a, R>(&mut self, function: impl Into<String>, input: &'a (impl Serialize + Sync)) -> Invoke<'a, R>
    where
        R: DeserializeOwned + Send + 'a,
    {
        self.call_invoke(function.into(), Box::new(move |_| Ok(serde_json::to_string(input)?)))
    }

    /// Like [`Context::invoke`], with an input that becomes text by a [`Serdes`] of its own.
    pub fn invoke_with<'a, R, I, S>(&mut self, function: impl Into<String>, input: &'a I, serdes: S) -> Invoke<'a, R>
    where
        R: DeserializeOwned + Send + 'a,
        I: Sync,
        S: Serdes<I> + 'a,
    {
        self.call_invoke(function.into(), Box::new(move |info| serdes.serialize(input, info)))
    }

    fn call_invoke<'a, R>(&mut self, function: String, write: Write<'a>) -> Invoke<'a, R>
    where
        R: DeserializeOwned + Send + 'a,
    {
        let operation = Operation::call(&self.scope, Name::NONE, CHAINED_INVOKE);
        Invoke { operation, function, write, read: Read::json(), tenant_id: None }
    }
}

type Write<'a> = Box<dyn FnOnce(&SerdesInfo<'_>) -> Result<String> + Send + 'a>;

/// An invocation that was called and not yet awaited.
#[must_use = "operations do nothing until awaited"]
pub struct Invoke<'a, R> {
    operation: Operation,
    function: String,
    write: Write<'a>,
    read: Read<'a, R>,
    tenant_id: Option<String>,
}

impl<'a, R: Send + 'a> Invoke<'a, R> {
    /// Names the operation.
    pub fn name(mut self, name: impl Into<Name>) -> Self {
        self.operation.name = name.into();
        self
    }

    /// Sets for which tenant the function is invoked.
    pub fn tenant(mut self, tenant_id: impl Into<String>) -> Self {
        self.tenant_id = Some(tenant_id.into());
        self
    }

    /// Sets how the result is read.
    pub fn serdes(mut self, serdes: impl Serdes<R> + 'a) -> Self {
        self.read = Read::by(serdes);
        self
    }

    async fn run(self) -> Result<R, OperationError> {
        let Self { operation, function, write, read, tenant_id } = self;
        operation.check(None)?;
        let mut record = match operation.record().await {
            Some(record) => record,
            None => {
                let payload = write(&operation.info())
                    .map_err(|error| operation.error(ErrorObject::new(error_type::SERIALIZATION, error.to_string())))?;
                let trace_id = trace_id(&operation);
                let options = ChainedInvokeOptions { function_name: function, tenant_id, trace_id };
                let change =
                    Change { payload: Some(payload), chained_invoke_options: Some(options), ..Change::start() };
                operation.send(change).await
            }
        };
        if !record.status.is_terminal() {
            record = operation.settled().await;
        }
        operation.passed();
        match record.status {
            OperationStatus::Succeeded => Ok(operation.read(&read, record.result()).await),
            _ => Err(failure(&operation, &record)),
        }
    }
}

impl<'a, R: Send + 'a> IntoFuture for Invoke<'a, R> {
    type Output = Result<R, OperationError>;
    type IntoFuture = OperationFuture<'a, R>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<R> fmt::Debug for Invoke<'_, R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Invoke({}, {})", self.operation.label(), self.function)
    }
}

/// Returns the trace header that the first plugin with one gives.
fn trace_id(operation: &Operation) -> Option<String> {
    let plugins = &operation.journal().plugins;
    if plugins.is_empty() {
        return None;
    }
    let record = operation.unrecorded();
    let info = OperationInfo::of_record(&record, false);
    plugins.ask(|plugin| plugin.trace_id(&info)).into_iter().next()
}

fn failure(operation: &Operation, record: &Record) -> OperationError {
    let kind = match record.status {
        OperationStatus::TimedOut => OperationErrorKind::InvokeTimedOut,
        OperationStatus::Stopped | OperationStatus::Cancelled => OperationErrorKind::InvokeStopped,
        OperationStatus::Failed
        | OperationStatus::Succeeded
        | OperationStatus::Started
        | OperationStatus::Pending
        | OperationStatus::Ready => OperationErrorKind::InvokeFailed,
    };
    OperationError::new(kind, operation.label(), record.error().cloned().unwrap_or_default())
}
