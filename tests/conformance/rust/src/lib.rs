//! A durable function for each requirement of AWS's conformance suite, under the requirement's number.
//!
//! A module for each suite. What a requirement does not ask for is as short as it can be.

mod callback;
mod child;
mod common;
mod invoke;
mod map;
pub mod output;
mod parallel;
mod plugin;
mod step;
mod wait;
mod wait_for_callback;
mod wait_for_condition;

use everstep::Functions;

/// Returns all of them.
pub fn functions() -> Functions {
    let suites = [
        step::add,
        wait::add,
        child::add,
        callback::add,
        invoke::add,
        wait_for_condition::add,
        wait_for_callback::add,
        parallel::add,
        map::add,
        plugin::add,
    ];
    suites.into_iter().fold(Functions::new(), |functions, add| add(functions))
}
