//! The runtimes of a machine, for those who run no server.

use crate::config::{Config, LISTEN_DEFAULT};

pub use everstep_worker::Runtime;
pub use everstep_worker::runtimes::{Availability, Program, Runtimes, Sdk, Status};

/// Returns the runtimes that a server with these settings would use.
pub fn of(config: &Config) -> Runtimes {
    Runtimes::new(&config.worker(LISTEN_DEFAULT))
}
