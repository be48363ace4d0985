//! Durable functions as ordinary async Rust.
#![forbid(unsafe_code)]

mod context;
mod driver;
mod error;
mod function;
mod http;
mod journal;
mod lambda_api;
mod limits;
#[cfg(feature = "logs")]
pub mod log;
mod operation;
pub mod plugin;
mod replay;
mod retry;
mod runtime;
mod scope;
mod scoped;
mod serdes;
mod service;
mod signature;
mod wire;

pub use context::{Context, Name};
pub use error::{ConditionExhausted, Error, OperationError, OperationErrorKind, Result, StepInterrupted};
pub use function::{Function, IntoFunction};
pub use operation::OperationFuture;
pub use operation::batch::{Batch, BatchItem, BatchOutcome, BatchStatus, Branches, Fanout, Values, Whole};
pub use operation::callback::{Callback, CreateCallback};
pub use operation::child::Child;
pub use operation::invoke::Invoke;
pub use operation::map::{Items, Map};
pub use operation::parallel::{Branch, Parallel, branch};
pub use operation::race::{Either, OneOf3, Operations, Race};
pub use operation::step::{Step, StepContext};
pub use operation::wait::Wait;
pub use operation::wait_for_callback::{SubmitContext, WaitForCallback};
pub use operation::wait_until::{Condition, WaitUntil};
pub use replay::completion::{CompletionReason, Progress};
pub use replay::id::OperationId;
pub use retry::{Jitter, Retry};
pub use runtime::{Functions, RunError, run};
pub use serdes::{Json, Raw, Serdes, SerdesInfo};
pub use wire::{ErrorObject, OperationStatus, OperationType};
