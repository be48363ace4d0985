//! Policies of AWS IAM: reading them, and deciding by them what a caller may do.
//!
//! Pure: no I/O, no clock; what a condition asks for is an argument. Nothing here knows roles, users or services of this
//! server. Start at [`Policy::read`] and [`Policies::decide`].

mod arn;
mod condition;
mod decide;
mod document;
pub mod limits;
pub mod managed;
mod pattern;
mod principal;
mod statement;

pub use decide::{Denied, Policies, Request, Why};
pub use document::{Kind, Malformed, Policy};
pub use principal::Caller;
