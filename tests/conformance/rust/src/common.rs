//! What the handlers share: durations, retries, serializers, and errors to fail with.

use std::time::Duration;

use everstep::{Batch, Context, Error, Result, Retry, Serdes, SerdesInfo};
use serde_json::{Value, json};

/// Makes a duration of whole seconds.
pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Makes so many attempts, a second apart.
pub fn attempts(count: u32) -> Retry<'static> {
    Retry::fixed(count, seconds(1))
}

/// What fails always.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this always fails")]
pub struct Failure;

/// Fails, as a step, a branch, an item, a submitter or a check.
pub fn fail<T>() -> Result<T> {
    Err(Failure.into())
}

/// Fails until it is tried a second time.
pub fn flaky(attempt: u32, value: &str) -> Result<String> {
    if attempt == 1 { Err(Error::new("NotYet", "not yet")) } else { Ok(value.to_owned()) }
}

/// Gives a value by a step.
pub async fn step_of(ctx: &mut Context, value: &str) -> Result<String> {
    Ok(ctx.step(None, async |_| Ok(value.to_owned())).await?)
}

/// Writes and reads values with two functions.
pub fn text<T>(
    write: impl Fn(&T) -> String + Send + Sync,
    read: impl Fn(&str) -> Result<T> + Send + Sync,
) -> impl Serdes<T> {
    Text { write, read }
}

struct Text<W, R> {
    write: W,
    read: R,
}

impl<T, W, R> Serdes<T> for Text<W, R>
where
    W: Fn(&T) -> String + Send + Sync,
    R: Fn(&str) -> Result<T> + Send + Sync,
{
    fn serialize(&self, value: &T, _info: &SerdesInfo<'_>) -> Result<String> {
        Ok((self.write)(value))
    }

    fn deserialize(&self, text: &str, _info: &SerdesInfo<'_>) -> Result<T> {
        (self.read)(text)
    }
}

/// Says what a map or parallel operation says about itself: those of its facts that are asked for.
pub fn facts<T>(batch: &Batch<T>, names: &[&str]) -> Value {
    let facts = json!({
        "completionReason": batch.completion_reason(),
        "status": batch.status().as_str(),
        "successCount": batch.success_count(),
        "failureCount": batch.failure_count(),
        "totalCount": batch.total_count(),
    });
    names.iter().map(|name| ((*name).to_owned(), facts[name].clone())).collect()
}

/// All facts but the status.
pub const COUNTS: [&str; 4] = ["completionReason", "successCount", "failureCount", "totalCount"];

/// All facts.
pub const OUTCOME: [&str; 5] = ["completionReason", "status", "successCount", "failureCount", "totalCount"];

/// Ends the process after a while, in the middle of what it does. In a test there is no such process: there the test
/// kit lets it die, at the end of what it does.
pub async fn crash(after: Duration) {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        tokio::time::sleep(after).await;
        std::process::exit(1)
    }
}
