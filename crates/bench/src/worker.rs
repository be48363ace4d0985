//! The native worker: a bootstrap that does as little as it can beside checkpoints.
//!
//! It knows the server by what every function knows: the Runtime API, its own key, and the Lambda API.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use bytes::Bytes;
use everstep_client::{Credentials, Signer, escaped};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::connection::Connection;

/// What an execution is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// Steps, one after the other, each one checkpoint request that starts and succeeds it.
    Steps {
        /// How many steps are taken in one request before the clock runs.
        prefill: usize,
        /// When to begin, in epoch milliseconds.
        start_at: i64,
        /// When to stop, in epoch milliseconds.
        end_at: i64,
        /// How many steps to take at most.
        steps_max: usize,
    },
    /// Say how late it is: the execution slept and was woken.
    Lateness,
}

/// What [`Job::Steps`] answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Steps {
    /// How long each step took, in microseconds.
    pub latencies_us: Vec<u32>,
    /// When the last one was over, in epoch milliseconds.
    pub ended_at: i64,
    /// What they cost the worker in processor time, in microseconds.
    pub cpu_us: u64,
}

/// Serves invocations until it is killed.
pub async fn run(runtime_api: &str) -> anyhow::Result<()> {
    let variable = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
    let endpoint = variable("AWS_ENDPOINT_URL_LAMBDA")?;
    let credentials = Credentials::new(
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_SECRET_ACCESS_KEY")?,
        Some(variable("AWS_SESSION_TOKEN")?),
        None,
        "environment",
    );
    let signer = Signer::new(credentials, variable("AWS_REGION")?);
    let authority = endpoint.strip_prefix("http://").context("the endpoint is not plain HTTP")?;
    let mut runtime = Connection::open(runtime_api).await?;
    let mut api = Connection::open(authority).await?;
    loop {
        let next = runtime.send("GET", "/2018-06-01/runtime/invocation/next", [], Bytes::new()).await?;
        let request_id = next.0.headers.get("lambda-runtime-aws-request-id").context("an invocation without an id")?;
        let path = format!("/2018-06-01/runtime/invocation/{}/response", request_id.to_str()?);
        let event: Value = serde_json::from_slice(&next.1)?;
        let mut execution = Execution::new(&event, &endpoint, &signer, &mut api)?;
        let result = match execution.job.clone() {
            Job::Steps { prefill, start_at, end_at, steps_max } => {
                serde_json::to_string(&execution.steps(prefill, start_at, end_at, steps_max).await?)?
            }
            Job::Lateness => lateness(&event)?.to_string(),
        };
        let answer = json!({"Status": "SUCCEEDED", "Result": result}).to_string();
        runtime.send("POST", &path, [], answer.into()).await?;
    }
}

/// Returns the epoch milliseconds of now.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Returns the processor time of this process so far, in microseconds.
fn cpu_us() -> u64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    u64::try_from(used.tv_sec * 1_000_000 + used.tv_nsec / 1_000).unwrap_or_default()
}

/// How many milliseconds ago the wait was to end that woke the execution.
fn lateness(event: &Value) -> anyhow::Result<i64> {
    let operations = event["InitialExecutionState"]["Operations"].as_array().context("an event without operations")?;
    let waits = operations.iter().filter_map(|operation| operation["WaitDetails"]["ScheduledEndTimestamp"].as_i64());
    Ok(now() - waits.max().context("an execution that did not sleep")?)
}

struct Execution<'a> {
    job: Job,
    token: String,
    url: String,
    path: String,
    signer: &'a Signer,
    api: &'a mut Connection,
    steps: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Checkpoint<'a> {
    checkpoint_token: &'a str,
    client_token: String,
    updates: Vec<Update>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Update {
    id: String,
    #[serde(rename = "Type")]
    operation_type: &'static str,
    sub_type: &'static str,
    name: String,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'static str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CheckpointAnswer {
    checkpoint_token: String,
}

impl<'a> Execution<'a> {
    fn new(event: &Value, endpoint: &str, signer: &'a Signer, api: &'a mut Connection) -> anyhow::Result<Self> {
        let text = |value: &Value| value.as_str().map(String::from).context("an event that is not a durable one");
        let input = text(&event["InitialExecutionState"]["Operations"][0]["ExecutionDetails"]["InputPayload"])?;
        let arn = escaped(&text(&event["DurableExecutionArn"])?);
        let path = format!("/2025-12-01/durable-executions/{arn}/checkpoint");
        Ok(Self {
            job: serde_json::from_str(&input)?,
            token: text(&event["CheckpointToken"])?,
            url: format!("{endpoint}{path}"),
            path,
            signer,
            api,
            steps: 0,
        })
    }

    async fn steps(&mut self, prefill: usize, start_at: i64, end_at: i64, steps_max: usize) -> anyhow::Result<Steps> {
        if prefill > 0 {
            self.checkpoint(prefill).await?;
        }
        if let Ok(millis) = u64::try_from(start_at - now()) {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        let cpu_before = cpu_us();
        let mut latencies_us = Vec::with_capacity(steps_max.min(4_096));
        while latencies_us.len() < steps_max && now() < end_at {
            let before = Instant::now();
            self.checkpoint(1).await?;
            latencies_us.push(u32::try_from(before.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        Ok(Steps { latencies_us, ended_at: now(), cpu_us: cpu_us() - cpu_before })
    }

    /// Takes so many steps in one request, with what an SDK says of them.
    async fn checkpoint(&mut self, count: usize) -> anyhow::Result<()> {
        let steps = self.steps + 1..=self.steps + count;
        self.steps += count;
        let updates = steps.flat_map(|number| {
            let update = |action, payload| Update {
                id: format!("{number:032x}"),
                operation_type: "STEP",
                sub_type: "Step",
                name: format!("step-{number}"),
                action,
                payload,
            };
            [update("START", None), update("SUCCEED", Some("\"done\""))]
        });
        let client_token = uuid::Uuid::new_v4().to_string();
        let request = Checkpoint { checkpoint_token: &self.token, client_token, updates: updates.collect() };
        let body = serde_json::to_string(&request)?;
        let content_type = ("content-type", "application/json");
        let mut headers = self.signer.sign("POST", &self.url, [content_type].into_iter(), body.as_bytes())?;
        headers.push((content_type.0.into(), content_type.1.into()));
        let (parts, answer) = self.api.send("POST", &self.path, headers, body.into()).await?;
        ensure!(parts.status.is_success(), "a checkpoint was refused: {}", String::from_utf8_lossy(&answer));
        self.token = serde_json::from_slice::<CheckpointAnswer>(&answer)?.checkpoint_token;
        Ok(())
    }
}
