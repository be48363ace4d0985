//! Answers a question in steps: plan, research each topic, summarise, save. What is done is never asked again.

mod dynamodb;
mod model;
#[cfg(test)]
mod tests;
mod workflow;

use std::sync::Arc;

use everstep::{Function, RunError};
use workflow::Clients;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RunError> {
    everstep::log::init().ok();
    let clients = Arc::new(Clients::from_environment());
    everstep::run(Function::new(move |question, ctx| workflow::answer(question, ctx, Arc::clone(&clients)))).await
}
