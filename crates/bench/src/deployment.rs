//! The functions that make the load.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use everstep_client::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::figure::Distribution;
use crate::ten_steps;
use crate::worker::{Job, Steps};

/// The name of the native worker as a function.
pub const NATIVE: &str = "native";

/// Longest execution that may be invoked synchronously, in seconds. Source: Lambda, durable functions.
const EXECUTION_TIMEOUT_SECONDS: u32 = 900;

/// Creates the native worker: this program, as a bootstrap.
pub async fn create_native(client: &Client) -> anyhow::Result<()> {
    create(client, NATIVE, "provided.al2023", "bootstrap", &this_program()?).await
}

/// Creates the function of the Rust SDK: this program, too.
pub async fn create_ten_steps(client: &Client) -> anyhow::Result<()> {
    create(client, ten_steps::HANDLER, "provided.al2023", ten_steps::HANDLER, &this_program()?).await
}

/// Packs this program as a bootstrap.
fn this_program() -> anyhow::Result<Vec<u8>> {
    let program = fs::read(std::env::current_exe()?)?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755).compression_level(Some(1)))?;
    zip.write_all(&program)?;
    Ok(zip.finish()?.into_inner())
}

/// Creates a function of a code package that the tests deploy as well.
pub async fn create_packaged(client: &Client, name: &str, runtime: &str, package: &Path) -> anyhow::Result<()> {
    let zip = fs::read(package).with_context(|| format!("cannot read {}", package.display()))?;
    create(client, name, runtime, "app.handler", &zip).await
}

async fn create(client: &Client, name: &str, runtime: &str, handler: &str, zip: &[u8]) -> anyhow::Result<()> {
    let function = json!({
        "FunctionName": name,
        "Runtime": runtime,
        "Handler": handler,
        "Role": "arn:aws:iam::123456789012:role/everstep",
        "Timeout": 300,
        "MemorySize": 512,
        "Code": {"ZipFile": STANDARD.encode(zip)},
        "DurableConfig": {"ExecutionTimeout": EXECUTION_TIMEOUT_SECONDS, "RetentionPeriodInDays": 1},
    });
    client.send("POST", "/2015-03-31/functions", &[], function.to_string().into_bytes()).await?;
    Ok(())
}

/// Invokes a function and waits for what it returns.
pub async fn invoke(client: &Client, function: &str, input: &Value) -> anyhow::Result<Value> {
    let path = format!("/2015-03-31/functions/{function}%3A%24LATEST/invocations");
    let answer = client.send("POST", &path, &[], input.to_string().into_bytes()).await?;
    ensure!(answer.get("errorType").is_none(), "function {function} failed: {answer}");
    Ok(answer)
}

/// Runs an execution of the native worker that takes steps.
pub async fn take_steps(client: &Client, job: &Job) -> anyhow::Result<Steps> {
    let answer = invoke(client, NATIVE, &serde_json::to_value(job)?).await?;
    Ok(serde_json::from_value(answer)?)
}

/// Invokes a function again and again, `concurrency` at a time, until `end`. Returns how long each took.
pub async fn invoke_until(
    client: &Arc<Client>,
    function: &'static str,
    input: &Value,
    concurrency: usize,
    end: Instant,
) -> anyhow::Result<Distribution> {
    let callers = (0..concurrency).map(|_| {
        let (client, input) = (Arc::clone(client), input.clone());
        async move {
            let mut taken = Vec::new();
            while Instant::now() < end {
                let before = Instant::now();
                invoke(&client, function, &input).await?;
                taken.push(before.elapsed());
            }
            anyhow::Ok(taken)
        }
    });
    Ok(Distribution::of(all(callers).await?.concat()))
}

/// Runs so many executions of the native worker at the same time.
pub async fn take_steps_together(client: &Arc<Client>, job: &Job, concurrency: usize) -> anyhow::Result<Vec<Steps>> {
    let executions = (0..concurrency).map(|_| {
        let (client, job) = (Arc::clone(client), job.clone());
        async move { take_steps(&client, &job).await }
    });
    all(executions).await
}

/// Runs futures as tasks and returns what they return, in no order.
pub async fn all<T: Send + 'static>(
    futures: impl Iterator<Item = impl Future<Output = anyhow::Result<T>> + Send + 'static>,
) -> anyhow::Result<Vec<T>> {
    let mut tasks: JoinSet<_> = futures.collect();
    let mut results = Vec::with_capacity(tasks.len());
    while let Some(done) = tasks.join_next().await {
        results.push(done??);
    }
    Ok(results)
}
