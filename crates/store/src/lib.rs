//! Storage: three narrow traits and the engines that keep them.
//!
//! [`Executions`] keeps the logs of executions and the effects they owe to the world, [`Catalog`] keeps documents
//! (functions, keys), [`Logs`] keeps what functions print. Each trait states its guarantees in prose; the suite in
//! [`conformance`] checks them, and every engine runs it. Nothing here knows what an event means.

mod catalog;
mod error;
mod executions;
mod logs;

pub mod conformance;
pub mod memory;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use catalog::{Catalog, Document, Kind, Put, Revision};
pub use error::Error;
pub use executions::{
    Commit, Committed, Due, EffectId, Executions, Head, ListOrder, ListPosition, ListQuery, Listed, NewExecution,
    StoredEffect,
};
pub use logs::{LogEvent, LogPosition, LogQuery, LogStream, Logs, StoredLogEvent};
