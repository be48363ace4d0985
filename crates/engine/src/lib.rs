//! Load, decide, commit: the one loop that moves executions forward.
//!
//! [`Engine::submit`] takes a command to an execution, and has its function invoked if that is due then; [`Engine::run`]
//! is the task loop that does what time brings: fire timers, invoke functions, start children, tell parents, forget what
//! is over. It knows storage and functions by their traits, and nothing of HTTP or processes.

mod asynchronous;
mod cache;
mod clock;
mod effects;
mod functions;
mod invocations;
mod read;
mod schedule;
mod task_loop;
mod to_the_end;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use everstep_core::command::Checkpoint;
use everstep_core::event::Start;
use everstep_core::id::{ClientToken, ExecutionId, RequestId};
use everstep_core::token::{CheckpointToken, TokenKeys};
use everstep_core::{Command, Decision, Digest, Execution, Operation, Rejection, RejectionKind, Texts};
use everstep_store::{Catalog, Commit, Error as StoreError, Executions, Head, Kind, NewExecution};

pub use asynchronous::{AsyncEnding, Condition, EventInvokeConfig};
use tokio::sync::Semaphore;

use cache::Cache;
pub use clock::Clock;
pub use functions::{Acquired, DurableRun, Functions, HandlerAnswer, PlainRun, Resolved, Slot, Unavailable};
pub use read::{HistoryPage, NextWakeUp};
use schedule::Schedule;
pub use to_the_end::ToTheEnd;

/// How often a decision is made anew because somebody else committed first.
const ATTEMPTS_MAX: u32 = 8;

/// How many executions are forgotten at the same time: whoever waits for a checkpoint waits for those before it.
const FORGETTING_MAX: usize = 8;

/// Why a request to an execution was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's fault.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The store's fault.
    #[error("the store could not serve the request")]
    Store(#[from] StoreError),
    /// An execution of that function has the name already.
    #[error("the name is taken by execution {0}")]
    NameTaken(ExecutionId),
}

/// Large texts that go with a command.
pub type NewTexts = Vec<(Digest, Arc<str>)>;

/// Moves executions forward.
pub struct Engine {
    store: Arc<dyn Executions>,
    functions: Arc<dyn Functions>,
    clock: Arc<Clock>,
    keys: TokenKeys,
    cache: Cache,
    schedule: Schedule,
    /// Room for executions that are being forgotten.
    forgetting: Semaphore,
    /// Processes are being ended: what breaks now is the server's doing, not the function's.
    stopping: AtomicBool,
    /// What the last server lost is recovered: functions may be invoked.
    begun: AtomicBool,
}

/// The answer to a checkpoint.
#[derive(Debug)]
pub struct CheckpointAnswer {
    /// What changed.
    pub operations: Vec<Arc<Operation>>,
    /// The next token, sealed.
    pub token: Option<String>,
    /// The texts of what is shown.
    pub texts: Texts,
}

impl Engine {
    /// Puts an engine together. Nothing happens before [`Self::run`].
    pub fn new(
        store: Arc<dyn Executions>,
        functions: Arc<dyn Functions>,
        clock: Arc<Clock>,
        keys: TokenKeys,
    ) -> Arc<Self> {
        let (cache, schedule) = (Cache::default(), Schedule::default());
        let forgetting = Semaphore::new(FORGETTING_MAX);
        let (stopping, begun) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { store, functions, clock, keys, cache, schedule, forgetting, stopping, begun })
    }

    /// Tells whether [`Self::run`] has ended, so that functions that break now were broken off.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Tells whether [`Self::run`] is under way, and has recovered what there was to recover.
    pub(crate) fn is_running(&self) -> bool {
        self.begun.load(Ordering::Acquire) && !self.is_stopping()
    }

    /// Returns the durable clock.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Returns the keys that seal tokens.
    pub fn keys(&self) -> &TokenKeys {
        &self.keys
    }

    /// Starts an execution. Once this returns it is on disk, and its function is being invoked. It goes on to its end
    /// even if the caller goes away.
    ///
    /// # Errors
    /// [`Error::NameTaken`] with the id of the execution that has the name.
    pub async fn start(self: &Arc<Self>, start: Start, texts: NewTexts) -> Result<Execution, Error> {
        let engine = Arc::clone(self);
        ToTheEnd::new(async move { engine.create(start, texts).await }).await
    }

    async fn create(self: &Arc<Self>, start: Start, texts: NewTexts) -> Result<Execution, Error> {
        let id = start.id;
        let new = NewExecution {
            function: start.function.clone(),
            version: start.version,
            name: start.name.clone(),
            started_at: self.clock.now(),
        };
        let decision = Execution::start(start, new.started_at);
        let commit = commit_of(id, &decision, None, texts);
        let cell = self.cache.cell(id);
        // The task loop may find the execution before this returns, and must not be overtaken by its first state.
        let mut state = cell.state.lock().await;
        let mut attempt = 1;
        let refused = loop {
            match self.store.create(new.clone(), commit.clone()).await {
                Ok(_) => {
                    *state = Some(decision.next.clone());
                    self.note(&decision.next);
                    drop(state);
                    return Ok(decision.next);
                }
                // It was created before, by an attempt of which that was not known.
                Err(StoreError::NameTaken(taken_by)) if taken_by == id => {
                    drop(state);
                    let noted = |execution: &Execution| {
                        self.note(execution);
                        execution.clone()
                    };
                    return self.look(id, noted).await?.ok_or_else(|| Rejection::execution_not_found().into());
                }
                Err(StoreError::Unknown(_)) if attempt < ATTEMPTS_MAX => attempt += 1,
                Err(StoreError::NameTaken(taken_by)) => break Error::NameTaken(taken_by),
                Err(error) => break error.into(),
            }
        };
        drop(state);
        self.cache.forget(id);
        Err(refused)
    }

    /// Carries a command to an execution and returns the state after it. It goes on to its end even if the caller
    /// goes away.
    ///
    /// # Errors
    /// [`Error::Rejected`] if the command cannot be, also if there is no such execution.
    pub async fn submit(
        self: &Arc<Self>,
        id: ExecutionId,
        command: Command,
        texts: NewTexts,
    ) -> Result<Execution, Error> {
        let engine = Arc::clone(self);
        ToTheEnd::new(async move { engine.load_decide_commit(id, &command, &texts).await }).await
    }

    async fn load_decide_commit(
        self: &Arc<Self>,
        id: ExecutionId,
        command: &Command,
        texts: &NewTexts,
    ) -> Result<Execution, Error> {
        let cell = self.cache.cell(id);
        let mut state = cell.state.lock().await;
        let mut attempt = 1;
        loop {
            let execution = match state.take() {
                Some(execution) => execution,
                None => self.load(id, u64::MAX).await?,
            };
            let decision = match execution.decide(self.clock.now(), command, &self.keys) {
                Ok(decision) => decision,
                Err(rejection) => {
                    *state = Some(execution);
                    return Err(rejection.into());
                }
            };
            if decision.events.is_empty() {
                // It may have been committed by an attempt of which that was not known.
                *state = Some(execution.clone());
                self.note(&execution);
                drop(state);
                if execution.is_announced() {
                    cell.closed.send_replace(true);
                }
                self.cache.settle(id, &cell, &execution);
                return Ok(execution);
            }
            let commit = commit_of(id, &decision, Some(&execution), texts.clone());
            match self.store.commit(commit).await {
                Ok(committed) => {
                    *state = Some(decision.next.clone());
                    self.note(&decision.next);
                    drop(state);
                    for (effect_id, effect) in committed.effects.into_iter().zip(decision.effects) {
                        self.perform_in_background(effect_id, effect);
                    }
                    if decision.next.is_announced() {
                        cell.closed.send_replace(true);
                    }
                    self.cache.settle(id, &cell, &decision.next);
                    return Ok(decision.next);
                }
                // What was cached is stale, or it is not known what is on disk: look again.
                Err(StoreError::Conflict | StoreError::Unknown(_)) if attempt < ATTEMPTS_MAX => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes a checkpoint whose token was opened with [`Self::keys`]. A repetition of the last one gets the first
    /// answer again.
    ///
    /// # Errors
    /// [`Error::Rejected`], with `Invalid checkpoint token` also if there is no such execution.
    pub async fn checkpoint(
        self: &Arc<Self>,
        token: CheckpointToken,
        client_token: Option<ClientToken>,
        updates: Vec<everstep_core::command::OperationUpdate>,
        texts: NewTexts,
    ) -> Result<CheckpointAnswer, Error> {
        let id = token.execution;
        let command = Command::Checkpoint(Checkpoint {
            invocation: token.invocation,
            checkpoint: token.checkpoint,
            client_token: client_token.clone(),
            updates,
        });
        let rejection = match self.submit(id, command, texts.clone()).await {
            Ok(execution) => return self.checkpoint_answer(&execution, &texts).await,
            Err(Error::Rejected(rejection)) => rejection,
            Err(error) => return Err(error),
        };
        match rejection.kind {
            RejectionKind::NotFound => return Err(Rejection::checkpoint_token().into()),
            RejectionKind::CheckpointToken => {}
            RejectionKind::InvalidParameter
            | RejectionKind::Validation
            | RejectionKind::CallbackClosed
            | RejectionKind::Conflict => return Err(rejection.into()),
        }
        let execution = self.execution(id).await?;
        match execution.and_then(|execution| execution.repeats(&token, client_token.as_ref(), self.clock.now())) {
            Some(version) => self.checkpoint_answer(&self.load(id, version).await?, &texts).await,
            None => Err(rejection.into()),
        }
    }

    async fn checkpoint_answer(&self, execution: &Execution, known: &NewTexts) -> Result<CheckpointAnswer, Error> {
        let (operations, token) = execution.last_answer();
        let operations: Vec<Arc<Operation>> = operations.into_iter().cloned().collect();
        let id = execution.start_facts().id;
        let payloads: Vec<_> =
            operations.iter().flat_map(|operation| everstep_core::view::payloads(operation)).collect();
        let texts = self.texts(id, &payloads, known).await?;
        let token = token.map(|token| self.keys.seal_checkpoint(&token));
        Ok(CheckpointAnswer { operations, token, texts })
    }

    /// Waits until an execution is over and history says so.
    ///
    /// # Errors
    /// [`Error::Rejected`] if there is no such execution (any more).
    pub async fn wait_until_closed(self: &Arc<Self>, id: ExecutionId) -> Result<Execution, Error> {
        let cell = self.cache.cell(id);
        let mut closed = cell.closed.subscribe();
        loop {
            let execution = self.execution(id).await?.ok_or_else(Rejection::execution_not_found)?;
            if execution.is_announced() {
                return Ok(execution);
            }
            closed.changed().await.expect("the cell keeps its sender");
        }
    }

    async fn load(&self, id: ExecutionId, version: u64) -> Result<Execution, Error> {
        let records = self.store.load(id, version).await?;
        let execution = records.and_then(|records| Execution::replay(&records));
        execution.ok_or_else(|| Rejection::execution_not_found().into())
    }
}

/// Returns the keys that seal tokens, and makes the first one of a new store.
///
/// # Errors
/// The store's, also if it holds a key that cannot be read.
pub async fn token_keys(catalog: &dyn Catalog) -> Result<TokenKeys, StoreError> {
    loop {
        let documents = catalog.list(Kind::TokenKey, None, usize::from(u8::MAX)).await?;
        if !documents.is_empty() {
            let keys = documents.iter().map(|(number, document)| {
                let unreadable = || StoreError::Failed {
                    context: format!("token key {number} in the store cannot be read: restore it from a backup"),
                    source: None,
                };
                Ok((number.parse().ok().ok_or_else(unreadable)?, read_key(&document.body).ok_or_else(unreadable)?))
            });
            return Ok(TokenKeys::new(keys.collect::<Result<_, StoreError>>()?));
        }
        let body: String = random_bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect();
        match catalog.put(Kind::TokenKey, "1", None, format!("\"{body}\"")).await {
            Ok(_) | Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads 64 hexadecimal digits in quotes.
fn read_key(body: &str) -> Option<[u8; 32]> {
    let digits = body.strip_prefix('"')?.strip_suffix('"')?;
    let bytes: Option<Vec<u8>> = (0..32).map(|i| u8::from_str_radix(digits.get(2 * i..2 * i + 2)?, 16).ok()).collect();
    bytes?.try_into().ok().filter(|_| digits.len() == 64)
}

/// Makes an id for a new execution.
pub fn new_execution_id() -> ExecutionId {
    ExecutionId::from_bytes(random_uuid())
}

/// Makes an id for a new invocation.
pub fn new_request_id() -> RequestId {
    RequestId::from_bytes(random_uuid())
}

/// 16 random bytes that say they are a UUID of version 4.
fn random_uuid() -> [u8; 16] {
    let mut bytes = random_bytes::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

fn head_of(execution: &Execution) -> Head {
    Head {
        status: execution.status(),
        ended_at: execution.ended_at(),
        wake_up: execution.wake_up(),
        in_flight: execution.in_flight().is_some(),
    }
}

/// Makes the commit of a decision; `before` is what it was decided on, `None` for the first one.
pub fn commit_of(id: ExecutionId, decision: &Decision, before: Option<&Execution>, texts: NewTexts) -> Commit {
    let head = head_of(&decision.next);
    Commit {
        execution: id,
        record: decision.record(),
        head: before.is_none_or(|before| head_of(before) != head).then_some(head),
        payloads: texts,
        effects: decision.effects.clone(),
    }
}

#[cfg(test)]
mod tests {
    use everstep_store::memory::Memory;

    use super::*;

    #[tokio::test]
    async fn token_keys_are_made_once() {
        let catalog = Memory::new();
        let token = CheckpointToken { execution: new_execution_id(), invocation: 1, checkpoint: 0 };
        let sealed = token_keys(&catalog).await.unwrap().seal_checkpoint(&token);
        assert_eq!(token_keys(&catalog).await.unwrap().open_checkpoint(&sealed), Some(token));
    }

    #[tokio::test]
    async fn token_key_that_cannot_be_read_is_an_error() {
        for body in ["", "\"00\"", "null", &format!("\"{}\"", "0".repeat(65)), &format!("\"{}\"", "g".repeat(64))] {
            let catalog = Memory::new();
            catalog.put(Kind::TokenKey, "1", None, body.into()).await.unwrap();
            assert!(token_keys(&catalog).await.is_err(), "{body}");
        }
    }
}
