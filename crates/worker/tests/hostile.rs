//! Functions that mean harm, and what their neighbour notices.
//!
//! `cargo test -p everstep-worker --test hostile -- --nocapture` prints the neighbour's latency beside each.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use everstep_worker::{Failure, FailureKind, Function, limits};
use serde_json::{Value, json};
use support::{Code, World, until};
use tokio::sync::Mutex;

/// One at a time: each is to be seen beside a neighbour, not beside the others.
static TURN: Mutex<()> = Mutex::const_new(());

/// Runs one invocation of a hostile function beside a neighbour that is invoked all the while. The neighbour must be
/// served as if nothing was; returns what became of the hostile one.
async fn beside(what: &str, code: &str, change: impl FnOnce(&mut Function)) -> Result<Value, Failure> {
    let _turn = TURN.lock().await;
    let world = Arc::new(World::with_rooms(|_| {}).await);
    let hostile = Code::with(everstep_worker::Runtime::Python313, "app.handler", &[("app.py", code)], |function| {
        function.timeout = Duration::from_secs(2);
        change(function);
    });
    let neighbour = Code::python("def handler(event, context): return event\n");
    world.value(&neighbour, "0").await;
    let outcome = world.invoke(&hostile, "{}");
    tokio::pin!(outcome);
    let mut latencies = Vec::new();
    let outcome = loop {
        let began = Instant::now();
        let answer = world.value(&neighbour, "1");
        tokio::select! {
            outcome = &mut outcome => break outcome,
            answer = answer => assert_eq!(answer, 1),
        }
        latencies.push(began.elapsed());
    };
    assert_eq!(world.value(&neighbour, "2").await, 2, "after {what}");
    latencies.sort();
    let at = |part: usize| latencies.get(latencies.len() * part / 100).copied().unwrap_or_default().as_secs_f64() * 1e3;
    println!(
        "{what}: the neighbour was answered {} times; median {:.1} ms, p99 {:.1} ms",
        latencies.len(),
        at(50),
        at(99)
    );
    world.supervisor.shutdown().await;
    until("every key is revoked", || world.keys.valid() == 0).await;
    outcome.result.map(|body| serde_json::from_slice(&body).unwrap())
}

#[track_caller]
fn check_failure(outcome: Result<Value, Failure>, kind: FailureKind, error_type: &str) {
    let failure = outcome.expect_err("a failure");
    assert_eq!((failure.kind, failure.error_type.as_str()), (kind, error_type), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fork_bomb() {
    let code = "import os\ndef handler(event, context):\n    while True:\n        try: os.fork()\n        except OSError: pass\n";
    let outcome = beside("fork bomb", code, |function| function.memory_mb = 10_240).await;
    check_failure(outcome, FailureKind::Timeout, "Sandbox.Timedout");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_balloon() {
    let code = "def handler(event, context):\n    held = []\n    while True: held.append(bytearray(1 << 20))\n";
    let outcome = beside("memory balloon", code, |function| function.memory_mb = 128).await;
    check_failure(outcome, FailureKind::Exit, "Runtime.OutOfMemory");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_balloon_in_many_processes() {
    let code = "import os, time\ndef handler(event, context):\n    for _ in range(8):\n        if not os.fork():\n            held = bytearray(30 << 20)\n            time.sleep(60)\n    time.sleep(60)\n";
    let outcome = beside("memory balloon in many processes", code, |function| {
        function.memory_mb = 128;
        function.timeout = Duration::from_secs(30);
    });
    check_failure(outcome.await, FailureKind::Exit, "Runtime.OutOfMemory");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_balloon_while_loading() {
    let code = "held = []\nwhile True: held.append(bytearray(1 << 20))\n";
    let outcome = beside("memory balloon while loading", code, |function| function.memory_mb = 128).await;
    check_failure(outcome, FailureKind::Exit, "Runtime.OutOfMemory");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_balloon_after_the_answer() {
    let _turn = TURN.lock().await;
    let world = World::with_rooms(|_| {}).await;
    let code = "import threading\nheld = []\ndef balloon():\n    while True: held.append(bytearray(1 << 20))\ndef handler(event, context):\n    threading.Timer(0.3, balloon).start()\n    return 1\n";
    assert_eq!(world.value(&Code::python(code), "{}").await, 1);
    until("the process is ended, though nobody invokes it", || world.supervisor.processes() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn code_of_the_function_is_not_loaded_into_the_launcher() {
    // A library that cannot be loaded is named on standard error by every program that is told to.
    let world = World::with_rooms(|_| {}).await;
    let code = Code::with(
        everstep_worker::Runtime::Python311,
        "app.handler",
        &[("app.py", "import os\ndef handler(event, context): return os.environ['LD_PRELOAD']\n")],
        |function| drop(function.environment.insert("LD_PRELOAD".into(), "/nowhere/evil.so".into())),
    );
    assert_eq!(world.value(&code, "{}").await, "/nowhere/evil.so");
    let complaints = world.logs.lines().iter().filter(|line| line.contains("evil.so")).count();
    assert_eq!(complaints, 1, "only the runtime may be told: {}", world.logs.text());
    world.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_flood() {
    let code = "import os\ndef handler(event, context):\n    while True: os.write(1, b'x' * 1000 + b'\\n')\n";
    check_failure(beside("log flood", code, |_| {}).await, FailureKind::Timeout, "Sandbox.Timedout");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_flood_is_read_no_faster_than_it_may() {
    let _turn = TURN.lock().await;
    let world = World::with_rooms(|_| {}).await;
    let code = "import os, time\ndef handler(event, context):\n    until = time.time() + 4\n    while time.time() < until: os.write(1, b'x' * 30_000 + b'\\n')\n";
    let began = Instant::now();
    world.value(&Code::python(code), "{}").await;
    let logged: usize = world.logs.lines().iter().map(String::len).sum();
    let most = (began.elapsed() + limits::OUTPUT_BURST).as_secs_f64() * limits::OUTPUT_BYTES_PER_SECOND as f64;
    assert!((logged as f64) < most + 1e6, "{logged} bytes of {most}");
    world.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn full_tmp() {
    let code = "def handler(event, context):\n    with open('/tmp/file', 'wb', buffering=0) as file:\n        try:\n            while True: file.write(bytes(1 << 20))\n        except OSError as error: return error.errno\n";
    let outcome = beside("full /tmp", code, |function| function.timeout = Duration::from_secs(30)).await;
    assert_eq!(outcome.unwrap(), json!(28));
}

#[tokio::test(flavor = "multi_thread")]
async fn ignored_termination() {
    // `beside` ends the supervisor, which asks first and then does not ask.
    let code = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef handler(event, context): return 1\n";
    assert_eq!(beside("ignored SIGTERM", code, |_| {}).await.unwrap(), json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_output() {
    let code = "import os, time\ndef handler(event, context):\n    os.close(1)\n    os.close(2)\n    time.sleep(0.5)\n    return 1\n";
    assert_eq!(beside("closed output", code, |_| {}).await.unwrap(), json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn double_fork() {
    let code = "import os\ndef handler(event, context):\n    if not os.fork():\n        os.setsid()\n        if os.fork(): os._exit(0)\n        while True: pass\n    os.wait()\n    return 1\n";
    assert_eq!(beside("double fork", code, |_| {}).await.unwrap(), json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_process() {
    let code = "import os, signal\ndef handler(event, context): os.killpg(0, signal.SIGSTOP)\n";
    check_failure(beside("stopped process", code, |_| {}).await, FailureKind::Timeout, "Sandbox.Timedout");
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_of_everybody() {
    let code = "import os, signal\ndef handler(event, context):\n    try: os.kill(-1, signal.SIGKILL)\n    except ProcessLookupError: return 'nobody is there'\n";
    assert_eq!(beside("kill of everybody", code, |_| {}).await.unwrap(), json!("nobody is there"));
}
