//! Decides on an expense: small ones by itself, others by a person, who may take a week.

mod approval;
#[cfg(test)]
mod tests;

use everstep::{Function, RunError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RunError> {
    let hook = std::env::var("NOTIFY_URL").ok().filter(|url| !url.is_empty());
    everstep::run(Function::new(move |expense, ctx| approval::decide(expense, ctx, hook.clone()))).await
}
