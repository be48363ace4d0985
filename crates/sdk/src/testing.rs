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
//! # What a handler must survive
//!
//! [`Test::crash_after`], [`Test::lose_reply`], [`Test::stale_token`] and [`Test::throttle`] let something go wrong; a
//! test fails if it did not happen after all. [`Run::replay_every_prefix`] finds code that would do something else on
//! replay, and [`replay`] says whether a new version of a handler may be deployed over executions in flight.
//!
//! ```
//! use everstep::{Context, Result, testing::{Attempt, replay, test}};
//!
//! async fn order(id: u32, mut ctx: Context) -> Result<String> {
//!     let charged = ctx.step("charge", async |step| Ok(format!("{id} by {}", step.idempotency_key()))).await?;
//!     Ok(ctx.invoke("shipping", &charged).name("ship").await?)
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let run = test(order)
//!     .stub_invoke("shipping", |charged: String| Ok(format!("shipped {charged}")))
//!     .crash_after("charge", Attempt::Body)
//!     .start(7)
//!     .finish()
//!     .await;
//! assert_eq!(run.invocations(), 3);
//! run.replay_every_prefix().await;
//! replay(order, &run.history().to_string()).await.unwrap();
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
