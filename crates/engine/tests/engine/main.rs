//! The engine over real stores, with functions made of a few lines of Rust and a clock that is moved by hand.
//!
//! A server that dies is a node whose power is cut: its store calls never return again, and a new node is put over
//! the same store. Nothing here sleeps: tests wait for commits.

mod callbacks;
mod effects;
mod faults;
mod functions;
mod invokes;
mod lifecycle;
mod restarts;
mod rivals;
mod store;
mod workflows;
mod world;
