//! The durable core of Everstep: what may happen to an execution, and what follows from it.
//!
//! Everything here is a plain function of its arguments: no I/O, no clock, no randomness, no async.
//! A [`Command`] asks for something, [`Execution::decide`] answers with the [`Event`]s that make it
//! so, and [`Execution::replay`] turns recorded events back into the same state.
//!
//! Start reading at [`execution`].

pub mod command;
pub mod event;
pub mod execution;
pub mod history;
pub mod id;
pub mod limits;
pub mod operation;
pub mod payload;
mod rejection;
mod time;
pub mod token;
pub mod view;

pub use command::Command;
pub use event::{Effect, Event, Record};
pub use execution::{Decision, Execution, ExecutionStatus};
pub use operation::{Operation, OperationStatus, OperationType};
pub use payload::{Digest, ErrorDocument, ErrorObject, Intake, Payload, Texts};
pub use rejection::{Rejection, RejectionKind};
pub use time::Timestamp;
