//! A supervisor with its surroundings, and functions made of a few lines of code.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use everstep_worker::sandbox::{Isolation, Sandbox};
use everstep_worker::{
    Config, CredentialSource, Credentials, Failure, Function, Install, Invocation, LogFormat, LogLine, LogSink,
    Outcome, Runtime, Supervisor, limits,
};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything takes; a test that reaches it has failed.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub struct World {
    pub supervisor: Arc<Supervisor>,
    pub keys: Arc<Keys>,
    pub logs: Arc<Logs>,
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(runtimes(), "http://127.0.0.1:9");
        config.runtimes_dir = runtimes();
        config.install = Install::Interpreters;
        // However busy the machine is, a process that answers is used again.
        config.settle_limit = PATIENCE;
        change(&mut config);
        let (keys, logs) = (Arc::new(Keys::default()), Arc::new(Logs::default()));
        Self { supervisor: Supervisor::start(config, keys.clone(), logs.clone()), keys, logs }
    }

    /// A world whose functions live in rooms; the machine must allow it.
    pub async fn with_rooms(change: impl FnOnce(&mut Config)) -> Self {
        let sandbox = Sandbox::open(launcher(), Isolation::Required).await.expect("rooms");
        Self::with(|config| {
            config.sandbox = Arc::new(sandbox);
            change(config);
        })
    }

    /// Runs one invocation with its own request id, in a process it may have to start.
    pub async fn invoke(&self, function: &Code, event: &str) -> Outcome {
        let slot = self.supervisor.acquire(&function.function).await.expect("a process");
        slot.invoke(invocation(event)).await
    }

    /// The response of an invocation that must succeed.
    pub async fn value(&self, function: &Code, event: &str) -> Value {
        let outcome = self.invoke(function, event).await;
        let response = outcome.result.unwrap_or_else(|failure| panic!("{failure}\n{}", self.logs.text()));
        serde_json::from_slice(&response).unwrap_or_else(|error| panic!("{error}: {response:?}"))
    }

    /// The failure of an invocation that must not succeed.
    pub async fn failure(&self, function: &Code, event: &str) -> Failure {
        self.invoke(function, event).await.result.expect_err("a failure")
    }
}

/// A function and the directory of its code.
pub struct Code {
    pub function: Arc<Function>,
    dir: TempDir,
}

impl Code {
    pub fn new(runtime: Runtime, handler: &str, files: &[(&str, &str)]) -> Self {
        Self::with(runtime, handler, files, |_| {})
    }

    pub fn with(runtime: Runtime, handler: &str, files: &[(&str, &str)], change: impl FnOnce(&mut Function)) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let dir = tempfile::tempdir().unwrap();
        // As uploaded code is: readable for whoever runs it.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            if *name == "bootstrap" || name.ends_with(".sh") {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        let mut function = Function {
            key: format!("demo-{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
            name: "demo".into(),
            version: "$LATEST".into(),
            arn: "arn:aws:lambda:us-east-1:000000000000:function:demo:$LATEST".into(),
            role: "arn:aws:iam::000000000000:role/demo".into(),
            runtime,
            handler: handler.into(),
            code_dir: dir.path().canonicalize().unwrap(),
            layers_dir: None,
            pins: Vec::new(),
            timeout: Duration::from_secs(60),
            memory_mb: 256,
            tmp_mb: limits::TMP_MB_DEFAULT,
            environment: Default::default(),
            region: "us-east-1".into(),
            log_group: "/aws/lambda/demo".into(),
            log_format: LogFormat::Text,
            log_level: None,
            tenant_id: None,
        };
        change(&mut function);
        Self { function: Arc::new(function), dir }
    }

    pub fn python(code: &str) -> Self {
        Self::new(Runtime::Python313, "app.handler", &[("app.py", code)])
    }

    pub fn node(code: &str) -> Self {
        Self::new(Runtime::Nodejs22, "index.handler", &[("index.mjs", code)])
    }
}

pub fn invocation(event: &str) -> Invocation {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    Invocation {
        request_id: format!("00000000-0000-4000-8000-{:012}", NUMBER.fetch_add(1, Ordering::Relaxed)),
        event: Bytes::copy_from_slice(event.as_bytes()),
        invoked_function_arn: "arn:aws:lambda:us-east-1:000000000000:function:demo:live".into(),
        trace_id: "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0".into(),
        client_context: None,
        tenant_id: None,
    }
}

/// Where installed interpreters and SDKs stay, shared by all test binaries and runs.
pub fn runtimes() -> PathBuf {
    let shared = || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-runtimes");
    std::env::var_os(RUNTIMES).map_or_else(shared, PathBuf::from)
}

/// The program that starts functions; the server's binary is its own.
pub fn launcher() -> PathBuf {
    std::env::var_os(LAUNCHER).map_or_else(|| env!("CARGO_BIN_EXE_everstep-launcher").into(), PathBuf::from)
}

/// The variable that names another launcher.
pub const LAUNCHER: &str = "EVERSTEP_TEST_LAUNCHER";

/// The variable that names another directory of interpreters.
pub const RUNTIMES: &str = "EVERSTEP_TEST_RUNTIMES";

/// Seconds that nobody else sleeps, not even another process of the same test; nor one more than that.
pub fn own_seconds() -> u64 {
    86_400 + 2 * u64::from(std::process::id())
}

/// Whether a `sleep` of so many seconds runs anywhere on this machine.
pub fn sleeps(seconds: u64) -> bool {
    let wanted = format!("sleep\0{seconds}\0");
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
    pids.any(|pid| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == wanted) && lives(pid)
    })
}

/// Waits for something that no event announces.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let met = tokio::time::timeout(PATIENCE, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    });
    met.await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// Whether a process exists and is no zombie.
pub fn lives(pid: u64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Keys numbered in the order of their issue.
#[derive(Default)]
pub struct Keys {
    issued: AtomicU64,
    valid: Mutex<BTreeSet<String>>,
}

impl Keys {
    pub fn valid(&self) -> usize {
        self.valid.lock().unwrap().len()
    }

    pub fn issued(&self) -> u64 {
        self.issued.load(Ordering::Relaxed)
    }
}

impl CredentialSource for Keys {
    fn issue(&self, _function: &Function) -> Credentials {
        let access_key_id = format!("AKIA{}", self.issued.fetch_add(1, Ordering::Relaxed) + 1);
        self.valid.lock().unwrap().insert(access_key_id.clone());
        Credentials { access_key_id, secret_access_key: "secret".into(), session_token: "token".into() }
    }

    fn revoke(&self, access_key_id: &str) {
        assert!(self.valid.lock().unwrap().remove(access_key_id), "revoked twice");
    }
}

/// Everything logged: stream and line.
#[derive(Default)]
pub struct Logs(Mutex<Vec<(String, LogLine)>>);

impl Logs {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, line)| line.message.clone()).collect()
    }

    pub fn timestamps(&self) -> Vec<i64> {
        self.0.lock().unwrap().iter().map(|(_, line)| line.at_ms).collect()
    }

    pub fn streams(&self) -> BTreeSet<String> {
        self.0.lock().unwrap().iter().map(|(stream, _)| stream.clone()).collect()
    }

    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The lines that are JSON objects and have this field.
    pub fn records(&self, field: &str) -> Vec<Value> {
        let lines = self.lines();
        let records = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records.filter(|record| record.get(field).is_some()).collect()
    }
}

impl LogSink for Logs {
    fn append(&self, group: &str, stream: &str, lines: Vec<LogLine>) {
        assert_eq!(group, "/aws/lambda/demo");
        assert!(!lines.is_empty(), "an empty batch");
        self.0.lock().unwrap().extend(lines.into_iter().map(|line| (stream.to_owned(), line)));
    }
}
