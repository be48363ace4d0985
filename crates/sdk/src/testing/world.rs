//! A store, a clock that jumps, and an engine that runs one execution in them.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use everstep_core::event::{Start, StartMode};
use everstep_core::id::{ExecutionId, FunctionName, Version};
use everstep_core::limits::{DURATION_SECONDS_MAX, RETENTION_DAYS_DEFAULT};
use everstep_core::token::TokenKeys;
use everstep_core::{Command, Execution, Intake, Record, Timestamp};
use everstep_engine::{Clock, Engine, NewTexts, NextWakeUp};
use everstep_store::memory::Memory;
use everstep_store::{Commit, Executions as _, Head, NewExecution};
use tokio::sync::watch;

use super::diary::Diary;
use super::faults::Faults;
use super::functions::{Script, Stage, place};
use super::setup::Test;

/// When every execution begins: 2026-01-01T00:00:00Z.
const BEGINNING: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// How long code of the handler may run, by the clock on the wall, until a test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often that clock is looked at.
const GLANCE: Duration = Duration::from_secs(1);

/// An execution, and everything that it runs in.
pub(super) struct World {
    pub(super) store: Arc<Memory>,
    pub(super) engine: Arc<Engine>,
    pub(super) script: Arc<Script>,
    stop: watch::Sender<bool>,
}

/// How an execution came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It is over.
    Over,
    /// It goes on by itself at this time.
    Until(Timestamp),
    /// It goes on if somebody does something.
    ForGood,
}

impl World {
    /// Starts the execution of a test.
    pub(super) fn begin(test: Test, input: Option<&str>) -> Self {
        let faults = Faults::of(&test);
        let Test { function, others, execution_timeout_seconds, tenant_id, .. } = test;
        let name: FunctionName = "test".parse().expect("a name");
        // The same in every run, so that what is derived from it is the same.
        let execution = ExecutionId::from_bytes([0, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 1]);
        let mut intake = Intake::default();
        let start = Start {
            id: execution,
            place: place(),
            function: name.clone(),
            version: Version::Latest,
            name: "test".parse().expect("a name"),
            input: input.map(|input| intake.payload(input)),
            execution_timeout_seconds: execution_timeout_seconds.unwrap_or(DURATION_SECONDS_MAX),
            retention_days: RETENTION_DAYS_DEFAULT,
            mode: StartMode::Sync,
            trace_id: None,
            tenant_id: tenant_id.map(|tenant| tenant.parse().expect("the tenant's id can be one")),
            parent: None,
            alias: None,
            hops: 0,
        };
        let script = Script {
            function,
            name,
            others,
            execution,
            faults,
            diary: Diary::default(),
            invocations: AtomicUsize::new(0),
            witness: Arc::default(),
            playback: None,
            checkpoints: Mutex::default(),
        };
        let world = Self::new(script, BEGINNING);
        let (engine, stop) = (Arc::clone(&world.engine), world.stop.subscribe());
        tokio::spawn(async move {
            engine.start(start, intake.into_texts()).await.expect("a new store has no other execution");
            engine.run(stop).await;
        });
        world
    }

    /// Goes on with an execution from what is on record of it.
    pub(super) async fn resume(script: Script, records: &[Record], texts: &NewTexts) -> Self {
        let last = records.last().expect("an execution has a first record");
        let world = Self::new(script, last.at);
        let execution = Execution::replay(records).expect("an execution has a first record");
        let head = Head {
            status: execution.status(),
            ended_at: execution.ended_at(),
            wake_up: execution.wake_up(),
            in_flight: execution.in_flight().is_some(),
        };
        let start = execution.start_facts();
        for (number, record) in records.iter().enumerate() {
            let is_last = number + 1 == records.len();
            let commit = Commit {
                execution: start.id,
                record: record.clone(),
                head: is_last.then_some(head),
                payloads: if is_last { texts.clone() } else { Vec::new() },
                effects: Vec::new(),
            };
            let done = if number == 0 {
                let (function, name) = (start.function.clone(), start.name.clone());
                let started_at = execution.started_at();
                let new = NewExecution { function, version: start.version, name, started_at };
                world.store.create(new, commit).await
            } else {
                world.store.commit(commit).await
            };
            done.expect("what was committed before can be committed again");
        }
        let (engine, stop) = (Arc::clone(&world.engine), world.stop.subscribe());
        tokio::spawn(engine.run(stop));
        world
    }

    fn new(script: Script, now: Timestamp) -> Self {
        let (store, script) = (Arc::new(Memory::new()), Arc::new(script));
        let link = Arc::new(OnceLock::new());
        let stage = Stage { script: Arc::clone(&script), engine: Arc::clone(&link) };
        let keys = TokenKeys::new(BTreeMap::from([(1, [7; 32])]));
        let engine = Engine::new(store.clone(), Arc::new(stage), Arc::new(Clock::standing(now)), keys);
        link.set(Arc::downgrade(&engine)).expect("set once");
        Self { store, engine, script, stop: watch::Sender::new(false) }
    }

    /// Returns how the execution stands.
    pub(super) async fn execution(&self) -> Option<Execution> {
        self.engine.execution(self.script.execution).await.expect("memory does not fail")
    }

    /// Sends a command to the execution.
    pub(super) async fn submit(&self, command: Command, intake: Intake) -> Result<Execution, everstep_engine::Error> {
        self.engine.submit(self.script.execution, command, intake.into_texts()).await
    }

    /// Waits until nothing goes on in it without time or somebody's doing.
    pub(super) async fn rest(&self) -> Rest {
        self.rest_or(|_| None::<()>).await.expect_err("it was looked for nothing")
    }

    /// Waits until there is what is looked for; or until nothing goes on without time or somebody's doing, and it is not
    /// there.
    pub(super) async fn rest_or<T>(&self, look: impl Fn(&Execution) -> Option<T>) -> Result<T, Rest> {
        let mut writes = self.store.writes();
        loop {
            writes.borrow_and_update();
            let execution = self.execution().await;
            if let Some(found) = execution.as_ref().and_then(&look) {
                return Ok(found);
            }
            if execution.as_ref().is_some_and(Execution::is_announced) {
                return Err(Rest::Over);
            }
            let next = match execution {
                Some(_) => self.engine.next_wake_up().await.expect("memory does not fail"),
                None => NextWakeUp::AtWork(None),
            };
            // Between the two looks the execution may have come to an end, and nothing wakes it any more.
            if writes.has_changed().expect("the store keeps its sender") {
                continue;
            }
            match next {
                NextWakeUp::AtWork(_) => self.patiently(&mut writes).await,
                NextWakeUp::At { at, .. } => return Err(Rest::Until(at)),
                NextWakeUp::Nothing => return Err(Rest::ForGood),
            }
        }
    }

    /// Waits until something is written.
    async fn patiently(&self, writes: &mut watch::Receiver<u64>) {
        let since = std::time::Instant::now();
        // Tokio's time may be paused: it passes at once then whenever nothing else goes on.
        while tokio::time::timeout(GLANCE, writes.changed()).await.is_err() {
            assert!(
                since.elapsed() < PATIENCE,
                "the handler has been running for {PATIENCE:?} without a checkpoint: does it wait for something that \
                 does not come, outside of every operation or in the body of one?"
            );
        }
    }

    /// Moves the clock to `at`.
    pub(super) fn jump(&self, at: Timestamp) {
        let clock = self.engine.clock();
        let by = Duration::from_millis(at.millis_since(clock.now()));
        self.script.diary.note(format!("time passes: {by:?}"));
        clock.advance(by);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.script.diary.print_on_failure();
    }
}
