//! Stores with a hundred thousand executions, filled by the engine itself.
//!
//! The rows are what real executions leave: each command is decided and committed as ever. What is left out is the
//! HTTP around it and the function's process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use everstep_core::command::{Action, InvocationResult, OperationUpdate};
use everstep_core::event::{Start, StartMode};
use everstep_core::id::{ExecutionId, FunctionName, Place, TenantId, Version};
use everstep_core::{Command, OperationType, Payload, Timestamp};
use everstep_engine::{Acquired, Clock, Engine, Functions, Resolved, new_execution_id, new_request_id, token_keys};
use everstep_store::sqlite::Sqlite;

use crate::deployment::{NATIVE, all};
use crate::worker::{Job, now};

/// How many executions are worked on at the same time: enough to fill the groups of the store's writer.
const TOGETHER: usize = 256;

/// Milliseconds between two executions that fall due: 250 a second.
pub const DUE_EVERY_MILLIS: i64 = 4;

/// How long the sleepers sleep that are not to wake, in seconds.
const LONG_SLEEP_SECONDS: u64 = 30 * 86_400;

/// An execution that has begun.
struct Begun {
    id: ExecutionId,
    request: everstep_core::id::RequestId,
}

/// A store that is being filled, while no server runs on it.
pub struct Seeder {
    store: Arc<Sqlite>,
}

impl Seeder {
    /// Opens the store in a data directory.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        Ok(Self { store: Arc::new(Sqlite::open(data)?) })
    }

    /// Adds executions that sleep for a long time.
    pub async fn sleepers(&self, count: usize) -> anyhow::Result<()> {
        let engine = self.engine(now()).await?;
        in_batches(count, |size| {
            let engine = Arc::clone(&engine);
            async move {
                all((0..size).map(|_| {
                    let engine = Arc::clone(&engine);
                    async move {
                        let begun = begin(&engine).await?;
                        wait(&engine, &begun, LONG_SLEEP_SECONDS).await?;
                        complete(&engine, &begun, InvocationResult::Pending).await
                    }
                }))
                .await
            }
        })
        .await
    }

    /// Adds executions that wake one after the other from `first` on, [`DUE_EVERY_MILLIS`] apart.
    pub async fn due(&self, count: usize, first: i64) -> anyhow::Result<Vec<ExecutionId>> {
        const SLEEP_SECONDS: u64 = 600;
        let engine = self.engine(first - SLEEP_SECONDS as i64 * 1000).await?;
        let mut begun = Vec::new();
        while begun.len() < count {
            let size = TOGETHER.min(count - begun.len());
            begun.extend(
                all((0..size).map(|_| {
                    let engine = Arc::clone(&engine);
                    async move { begin(&engine).await }
                }))
                .await?,
            );
        }
        for execution in &begun {
            wait(&engine, execution, SLEEP_SECONDS).await?;
            engine.clock().advance(Duration::from_millis(DUE_EVERY_MILLIS.unsigned_abs()));
        }
        let ids = begun.iter().map(|execution| execution.id).collect();
        for batch in chunks(begun) {
            all(batch.into_iter().map(|execution| {
                let engine = Arc::clone(&engine);
                async move { complete(&engine, &execution, InvocationResult::Pending).await }
            }))
            .await?;
        }
        Ok(ids)
    }

    /// Adds executions that succeeded two days ago, and are to be forgotten after one.
    pub async fn expired(&self, count: usize) -> anyhow::Result<()> {
        let engine = self.engine(now() - 2 * 86_400_000).await?;
        in_batches(count, |size| {
            let engine = Arc::clone(&engine);
            async move {
                all((0..size).map(|_| {
                    let engine = Arc::clone(&engine);
                    async move {
                        let begun = begin(&engine).await?;
                        complete(&engine, &begun, InvocationResult::Succeeded { result: Some("\"done\"".into()) }).await
                    }
                }))
                .await
            }
        })
        .await
    }

    /// Returns the store.
    pub fn store(&self) -> &Arc<Sqlite> {
        &self.store
    }

    async fn engine(&self, at: i64) -> anyhow::Result<Arc<Engine>> {
        let keys = token_keys(&*self.store).await?;
        let clock = Arc::new(Clock::standing(Timestamp::from_millis(at)));
        Ok(Engine::new(self.store.clone(), Arc::new(NoFunctions), clock, keys))
    }
}

async fn in_batches<R>(count: usize, work: impl Fn(usize) -> R) -> anyhow::Result<()>
where
    R: Future<Output = anyhow::Result<Vec<()>>>,
{
    let mut left = count;
    while left > 0 {
        let size = TOGETHER.min(left);
        work(size).await?;
        left -= size;
    }
    Ok(())
}

fn chunks(mut executions: Vec<Begun>) -> Vec<Vec<Begun>> {
    let mut chunks = Vec::new();
    while !executions.is_empty() {
        let rest = executions.split_off(TOGETHER.min(executions.len()));
        chunks.push(std::mem::replace(&mut executions, rest));
    }
    chunks
}

async fn begin(engine: &Arc<Engine>) -> anyhow::Result<Begun> {
    let (id, request) = (new_execution_id(), new_request_id());
    let start = Start {
        id,
        place: Place { region: "us-east-1".into(), account: "123456789012".into() },
        function: NATIVE.parse()?,
        version: Version::Latest,
        name: id.to_string().parse()?,
        input: Some(Payload::from(serde_json::to_string(&Job::Lateness)?.as_str())),
        execution_timeout_seconds: 2 * LONG_SLEEP_SECONDS,
        retention_days: 1,
        mode: StartMode::Async,
        trace_id: None,
        tenant_id: None,
        parent: None,
    };
    engine.start(start, Vec::new()).await?;
    engine.submit(id, Command::BeginInvocation { request_id: request }, Vec::new()).await?;
    Ok(Begun { id, request })
}

async fn wait(engine: &Arc<Engine>, execution: &Begun, wait_seconds: u64) -> anyhow::Result<()> {
    let state = engine.execution(execution.id).await?.context("an execution that was just begun is there")?;
    let token = state.checkpoint_token().context("an invocation in flight has a token")?;
    let update = OperationUpdate {
        id: "8f14e45fceea167a5a36dedd4bea2543".parse()?,
        operation_type: OperationType::Wait,
        action: Action::Start,
        parent: None,
        name: Some("sleep".parse()?),
        sub_type: Some("Wait".parse()?),
        payload: None,
        error: None,
        replay_children: false,
        next_attempt_delay_seconds: None,
        wait_seconds: Some(wait_seconds),
        callback_timeout_seconds: None,
        heartbeat_timeout_seconds: None,
        chained_invoke: None,
    };
    let client_token = uuid::Uuid::new_v4().to_string().parse()?;
    engine.checkpoint(token, Some(client_token), vec![update], Vec::new()).await?;
    Ok(())
}

async fn complete(engine: &Arc<Engine>, execution: &Begun, result: InvocationResult) -> anyhow::Result<()> {
    let command = Command::CompleteInvocation { request_id: execution.request, result };
    engine.submit(execution.id, command, Vec::new()).await?;
    Ok(())
}

/// Nobody invokes anything while a store is filled.
struct NoFunctions;

#[async_trait]
impl Functions for NoFunctions {
    async fn resolve(&self, _reference: &str) -> Resolved {
        unreachable!("nothing is chained")
    }

    async fn acquire(&self, _function: &FunctionName, _version: Version, _tenant: Option<&TenantId>) -> Acquired {
        Acquired::Missing
    }
}
