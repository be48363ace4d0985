//! The lives of processes: reuse, limits, ends. Python is the language, because it starts fastest.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use everstep_worker::sandbox::{Isolation, Sandbox};
use everstep_worker::{FailureKind, Function, Install, Patience, Runtime, Slot, Throttle, Unavailable};
use support::{Code, PATIENCE, World, invocation, lives, sleeps, until};

const PID: &str = "import os\ndef handler(event, context): return os.getpid()\n";

/// Waits in the handler until the file that the event names exists.
const GATE: &str = "import os, time\ndef handler(event, context):\n    print('inside', flush=True)\n    while not os.path.exists(event): time.sleep(0.002)\n    return os.getpid()\n";

fn inside(world: &World) -> usize {
    world.logs.lines().iter().filter(|line| *line == "inside").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_process_ends() {
    let world = World::with(|config| config.idle_limit = Duration::from_millis(50));
    let pid = world.value(&Code::python(PID), "{}").await;
    until("no process is left", || world.supervisor.processes() == 0).await;
    assert!(!lives(pid.as_u64().unwrap()));
    assert_eq!(world.keys.valid(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn held_slot_keeps_its_process_past_the_idle_limit_and_gives_it_back() {
    let world = World::with(|config| config.idle_limit = Duration::from_millis(20));
    let code = Code::python(PID);
    let slot = world.supervisor.acquire(&code.function).await.unwrap();
    assert_eq!(slot.access_key_id(), "AKIA1");
    // Another process comes and goes by the same limit: the time has passed.
    let other = Code::python(PID);
    world.value(&other, "{}").await;
    until("the other process is gone", || world.supervisor.processes() == 1).await;
    assert_eq!(world.keys.valid(), 1);
    drop(slot);
    until("no process is left", || world.supervisor.processes() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unused_slot_returns_its_process() {
    let world = World::new();
    let code = Code::python(PID);
    drop(world.supervisor.acquire(&code.function).await.unwrap());
    world.value(&code, "{}").await;
    assert_eq!(world.keys.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_invocations_use_processes_of_their_own() {
    let world = World::new();
    let code = Code::python(GATE);
    let gate = code.function.code_dir.join("open");
    let event = serde_json::to_string(&gate).unwrap();
    let (first, second, _) = tokio::join!(world.value(&code, &event), world.value(&code, &event), async {
        until("both are inside", || inside(&world) == 2).await;
        std::fs::write(&gate, "").unwrap();
    });
    assert_ne!(first, second);
    assert_eq!(world.supervisor.processes(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_place_serves_many_callers() {
    let world = World::with(|config| config.processes_max = 1);
    let code = Code::python(PID);
    let (a, b, c) = tokio::join!(world.value(&code, "1"), world.value(&code, "2"), world.value(&code, "3"));
    assert_eq!((&a, &b), (&b, &c));
    assert_eq!(world.keys.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_process_makes_place_for_another_function() {
    let world = World::with(|config| config.processes_max = 1);
    let (first, second) = (Code::python(PID), Code::python(PID));
    let old = world.value(&first, "{}").await;
    let new = world.value(&second, "{}").await;
    assert_ne!(old, new);
    assert!(!lives(old.as_u64().unwrap()));
    assert_eq!(world.supervisor.processes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiter_who_gives_up_leaves_the_queue() {
    let world = World::with(|config| config.processes_max = 1);
    let code = Code::python(PID);
    let slot = world.supervisor.acquire(&code.function).await.unwrap();
    let mut waiting = Box::pin(world.supervisor.acquire(&code.function));
    let started = futures_poll_once(&mut waiting).await;
    assert!(!started, "there is no place");
    drop(waiting);
    drop(slot);
    world.value(&code, "{}").await;
    assert_eq!(world.keys.issued(), 1);
}

/// The kind of failure for which there is no process.
#[track_caller]
fn failed(acquired: Result<Slot, Unavailable>) -> FailureKind {
    match acquired {
        Err(Unavailable::Failed(failure)) => failure.kind,
        other => panic!("{:?}", other.err()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_concurrency_throttles_those_who_do_not_wait() {
    let world = World::new();
    let code = Code::python(PID);
    let throttled =
        |acquired: Result<Slot, Unavailable>| acquired.err() == Some(Unavailable::Throttled(Throttle::Reserved));
    world.supervisor.reserve("demo", Some(1));
    let impatient = || world.supervisor.turn(Patience::UnlessReserved);
    let slot = impatient().acquire(&code.function).await.unwrap();
    assert!(throttled(impatient().acquire(&code.function).await));
    let mut waiting = Box::pin(world.supervisor.acquire(&code.function));
    assert!(!futures_poll_once(&mut waiting).await, "one who waits is not throttled");
    world.supervisor.reserve("demo", Some(0));
    assert!(throttled(waiting.await));
    assert!(throttled(world.supervisor.acquire(&code.function).await));
    drop(slot);
    world.supervisor.reserve("demo", None);
    world.value(&code, "{}").await;
    assert_eq!(world.keys.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn process_serves_one_tenant_only() {
    let world = World::new();
    let code = Code::python(PID);
    let of_tenant = |tenant: &str| {
        let function = Function { tenant_id: Some(tenant.into()), ..(*code.function).clone() };
        let (world, function) = (&world, Arc::new(function));
        async move { world.supervisor.acquire(&function).await.unwrap().invoke(invocation("{}")).await.result.unwrap() }
    };
    let (first, second, again) = (of_tenant("a").await, of_tenant("b").await, of_tenant("a").await);
    assert_eq!((first != second, first == again), (true, true));
}

/// Polls once; tells whether the future was ready.
async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_ready()))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_who_leaves_during_a_cold_start_leaves_the_process_to_the_next() {
    let world = World::new();
    let code = Code::python(PID);
    let mut acquiring = Box::pin(world.supervisor.acquire(&code.function));
    assert!(!futures_poll_once(&mut acquiring).await);
    drop(acquiring);
    world.value(&code, "{}").await;
    assert_eq!(world.keys.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invocation_goes_on_when_its_caller_leaves() {
    let world = World::new();
    let code = Code::python(GATE);
    let gate = code.function.code_dir.join("open");
    let event = serde_json::to_string(&gate).unwrap();
    let slot = world.supervisor.acquire(&code.function).await.unwrap();
    let mut invoking = Box::pin(slot.invoke(invocation(&event)));
    assert!(!futures_poll_once(&mut invoking).await);
    until("it is inside", || inside(&world) == 1).await;
    drop(invoking);
    std::fs::write(&gate, "").unwrap();
    until("it reports", || world.logs.text().contains("REPORT")).await;
    world.value(&code, &event).await;
    assert_eq!(world.keys.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invocation_begins_at_once_even_in_a_task_whose_turn_is_over() {
    let world = World::with(|config| config.processes_max = 1);
    let code = Code::python(PID);
    let slot = world.supervisor.acquire(&code.function).await.unwrap();
    let mut invoking = Box::pin(slot.invoke(invocation("{}")));
    let is_over = std::future::poll_fn(|context| {
        // From here on Tokio makes this task wait wherever it can, even for a channel that has room.
        while std::pin::pin!(tokio::task::consume_budget()).poll(context).is_ready() {}
        Poll::Ready(invoking.as_mut().poll(context).is_ready())
    });
    assert!(!is_over.await);
    drop(invoking);
    until("it reports", || world.logs.text().contains("REPORT")).await;
    world.value(&code, "{}").await;
    assert_eq!(world.keys.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn retired_processes_end_idle_ones_now_busy_ones_later() {
    let world = World::new();
    let code = Code::python(GATE);
    let gate = code.function.code_dir.join("open");
    let event = serde_json::to_string(&gate).unwrap();
    let idle = world.supervisor.acquire(&code.function).await.unwrap();
    let busy = world.supervisor.acquire(&code.function).await.unwrap();
    drop(idle);
    let (outcome, ()) = tokio::join!(busy.invoke(invocation(&event)), async {
        until("it is inside", || inside(&world) == 1).await;
        world.supervisor.retire(&code.function.key);
        until("the idle one is gone", || world.supervisor.processes() == 1).await;
        std::fs::write(&gate, "").unwrap();
    });
    outcome.result.unwrap();
    until("the busy one is gone too", || world.supervisor.processes() == 0).await;
    world.value(&code, &event).await;
    world.supervisor.retire("no such key");
    assert_eq!(world.supervisor.processes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn process_that_ignores_sigterm_is_killed() {
    let world = World::with(|config| config.stop_grace = Duration::from_millis(50));
    let code = Code::python(&format!("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{PID}"));
    let pid = world.value(&code, "{}").await;
    world.supervisor.shutdown().await;
    assert!(!lives(pid.as_u64().unwrap()));
    assert_eq!((world.supervisor.processes(), world.keys.valid()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_fails_what_runs_waits_and_comes_later() {
    let world = World::with(|config| config.processes_max = 1);
    let code = Code::python(GATE);
    let busy = world.supervisor.acquire(&code.function).await.unwrap();
    let (running, waiting, ()) =
        tokio::join!(busy.invoke(invocation("\"/nowhere\"")), world.supervisor.acquire(&code.function), async {
            until("it is inside", || inside(&world) == 1).await;
            world.supervisor.shutdown().await;
        });
    assert_eq!(running.result.unwrap_err().kind, FailureKind::Platform);
    assert_eq!(failed(waiting), FailureKind::Platform);
    let later = world.supervisor.acquire(&code.function).await;
    assert_eq!(failed(later), FailureKind::Platform);
    assert_eq!((world.supervisor.processes(), world.keys.valid()), (0, 0));
    world.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_during_initialization_leaves_nothing() {
    let world = World::new();
    let code = Code::python("print('loading', flush=True)\nimport time\ntime.sleep(1000)\n");
    let (acquired, ()) = tokio::join!(world.supervisor.acquire(&code.function), async {
        until("it is loading", || world.logs.text().contains("loading")).await;
        world.supervisor.shutdown().await;
    });
    assert_eq!(failed(acquired), FailureKind::Platform);
    assert_eq!((world.supervisor.processes(), world.keys.valid()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn launcher_that_hangs_does_not_hold_up_a_shutdown() {
    let seconds = 86_397;
    let directory = tempfile::tempdir().unwrap();
    let launcher = directory.path().join("launcher");
    std::fs::write(&launcher, format!("#!/bin/sh\nexec sleep {seconds}\n")).unwrap();
    std::fs::set_permissions(&launcher, std::fs::Permissions::from_mode(0o755)).unwrap();
    let sandbox = Sandbox::open(launcher, Isolation::Off).await.unwrap();
    let world = World::with(|config| config.sandbox = Arc::new(sandbox));
    let code = Code::python(PID);
    let (acquired, ()) = tokio::join!(world.supervisor.acquire(&code.function), async {
        until("it hangs", || sleeps(seconds)).await;
        tokio::time::timeout(PATIENCE, world.supervisor.shutdown()).await.expect("a shutdown");
    });
    assert_eq!(failed(acquired), FailureKind::Platform);
    assert_eq!((world.supervisor.processes(), world.keys.valid()), (0, 0));
    until("the launcher is gone", || !sleeps(seconds)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn initialization_without_end_times_out_and_dropped_slots_of_failed_starts_leave_nothing() {
    let world = World::with(|config| config.init_limit = Duration::from_millis(300));
    let code =
        Code::with(Runtime::Python313, "app.handler", &[("app.py", "import time\ntime.sleep(1000)\n")], |function| {
            function.timeout = Duration::from_millis(200);
        });
    let failure = world.failure(&code, "{}").await;
    assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Timeout, "Sandbox.Timedout"));
    drop(world.supervisor.acquire(&code.function).await.unwrap());
    until("no process is left", || world.supervisor.processes() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_initialization_may_use_the_functions_timeout() {
    let world = World::with(|config| config.init_limit = Duration::from_millis(1));
    world.value(&Code::python(&format!("import time\ntime.sleep(0.1)\n{PID}")), "{}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_code_directory_is_the_platforms_failure() {
    let world = World::new();
    let code = Code::with(Runtime::Python313, "app.handler", &[], |function| function.code_dir.push("gone"));
    let failure = match world.supervisor.acquire(&code.function).await {
        Err(Unavailable::Failed(failure)) => failure,
        other => panic!("{:?}", other.err()),
    };
    assert_eq!(failure.kind, FailureKind::Platform);
    assert!(failure.error_message.contains("/gone"), "{failure}");
    until("no process is left", || world.supervisor.processes() == 0).await;
    assert_eq!(world.keys.valid(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_interpreter_is_named() {
    for program in ["/nonexistent/python", "/bin/true", "/bin/false"] {
        let world = World::with(|config| {
            config.interpreters.insert("python3.13".into(), program.into());
        });
        let error = world.supervisor.prepare(Runtime::Python313).await.unwrap_err().to_string();
        assert!(error.contains(program) && error.contains("set its path in `interpreters`"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_installation_quotes_its_command_and_keeps_nothing() {
    let data_dir = tempfile::tempdir().unwrap();
    let fake = data_dir.path().join("python");
    let script =
        "#!/bin/sh\n[ \"$1\" = -c ] && { echo 3.13; echo \"$0\"; exit; }\necho 'no route to host' >&2\nexit 7\n";
    std::fs::write(&fake, script).unwrap();
    std::fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let world = World::with(|config| {
        config.runtimes_dir = data_dir.path().join("data/runtimes");
        config.install = Install::Everything;
        config.interpreters.insert("python3.13".into(), fake.clone());
    });
    let error = world.supervisor.prepare(Runtime::Python313).await.unwrap_err().to_string();
    for words in ["-m pip install", "boto3", "exit status: 7", "no route to host"] {
        assert!(error.contains(words), "{error}");
    }
    let kept: Vec<_> = std::fs::read_dir(data_dir.path().join("data/runtimes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(kept.is_empty(), "{kept:?}");
}

/// Many callers, few places, crashes and timeouts in between: nobody is forgotten and nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn crowd_is_served_and_nothing_is_left() {
    let world = Arc::new(World::with(|config| config.processes_max = 3));
    let text = "import os\ndef handler(event, context):\n    if event % 5 == 0: os._exit(1)\n    if event % 7 == 0: raise ValueError(event)\n    return event\n";
    let codes: Vec<Arc<Code>> = (0..4).map(|_| Arc::new(Code::python(text))).collect();
    let mut callers = tokio::task::JoinSet::new();
    for number in 1..=60_u64 {
        let (world, code) = (world.clone(), codes[number as usize % 4].clone());
        callers.spawn(async move {
            let result = world.invoke(&code, &number.to_string()).await.result;
            let expected = match (number % 5, number % 7) {
                (0, _) => Err(FailureKind::Exit),
                (_, 0) => Err(FailureKind::Handler),
                _ => Ok(number.to_string()),
            };
            assert_eq!(
                result.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).map_err(|failure| failure.kind),
                expected
            );
            assert!(world.supervisor.processes() <= 3);
        });
    }
    while let Some(joined) = callers.join_next().await {
        joined.unwrap();
    }
    world.supervisor.shutdown().await;
    assert_eq!((world.supervisor.processes(), world.keys.valid()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn extensions_that_come_along_are_named_in_the_log() {
    let world = World::new();
    let files = [("app.py", PID), ("extensions/agent.sh", "#!/bin/sh\n"), ("extensions/README.md", "")];
    let layer = Code::new(Runtime::Python313, "app.handler", &[("extensions/watch.sh", "#!/bin/sh\n")]);
    let code = Code::with(Runtime::Python313, "app.handler", &files, |function| {
        function.layers_dir = Some(layer.function.code_dir.clone());
    });
    world.value(&code, "{}").await;
    let line = "WARN extensions are not run by Everstep: agent.sh, watch.sh; remove";
    assert!(world.logs.text().contains(line), "{}", world.logs.text());
}
