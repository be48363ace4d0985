//! What a function sees, may and cannot in a room of its own.

mod support;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use everstep_worker::{FailureKind, Runtime, Unavailable, limits};
use serde_json::{Value, json};
use support::{Code, World, sleeps, until};
use tempfile::TempDir;

/// Evaluates the expression that the event is.
const EVALUATE: &str =
    "import glob, os, signal, subprocess, sys, threading\ndef handler(event, context): return eval(event)\n";

/// Interpreters that are not shown in `/tmp`, wherever these tests are built: the shared ones, if they are elsewhere.
fn outside_tmp() -> (PathBuf, Option<TempDir>) {
    let shared = support::runtimes();
    if !shared.starts_with("/tmp") {
        return (shared, None);
    }
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    (directory.path().join("runtimes"), Some(directory))
}

/// Each row is a Python expression and what it must be in a room.
async fn check(rows: &[(&str, Value)]) {
    let (runtimes, _held) = outside_tmp();
    let world = World::with_rooms(|config| config.runtimes_dir = runtimes).await;
    let code = Code::python(EVALUATE);
    for (expression, expected) in rows {
        let found = world.value(&code, &json!(expression).to_string()).await;
        assert_eq!(found, *expected, "{expression}");
    }
    world.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn function_sees_what_lambda_shows_and_nothing_of_the_host() {
    check(&[
        ("os.getcwd()", json!("/var/task")),
        ("sorted(os.listdir('/var/task'))[0]", json!("app.py")),
        ("os.environ['LAMBDA_TASK_ROOT']", json!("/var/task")),
        ("os.path.exists(os.environ['LAMBDA_RUNTIME_DIR'] + '/bootstrap.py')", json!(true)),
        ("[os.environ['HOME'], os.environ['TMPDIR']]", json!(["/tmp", "/tmp"])),
        ("os.listdir('/tmp')", json!([])),
        ("open('/tmp/file', 'w').write('kept')", json!(4)),
        ("open('/tmp/file').read()", json!("kept")),
        ("'PYTHONPYCACHEPREFIX' in os.environ", json!(false)),
        // Only its own ancestors and itself.
        ("len(glob.glob('/proc/[0-9]*'))", json!(2)),
        ("os.getpid()", json!(2)),
        ("[path for path in ('/home', '/sys', '/boot', '/etc/shadow', '/srv', '/etc/ssl/private') if os.path.exists(path)]", json!([])),
        ("os.listdir('/dev/fd') == os.listdir('/proc/self/fd')", json!(true)),
        ("open('/dev/zero', 'rb').read(2) == bytes(2)", json!(true)),
        ("subprocess.run(['sh', '-c', 'exit 3']).returncode", json!(3)),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn function_can_change_nothing_but_tmp_and_gain_nothing() {
    let world = World::with_rooms(|_| {}).await;
    let code = Code::python(
        "import ctypes, os, resource\nlibc = ctypes.CDLL(None, use_errno=True)\ndef handler(event, context):\n    try:\n        found = eval(event)\n        return 'errno %d' % ctypes.get_errno() if found == -1 else repr(found)\n    except OSError as error:\n        return 'errno %d' % error.errno\n",
    );
    let (permission, access, read_only) = ("errno 1", "errno 13", "errno 30");
    for (expression, allowed) in [
        ("open('/var/task/app.py', 'a')", &[read_only, access][..]),
        ("open('/usr/new', 'w')", &[read_only, access]),
        ("open('/new', 'w')", &[read_only, access]),
        ("open('/etc/passwd', 'a')", &[read_only, access]),
        // Without root outside there is not even a number for it.
        ("os.setuid(0)", &[permission, "errno 22"]),
        ("os.chroot('/tmp')", &[permission]),
        ("libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None)", &[permission]),
        ("libc.umount2(b'/var/task', 0)", &[permission]),
        ("os.kill(1, 9)", &["None", permission]),
        ("os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))", &[permission]),
        ("resource.setrlimit(resource.RLIMIT_NOFILE, (9999, 9999))", &[permission]),
        ("open('/proc/1/environ').read()", &[access]),
        ("libc.unshare(0x10000000)", &[permission]),
        ("open('/proc/sys/kernel/hostname', 'w')", &[read_only, access]),
    ] {
        // `ValueError` is how Python words the refusal of a limit.
        let outcome = world.invoke(&code, &json!(expression).to_string()).await;
        let found = match outcome.result {
            Ok(body) => serde_json::from_slice::<String>(&body).unwrap(),
            Err(failure) if failure.error_message.contains("not allowed to raise") => permission.to_owned(),
            Err(failure) => panic!("{expression}: {failure}"),
        };
        assert!(allowed.contains(&found.as_str()), "{expression}: {found}");
    }
    world.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_at_their_number_and_not_before() {
    let (runtimes, _held) = outside_tmp();
    let world = World::with_rooms(|config| config.runtimes_dir = runtimes).await;
    let code = Code::with(
        Runtime::Python313,
        "app.handler",
        &[(
            "app.py",
            "import os, threading\ndef handler(event, context):\n    return globals()[event]()\n\ndef files():\n    held = []\n    try:\n        while True: held.append(os.open('/dev/null', os.O_RDONLY))\n    except OSError as error:\n        count = max(held) + 1\n        for file in held: os.close(file)\n        return [error.errno, count]\n\ndef processes():\n    gate, held = threading.Event(), []\n    try:\n        while True:\n            thread = threading.Thread(target=gate.wait)\n            thread.start()\n            held.append(thread)\n    except RuntimeError:\n        gate.set()\n        for thread in held: thread.join()\n        return len(held)\n\ndef tmp():\n    written = 0\n    try:\n        with open('/tmp/file', 'wb', buffering=0) as file:\n            while True: written += file.write(bytes(1 << 20))\n    except OSError as error:\n        os.remove('/tmp/file')\n        return [error.errno, written >> 20]\n\ndef inodes():\n    made = 0\n    try:\n        while True:\n            open('/tmp/%d' % made, 'w').close()\n            made += 1\n    except OSError as error:\n        return [error.errno, made]\n",
        )],
        |function| function.tmp_mb = 3,
    );
    let (too_many_files, no_space) = (24, 28);
    assert_eq!(world.value(&code, "\"files\"").await, json!([too_many_files, limits::OPEN_FILES_MAX]));
    assert_eq!(world.value(&code, "\"tmp\"").await, json!([no_space, 3]));
    // The root of the file system is a file too.
    assert_eq!(world.value(&code, "\"inodes\"").await, json!([no_space, limits::TMP_FILES_MAX - 1]));
    // Beside its main thread; where the room's init has the same user, it counts as well.
    let threads = world.value(&code, "\"processes\"").await.as_u64().unwrap();
    assert!((limits::FUNCTION_PROCESSES_MAX - 3..limits::FUNCTION_PROCESSES_MAX).contains(&threads), "{threads}");
    world.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_are_told_as_without_a_room() {
    let world = World::with_rooms(|_| {}).await;
    let code = Code::python("import os\ndef handler(event, context): eval(event)\n");
    for (expression, reason) in [
        ("os._exit(3)", "exit status 3"),
        ("os.kill(os.getpid(), 9)", "signal: killed"),
        ("os.abort()", "signal: aborted"),
        ("os.killpg(0, 9)", "signal: killed"),
    ] {
        let failure = world.failure(&code, &json!(expression).to_string()).await;
        assert!(
            failure.error_message.ends_with(&format!("Runtime exited with error: {reason}")),
            "{expression}: {failure}"
        );
        assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Exit, "Runtime.ExitError"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_cannot_be_executed_is_its_own_fault_and_missing_code_is_not() {
    let world = World::with_rooms(|_| {}).await;
    let empty = Code::new(Runtime::ProvidedAl2023, "h", &[("readme", "")]);
    let failure = world.failure(&empty, "{}").await;
    assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Init, "Runtime.InvalidEntrypoint"));
    let gone = Code::with(Runtime::ProvidedAl2023, "h", &[], |function| function.code_dir = "/nowhere".into());
    let refused = world.supervisor.acquire(&gone.function).await.err();
    assert!(
        matches!(&refused, Some(Unavailable::Failed(failure)) if failure.kind == FailureKind::Platform && failure.error_message.contains("/nowhere")),
        "{refused:?}"
    );
    until("nothing is left", || world.supervisor.processes() == 0).await;
    assert_eq!(world.keys.valid(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_and_custom_runtimes_live_in_rooms_too() {
    let world = World::with_rooms(|_| {}).await;
    let node = Code::node(
        "import fs from 'fs';\nexport const handler = async () => [process.cwd(), process.pid, fs.existsSync('/root/.cargo')];\n",
    );
    assert_eq!(world.value(&node, "{}").await, json!(["/var/task", 2, false]));
    let bootstrap = "#!/bin/sh\nwhile true; do\n  headers=$(mktemp)\n  curl -sS -D $headers -o /dev/null http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next\n  id=$(tr -d '\\r' < $headers | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p')\n  curl -sS -d \"\\\"$0 $PWD\\\"\" -o /dev/null http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response\ndone\n";
    let shell = Code::new(Runtime::ProvidedAl2023, "h", &[("bootstrap", bootstrap)]);
    assert_eq!(world.value(&shell, "{}").await, json!("/var/task/bootstrap /var/task"));
    world.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_left_its_group_ends_with_the_process() {
    let world = World::with_rooms(|config| config.idle_limit = Duration::from_millis(20)).await;
    // A daemon by the book: two forks, a session of its own.
    let code = Code::python(
        "import os, time\ndef handler(event, context):\n    if not os.fork():\n        os.setsid()\n        if os.fork(): os._exit(0)\n        os.execlp('sleep', 'sleep', str(event))\n    os.wait()\n    return os.getpid()\n",
    );
    let seconds = support::own_seconds();
    world.value(&code, &seconds.to_string()).await;
    until("no process is left", || world.supervisor.processes() == 0).await;
    assert!(!sleeps(seconds));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_may_lie_in_the_hosts_tmp() {
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let world = World::with_rooms(|config| config.runtimes_dir = directory.path().join("runtimes")).await;
    let code = Code::python(
        "import os, sys\ndef handler(event, context):\n    try: open(sys.argv[0], 'a')\n    except OSError as error: return error.errno in (13, 30)\n",
    );
    assert_eq!(world.value(&code, "{}").await, json!(true));
    world.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_reaches_the_runtime_api_of_a_function() {
    if !rustix::process::geteuid().is_root() {
        // Functions of a server without root have one user, and cannot be told apart by it.
        return;
    }
    let world = World::with_rooms(|_| {}).await;
    let victim = Code::python("import os\ndef handler(event, context): return os.environ['AWS_LAMBDA_RUNTIME_API']\n");
    let thief = Code::python(
        "import urllib.request\ndef handler(event, context):\n    try: return urllib.request.urlopen('http://%s/2018-06-01/runtime/invocation/next' % event).read().decode()\n    except OSError as error: return 'refused'\n",
    );
    let address = world.value(&victim, "{}").await;
    assert_eq!(world.value(&thief, &address.to_string()).await, "refused");
    assert_eq!(world.value(&victim, "{}").await, address);
    world.supervisor.shutdown().await;
}

/// The tests of this file, by a server that is not root: rooms are made of user namespaces then.
#[tokio::test(flavor = "multi_thread")]
async fn server_without_root_makes_rooms_as_well() {
    if !rustix::process::geteuid().is_root() {
        // Then all of the tests here have just shown it.
        return;
    }
    // Somewhere that another user can reach, and not in `/tmp`, which the tests look into.
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
    for (name, from) in [("tests", std::env::current_exe().unwrap()), ("launcher", support::launcher())] {
        std::fs::copy(from, directory.path().join(name)).unwrap();
    }
    let nobody = 65_534;
    let tests = Command::new(directory.path().join("tests"))
        .args(["function_", "limits_", "ends_are_told", "what_has_left"])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("TMPDIR", directory.path())
        .env(support::LAUNCHER, directory.path().join("launcher"))
        .env(support::RUNTIMES, directory.path().join("runtimes"))
        .current_dir(directory.path())
        .uid(nobody)
        .gid(nobody)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tests.stdout);
    assert!(tests.status.success() && said.contains("5 passed"), "{said}{}", String::from_utf8_lossy(&tests.stderr));
}
