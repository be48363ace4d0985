//! Durable functions as ordinary async Rust, on AWS Lambda and on Everstep.
//!
//! A durable function is an `async fn` that may take a year. Whatever it does goes through its [`Context`]: a
//! [step](Context::step) runs and its result is kept, a [wait](Context::wait) ends the process and a later one goes on
//! from there. After a crash, a wait or a deployment the function is run again from its top; what it did before is not
//! done again, it is read. So the code is written as if nothing ever went wrong, and survives what does.
//!
//! # One page
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use everstep::{Context, Result, Retry, RunError};
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Serialize, Deserialize)] struct Order { items: Vec<String> }
//! # #[derive(Serialize, Deserialize)] struct Payment { id: String }
//! # #[derive(Deserialize)] struct Approval { by: String }
//! # #[derive(Debug, thiserror::Error)] #[error("declined")] struct Declined;
//! # struct Shop;
//! # impl Shop {
//! #     fn from_env() -> Self { Self }
//! #     async fn reserve(&self, items: &[String]) -> std::io::Result<u32> { Ok(items.len() as u32) }
//! #     async fn charge(&self, amount: u32, key: &str) -> Result<Payment, Declined> { Err(Declined) }
//! #     async fn ask(&self, callback_id: &str) -> std::io::Result<()> { Ok(()) }
//! #     async fn pack(&self, item: &str) -> std::io::Result<String> { Ok(item.into()) }
//! # }
//!
//! async fn order(order: Order, mut ctx: Context) -> Result<Vec<String>> {
//!     let shop = Shop::from_env();
//!
//!     // It runs once, and what it gives is kept. The closure borrows from the handler.
//!     let amount = ctx.step("reserve", async |_| Ok(shop.reserve(&order.items).await?)).await?;
//!
//!     // Options follow; nothing happens until the operation is awaited.
//!     let payment = ctx
//!         .step("charge", async |step| Ok(shop.charge(amount, &step.idempotency_key()).await?))
//!         .retry(Retry::exponential(5).when(|error| !error.is::<Declined>()))
//!         .await?;
//!
//!     // A person answers. No process runs meanwhile.
//!     let approval: Approval = ctx
//!         .wait_for_callback("approve", async |callback| Ok(shop.ask(callback.id()).await?))
//!         .timeout(Duration::from_secs(7 * 86_400))
//!         .await?;
//!     tracing::info!(payment = payment.id, by = approval.by, "approved");
//!
//!     // Each item has a context of its own, four at a time.
//!     let parcels = ctx
//!         .map("pack", &order.items, async |mut ctx, item| {
//!             Ok(ctx.step("pack", async |_| Ok(shop.pack(item).await?)).await?)
//!         })
//!         .max_concurrency(4)
//!         .await?;
//!     Ok(parcels)
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), RunError> {
//!     everstep::log::init().ok();
//!     everstep::run(order).await
//! }
//! ```
//!
//! # Operations
//!
//! Every method of [`Context`] that does something durable returns a builder: options are its methods, and `.await`
//! runs it. It is called where its method is called, so that is its place in the handler; it holds no borrow of the
//! context, so that several can be called first and awaited together. An operation that is never awaited does nothing.
//!
//! | Operation | gives |
//! | --- | --- |
//! | [`step`](Context::step) | the result of code that runs once: [at least once](Step) or [at most once](Step::at_most_once) per attempt |
//! | [`wait`](Context::wait) | nothing, after a second or a year |
//! | [`callback`](Context::callback), [`wait_for_callback`](Context::wait_for_callback) | the answer of somebody outside |
//! | [`invoke`](Context::invoke) | the result of another Lambda function |
//! | [`wait_until`](Context::wait_until) | the state in which a condition holds, looked at again and again |
//! | [`child`](Context::child) | the result of code with operations of its own |
//! | [`map`](Context::map) | the results of the same code for each of many items, or a [`Batch`] |
//! | [`parallel`](Context::parallel) | the results of different code side by side, as a tuple, a `Vec` or a [`Batch`] |
//! | [`race`](Context::race) | the first result of several operations |
//!
//! ## Steps and retries
//!
//! A body that fails is tried again as its [`Retry`] says; between attempts no process runs. Without words it is AWS's
//! default: 6 attempts, 5 to 60 seconds apart, with full jitter.
//!
//! ```
//! # use std::time::Duration;
//! # use everstep::{Context, Jitter, Result, Retry};
//! # async fn fetch(url: &str) -> std::io::Result<String> { Ok(url.into()) }
//! # async fn handler(url: String, mut ctx: Context) -> Result<String> {
//! let retry = Retry::exponential(4).first(Duration::from_secs(2)).factor(3.0).jitter(Jitter::None);
//! let page = ctx.step("fetch", async |_| Ok(fetch(&url).await?)).retry(retry).await?;
//! # Ok(page) }
//! ```
//!
//! ## At the same time
//!
//! Operations are futures, and joining futures joins them. [`map`](Context::map) and [`parallel`](Context::parallel)
//! give each branch a context; a tuple of [`branch`]es gives a tuple of results.
//!
//! ```
//! # use std::time::Duration;
//! # use everstep::{Context, Result, branch};
//! # async fn handler(name: String, mut ctx: Context) -> Result<()> {
//! // At least an hour passes, whatever the step takes.
//! let (greeting, ()) = tokio::try_join!(
//!     ctx.step("greet", async |_| Ok(format!("Hello, {name}!"))),
//!     ctx.wait("cool-off", Duration::from_secs(3600)),
//! )?;
//!
//! let (length, shouted) = ctx
//!     .parallel(
//!         "both",
//!         (
//!             branch("length", async |mut ctx| Ok(ctx.step("count", async |_| Ok(greeting.len())).await?)),
//!             branch("shout", async |mut ctx| Ok(ctx.step("raise", async |_| Ok(greeting.to_uppercase())).await?)),
//!         ),
//!     )
//!     .await?;
//!
//! // Awaited as it is, a map ends with its first failure. With a limit it gives what became of each item.
//! let batch = ctx.map("numbers", ["1", "two", "3"], async |_, text| Ok(text.parse::<u32>()?)).tolerate(1).await?;
//! assert_eq!(batch.into_succeeded(), [1, 3]);
//! # let _: (usize, String) = (length, shouted);
//! # Ok(()) }
//! ```
//!
//! For the first of several use [`race`](Context::race), not `select!`: the winner is kept, so that on replay it is the
//! same.
//!
//! ```
//! # use std::time::Duration;
//! # use everstep::{Context, Either, Result};
//! # async fn ask(callback_id: &str) -> Result<()> { Ok(()) }
//! # async fn handler(_: (), mut ctx: Context) -> Result<String> {
//! let answer = ctx.wait_for_callback::<String, _, _>("answer", async |callback| ask(callback.id()).await);
//! let patience = ctx.wait("patience", Duration::from_secs(60));
//! Ok(match ctx.race("first", (answer, patience)).await? {
//!     Either::Left(answer) => answer,
//!     Either::Right(()) => "nobody answered".to_owned(),
//! })
//! # }
//! ```
//!
//! ## Helpers
//!
//! A function that has operations takes `&mut Context`. One that calls itself is boxed, like all asynchronous code.
//!
//! ```
//! # use std::time::Duration;
//! # use everstep::{Context, OperationError};
//! async fn remind(ctx: &mut Context, who: &str) -> Result<String, OperationError> {
//!     ctx.wait("a week", Duration::from_secs(7 * 86_400)).await?;
//!     ctx.step("remind", async |_| Ok(format!("Dear {who}!"))).await
//! }
//! ```
//!
//! # Errors
//!
//! Bodies and handlers return [`Result`], whose [`Error`] is made by `?` from any error. The name of the error's type is
//! kept as `ErrorType`. What an operation ends with is an [`OperationError`]: a clonable `std::error::Error` that is the
//! same live and on every replay, so that it can be matched on. A handler may return an error of its own, or
//! `anyhow::Error`.
//!
//! ```
//! use everstep::{Context, OperationError, OperationErrorKind};
//!
//! #[derive(Debug, thiserror::Error)]
//! enum OrderError {
//!     #[error("the warehouse is closed")]
//!     Closed,
//!     #[error(transparent)]
//!     Operation(#[from] OperationError),
//! }
//!
//! async fn order(item: String, mut ctx: Context) -> Result<u32, OrderError> {
//!     match ctx.invoke::<u32>("warehouse:live", &item).await {
//!         Ok(parcel) => Ok(parcel),
//!         Err(error) if error.error_type() == "Closed" => Err(OrderError::Closed),
//!         Err(error) if error.kind() == OperationErrorKind::InvokeTimedOut => Ok(0),
//!         Err(error) => Err(error.into()),
//!     }
//! }
//! ```
//!
//! A panic in the body of a step is that step's failure; elsewhere it fails the execution.
//!
//! # Serdes
//!
//! Results are kept as JSON. Wherever a value is kept, a [`Serdes`] can do otherwise: `.serdes(…)` of the operation, of a
//! map's items or of a branch, and [`Fanout::batch_serdes`] of a batch. A handler sees a value as it was read back, also
//! the first time.
//!
//! ```
//! use everstep::{Context, Result, Serdes, SerdesInfo};
//!
//! /// Keeps text as it is, and masks it.
//! struct Masked;
//!
//! impl Serdes<String> for Masked {
//!     fn serialize(&self, value: &String, _: &SerdesInfo<'_>) -> Result<String> {
//!         Ok("*".repeat(value.len()))
//!     }
//!
//!     fn deserialize(&self, text: &str, _: &SerdesInfo<'_>) -> Result<String> {
//!         Ok(text.to_owned())
//!     }
//! }
//!
//! # async fn handler(secret: String, mut ctx: Context) -> Result<String> {
//! let masked = ctx.step("mask", async |_| Ok(secret.clone())).serdes(Masked).await?;
//! # Ok(masked) }
//! ```
//!
//! # Logs
//!
//! [`log::init`] sends what [`tracing`](https://docs.rs/tracing) is told to the function's log: a line of JSON each, with
//! the execution and the operation that it belongs to. Code that is replayed is silent, unless
//! [`Function::replay_logs`] asks for it. [Plugins](plugin) hear of everything that operations do.
//!
//! # Tests
//!
//! With the feature `test`, the module `testing` runs a handler in the process, against the engine that Everstep's
//! server runs, with a clock that jumps and with whatever is to go wrong:
//!
//! ```
//! # #[cfg(feature = "test")] {
//! # use std::time::Duration;
//! # use everstep::{Context, Result};
//! use everstep::testing::{Attempt, test};
//!
//! # async fn order(order: String, mut ctx: Context) -> Result<u32> {
//! #     let parcel = ctx.invoke::<u32>("warehouse", &order).name("ship").await?;
//! #     ctx.wait("a year", Duration::from_secs(365 * 86_400)).await?;
//! #     Ok(ctx.step("bill", async |_| Ok(parcel)).await?)
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let run = test(order)
//!     .stub_invoke("warehouse", |_: String| Ok(7))
//!     .crash_after("bill", Attempt::Start)
//!     .start("tea")
//!     .finish()
//!     .await;
//! assert_eq!(run.result::<u32>().unwrap(), 7);
//! assert!(run.elapsed() >= Duration::from_secs(365 * 86_400));
//! # });
//! # }
//! ```
//!
//! # Where it runs
//!
//! [`run`] speaks Lambda's Runtime API: build a binary named `bootstrap`, zip it, and create a function with the runtime
//! `provided.al2023` and a `DurableConfig`. The same zip runs on AWS Lambda and on Everstep; `everstep deploy` builds and
//! deploys a SAM project in one go. [`Functions`] puts several into one binary. The function's role must allow
//! `lambda:CheckpointDurableExecution` and `lambda:GetDurableExecutionState`.
//!
//! # Five rules
//!
//! A handler is run again from its top, and has to come by the same operations in the same order. The compiler sees to
//! most of that: a context cannot be shared by two pieces of code, used inside a step, or given away, and the body of a
//! step cannot write to the handler's variables. What it cannot see:
//!
//! 1. **Time, chance and the outside world belong into steps.** For a time or an id that stays, there are
//!    [`Context::now`] and [`Context::uuid`].
//! 2. **I/O belongs into steps.** What a handler awaits outside of every operation is not kept, is done again on replay,
//!    and is dropped when the handler suspends beside it.
//! 3. **Order is identity.** Call operations in an order that the input and earlier results decide; iterate over a `Vec`
//!    or a `BTreeMap`, not over a `HashMap`.
//! 4. **The first of several is [`race`](Context::race)**, not `select!`, and a deadline is a race with a
//!    [wait](Context::wait), not `tokio::time::timeout`.
//! 5. **Change code by versions.** An operation that is renamed, added or removed confuses the executions that are under
//!    way. Publish a version for the new code, and let them end on the old one.
//!
//! A handler that breaks a rule and comes by another operation than the one on record fails with
//! `NonDeterministicExecutionError`, which names the operation, what was expected, and what came.
//!
//! # Features
//!
//! | Feature | |
//! | --- | --- |
//! | `logs` (default) | [`log`] |
//! | `aws-sdk-lambda` | `Function::lambda_client`: checkpoints by a client of AWS's SDK, as you configured it |
//! | `lambda_runtime` | `service`: a function as a service of AWS's crate `lambda_runtime`, to go with layers of tower |
//! | `test` | the module `testing`: for `[dev-dependencies]` |
//!
//! The minimum supported Rust version is 1.91.
#![forbid(unsafe_code)]

#[cfg(feature = "aws-sdk-lambda")]
mod aws_client;
mod clock;
#[cfg(feature = "lambda_runtime")]
mod composed;
mod context;
mod digest;
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
#[cfg(feature = "test")]
pub mod testing;
mod wire;

pub use clock::Clock;
#[cfg(feature = "lambda_runtime")]
pub use composed::service;
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

/// The book's code about this crate compiles.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../README.md")]
    struct Readme;

    #[doc = include_str!("../../../docs/rust-sdk.md")]
    struct Sdk;

    #[doc = include_str!("../../../docs/rust-operations.md")]
    struct Operations;
}
