//! What becomes of processes whose server is killed without a chance to end them.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use everstep_worker::sandbox::{Isolation, Sandbox};
use support::{Code, World, lives, until};

/// The server of the next test, in a process of its own: says which processes it has, then waits to be killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by `idle_processes_end_when_their_server_is_killed`"]
async fn server() {
    let world = World::new();
    let python = Code::python("import os\ndef handler(event, context): return os.getpid()\n");
    let node = Code::node("export const handler = async () => process.pid;\n");
    let busy = Code::node(
        "export const handler = () => new Promise(() => { console.log('busy', process.pid); setInterval(() => {}, 1000) });\n",
    );
    let slot = world.supervisor.acquire(&busy.function).await.unwrap();
    let (_, ()) = tokio::join!(slot.invoke(support::invocation("1")), async {
        until("it is busy", || world.logs.text().contains("busy")).await;
        let line = world.logs.lines().into_iter().find(|line| line.contains("busy")).unwrap();
        let busy = line.rsplit(' ').next().unwrap().to_owned();
        println!("says {} {} {busy}", world.value(&python, "1").await, world.value(&node, "1").await);
    });
}

/// The same with a launcher, and functions that are busy and never look up: says how long they sleep.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by `busy_processes_end_when_their_server_is_killed`"]
async fn server_with_launcher() {
    let rooms = World::with_rooms(|_| {}).await;
    let plain = Sandbox::open(support::launcher(), Isolation::Off).await.unwrap();
    let plain = World::with(|config| config.sandbox = Arc::new(plain));
    let busy = Code::python("import subprocess\ndef handler(event, context): subprocess.run(['sleep', str(event)])\n");
    let alone = Code::python("import os\ndef handler(event, context): os.execlp('sleep', 'sleep', str(event))\n");
    let [in_room, in_plain] = [support::own_seconds(), support::own_seconds() + 1];
    let (first, second) = (in_room.to_string(), in_plain.to_string());
    tokio::join!(rooms.invoke(&busy, &first), plain.invoke(&alone, &second), async {
        until("both are busy", || support::sleeps(in_room) && support::sleeps(in_plain)).await;
        println!("says {in_room} {in_plain}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_processes_end_when_their_server_is_killed() {
    let (mut server, sleeps) = start("server_with_launcher");
    assert!(sleeps.len() == 2 && sleeps.iter().all(|seconds| support::sleeps(*seconds)), "{sleeps:?}");
    server.kill().unwrap();
    server.wait().unwrap();
    until("they are gone", || !sleeps.iter().any(|seconds| support::sleeps(*seconds))).await;
}

/// Runs a test as a server of its own until it has said its numbers.
fn start(test: &str) -> (Child, Vec<u64>) {
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    // The harness may have begun the line.
    let said = lines.find_map(|line| line.split_once("says ").map(|(_, said)| said.to_owned()));
    let said = said.expect("the server says its numbers");
    (server, said.split(' ').map(|number| number.parse().unwrap()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_processes_end_when_their_server_is_killed() {
    let (mut server, pids) = start("server");
    assert!(pids.len() == 3 && pids.iter().all(|pid| lives(*pid)), "{pids:?}");
    server.kill().unwrap();
    server.wait().unwrap();
    until("they are gone", || !pids.iter().any(|pid| lives(*pid))).await;
}
