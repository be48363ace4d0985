//! Functions as processes.
//!
//! A [`Supervisor`] runs ordinary Lambda functions: it starts a process from the function's code, speaks the Lambda
//! Runtime API with it, hands it one invocation at a time, collects what it logs, and ends it when it is idle, too
//! slow or no longer wanted. It has never heard of durable executions.
//!
//! Start reading at [`Turn::acquire`], which finds or starts a process, and at `process`, which is the life of
//! one process as a state machine. `language` knows what differs between Python, Node.js and custom runtimes; [`code`]
//! stores uploaded zip files; [`runtimes`] tells what serves which runtime; [`sandbox`] keeps processes to what they are
//! allowed. Every number is in [`limits`].
#![deny(unsafe_code)]

pub mod code;
pub mod limits;
pub mod runtimes;
pub mod sandbox;

mod config;
mod credentials;
mod environment;
mod error;
mod extensions;
mod failure;
mod frames;
mod function;
mod language;
mod log;
mod platform_log;
mod pool;
mod process;
mod runtime_api;
mod slot;
mod stream;
mod supervisor;

pub use config::{Config, Install, Progress};
pub use credentials::{CredentialSource, Credentials};
pub use error::Error;
pub use failure::{Failure, FailureKind, Outcome};
pub use function::{Function, Invocation, LogFormat, Runtime, UnknownRuntime};
pub use log::{LogLine, LogSink};
pub use pool::{Patience, Throttle};
pub use slot::Slot;
pub use stream::{StreamPart, response_stream};
pub use supervisor::{Supervisor, Turn, Unavailable};
