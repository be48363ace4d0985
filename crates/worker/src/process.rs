//! The life of one process, as a state machine.
//!
//! ```text
//! Starting ──next──► Ready ──job──► Busy ──response or error──► Answered ──next──► Ready
//!    │                 │              │                            │
//!    │ init error,     │ idle, stop   │ timeout, exit, stop        │ timeout, exit, stop
//!    ▼                 ▼              ▼                            ▼
//! Discarded ────────────────────► Stopping ───────────────────────────────────────► gone
//! ```
//!
//! One task owns the process, its output, its Runtime API and its state; whatever happens reaches it as an [`Event`],
//! one at a time. Log lines stand in the order of writes because the same task reads the output and writes START and
//! END, and because a write to a pipe is in the pipe before the writer can post its response.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use jiff::Timestamp;
use rustix::process::{Signal, kill_process_group};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::environment::{self, Place};
use crate::failure::InitFailure;
use crate::frames::Frames;
use crate::language::Toolchain;
use crate::log::{Output, Stream};
use crate::platform_log::{self, Report};
use crate::pool::ProcessId;
use crate::runtime_api::{self, Answer, Assignment, Body, Call, Verdict};
use crate::sandbox::{self, Furniture, Program, Running, Watch};
use crate::supervisor::Shared;
use crate::{Credentials, Error, Failure, FailureKind, Function, Invocation, Outcome, StreamPart, extensions, limits};

/// How others reach a process.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) start: watch::Receiver<Start>,
    stop: Arc<watch::Sender<bool>>,
}

impl Handle {
    /// Asks the process to end; again is harmless.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// The process's ends of its [`Handle`].
pub(crate) struct Mailbox {
    jobs: mpsc::Receiver<Job>,
    start: watch::Sender<Start>,
    stop: watch::Receiver<bool>,
}

/// One invocation and where its outcome goes.
pub(crate) struct Job {
    pub(crate) invocation: Invocation,
    /// Where its response goes piece by piece, if its caller reads it so.
    pub(crate) stream: Option<mpsc::Sender<StreamPart>>,
    pub(crate) reply: oneshot::Sender<Outcome>,
}

/// How far the start is.
pub(crate) enum Start {
    /// Installing, spawning or initializing.
    Pending,
    /// The process takes a job: ready, or to say why its code could not be loaded.
    Over { access_key_id: Arc<str> },
    /// There will be no process.
    Impossible(Failure),
}

/// Returns the two ends of a new process's channels.
pub(crate) fn channel() -> (Handle, Mailbox) {
    let (job_sender, jobs) = mpsc::channel(1);
    let (start, start_receiver) = watch::channel(Start::Pending);
    let (stop_sender, stop) = watch::channel(false);
    let handle = Handle { jobs: job_sender, start: start_receiver, stop: Arc::new(stop_sender) };
    (handle, Mailbox { jobs, start, stop })
}

/// Lives one process from its toolchain to its last log line, then leaves the pool.
pub(crate) async fn live(shared: Arc<Shared>, id: ProcessId, function: Arc<Function>, mut mailbox: Mailbox) {
    // Declared first, dropped last: the place becomes free when nothing of the process is left.
    let _place = Leave { shared: shared.clone(), id };
    let toolchain = tokio::select! {
        biased;
        _ = mailbox.stop.wait_for(|stop| *stop) => Err(Failure::stopping()),
        toolchain = shared.toolchains.get(function.runtime) => toolchain.map_err(|error| {
            tracing::error!(function = %function.name, runtime = %function.runtime, %error, "no runtime for a function");
            Failure::platform(&error)
        }),
    };
    let toolchain = match toolchain {
        Ok(toolchain) => toolchain,
        Err(failure) => return give_up(&shared, id, &mailbox, failure),
    };
    let key = Key { shared: shared.clone(), credentials: shared.credentials.issue(&function) };
    let spawned = tokio::select! {
        biased;
        _ = mailbox.stop.wait_for(|stop| *stop) => Err(Failure::stopping()),
        spawned = spawn(&shared, id, &function, &toolchain, &key.credentials) => spawned.map_err(|error| {
            tracing::error!(function = %function.name, %error, "a process could not be started");
            Failure::platform(&error)
        }),
    };
    match spawned {
        Ok(spawned) => Process::live(shared, id, function, mailbox, key, spawned).await,
        Err(failure) => give_up(&shared, id, &mailbox, failure),
    }
}

/// Tells who waits for a process that there will be none, and sees to it first that nobody else comes to wait for it.
fn give_up(shared: &Shared, id: ProcessId, mailbox: &Mailbox, failure: Failure) {
    shared.discard(id);
    mailbox.start.send_replace(Start::Impossible(failure));
}

/// Leaves the pool on drop, even when the task panics.
struct Leave {
    shared: Arc<Shared>,
    id: ProcessId,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.shared.gone(self.id);
    }
}

/// Credentials that are revoked on drop.
struct Key {
    shared: Arc<Shared>,
    credentials: Credentials,
}

impl Drop for Key {
    fn drop(&mut self) {
        self.shared.credentials.revoke(&self.credentials.access_key_id);
    }
}

/// What a new process consists of.
struct Spawned {
    /// `Err` if the code has nothing that can be executed.
    running: Result<Running, InitFailure>,
    calls: mpsc::Receiver<Call>,
    api: JoinSet<()>,
    output: Output,
    log: Stream,
    temp_dir: TempDir,
}

async fn spawn(
    shared: &Shared,
    id: ProcessId,
    function: &Function,
    toolchain: &Toolchain,
    credentials: &Credentials,
) -> Result<Spawned, Error> {
    let (listener, address) = runtime_api::bind().await.map_err(Error::io("listen on loopback"))?;
    // Calls queue while the process's task is busy with one; a runtime makes one at a time.
    let (call_sender, calls) = mpsc::channel(4);
    let mut api = JoinSet::new();
    api.spawn(runtime_api::serve(listener, shared.config.sandbox.user(id.number()), call_sender));

    let temp_dir = tempfile::Builder::new()
        .prefix("everstep-")
        .tempdir()
        .map_err(Error::io("make a temporary directory for a function"))?;
    let now = Timestamp::now();
    let stream = format!("{}/[{}]{}", now.strftime("%Y/%m/%d"), function.version, Uuid::new_v4().simple());
    let mut log = Stream::new(
        shared.logs.clone(),
        function.log_group.clone(),
        stream.clone(),
        toolchain.writes_frames(function).then(Frames::default),
    );
    log.append(platform_log::init_start(function, &toolchain.version, now), now);
    log.append(extensions::warning(function).into_iter().collect(), now);

    // One pipe for both, so that the order of lines is the order of writes.
    let (reader, writer) = std::io::pipe().map_err(Error::io("make a pipe"))?;
    let output = Output::new(reader).map_err(Error::io("read from a pipe"))?;
    let furniture = Furniture {
        code: &function.code_dir,
        layers: function.layers_dir.as_deref(),
        runtime: &toolchain.runtime_dir,
        roots: &toolchain.roots,
    };
    let sandbox = &shared.config.sandbox;
    let paths = sandbox.paths(&furniture, temp_dir.path());
    let wrapper = function.environment.get("AWS_LAMBDA_EXEC_WRAPPER").filter(|wrapper| !wrapper.is_empty());
    let words: Vec<_> = wrapper.map(Into::into).into_iter().chain(toolchain.command(&paths, function)).collect();
    let place = Place { runtime_api: address, log_stream: &stream, paths: &paths, credentials };
    let program = Program {
        number: id.number(),
        words: words.clone(),
        variables: environment::variables(&shared.config, function, toolchain, &place),
        furniture,
        place: temp_dir.path(),
        output: writer,
        memory_mb: function.memory_mb,
        tmp_mb: function.tmp_mb,
    };
    let running = match sandbox.start(program).await {
        Ok(running) => Ok(running),
        Err(sandbox::Failed::Program(reason)) => {
            let reason = format!("cannot execute {}: {reason}", Path::new(&words[0]).display());
            if !toolchain.runs_code_itself(function) {
                return Err(Error::Surroundings { reason });
            }
            log.append(vec![reason.clone()], now);
            Err(InitFailure::NoEntrypoint(reason))
        }
        Err(sandbox::Failed::Surroundings(reason)) => return Err(Error::Surroundings { reason }),
    };
    Ok(Spawned { running, calls, api, output, log, temp_dir })
}

/// A process and everything that is known of it.
struct Process {
    shared: Arc<Shared>,
    id: ProcessId,
    function: Arc<Function>,
    jobs: mpsc::Receiver<Job>,
    stop: watch::Receiver<bool>,
    start: watch::Sender<Start>,
    calls: mpsc::Receiver<Call>,
    output: Output,
    log: Stream,
    state: State,
    began: Instant,
    /// How long initialization took; said in the first REPORT, then forgotten.
    init_duration: Option<Duration>,
    /// Absent if there was nothing to execute.
    running: Option<Running>,
    // Only held, so that they go when the process goes: in this order.
    _api: JoinSet<()>,
    _temp_dir: TempDir,
    key: Key,
}

/// Where in its life a process is.
enum State {
    /// Loading the code, until `next` is called.
    Starting { until: Instant },
    /// The code could not be loaded; the process is given time to log and exit.
    Discarded { failure: InitFailure, until: Option<Instant> },
    /// Polls for an invocation.
    Ready { poll: oneshot::Sender<Assignment>, until: Instant },
    /// Runs an invocation. `undelivered` holds it while the poll that should take it is broken.
    Busy { running: Invoked, undelivered: Option<Assignment> },
    /// Has answered; the same deadline holds until it polls again. Its outcome waits a moment for that poll, so that
    /// a caller who comes back at once finds the process ready.
    Answered { outcome: Option<Answered>, until: Instant, deadline: Instant },
    /// Was told to end, with `unfinished` work that fails when it has.
    Stopping { until: Option<Instant>, unfinished: Option<(Invoked, Failure)> },
}

/// An invocation in the process's hands.
struct Invoked {
    request_id: String,
    /// Taken when the runtime begins to stream.
    stream: Option<mpsc::Sender<StreamPart>>,
    reply: oneshot::Sender<Outcome>,
    began: Instant,
    deadline: Instant,
}

/// An invocation that is over but for its REPORT.
struct Answered {
    running: Invoked,
    result: Result<Bytes, Failure>,
    duration: Duration,
}

/// What can happen to a process.
enum Event {
    /// The time that the state allows is over.
    Due,
    /// Someone wants the process to end.
    Stop,
    /// The runtime calls.
    Call(Call),
    /// The process has exited.
    Exited(ExitStatus),
    /// There is an invocation to run.
    Job(Job),
    /// Something was logged; it has been appended already.
    Logged,
    /// The process holds more memory than it may.
    OutOfMemory,
}

/// Whether the process goes on.
enum Fate {
    Lives,
    /// It is gone, and never was ready.
    NeverReady(InitFailure),
    Gone,
}

impl Process {
    async fn live(
        shared: Arc<Shared>,
        id: ProcessId,
        function: Arc<Function>,
        mailbox: Mailbox,
        key: Key,
        spawned: Spawned,
    ) {
        let Mailbox { jobs, start, stop } = mailbox;
        let Spawned { running, calls, api: _api, output, log, temp_dir: _temp_dir } = spawned;
        let (running, no_entrypoint) = match running {
            Ok(running) => (Some(running), None),
            Err(failure) => (None, Some(failure)),
        };
        let began = Instant::now();
        // Lambda ends an initialization that takes too long and begins anew under the function's timeout; here the
        // same initialization may go on for that long.
        let state = State::Starting { until: began + shared.config.init_limit + function.timeout };
        let init_duration = None;
        let mut process = Self {
            shared,
            id,
            function,
            jobs,
            stop,
            start,
            calls,
            output,
            log,
            state,
            began,
            init_duration,
            running,
            _api,
            _temp_dir,
            key,
        };
        let never_ready = match no_entrypoint {
            Some(failure) => Some(failure),
            None => process.run().await,
        };
        if let Some(failure) = never_ready {
            process.report_init_failure(failure).await;
        }
    }

    /// Lives until the process is gone; returns why if it never was ready.
    async fn run(&mut self) -> Option<InitFailure> {
        loop {
            let running = self.running.as_mut().expect("only run with something running");
            let takes_jobs = matches!(self.state, State::Ready { .. });
            let stoppable = !matches!(self.state, State::Stopping { .. });
            let idle = matches!(self.state, State::Ready { .. });
            let event = tokio::select! {
                biased;
                () = at(due(&self.state)) => Event::Due,
                _ = self.stop.wait_for(|stop| *stop), if stoppable => Event::Stop,
                Some(call) = self.calls.recv() => Event::Call(call),
                () = overrun(&mut running.watch, idle) => Event::OutOfMemory,
                status = running.child.wait() => Event::Exited(status.unwrap_or(ExitStatus::from_raw(0))),
                Some(job) = self.jobs.recv(), if takes_jobs => Event::Job(job),
                output = self.output.read() => {
                    self.log.write(output, Timestamp::now());
                    Event::Logged
                }
            };
            match self.handle(event) {
                Fate::Lives => {}
                Fate::NeverReady(failure) => return Some(failure),
                Fate::Gone => return None,
            }
        }
    }

    fn handle(&mut self, event: Event) -> Fate {
        match event {
            Event::Due => self.due(),
            Event::Stop => self.begin_stop(),
            Event::Call(Call::Next { reply }) => self.next(reply),
            Event::Call(Call::BeginStream { request_id, reply }) => {
                let _ = reply.send(self.begin_stream(&request_id));
            }
            Event::Call(Call::Respond { request_id, answer, reply }) => {
                let verdict = self.respond(&request_id, answer);
                // A runtime that no longer listens will notice by itself.
                let _ = reply.send(verdict);
            }
            Event::Call(Call::InitError { body, error_type, reply }) => {
                let _ = reply.send(self.init_error(body, error_type.as_deref()));
            }
            Event::Exited(status) => return self.exited(status),
            Event::Job(job) => self.begin_job(job),
            Event::Logged => {}
            Event::OutOfMemory => self.out_of_memory(),
        }
        Fate::Lives
    }

    /// Ends a process that holds more memory than it may.
    fn out_of_memory(&mut self) {
        match &self.state {
            State::Starting { .. } => {
                self.state = State::Discarded { failure: InitFailure::OutOfMemory, until: None };
                self.signal(Signal::KILL);
            }
            State::Busy { running, .. } => {
                let failure = Failure::out_of_memory(&running.request_id);
                self.kill(Some(failure));
            }
            State::Answered { .. } => self.kill(None),
            State::Ready { .. } => {
                // Whoever was lent it at this moment finds it gone, as if it had ended by itself.
                self.shared.withdraw(self.id);
                self.kill(None);
            }
            // It is on its way out; it goes at once now.
            State::Discarded { .. } | State::Stopping { .. } => self.signal(Signal::KILL),
        }
    }

    /// The runtime asks for work.
    fn next(&mut self, poll: oneshot::Sender<Assignment>) {
        self.drain();
        let until = Instant::now() + self.shared.config.idle_limit;
        match &mut self.state {
            State::Starting { .. } => {
                self.init_duration = Some(self.began.elapsed());
                self.state = State::Ready { poll, until };
                self.announce();
            }
            State::Answered { outcome, .. } => {
                let outcome = outcome.take();
                self.state = State::Ready { poll, until };
                self.shared.give_back(self.id);
                self.report(outcome);
            }
            // The poll before broke, or the runtime polls twice: the latest counts.
            State::Ready { poll: broken, .. } => *broken = poll,
            State::Busy { undelivered, .. } => {
                if let Some(assignment) = undelivered.take() {
                    *undelivered = poll.send(assignment).err();
                }
            }
            // Dropping the poll answers it with a refusal.
            State::Discarded { .. } | State::Stopping { .. } => {}
        }
    }

    fn begin_job(&mut self, Job { invocation, stream, reply }: Job) {
        self.drain();
        let now = Timestamp::now();
        self.log.flush(now);
        if self.init_duration.is_none() {
            // The tail of the first invocation includes what was logged while the code was loaded.
            self.log.clear_tail();
        }
        self.log.append(platform_log::start(&self.function, &invocation.request_id, now), now);
        let began = Instant::now();
        let deadline = began + self.function.timeout;
        let running = Invoked { request_id: invocation.request_id.clone(), stream, reply, began, deadline };
        let deadline_ms = epoch_ms() + i64::try_from(self.function.timeout.as_millis()).unwrap_or(i64::MAX / 2);
        let assignment = Assignment { invocation, deadline_ms };
        let before = std::mem::replace(&mut self.state, State::Stopping { until: None, unfinished: None });
        let undelivered = match before {
            State::Ready { poll, .. } => poll.send(assignment).err(),
            State::Starting { .. }
            | State::Discarded { .. }
            | State::Busy { .. }
            | State::Answered { .. }
            | State::Stopping { .. } => unreachable!("jobs are taken only when ready"),
        };
        self.state = State::Busy { running, undelivered };
    }

    /// The runtime is about to stream a response. Returns where it goes, if its caller reads it so.
    fn begin_stream(&mut self, request_id: &str) -> Option<mpsc::Sender<StreamPart>> {
        match &mut self.state {
            State::Busy { running, undelivered: None } if running.request_id == request_id => running.stream.take(),
            State::Starting { .. }
            | State::Discarded { .. }
            | State::Ready { .. }
            | State::Busy { .. }
            | State::Answered { .. }
            | State::Stopping { .. } => None,
        }
    }

    /// The runtime answers an invocation.
    fn respond(&mut self, request_id: &str, answer: Answer) -> Verdict {
        let (verdict, result) = match answer {
            Answer::Response(Body::Whole(body)) => (Verdict::Accepted, Ok(body)),
            Answer::Response(Body::TooLarge(bytes)) => (Verdict::TooLarge, Err(Failure::response_too_large(bytes))),
            Answer::Streamed { bytes } if bytes <= limits::STREAMED_RESPONSE_BYTES_MAX => {
                (Verdict::Accepted, Ok(Bytes::new()))
            }
            Answer::Streamed { bytes } => (Verdict::TooLarge, Err(Failure::stream_too_large(bytes))),
            Answer::Error { body: Body::Whole(body), error_type } => {
                (Verdict::Accepted, Err(Failure::posted(FailureKind::Handler, body, error_type.as_deref())))
            }
            Answer::Error { body: Body::TooLarge(bytes), .. } => {
                (Verdict::TooLarge, Err(Failure::response_too_large(bytes)))
            }
        };
        match &mut self.state {
            State::Busy { running, undelivered: None } if running.request_id == request_id => {
                let (now, deadline) = (Instant::now(), running.deadline);
                let until = deadline.min(now + self.shared.config.settle_limit);
                let duration = now - running.began;
                let before = std::mem::replace(&mut self.state, State::Answered { outcome: None, until, deadline });
                if let (State::Busy { running, .. }, State::Answered { outcome, .. }) = (before, &mut self.state) {
                    *outcome = Some(Answered { running, result, duration });
                }
                verdict
            }
            // An answer in the grace period after SIGTERM counts, unless the time was up.
            State::Stopping { unfinished, .. } => {
                let takes = unfinished.as_ref().is_some_and(|(running, failure)| {
                    running.request_id == request_id && failure.kind == FailureKind::Platform
                });
                match unfinished.take_if(|_| takes) {
                    Some((running, _)) => {
                        self.finish(running, result);
                        verdict
                    }
                    None => Verdict::UnknownRequest,
                }
            }
            State::Starting { .. }
            | State::Discarded { .. }
            | State::Ready { .. }
            | State::Busy { .. }
            | State::Answered { .. } => Verdict::UnknownRequest,
        }
    }

    /// The runtime could not load the code.
    fn init_error(&mut self, body: Body, error_type: Option<&str>) -> Verdict {
        let State::Starting { .. } = self.state else { return Verdict::WrongState };
        let failure = match body {
            Body::Whole(body) => Failure::posted(FailureKind::Init, body, error_type),
            Body::TooLarge(_) => {
                let message = "the error document of the initialization is too large".to_owned();
                Failure::new(FailureKind::Init, error_type.unwrap_or("Unhandled"), message)
            }
        };
        let until = Instant::now() + self.shared.config.stop_grace;
        self.state = State::Discarded { failure: InitFailure::Posted(failure), until: Some(until) };
        Verdict::Accepted
    }

    /// The time that the state allows is over.
    fn due(&mut self) {
        match &mut self.state {
            State::Starting { .. } => {
                self.state = State::Discarded { failure: InitFailure::TimedOut(self.function.timeout), until: None };
                self.signal(Signal::KILL);
            }
            State::Discarded { until, .. } => {
                *until = None;
                self.signal(Signal::KILL);
            }
            State::Ready { until, .. } => {
                *until = Instant::now() + self.shared.config.idle_limit;
                if self.shared.withdraw(self.id) {
                    self.begin_stop();
                }
            }
            State::Busy { running, .. } => {
                let failure = Failure::timed_out(&running.request_id, self.function.timeout);
                self.kill(Some(failure));
            }
            State::Answered { outcome: outcome @ Some(_), until, deadline } => {
                *until = *deadline;
                let outcome = outcome.take();
                self.report(outcome);
            }
            State::Answered { outcome: None, .. } => self.kill(None),
            State::Stopping { until, .. } => {
                *until = None;
                self.signal(Signal::KILL);
            }
        }
    }

    /// Asks the process to end, and sees to it that it does.
    fn begin_stop(&mut self) {
        let until = Some(Instant::now() + self.shared.config.stop_grace);
        let before = std::mem::replace(&mut self.state, State::Stopping { until, unfinished: None });
        match before {
            State::Busy { running, .. } => {
                self.state = State::Stopping { until, unfinished: Some((running, Failure::stopping())) };
            }
            State::Starting { .. } => {
                self.start.send_replace(Start::Impossible(Failure::stopping()));
            }
            State::Answered { outcome, .. } => self.report(outcome),
            State::Discarded { .. } | State::Ready { .. } | State::Stopping { .. } => {}
        }
        self.signal(Signal::TERM);
    }

    /// Ends the process at once; what it was running fails when it is gone.
    fn kill(&mut self, failure: Option<Failure>) {
        let before = std::mem::replace(&mut self.state, State::Stopping { until: None, unfinished: None });
        match (before, failure) {
            (State::Busy { running, .. }, Some(failure)) => {
                self.state = State::Stopping { until: None, unfinished: Some((running, failure)) };
            }
            // An answer that was accepted counts, whatever its process does then.
            (State::Answered { outcome, .. }, _) => self.report(outcome),
            (
                State::Starting { .. }
                | State::Discarded { .. }
                | State::Ready { .. }
                | State::Busy { .. }
                | State::Stopping { .. },
                _,
            ) => {}
        }
        self.signal(Signal::KILL);
    }

    /// The process is gone; whatever it started must follow.
    fn exited(&mut self, status: ExitStatus) -> Fate {
        self.signal(Signal::KILL);
        self.drain();
        self.log.flush(Timestamp::now());
        let before = std::mem::replace(&mut self.state, State::Stopping { until: None, unfinished: None });
        let out_of_memory = self.running.as_ref().is_some_and(Running::ran_out_of_memory);
        match before {
            State::Starting { .. } if out_of_memory => return Fate::NeverReady(InitFailure::OutOfMemory),
            State::Starting { .. } => return Fate::NeverReady(InitFailure::Exited(status)),
            State::Discarded { failure, .. } => return Fate::NeverReady(failure),
            State::Busy { running, .. } => {
                let failure = if out_of_memory {
                    Failure::out_of_memory(&running.request_id)
                } else {
                    Failure::exited(&running.request_id, status)
                };
                self.finish(running, Err(failure));
            }
            State::Stopping { unfinished: Some((running, failure)), .. } => self.finish(running, Err(failure)),
            State::Answered { outcome, .. } => self.report(outcome),
            State::Ready { .. } | State::Stopping { unfinished: None, .. } => {}
        }
        Fate::Gone
    }

    /// Ends an invocation now.
    fn finish(&mut self, running: Invoked, result: Result<Bytes, Failure>) {
        let duration = running.began.elapsed();
        self.report(Some(Answered { running, result, duration }));
    }

    /// Writes the end of an invocation, if there is one, and hands out its outcome.
    fn report(&mut self, answered: Option<Answered>) {
        let Some(Answered { running, result, duration }) = answered else { return };
        self.drain();
        let now = Timestamp::now();
        self.log.flush(now);
        let memory_used_mb = self.running.as_ref().and_then(Running::memory_used_mb);
        let report = Report {
            request_id: &running.request_id,
            duration,
            memory_used_mb,
            init_duration: self.init_duration.take(),
            failure: result.as_ref().err(),
        };
        self.log.append(platform_log::end(&self.function, &report, now), now);
        let outcome = Outcome { result, log_tail: self.log.tail(), duration };
        // The caller may have gone away; the invocation took place all the same.
        let _ = running.reply.send(outcome);
    }

    /// Tells the invocation this process was started for that it never became ready, or leaves if nobody waits.
    async fn report_init_failure(mut self, failure: InitFailure) {
        self.init_duration = Some(self.began.elapsed());
        self.announce();
        if self.shared.discard(self.id) {
            return;
        }
        let job = tokio::select! {
            biased;
            Some(job) = self.jobs.recv() => job,
            _ = self.stop.wait_for(|stop| *stop) => return,
        };
        let Job { invocation, stream, reply } = job;
        let now = Timestamp::now();
        self.log.append(platform_log::start(&self.function, &invocation.request_id, now), now);
        let began = Instant::now();
        let failure = failure.failure(&invocation.request_id);
        let running = Invoked { request_id: invocation.request_id, stream, reply, began, deadline: began };
        self.finish(running, Err(failure));
    }

    /// Lets the one who waits for this process go on.
    fn announce(&self) {
        let access_key_id = Arc::from(self.key.credentials.access_key_id.as_str());
        self.start.send_replace(Start::Over { access_key_id });
    }

    /// Appends what the process has written so far.
    fn drain(&mut self) {
        let bytes = self.output.drain();
        self.log.write(&bytes, Timestamp::now());
    }

    /// Signals the whole group. After the leader's exit this reaches what it left behind; the group's number cannot
    /// have been given away, since that takes a full round of process ids.
    fn signal(&self, signal: Signal) {
        if let Some(running) = &self.running {
            // An empty group is what we want.
            let _ = kill_process_group(running.group, signal);
        }
    }
}

/// Kills what is left of the group when the task itself is dropped, as when the Tokio runtime ends.
impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// When a state's patience ends.
fn due(state: &State) -> Option<Instant> {
    match state {
        State::Starting { until } | State::Ready { until, .. } | State::Answered { until, .. } => Some(*until),
        State::Busy { running, .. } => Some(running.deadline),
        State::Discarded { until, .. } | State::Stopping { until, .. } => *until,
    }
}

/// Waits until a process that is watched holds more memory than it may.
async fn overrun(watch: &mut Option<Watch>, idle: bool) {
    match watch {
        Some(watch) => watch.overrun(idle).await,
        None => std::future::pending().await,
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

fn epoch_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX / 2)
}
