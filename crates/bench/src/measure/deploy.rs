//! Deploying: a large stack in one go, and a small one again and again.

use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use everstep_client::{Client, Request};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::figure::{Figures, Unit};
use crate::process;
use crate::server::Server;

use super::Context;

/// Functions of the large stack.
const FUNCTIONS: usize = 80;

/// Functions of the stack that is deployed again and again.
const FUNCTIONS_AGAIN: usize = 5;

/// What is known of deleted stacks is kept of so many: room that is taken once. Before the growth is measured it is taken.
const WARM_UP: usize = 52;

/// Bytes that no function shares with another.
const CODE_BYTES: usize = 100_000;

/// How often to ask whether something is done.
const PAUSE: Duration = Duration::from_millis(20);

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

const BUCKET: &str = "artifacts";

const MEBIBYTE: f64 = 1024.0 * 1024.0;

pub(super) async fn run(run: &Context) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = run.data("deploy");
    let server = run.binary.start(&data).await?;
    put(&server.client, "", Vec::new()).await?;
    for number in 0..FUNCTIONS {
        put(&server.client, &number.to_string(), code(number)?).await?;
    }

    let before = server.usage()?;
    let created = create(&server.client, FUNCTIONS).await?;
    let after = server.usage()?;
    let deleted = delete(&server.client).await?;
    figures.add("deploy/80/seconds", "80 functions: deployed, in seconds", created.as_secs_f64(), Unit::Plain);
    let cpu = (after.cpu - before.cpu).as_secs_f64();
    figures.add("deploy/80/cpu", "80 functions: server CPU, in seconds", cpu, Unit::Plain);
    figures.add("deploy/80/deleted", "80 functions: deleted again, in seconds", deleted.as_secs_f64(), Unit::Plain);

    again(&server, WARM_UP).await?;
    swept(&data).await?;
    server.stop().await?;
    let disk_before = disk_bytes(&data)?;
    let server = run.binary.start(&data).await?;
    again(&server, WARM_UP / 4).await?;
    let memory_before = process::resident_bytes(server.pid)?;
    let rounds = run.pick(100, 20);
    let begin = Instant::now();
    again(&server, rounds).await?;
    let taken = begin.elapsed();
    let memory_after = process::resident_bytes(server.pid)?;
    swept(&data).await?;
    server.stop().await?;
    let disk_after = disk_bytes(&data)?;

    let per_round = |before: u64, after: u64| (after as f64 - before as f64) / rounds as f64;
    let title = |what: &str| format!("{FUNCTIONS_AGAIN} functions, deployed and deleted {rounds} times: {what}");
    figures.add("deploy/again/round", title("a round"), taken.as_secs_f64() * 1e3 / rounds as f64, Unit::Millis);
    figures.add("deploy/again/memory", title("resident at the end"), memory_after as f64 / MEBIBYTE, Unit::Mebibytes);
    let growth = per_round(memory_before, memory_after) / MEBIBYTE;
    figures.add("deploy/again/memory-growth", title("resident, growth of a round"), growth, Unit::Mebibytes);
    figures.add("deploy/again/disk", title("on disk at the end"), disk_after as f64 / MEBIBYTE, Unit::Mebibytes);
    let growth = per_round(disk_before, disk_after) / MEBIBYTE;
    figures.add("deploy/again/disk-growth", title("on disk, growth of a round"), growth, Unit::Mebibytes);
    std::fs::remove_dir_all(&data)?;
    figures.note(format!(
        "Functions are `AWS::Serverless::Function` with code of their own ({} kB, from a bucket), a role of their own, and a version and an \
         alias by `AutoPublishAlias`. Time is from `CreateStack` to the first `DescribeStacks` that says that it is done, asked every {} ms.",
        CODE_BYTES / 1_000,
        PAUSE.as_millis()
    ));
    figures.note(
        "On disk is what the data directory holds after the server has ended; the artifacts in the bucket, and what is told of the last 50 \
         deleted stacks, are there before and after.",
    );
    Ok(figures)
}

/// Deploys the small stack and deletes it, so many times.
async fn again(server: &Server, rounds: usize) -> anyhow::Result<()> {
    for _ in 0..rounds {
        create(&server.client, FUNCTIONS_AGAIN).await?;
        delete(&server.client).await?;
    }
    Ok(())
}

async fn create(client: &Client, functions: usize) -> anyhow::Result<Duration> {
    let body = template(functions).to_string();
    let form = [
        ("StackName", "deployed"),
        ("TemplateBody", &body),
        ("Capabilities.member.1", "CAPABILITY_IAM"),
        ("Capabilities.member.2", "CAPABILITY_AUTO_EXPAND"),
    ];
    change(client, "CreateStack", &form, "CREATE_COMPLETE").await
}

async fn delete(client: &Client) -> anyhow::Result<Duration> {
    change(client, "DeleteStack", &[("StackName", "deployed")], "DELETE_COMPLETE").await
}

/// Asks for a change of the stack and waits until it is made.
async fn change(client: &Client, action: &str, form: &[(&str, &str)], expected: &str) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    ask(client, action, form).await?;
    loop {
        // By its name only a stack is found that is there.
        let status = match ask(client, "DescribeStacks", &[("StackName", "deployed")]).await {
            Ok(answer) => answer["Stacks"][0]["StackStatus"].as_str().context("a stack has a status")?.to_string(),
            Err(_) if expected == "DELETE_COMPLETE" => expected.to_string(),
            Err(error) => return Err(error),
        };
        if status == expected {
            return Ok(begin.elapsed());
        }
        ensure!(status.ends_with("_IN_PROGRESS"), "the stack is {status}");
        ensure!(begin.elapsed() < PATIENCE, "the stack is still {status}");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn ask(client: &Client, action: &str, form: &[(&str, &str)]) -> anyhow::Result<Value> {
    let form = form.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    client.query("cloudformation", "2010-05-15", action, &form).await
}

fn template(functions: usize) -> Value {
    let function = |number: usize| {
        let properties = json!({
            "CodeUri": {"Bucket": BUCKET, "Key": number.to_string()},
            "Handler": "app.handler",
            "Runtime": "python3.13",
            "AutoPublishAlias": "live",
        });
        (format!("F{number}"), json!({"Type": "AWS::Serverless::Function", "Properties": properties}))
    };
    let resources: HashMap<String, Value> = (0..functions).map(function).collect();
    json!({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources})
}

/// Makes a package that is like no other and does not become smaller.
fn code(number: usize) -> anyhow::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("app.py", SimpleFileOptions::default())?;
    zip.write_all(b"def handler(event, context):\n    return event\n")?;
    zip.start_file("data", SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored))?;
    zip.write_all(&number.to_le_bytes().repeat(CODE_BYTES / size_of::<usize>()))?;
    Ok(zip.finish()?.into_inner())
}

/// Puts an object into the bucket; without a key, makes the bucket.
async fn put(client: &Client, key: &str, body: Vec<u8>) -> anyhow::Result<()> {
    let path = format!("/{BUCKET}/{key}");
    let request = Request { method: "PUT", path: path.trim_end_matches('/'), headers: &[], body };
    let status = client.exchange("s3", request).await?.status;
    ensure!(status == 200, "cannot put `{path}`: status {status}");
    Ok(())
}

/// Waits until the code of what is deleted is deleted.
async fn swept(data: &Path) -> anyhow::Result<()> {
    let begin = Instant::now();
    while std::fs::read_dir(data.join("code"))?.count() > 0 {
        if begin.elapsed() > PATIENCE {
            bail!("code of functions that are deleted is still there");
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Returns what the files below a directory come to.
fn disk_bytes(directory: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { disk_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
