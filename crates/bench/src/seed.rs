//! Stores with a hundred thousand executions, filled without a server.
//!
//! The rows are what real executions leave: each command is decided by the core and committed as the engine commits it.
//! What is left out is the HTTP around it and the function's process.

use std::path::Path;
use std::sync::Arc;

use everstep_core::command::{Action, Checkpoint, InvocationResult, OperationUpdate};
use everstep_core::event::{Start, StartMode};
use everstep_core::id::{ExecutionId, Place, Version};
use everstep_core::token::TokenKeys;
use everstep_core::{Command, Execution, OperationType, Payload, Timestamp};
use everstep_engine::{commit_of, new_execution_id, new_request_id, token_keys};
use everstep_store::sqlite::Sqlite;
use everstep_store::{Executions, NewExecution};

use crate::deployment::{NATIVE, all};
use crate::worker::{Job, now};

/// How many executions are worked on at the same time: enough to fill the groups of the store's writer.
const TOGETHER: usize = 256;

/// Milliseconds between two executions that fall due: 250 a second.
pub const DUE_EVERY_MILLIS: i64 = 4;

/// How long the sleepers sleep that are not to wake, in seconds.
const LONG_SLEEP_SECONDS: u64 = 30 * 86_400;

/// A store that is being filled, while no server runs on it.
pub struct Seeder {
    store: Arc<Sqlite>,
}

/// How an execution goes on once it has begun.
#[derive(Clone, Copy)]
enum Fate {
    /// It sleeps.
    Sleeps { seconds: u64 },
    /// It is over.
    Succeeds,
}

impl Seeder {
    /// Opens the store in a data directory.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        Ok(Self { store: Arc::new(Sqlite::open(data)?) })
    }

    /// Returns the store.
    pub fn store(&self) -> &Arc<Sqlite> {
        &self.store
    }

    /// Adds executions that sleep for a long time.
    pub async fn sleepers(&self, count: usize) -> anyhow::Result<()> {
        let at = now();
        self.add(count, |_| at, Fate::Sleeps { seconds: LONG_SLEEP_SECONDS }).await?;
        Ok(())
    }

    /// Adds executions that wake one after the other from `first` on, [`DUE_EVERY_MILLIS`] apart.
    pub async fn due(&self, count: usize, first: i64) -> anyhow::Result<Vec<ExecutionId>> {
        const SLEEP_SECONDS: u64 = 600;
        let begin = first - SLEEP_SECONDS as i64 * 1000;
        self.add(count, |n| begin + n as i64 * DUE_EVERY_MILLIS, Fate::Sleeps { seconds: SLEEP_SECONDS }).await
    }

    /// Adds executions that succeeded two days ago, and are to be forgotten after one.
    pub async fn expired(&self, count: usize) -> anyhow::Result<()> {
        let at = now() - 2 * 86_400_000;
        self.add(count, |_| at, Fate::Succeeds).await?;
        Ok(())
    }

    /// Adds executions; the n-th one does all that it does at a time of its own.
    async fn add(&self, count: usize, at: impl Fn(usize) -> i64, fate: Fate) -> anyhow::Result<Vec<ExecutionId>> {
        let keys = Arc::new(token_keys(&*self.store).await?);
        let mut ids = Vec::with_capacity(count);
        while ids.len() < count {
            let batch = ids.len()..count.min(ids.len() + TOGETHER);
            let executions = batch.map(|number| {
                let (store, keys) = (Arc::clone(&self.store), Arc::clone(&keys));
                live(store, keys, Timestamp::from_millis(at(number)), fate)
            });
            ids.extend(all(executions).await?);
        }
        Ok(ids)
    }
}

/// Lets an execution begin and go to its fate, one commit after the other.
async fn live(store: Arc<Sqlite>, keys: Arc<TokenKeys>, at: Timestamp, fate: Fate) -> anyhow::Result<ExecutionId> {
    let id = new_execution_id();
    let start = start(id)?;
    let new = NewExecution {
        function: start.function.clone(),
        version: start.version,
        name: start.name.clone(),
        started_at: at,
    };
    let decision = Execution::start(start, at);
    store.create(new, commit_of(id, &decision, None, Vec::new())).await?;
    let mut execution = decision.next;
    let request_id = new_request_id();
    let mut submit = async |command: Command| {
        let decision = execution.decide(at, &command, &keys)?;
        store.commit(commit_of(id, &decision, Some(&execution), Vec::new())).await?;
        execution = decision.next;
        anyhow::Ok(())
    };
    submit(Command::BeginInvocation { request_id }).await?;
    match fate {
        Fate::Sleeps { seconds } => {
            submit(Command::Checkpoint(wait(seconds)?)).await?;
            submit(Command::CompleteInvocation { request_id, result: InvocationResult::Pending }).await?;
        }
        Fate::Succeeds => {
            let result = InvocationResult::Succeeded { result: Some("\"done\"".into()) };
            submit(Command::CompleteInvocation { request_id, result }).await?;
        }
    }
    Ok(id)
}

fn start(id: ExecutionId) -> anyhow::Result<Start> {
    Ok(Start {
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
        alias: None,
        hops: 0,
    })
}

/// The first checkpoint of the first invocation: it begins a wait.
fn wait(seconds: u64) -> anyhow::Result<Checkpoint> {
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
        wait_seconds: Some(seconds),
        callback_timeout_seconds: None,
        heartbeat_timeout_seconds: None,
        chained_invoke: None,
    };
    let client_token = Some(uuid::Uuid::new_v4().to_string().parse()?);
    Ok(Checkpoint { invocation: 1, checkpoint: 0, client_token, updates: vec![update] })
}
