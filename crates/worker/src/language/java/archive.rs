//! An archive of the classes that every function's process loads before the function's own: a start maps it instead of
//! reading, checking and linking a thousand classes (class data sharing).
//!
//! A rehearsal finds out which classes these are: the client runs, with a Runtime API of ours, a function that Java
//! itself contains. No code of functions takes part, and no process of a function can write the archive.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::fingerprint;
use super::super::install::run;
use super::super::interpreter::Interpreter;
use super::{client, option};
use crate::runtime_api::{self, Assignment, Call, Verdict};
use crate::{Error, Invocation, limits};

/// The archive in its directory.
pub(in super::super) const FILE: &str = "classes.jsa";

/// Both machines, that which archives and that which uses it, must collect garbage and compile in the same way.
const OPTIONS: [&str; 2] = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// A function that every Java has: it takes and returns a text.
const HANDLER: &str = "java.lang.String::concat";
const EVENT: &str = r#""text""#;

/// Returns the name of the archive's directory. It fits one machine and one client, at the places where they are.
pub(in super::super) fn directory(java: &Interpreter, client: &Path) -> String {
    let places = [&java.program, client].map(|path| path.to_string_lossy().into_owned());
    format!("classes-java{}-{}", java.series, fingerprint([java.version.as_str(), &places[0], &places[1]]))
}

/// Makes an archive in an empty directory.
pub(in super::super) async fn make(java: &Interpreter, client: &Path, directory: &Path) -> Result<(), Error> {
    let list = directory.join("classes");
    rehearse(java, client, directory, &list).await?;
    let mut command = Command::new(&java.program);
    command.args(OPTIONS).arg("-Xshare:dump").arg(option("-XX:SharedClassListFile=", &list));
    command.arg(option("-XX:SharedArchiveFile=", &directory.join(FILE)));
    // All but the class that is started.
    command.args(client::start(client, &[]).into_iter().take(6));
    run(command).await?;
    std::fs::remove_file(&list).map_err(Error::io(format!("remove {}", list.display())))
}

/// Writes the list of classes that are loaded up to the end of the first invocation.
async fn rehearse(java: &Interpreter, client: &Path, directory: &Path, list: &Path) -> Result<(), Error> {
    let (listener, address) = runtime_api::bind().await.map_err(Error::io("listen on loopback"))?;
    let (call_sender, mut calls) = mpsc::channel(1);
    let mut api = JoinSet::new();
    api.spawn(runtime_api::serve(listener, None, call_sender));
    let mut command = Command::new(&java.program);
    command.args(OPTIONS).arg(option("-XX:DumpLoadedClassList=", list)).args(client::start(client, &[])).arg(HANDLER);
    command.env_clear().env("AWS_LAMBDA_RUNTIME_API", address.to_string()).env("_HANDLER", HANDLER);
    command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let words = format!("{} {HANDLER}", java.program.display());
    let failed = |detail: &str| Error::Install { command: words.clone(), detail: detail.to_owned() };
    let mut child = command.spawn().map_err(|error| failed(&error.to_string()))?;
    let ended = tokio::time::timeout(limits::PROBE_LIMIT, async {
        if !play(&mut calls).await {
            return false;
        }
        // Whoever asks in vain ends, and writes its list to the end before.
        api.shutdown().await;
        drop(calls);
        child.wait().await.is_ok()
    });
    match ended.await {
        Ok(true) => Ok(()),
        Ok(false) => Err(failed("the rehearsal of an invocation failed")),
        Err(_) => Err(failed("the rehearsal of an invocation takes too long")),
    }
}

/// Plays Lambda for one invocation; tells whether it was answered.
async fn play(calls: &mut mpsc::Receiver<Call>) -> bool {
    let mut answered = None;
    while let Some(call) = calls.recv().await {
        match (call, answered) {
            (Call::Next { reply }, None) => {
                answered = Some(false);
                let _ = reply.send(Assignment { invocation: invocation(), deadline_ms: i64::MAX });
            }
            (Call::Respond { reply, .. }, Some(false)) => {
                answered = Some(true);
                let _ = reply.send(Verdict::Accepted);
            }
            (Call::Next { .. }, Some(true)) => return true,
            (Call::Next { .. } | Call::Respond { .. } | Call::BeginStream { .. } | Call::InitError { .. }, _) => break,
        }
    }
    false
}

fn invocation() -> Invocation {
    Invocation {
        request_id: "00000000-0000-4000-8000-000000000000".into(),
        event: EVENT.into(),
        invoked_function_arn: "arn:aws:lambda:us-east-1:000000000000:function:rehearsal".into(),
        trace_id: "Root=1-00000000-000000000000000000000000;Sampled=0".into(),
        client_context: None,
        tenant_id: None,
    }
}
