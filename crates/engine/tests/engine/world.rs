//! A disk, a clock, functions, and nodes that come and go.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use everstep_core::event::{Event, Outcome, Start, StartMode};
use everstep_core::id::{ExecutionId, Version};
use everstep_core::token::TokenKeys;
use everstep_core::{Command, Execution, ExecutionStatus, Intake, Payload, Timestamp};
use everstep_engine::{Clock, Engine, Error, new_execution_id};
use everstep_store::memory::Memory;
use everstep_store::sqlite::Sqlite;
use everstep_store::{Executions, StoredEffect};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::functions::{NodeFunctions, Scripts, place};
use crate::store::Faulty;

/// When every story begins.
const BEGINNING: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Longer than anything takes; a test that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// As long as the longest execution, in seconds.
pub(crate) const LONG: u64 = 31_622_400;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// What outlives a server.
pub(crate) struct World {
    pub(crate) disk: Arc<dyn Executions>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) scripts: Arc<Scripts>,
    writes: watch::Sender<u64>,
    /// The stores of every node so far.
    stores: Mutex<Vec<Arc<Faulty>>>,
    _directory: Option<TempDir>,
}

/// A server: an engine that runs until it is stopped or its power is cut.
pub(crate) struct Node {
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<Faulty>,
    stop: watch::Sender<bool>,
}

/// Tells the same story on every store.
pub(crate) async fn on_every_store(story: impl AsyncFn(World)) {
    story(World::new(Arc::new(Memory::new()), None)).await;
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(directory.path()).unwrap());
    story(World::new(store, Some(directory))).await;
}

/// Waits for something that must come.
pub(crate) async fn patiently<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("this did not come: {what}"),
    }
}

impl World {
    fn new(disk: Arc<dyn Executions>, directory: Option<TempDir>) -> Self {
        Self {
            disk,
            clock: Arc::new(Clock::standing(BEGINNING)),
            scripts: Arc::default(),
            writes: watch::Sender::new(0),
            stores: Mutex::default(),
            _directory: directory,
        }
    }

    /// A world in memory, for stories of which many are told.
    pub(crate) fn in_memory() -> Self {
        Self::new(Arc::new(Memory::new()), None)
    }

    /// Starts a server.
    pub(crate) fn node(&self) -> Node {
        self.node_with(|_| {})
    }

    /// Starts a server whose store goes wrong in some way from the beginning.
    pub(crate) fn node_with(&self, prepare: impl FnOnce(&Faulty)) -> Node {
        let node = self.idle_node();
        prepare(&node.store);
        let dead: Vec<_> = self.stores.lock().unwrap().iter().filter(|store| !store.is_powered()).cloned().collect();
        let run = Arc::clone(&node.engine).run(node.stop.subscribe());
        tokio::spawn(async move {
            // A server that starts finds what a dead one left behind, and nothing comes after.
            for store in dead {
                store.be_dead().await;
            }
            run.await;
        });
        node
    }

    /// Puts a server together whose task loop does not run.
    pub(crate) fn idle_node(&self) -> Node {
        let store = Faulty::new(Arc::clone(&self.disk), self.writes.clone());
        self.stores.lock().unwrap().push(store.clone());
        let functions = NodeFunctions { scripts: Arc::clone(&self.scripts), engine: Arc::default() };
        let link: Arc<OnceLock<_>> = Arc::clone(&functions.engine);
        let keys = TokenKeys::new(BTreeMap::from([(1, [7; 32])]));
        let engine = Engine::new(store.clone(), Arc::new(functions), Arc::clone(&self.clock), keys);
        link.set(Arc::downgrade(&engine)).expect("set once");
        Node { engine, store, stop: watch::Sender::new(false) }
    }

    /// Returns what the disk has of an execution.
    pub(crate) async fn stored(&self, id: ExecutionId) -> Option<Execution> {
        let records = self.disk.load(id, u64::MAX).await.unwrap();
        records.and_then(|records| Execution::replay(&records))
    }

    /// Waits until the disk has an execution in a state that is `wanted`.
    pub(crate) async fn until(&self, what: &str, id: ExecutionId, wanted: impl Fn(&Execution) -> bool) -> Execution {
        let mut writes = self.writes.subscribe();
        patiently(what, async {
            loop {
                writes.borrow_and_update();
                if let Some(execution) = self.stored(id).await.filter(&wanted) {
                    return execution;
                }
                writes.changed().await.expect("the world keeps its sender");
            }
        })
        .await
    }

    /// Waits until an execution sleeps.
    pub(crate) async fn until_asleep(&self, id: ExecutionId) -> Execution {
        self.until("sleep", id, |execution| {
            let awake = execution.in_flight().is_some() || execution.invocation_due_at().is_some();
            execution.operations().iter().any(|operation| operation.is_pending()) && !awake
        })
        .await
    }

    /// Waits until an execution is forgotten.
    pub(crate) async fn until_gone(&self, id: ExecutionId) {
        let mut writes = self.writes.subscribe();
        patiently("oblivion", async {
            while self.stored(id).await.is_some() {
                writes.changed().await.expect("the world keeps its sender");
            }
        })
        .await;
    }

    /// Waits until what is owed to the world, now or later, is as `wanted`.
    pub(crate) async fn until_owed(&self, wanted: impl Fn(&[StoredEffect]) -> bool) -> Vec<StoredEffect> {
        let mut writes = self.writes.subscribe();
        patiently("effects", async {
            loop {
                writes.borrow_and_update();
                let owed = self.disk.effects(Timestamp::from_millis(i64::MAX), 100).await.unwrap();
                if wanted(&owed) {
                    return owed;
                }
                writes.changed().await.expect("the world keeps its sender");
            }
        })
        .await
    }

    /// Waits until nothing is owed to the world.
    pub(crate) async fn until_nothing_is_owed(&self) {
        self.until_owed(<[_]>::is_empty).await;
    }

    /// Waits until a function was invoked so many times.
    pub(crate) async fn until_invoked(&self, name: &str, times: usize) {
        let mut invoked = self.scripts.invoked.subscribe();
        let enough = invoked.wait_for(|names| names.iter().filter(|known| *known == name).count() >= times);
        patiently("an invocation", enough).await.expect("the world keeps its sender");
    }

    /// Lets time pass until something is done.
    pub(crate) async fn passing<T>(&self, step: Duration, work: impl Future<Output = T>) -> T {
        let passing = async {
            loop {
                self.clock.advance(step);
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            done = work => done,
            () = passing => unreachable!("time does not end"),
        }
    }

    /// Waits until functions were throttled so many times.
    pub(crate) async fn until_throttled(&self, times: usize) {
        let mut throttles = self.scripts.throttles.subscribe();
        let enough = throttles.wait_for(|throttles| *throttles >= times);
        patiently("a throttle", enough).await.expect("the world keeps its sender");
    }

    /// Returns every event of an execution by its name; operations with their ids.
    pub(crate) async fn events(&self, id: ExecutionId) -> Vec<String> {
        let records = self.disk.load(id, u64::MAX).await.unwrap().expect("the execution is stored");
        records.iter().flat_map(|record| &record.events).map(name_of).collect()
    }

    /// Returns what became of an execution, large texts included.
    pub(crate) async fn outcome(&self, id: ExecutionId) -> String {
        let execution = self.stored(id).await.expect("the execution is stored");
        let outcome = match execution.outcome().expect("the execution is over") {
            Outcome::Succeeded(result) => result.as_ref(),
            Outcome::Failed(error) => error.as_ref().map(|error| &error.0),
            Outcome::TimedOut(error) | Outcome::Stopped(error) => Some(&error.0),
        };
        let text = match outcome {
            None => String::new(),
            Some(Payload::Inline(text)) => text.to_string(),
            Some(Payload::Stored { digest, .. }) => {
                self.disk.payload(id, *digest).await.unwrap().expect("the payload is stored").to_string()
            }
        };
        format!("{} {text}", execution.status())
    }
}

impl Node {
    /// Starts an execution of a function.
    pub(crate) async fn start(&self, function: &str, input: &str) -> ExecutionId {
        let id = new_execution_id();
        self.try_start(id, function, &id.to_string(), input).await.expect("the execution starts")
    }

    /// Starts an execution with an id and a name.
    pub(crate) async fn try_start(
        &self,
        id: ExecutionId,
        function: &str,
        name: &str,
        input: &str,
    ) -> Result<ExecutionId, Error> {
        let mut intake = Intake::default();
        let start = Start {
            id,
            place: place(),
            function: function.parse().unwrap(),
            version: Version::Latest,
            name: name.parse().unwrap(),
            input: (!input.is_empty()).then(|| intake.payload(input)),
            execution_timeout_seconds: LONG,
            retention_days: 14,
            mode: StartMode::Async,
            trace_id: None,
            tenant_id: None,
            parent: None,
            alias: None,
            hops: 0,
        };
        self.start_as(start, intake).await
    }

    /// Starts an execution with facts of one's own.
    pub(crate) async fn start_as(&self, start: Start, intake: Intake) -> Result<ExecutionId, Error> {
        let id = start.id;
        self.engine.start(start, intake.into_texts()).await.map(|_| id)
    }

    /// Sends a command.
    pub(crate) async fn submit(&self, id: ExecutionId, command: Command) -> Result<Execution, Error> {
        self.engine.submit(id, command, Vec::new()).await
    }

    /// Waits until an execution is over.
    pub(crate) async fn closed(&self, id: ExecutionId) -> ExecutionStatus {
        let closed = patiently("the end of an execution", self.engine.wait_until_closed(id)).await;
        closed.expect("the execution is known").status()
    }

    /// Ends the server without warning.
    pub(crate) fn kill(self) {
        self.store.cut_power();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn name_of(event: &Event) -> String {
    let debug = format!("{event:?}");
    let word = |text: &str| text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_string();
    match debug.split_once("event: ") {
        Some((_, inner)) => {
            let id = debug.split('"').nth(1).unwrap_or_default();
            format!("{} {id} {}", word(&debug), word(inner))
        }
        None => word(&debug),
    }
}
