//! Errors: [`Error`] for what user code throws, [`OperationError`] for what an operation ended with.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::wire::ErrorObject;

/// What handlers and bodies return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The type of a panic that was caught.
pub(crate) const PANIC: &str = "panic";

/// Any error that user code returned: made by `?` from every error type, and remembering the name of that type.
///
/// The name, without its path, is what the service keeps as `ErrorType`, and what retries and other services may go by.
/// Rust does not promise that type names stay; where it matters, say it with [`Error::with_type`].
///
/// ```
/// use everstep::Error;
///
/// let parsed: Result<u32, Error> = "seven".parse::<u32>().map_err(Error::from);
/// assert_eq!(parsed.unwrap_err().error_type(), "ParseIntError");
/// let declined = Error::new("Shop.Declined", "the card is too old").with_data("{\"expired\": 2021}");
/// assert_eq!(declined.error_type(), "Shop.Declined");
/// ```
pub struct Error {
    error_type: Cow<'static, str>,
    data: Option<String>,
    source: Box<dyn StdError + Send + Sync>,
}

impl Error {
    /// Makes an error of a type and a message.
    pub fn new(error_type: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { error_type: error_type.into(), data: None, source: message.into().into() }
    }

    /// Sets the `ErrorType` that the service keeps.
    #[must_use]
    pub fn with_type(mut self, error_type: impl Into<Cow<'static, str>>) -> Self {
        self.error_type = error_type.into();
        self
    }

    /// Sets the `ErrorData` that the service keeps: text that a program may read.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<String>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// Returns the `ErrorType` that the service keeps.
    pub fn error_type(&self) -> &str {
        match self.downcast_ref::<OperationError>() {
            Some(operation) => operation.error_type(),
            None => &self.error_type,
        }
    }

    /// Tells whether it was made from an `E`.
    pub fn is<E: StdError + 'static>(&self) -> bool {
        self.source.is::<E>()
    }

    /// Returns the `E` that it was made from.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.source.downcast_ref()
    }

    /// Returns it as the service keeps it. The error of an operation passes through as it is.
    pub(crate) fn to_object(&self) -> ErrorObject {
        if let Some(operation) = self.downcast_ref::<OperationError>() {
            return operation.object().clone();
        }
        ErrorObject { error_data: self.data.clone(), ..ErrorObject::new(&*self.error_type, self.source.to_string()) }
    }

    /// Makes an error that is kept as `object`.
    pub(crate) fn from_object(object: ErrorObject) -> Self {
        OperationError::new(OperationErrorKind::Serialization, String::new(), object).into()
    }

    /// Makes an error of what a panic left.
    pub(crate) fn of_panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let message = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self::new(PANIC, message.unwrap_or("the code panicked"))
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for Error {
    fn from(error: E) -> Self {
        Self { error_type: short_name(std::any::type_name::<E>()).into(), data: None, source: error.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(formatter)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {:?}", self.error_type, self.source)
    }
}

/// Returns a type's name without the path before it. What has no name of its own is an `Error`.
fn short_name(type_name: &'static str) -> &'static str {
    let path = type_name.split('<').next().unwrap_or(type_name);
    match path.rsplit("::").next().unwrap_or(path) {
        "" | "Box" | "String" | "&str" | "str" => "Error",
        name => name,
    }
}

/// What an operation ended with: the same when it happens and whenever it is replayed.
///
/// Returned from a handler with `?`, it fails the execution with the error of the operation, unchanged.
#[derive(Clone, PartialEq, Eq)]
pub struct OperationError(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    kind: OperationErrorKind,
    operation: String,
    object: ErrorObject,
}

/// Why an operation did not give a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OperationErrorKind {
    /// The body of a step failed, and is not tried again.
    StepFailed,
    /// An at-most-once step was begun, and whether it ended is not known.
    StepInterrupted,
    /// The invoked function failed.
    InvokeFailed,
    /// The invoked function took too long.
    InvokeTimedOut,
    /// The invoked execution was stopped.
    InvokeStopped,
    /// Whoever had the callback sent a failure, or could not be told of it.
    CallbackFailed,
    /// Nobody completed the callback in time.
    CallbackTimedOut,
    /// No heartbeat came in time.
    CallbackHeartbeatTimedOut,
    /// The body of a child context, or of a branch, failed.
    ChildFailed,
    /// The check failed.
    ConditionFailed,
    /// The condition did not hold after as many checks as were allowed.
    ConditionExhausted,
    /// A value could not be written or read.
    Serialization,
    /// The operation was asked for something that cannot be.
    Validation,
}

/// `ErrorType`s by which kinds are known again on replay.
pub(crate) mod error_type {
    pub(crate) const STEP_INTERRUPTED: &str = "StepInterrupted";
    pub(crate) const CONDITION_EXHAUSTED: &str = "ConditionExhausted";
    pub(crate) const SERIALIZATION: &str = "SerializationError";
    pub(crate) const VALIDATION: &str = "ValidationError";
    pub(crate) const NON_DETERMINISTIC: &str = "NonDeterministicExecutionError";
    pub(crate) const CALLBACK_TIMEOUT: &str = "Callback.Timeout";
    pub(crate) const CALLBACK_HEARTBEAT: &str = "Callback.Heartbeat";
}

impl OperationError {
    /// Makes the error of an operation. The error's own type decides where it names a kind.
    pub(crate) fn new(kind: OperationErrorKind, operation: String, object: ErrorObject) -> Self {
        use OperationErrorKind as Kind;
        let kind = match (kind, object.error_type.as_deref()) {
            (Kind::StepFailed, Some(error_type::STEP_INTERRUPTED)) => Kind::StepInterrupted,
            (Kind::ConditionFailed, Some(error_type::CONDITION_EXHAUSTED)) => Kind::ConditionExhausted,
            (Kind::CallbackFailed, Some(error_type::CALLBACK_TIMEOUT)) => Kind::CallbackTimedOut,
            (Kind::CallbackFailed, Some(error_type::CALLBACK_HEARTBEAT)) => Kind::CallbackHeartbeatTimedOut,
            (_, Some(error_type::SERIALIZATION)) => Kind::Serialization,
            (kind, _) => kind,
        };
        Self(Arc::new(Inner { kind, operation, object }))
    }

    /// Returns why there is no value.
    pub fn kind(&self) -> OperationErrorKind {
        self.0.kind
    }

    /// Returns the `ErrorType` that the service keeps.
    pub fn error_type(&self) -> &str {
        self.0.object.error_type.as_deref().unwrap_or("Error")
    }

    /// Returns the message that the service keeps.
    pub fn message(&self) -> &str {
        self.0.object.error_message.as_deref().unwrap_or_default()
    }

    /// Returns the data that came with the error.
    pub fn data(&self) -> Option<&str> {
        self.0.object.error_data.as_deref()
    }

    /// Returns the name of the operation, or its place in the handler if it has none.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// Returns the error as the service keeps it.
    pub fn object(&self) -> &ErrorObject {
        &self.0.object
    }
}

impl fmt::Display for OperationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message();
        write!(formatter, "operation `{}` failed: {}: {message}", self.0.operation, self.error_type())
    }
}

impl fmt::Debug for OperationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}({self})", self.0.kind)
    }
}

impl StdError for OperationError {}

/// An at-most-once step was begun by an invocation that ended without its outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("the step was interrupted: it may have run, and is not run again")]
pub struct StepInterrupted;

/// The condition of [`wait_until`](crate::Context::wait_until) did not hold after as many checks as were allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the condition did not hold after {checks} checks")]
pub struct ConditionExhausted {
    /// How often it was checked.
    pub checks: u32,
}

/// Says an error and what caused it.
pub(crate) fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("declined")]
    struct Declined;

    #[test]
    fn question_mark_keeps_the_name_of_the_type() {
        let check = |error: Error, error_type: &str, message: &str| {
            assert_eq!(error.to_object(), ErrorObject::new(error_type, message));
        };
        check(Declined.into(), "Declined", "declined");
        check("text".into(), "Error", "text");
        check(String::from("text").into(), "Error", "text");
        check(std::io::Error::other("disk").into(), "Error", "disk");
        check(Box::<dyn StdError + Send + Sync>::from("boxed").into(), "Error", "boxed");
        check(Error::new("A", "b"), "A", "b");
        check(Error::from(Declined).with_type("Shop.Declined"), "Shop.Declined", "declined");
        assert!(Error::from(Declined).is::<Declined>());
    }

    #[test]
    fn an_operations_error_passes_through() {
        let object = ErrorObject::new("RejectedError", "not approved");
        let error = OperationError::new(OperationErrorKind::CallbackFailed, "approve".into(), object.clone());
        assert_eq!(Error::from(error.clone()).to_object(), object);
        assert_eq!(Error::from(error.clone()).error_type(), "RejectedError");
        assert_eq!(error.to_string(), "operation `approve` failed: RejectedError: not approved");
    }

    #[test]
    fn kinds_are_known_again_by_the_recorded_type() {
        use OperationErrorKind::*;
        let check = |kind, error_type: &str, expected| {
            let error = OperationError::new(kind, String::new(), ErrorObject::new(error_type, ""));
            assert_eq!(error.kind(), expected);
        };
        check(StepFailed, "Declined", StepFailed);
        check(StepFailed, error_type::STEP_INTERRUPTED, StepInterrupted);
        check(ConditionFailed, error_type::CONDITION_EXHAUSTED, ConditionExhausted);
        check(CallbackFailed, error_type::CALLBACK_TIMEOUT, CallbackTimedOut);
        check(CallbackFailed, error_type::CALLBACK_HEARTBEAT, CallbackHeartbeatTimedOut);
        check(ChildFailed, error_type::CALLBACK_TIMEOUT, ChildFailed);
        check(InvokeFailed, error_type::SERIALIZATION, Serialization);
    }
}
