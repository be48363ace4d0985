//! The test kit: runs a handler in the process, against the engine that Everstep's server runs, with a clock that jumps.
//!
//! ```
//! use std::time::Duration;
//! use everstep::{Context, Result, testing::test};
//!
//! async fn greet(name: String, mut ctx: Context) -> Result<String> {
//!     let greeting = ctx.step("greet", async |_| Ok(format!("Hello, {name}!"))).await?;
//!     ctx.wait("a year", Duration::from_secs(365 * 86_400)).await?;
//!     Ok(greeting)
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let run = test(greet).start("Ada").finish().await;
//! assert_eq!(run.result::<String>().unwrap(), "Hello, Ada!");
//! run.assert_steps(["greet"]);
//! # });
//! ```
//!
//! Start reading at [`test()`]: it makes a [`Test`], in which stubs and faults are set up; [`Test::start`] gives the
//! [`Running`] execution, and [`Running::finish`] the [`Run`] with what came of it. Time passes by itself when nothing
//! else can happen, so a test never sleeps.
//!
//! The kit decides nothing about durable executions: it carries what the SDK says, as JSON, through the validation and
//! the engine of the server, and back.

mod diary;
mod faults;
mod functions;
mod history;
mod prefixes;
mod run;
mod running;
mod service;
mod setup;
pub(crate) mod witness;
mod world;

pub use faults::Attempt;
pub use history::{ReplayError, replay};
pub use run::{Recorded, Run};
pub use running::{PendingCallback, Running};
pub use setup::{Test, test};
