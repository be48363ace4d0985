//! The least that a durable function needs around it: a process, and a checkpoint API that keeps nothing.
//!
//! What a worker does against it is what its SDK costs; the rest is the server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use everstep_api::envelope::{self, Answer, Envelope};
use everstep_core::event::{Start, StartMode};
use everstep_core::id::{ExecutionId, Place, Version};
use everstep_core::{Payload, Texts, Timestamp};
use everstep_worker::{
    Config, CredentialSource, Credentials, Function, Invocation, LogFormat, LogLine, LogSink, Runtime, Supervisor,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::measure::Context as Run;
use crate::worker::now;

/// A function, with the stub around it.
pub struct Stub {
    supervisor: Arc<Supervisor>,
    function: Arc<Function>,
    input: Payload,
    api: JoinHandle<()>,
}

impl Stub {
    /// Puts the stub around the code in a directory.
    pub async fn start(run: &Run, runtime: Runtime, code: &std::path::Path, input: &Value) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(|request: Request| async {
            let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            checkpoint(&body)
        });
        let api = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        let mut config = Config::new(run.scratch.path(), endpoint);
        config.runtimes_dir.clone_from(&run.binary.runtimes);
        let supervisor = Supervisor::start(config, Arc::new(OneKey), Arc::new(NoLogs));
        let function = Arc::new(Function {
            key: "stub".into(),
            name: "stub".into(),
            version: "$LATEST".into(),
            arn: "arn:aws:lambda:us-east-1:123456789012:function:stub:$LATEST".into(),
            role: "arn:aws:iam::123456789012:role/stub".into(),
            runtime,
            handler: "app.handler".into(),
            code_dir: code.canonicalize()?,
            layers_dir: None,
            pins: Vec::new(),
            timeout: Duration::from_secs(60),
            memory_mb: 512,
            tmp_mb: everstep_worker::limits::TMP_MB_DEFAULT,
            environment: Default::default(),
            region: "us-east-1".into(),
            log_group: "/aws/lambda/stub".into(),
            log_format: LogFormat::Text,
            log_level: None,
            tenant_id: None,
        });
        Ok(Self { supervisor, function, input: Payload::from(input.to_string().as_str()), api })
    }

    /// Runs one execution.
    pub async fn invoke(&self) -> anyhow::Result<()> {
        let id = ExecutionId::from_bytes(*uuid::Uuid::new_v4().as_bytes());
        let start = Start {
            id,
            place: Place { region: "us-east-1".into(), account: "123456789012".into() },
            function: "stub".parse()?,
            version: Version::Latest,
            name: id.to_string().parse()?,
            input: Some(self.input.clone()),
            execution_timeout_seconds: 900,
            retention_days: 1,
            mode: StartMode::Sync,
            trace_id: None,
            tenant_id: None,
            parent: None,
            alias: None,
            hops: 0,
        };
        let event = envelope::encode(&Envelope {
            start: Arc::new(start),
            started_at: Timestamp::from_millis(now()),
            checkpoint_token: "token".into(),
            operations: Vec::new(),
            updated_operation_ids: Vec::new(),
            texts: Texts::default(),
        });
        let invocation = Invocation {
            request_id: uuid::Uuid::new_v4().to_string(),
            event: event.into(),
            invoked_function_arn: self.function.arn.clone(),
            trace_id: "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0".into(),
            client_context: None,
            tenant_id: None,
        };
        let slot = self.supervisor.acquire(&self.function).await.map_err(|failure| anyhow!("{failure}"))?;
        let answer = slot.invoke(invocation).await.result.map_err(|failure| anyhow!("{failure}"))?;
        match envelope::decode_answer(&answer) {
            Answer::Succeeded(_) => Ok(()),
            other => Err(anyhow!("against the stub the function answers {other:?}")),
        }
    }

    /// Ends the function's process.
    pub async fn stop(self) {
        self.supervisor.shutdown().await;
        self.api.abort();
    }
}

/// Answers a checkpoint: every update happened.
fn checkpoint(body: &Bytes) -> axum::response::Response {
    let shown = || -> anyhow::Result<Vec<Value>> {
        let request: Value = serde_json::from_slice(body)?;
        let updates = request["Updates"].as_array().map(Vec::as_slice).unwrap_or_default();
        updates.iter().map(shown).collect()
    };
    let (status, answer) = match shown() {
        Ok(operations) => {
            (200, json!({"CheckpointToken": "token", "NewExecutionState": {"Operations": operations}}).to_string())
        }
        Err(error) => (400, json!({"message": error.to_string()}).to_string()),
    };
    let response = http::Response::builder().status(status).header("content-type", "application/json");
    response.body(answer.into()).expect("headers are written by hand")
}

fn shown(update: &Value) -> anyhow::Result<Value> {
    let status = match update["Action"].as_str().context("an update without an action")? {
        "START" => "STARTED",
        "SUCCEED" => "SUCCEEDED",
        other => return Err(anyhow!("the stub knows no action {other}")),
    };
    let mut operation = json!({
        "Id": update["Id"],
        "Type": update["Type"],
        "Status": status,
        "StartTimestamp": now() as f64 / 1e3,
        "StepDetails": {"Attempt": 1},
    });
    for member in ["Name", "ParentId", "SubType"] {
        if !update[member].is_null() {
            operation[member] = update[member].clone();
        }
    }
    if !update["Payload"].is_null() {
        operation["StepDetails"]["Result"] = update["Payload"].clone();
    }
    Ok(operation)
}

/// The stub believes every signature.
struct OneKey;

impl CredentialSource for OneKey {
    fn issue(&self, _function: &Function) -> Credentials {
        Credentials {
            access_key_id: "AKIASTUB".into(),
            secret_access_key: "secret".into(),
            session_token: "token".into(),
        }
    }

    fn revoke(&self, _access_key_id: &str) {}
}

struct NoLogs;

impl LogSink for NoLogs {
    fn append(&self, _group: &str, _stream: &str, _lines: Vec<LogLine>) {}
}
