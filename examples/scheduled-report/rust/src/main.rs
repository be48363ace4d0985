//! Writes a report every day for as long as it is told to: each day it starts an export, polls it, and sleeps.

mod report;
#[cfg(test)]
mod tests;

use everstep::RunError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RunError> {
    everstep::run(report::write_each_day).await
}
