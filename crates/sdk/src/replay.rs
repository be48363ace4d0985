//! What a handler's operations do, as pure functions of what is recorded about them.
//!
//! No async, no I/O, no clock and no randomness in here: `operation` asks, does, and asks again.

pub(crate) mod batch;
pub(crate) mod completion;
pub(crate) mod id;
pub(crate) mod retry;
pub(crate) mod step;
