//! `everstep demo`: a workflow survives a crash of its process and of the server, sleeps, waits for a person, finishes.
//!
//! It plays the part of a user: it starts a real server, deploys a function written with AWS's own SDK through the
//! public API, kills things, and reads the proof from the history and from what the function printed.

mod package;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use everstep_server::Config;
use everstep_server::runtimes::{Availability, Runtime};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::client::{Client, read_credentials};
use crate::executions::{open_callbacks, read, start};
use crate::output::{self, Progress};
use crate::serve::LISTENING;
use crate::{logs, timeline};

/// How long the workflow cools off, in seconds: long enough to lose a server meanwhile.
const WAIT_SECONDS: u64 = 6;

/// How long anything may take before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// See a workflow survive a crash, sleep, wait for an approval and finish.
#[derive(Args)]
pub struct Demo {
    /// Keep everything in this directory instead of a temporary one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Install runtimes and SDKs here [default: everstep in the user's cache directory]
    #[arg(long, env = "EVERSTEP_RUNTIMES", value_name = "DIR")]
    runtimes: Option<PathBuf>,
    /// Approve by itself after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 8)]
    approve_after: u64,
}

impl Demo {
    /// Plays it.
    pub async fn run(self) -> anyhow::Result<()> {
        let temporary = tempfile::Builder::new().prefix("everstep-demo-").tempdir()?;
        let root = self.data.clone().unwrap_or_else(|| temporary.path().to_path_buf());
        let data = root.join("server");
        ensure!(!data.exists(), "{} is not empty: name another directory with --data", root.display());
        std::fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
        let runtimes = self.runtimes.clone().unwrap_or_else(default_runtimes);

        say("A server starts on an empty store, and gets an ordinary Lambda function.");
        let progress = Progress::start("installing AWS's durable execution SDK for Python (first time only)");
        let zip = package::order_workflow(&runtimes);
        progress.finish();
        let zip = zip?;
        let mut server = Server::start(&data, &runtimes, "127.0.0.1:0")?;
        let client = Client::new(server.url.clone(), read_credentials(&data)?, "us-east-1".into());
        create_function(&client, &zip, python(&data, &runtimes).await).await?;
        note(&format!("serving at {}, function `order-workflow` created", server.url));

        say("An order is placed. The function's process is killed in the middle of a step.");
        let order = json!({"id": "1001", "customer": "Ada", "items": ["teapot", "two cups"], "total": 42});
        let progress = Progress::start("starting the first process (boto3 is installed the first time)");
        let arn = start(&client, "order-workflow", "order-1001", &order).await?;
        let started = journal_has(&client, "start summarise").await;
        progress.finish();
        started?;
        let pid = server.function_process()?;
        kill_process(pid, Signal::KILL).with_context(|| format!("cannot kill process {}", pid.as_raw_nonzero()))?;
        note(&format!("kill -9 {} while `summarise` was at work", pid.as_raw_nonzero()));
        journal_has(&client, "end summarise").await?;
        note("invoked again: `reserve` was remembered, `summarise` ran anew and is done");

        say("The workflow sleeps without compute. Meanwhile the server itself is lost.");
        sleeps_after(&client, &arn, "WaitStarted").await?;
        let address = server.url.trim_start_matches("http://").to_string();
        server.kill()?;
        note("kill -9 of the server, in the middle of the wait");
        server = Server::start(&data, &runtimes, &address)?;
        note("started again on the same data");

        say("A person has to approve.");
        let events = sleeps_after(&client, &arn, "CallbackStarted").await?;
        let (_, callback_id) = open_callbacks(&events).into_iter().next().context("no callback is open")?;
        let program = std::env::current_exe()?;
        println!("   approve from a second terminal:\n");
        println!(
            "     {} callback succeed {callback_id} --data {} --result '\"yes, says the viewer\"'\n",
            program.display(),
            data.display()
        );
        let progress = Progress::start(&format!("or wait: it approves by itself after {} s", self.approve_after));
        let approval = approve(&client, &arn, &callback_id, Duration::from_secs(self.approve_after)).await;
        progress.finish();
        approval?;

        let (execution, events) = finished(&client, &arn).await?;
        say("This is what happened.");
        println!("{}", timeline::draw(&execution, &events, timeline::now(), output::stdout_has_colours()));
        let proof = prove(&journal(&client).await?, &execution, &events);
        server.stop()?;
        proof?;
        println!("\nSUCCEEDED");
        Ok(())
    }
}

fn say(text: &str) {
    println!("\n{text}");
}

fn note(text: &str) {
    println!("   {text}");
}

/// Returns where runtimes are kept between demos, so that the second one starts at once.
fn default_runtimes() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = from("XDG_CACHE_HOME").or_else(|| Some(from("HOME")?.join(".cache")));
    cache.unwrap_or_else(std::env::temp_dir).join("everstep").join("runtimes")
}

/// A server as a process of its own, so that it can be lost.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(data: &Path, runtimes: &Path, listen: &str) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["serve", "--listen", listen, "--data"])
            .arg(data)
            .arg("--runtimes")
            .arg(runtimes)
            .env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "error".into()))
            .env_remove("EVERSTEP_CONFIG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let url = lines.map_while(Result::ok).find_map(|line| Some(line.strip_prefix(LISTENING)?.to_owned()));
        match url {
            Some(url) => Ok(Self { process, url }),
            None => {
                let status = process.wait()?;
                bail!("the server did not start ({status}); it says why above")
            }
        }
    }

    /// Returns the process that the server started for the function.
    fn function_process(&self) -> anyhow::Result<Pid> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id()))?.flatten();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let pids: Vec<Pid> = children
            .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
            .filter_map(Pid::from_raw)
            .collect();
        pids.last().copied().context("the function has no process")
    }

    fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    fn stop(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A demo that fails half-way leaves no server behind; one that was stopped is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns a runtime that the machine has a Python for; if it has none, the first one, which is installed then.
async fn python(data: &Path, runtimes: &Path) -> Runtime {
    let mut config = Config::new(data);
    config.runtimes = Some(runtimes.to_owned());
    let here = everstep_server::runtimes::of(&config);
    for runtime in [Runtime::Python311, Runtime::Python312, Runtime::Python313, Runtime::Python314] {
        if let Availability::Machine(_) | Availability::Installed(_) = here.status(runtime).await.interpreter {
            return runtime;
        }
    }
    Runtime::Python311
}

async fn create_function(client: &Client, zip: &str, runtime: Runtime) -> anyhow::Result<()> {
    let request = json!({
        "FunctionName": "order-workflow",
        "Runtime": runtime.id(),
        "Handler": "order_workflow.handler",
        "Role": "arn:aws:iam::123456789012:role/everstep",
        "Timeout": 60,
        "DurableConfig": {"ExecutionTimeout": 600, "RetentionPeriodInDays": 1},
        "LoggingConfig": {"LogFormat": "JSON"},
        "Environment": {"Variables": {"DEMO_WAIT_SECONDS": WAIT_SECONDS.to_string()}},
        "Code": {"ZipFile": zip},
    });
    client.send("POST", "/2015-03-31/functions", &[], request.to_string().into_bytes()).await?;
    Ok(())
}

/// Calls `look` until it finds something.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        ensure!(begun.elapsed() < PATIENCE, "gave up waiting for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Reads what the workflow noted in its function's log.
async fn journal(client: &Client) -> anyhow::Result<Vec<String>> {
    let events = logs::of_group(client, "/aws/lambda/order-workflow").await?;
    let messages = events.iter().filter_map(|event| event["message"].as_str());
    Ok(messages.filter_map(|message| Some(message.trim().strip_prefix("journal: ")?.to_owned())).collect())
}

fn count(journal: &[String], what: &str) -> usize {
    journal.iter().filter(|line| *line == what).count()
}

async fn journal_has(client: &Client, what: &str) -> anyhow::Result<()> {
    until(what, async || Ok((count(&journal(client).await?, what) > 0).then_some(()))).await
}

/// Waits until the execution sleeps after an event of this type: nothing runs, and the history says so.
async fn sleeps_after(client: &Client, arn: &str, event_type: &str) -> anyhow::Result<Vec<Value>> {
    until(event_type, async || {
        let (execution, events) = read(client, arn).await?;
        ensure!(execution["Status"] == "RUNNING", "the execution ended early: {execution}");
        let asleep = events.last().is_some_and(|event| event["EventType"] == "InvocationCompleted");
        let happened = events.iter().any(|event| event["EventType"] == event_type);
        Ok((asleep && happened).then_some(events))
    })
    .await
}

/// Waits for the viewer to approve, and does it for them after a while.
async fn approve(client: &Client, arn: &str, callback_id: &str, patience: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let (_, events) = read(client, arn).await?;
        if open_callbacks(&events).is_empty() {
            note("approved by the viewer");
            return Ok(());
        }
        if begun.elapsed() >= patience {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let path = format!("/2025-12-01/durable-execution-callbacks/{}/succeed", crate::client::escaped(callback_id));
    client.send("POST", &path, &[], b"\"yes, says the demo\"".to_vec()).await?;
    note("approved by the demo");
    Ok(())
}

async fn finished(client: &Client, arn: &str) -> anyhow::Result<(Value, Vec<Value>)> {
    until("the end", async || {
        let (execution, events) = read(client, arn).await?;
        Ok((execution["Status"] != "RUNNING").then_some((execution, events)))
    })
    .await
}

/// Checks and prints what the demo claims.
fn prove(journal: &[String], execution: &Value, events: &[Value]) -> anyhow::Result<()> {
    let lost = events.iter().filter(|event| !event["InvocationCompletedDetails"]["Error"].is_null()).count();
    let claims = [
        (
            "`summarise` was killed and ran again: two starts, one end",
            count(journal, "start summarise") == 2 && count(journal, "end summarise") == 1,
        ),
        (
            "`reserve` and `persist` were checkpointed and ran once",
            count(journal, "start reserve") == 1 && count(journal, "start persist") == 1,
        ),
        ("the killed invocation is in the history, once", lost == 1),
        ("the history has one result", execution["Status"] == "SUCCEEDED" && ends(events) == 1),
    ];
    for (claim, holds) in claims {
        println!("   {} {claim}", if holds { "✓" } else { "✗" });
    }
    println!("\nthe journal of the steps:");
    journal.iter().for_each(|line| println!("   {line}"));
    ensure!(claims.iter().all(|(_, holds)| *holds), "the proof fails: status {}", execution["Status"]);
    Ok(())
}

fn ends(events: &[Value]) -> usize {
    events.iter().filter(|event| event["EventType"] == "ExecutionSucceeded").count()
}
