//! Every limit that the SDK keeps to, with its unit and where it comes from.

use std::time::Duration;

/// How many updates one checkpoint holds. Source: AWS's SDKs for JavaScript and Python.
pub(crate) const UPDATES_MAX: usize = 250;

/// How many bytes of updates one checkpoint holds. Source: AWS's SDKs.
pub(crate) const UPDATE_BYTES_MAX: usize = 750 * 1024;

/// How many operations are asked for at once. Source: Lambda API, `GetDurableExecutionState`.
pub(crate) const STATE_ITEMS_MAX: u32 = 1000;

/// Bytes beyond which a context's result is not kept, but made anew from its operations. Source: AWS's SDKs.
pub(crate) const CONTEXT_RESULT_BYTES_MAX: usize = 256 * 1024;

/// Bytes, as they are in the answer, beyond which a result is checkpointed and not returned. Source: AWS's SDKs, and
/// Lambda's limit of 6 MB for an answer.
pub(crate) const RESULT_BYTES_MAX: usize = 6 * 1024 * 1024 - 50;

/// Characters of an operation's name. Source: Lambda API, `OperationName`.
pub(crate) const NAME_CHARACTERS_MAX: usize = 256;

/// How many flat contexts, each the first operation of the one around it, are looked through for what is on record. Ours.
pub(crate) const FLAT_NESTING_MAX: usize = 4;

/// Seconds of a wait. Source: Lambda API, `WaitOptions`.
pub(crate) const WAIT_SECONDS_MAX: u64 = 31_622_400;

/// Seconds until the next attempt of a step, or the next check of a condition. Source: Lambda API, `StepOptions`.
pub(crate) const RETRY_DELAY_SECONDS_MAX: u64 = 31_622_400;

/// Seconds that the answer of a callback may take, or its next heartbeat. Source: Lambda API, `CallbackOptions`.
pub(crate) const CALLBACK_SECONDS_MAX: u64 = 99_999_999;

/// How long a quick step's start is held back, so that it goes with its outcome. Ours.
pub(crate) const START_HOLD: Duration = Duration::from_millis(5);

/// How long after an operation was due, or nothing else was, the service is asked again while other code runs; it grows
/// to [`REFRESH_MAX`]. Source: AWS's SDK for JavaScript.
pub(crate) const REFRESH_FIRST: Duration = Duration::from_secs(1);

/// The longest time between two such questions. Source: AWS's SDK for JavaScript.
pub(crate) const REFRESH_MAX: Duration = Duration::from_secs(10);

/// How long a handler may wait for something outside of every operation before a warning says so. Ours.
pub(crate) const FOREIGN_AWAIT_WARNING: Duration = Duration::from_secs(1);

/// How often a request is made before it counts as failed. Source: AWS's SDKs.
pub(crate) const REQUEST_ATTEMPTS: u32 = 3;

/// How long a request may take. Lambda's API answers within this time. Source: AWS's SDKs.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(55);
