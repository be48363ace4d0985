//! What an execution does, told as scenarios: a world of commands in, a readable history out.
//!
//! Start reading at [`world`], which drives an execution as the engine does and checks after every commit what must
//! always hold; then at `histories`, the shortest stories. `laws` lets chance write the story.

mod callbacks;
mod checkpoints;
mod histories;
mod invocations;
mod invokes;
mod laws;
mod lifecycle;
mod limits;
mod pauses;
mod stored;
mod tokens;
mod updates;
mod views;
mod world;
