//! Custom runtimes, and what the Runtime API answers to runtimes that misbehave.

mod support;

use everstep_worker::{FailureKind, Runtime};
use serde_json::json;
use support::{Code, World, invocation, until};

/// A runtime in Python: `next()` and `post()`, then the test's own lines.
const PRELUDE: &str = r#"#!/usr/bin/env python3
import http.client, json, os, sys
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, headers={}):
    api.request(method, path, body, headers)
    answer = api.getresponse()
    return answer.status, answer.headers, answer.read()
def next():
    status, headers, body = call("GET", "/2018-06-01/runtime/invocation/next")
    return headers["Lambda-Runtime-Aws-Request-Id"], body
def post(id, body, kind="response", headers={}):
    return call("POST", f"/2018-06-01/runtime/invocation/{id}/{kind}", body, headers)
"#;

fn bootstrap(lines: &str) -> Code {
    Code::new(Runtime::ProvidedAl2023, "anything", &[("bootstrap", &format!("{PRELUDE}{lines}"))])
}

#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_of_the_code_is_run() {
    let world = World::new();
    let code = bootstrap(
        "while True:\n    id, body = next()\n    post(id, json.dumps([os.environ['_HANDLER'], json.loads(body), os.getcwd() == os.environ['LAMBDA_TASK_ROOT'], 'AWS_EXECUTION_ENV' in os.environ]))\n",
    );
    assert_eq!(world.value(&code, "[1]").await, json!(["anything", [1], true, false]));
    assert_eq!(world.value(&code, "2").await, json!(["anything", 2, true, false]));
    assert_eq!(world.keys.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn code_without_a_bootstrap_fails_by_name() {
    let world = World::new();
    for files in [&[][..], &[("bootstrap", "\x7fELF nonsense")]] {
        let code = Code::new(Runtime::ProvidedAl2, "x", files);
        let failure = world.failure(&code, "{}").await;
        assert_eq!(
            (failure.kind, failure.error_type.as_str()),
            (FailureKind::Init, "Runtime.InvalidEntrypoint"),
            "{failure}"
        );
        assert!(failure.error_message.contains("/bootstrap"), "{failure}");
    }
    until("no process is left", || world.supervisor.processes() == 0).await;
    assert_eq!(world.keys.valid(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_calls_are_refused_and_do_no_harm() {
    let world = World::new();
    let code = bootstrap(
        r#"
got = [
    call("GET", "/")[0],
    call("POST", "/2018-06-01/runtime/invocation/next")[0],
    call("POST", "/2020-01-01/extension/register", "{}", {"Lambda-Extension-Name": "x"})[0],
    post("no-such-id", "early")[0],
]
id, body = next()
got += [
    call("GET", "/2018-06-01/runtime/invocation/next")[0],
    call("POST", "/2018-06-01/runtime/init/error", "{}")[0],
    post("no-such-id", "wrong")[0],
    post("../../next", "wrong")[0],
]
status, headers, answer = post("no-such-id", "wrong")
got.append(json.loads(answer)["errorType"])
got.append(post(id, json.dumps(got))[0])
got.append(post(id, "twice")[0])
id, body = next()
post(id, json.dumps(got))
next()
"#,
    );
    let first = world.value(&code, "1").await;
    assert_eq!(first, json!([404, 404, 403, 400, 403, 403, 400, 404, "InvalidRequestID"]));
    let second = world.value(&code, "2").await;
    assert_eq!(second, json!([404, 404, 403, 400, 403, 403, 400, 404, "InvalidRequestID", 202, 400]));
    assert_eq!(world.keys.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_taken_as_posted() {
    let world = World::new();
    let code = bootstrap(
        r#"
while True:
    id, body = next()
    post(id, *json.loads(body))
"#,
    );
    let check = async |event: &str, error_type: &str, payload: &str| {
        let failure = world.failure(&code, event).await;
        assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Handler, error_type));
        assert_eq!(failure.payload, payload);
    };
    let header = r#"{"Lambda-Runtime-Function-Error-Type": "Custom.Reason"}"#;
    check(
        r#"["{\"errorType\":\"T\",\"errorMessage\":\"m\",\"x\":1}", "error"]"#,
        "T",
        r#"{"errorType":"T","errorMessage":"m","x":1}"#,
    )
    .await;
    check(&format!(r#"["{{}}", "error", {header}]"#), "Custom.Reason", "{}").await;
    check(
        &format!(r#"["oops", "error", {header}]"#),
        "Custom.Reason",
        r#"{"errorMessage":"oops","errorType":"Custom.Reason"}"#,
    )
    .await;
    check(r#"["", "error"]"#, "Unhandled", r#"{"errorMessage":"","errorType":"Unhandled"}"#).await;
    assert_eq!(world.keys.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn streamed_responses_are_collected() {
    let world = World::new();
    let code = bootstrap(
        r#"
import socket
def stream(id, chunks, trailers=""):
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    raw = socket.create_connection((host, int(port)))
    head = f"POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nTrailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
    body = "".join(f"{len(chunk):x}\r\n{chunk}\r\n" for chunk in chunks)
    raw.sendall(f"{head}{body}0\r\n{trailers}\r\n".encode())
    raw.recv(1000)
id, body = next()
stream(id, ['"so', 'me"'])
id, body = next()
stream(id, ['"so'], "Lambda-Runtime-Function-Error-Type: Late.Error\r\nLambda-Runtime-Function-Error-Body: eyJlcnJvck1lc3NhZ2UiOiJsYXRlIn0=\r\n")
next()
"#,
    );
    assert_eq!(world.value(&code, "1").await, "some");
    let failure = world.failure(&code, "2").await;
    assert_eq!((failure.error_type.as_str(), failure.error_message.as_str()), ("Late.Error", "late"));
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_poll_does_not_lose_the_invocation() {
    let world = World::new();
    // The server closes its side when it has noticed.
    let code = bootstrap(
        r#"
import socket, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
for _ in range(3):
    raw = socket.create_connection((host, int(port)))
    raw.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n")
    raw.shutdown(socket.SHUT_WR)
    assert raw.recv(1) == b""
print("broken", flush=True)
while not os.path.exists("gate"): time.sleep(0.002)
id, body = next()
post(id, body)
next()
"#,
    );
    let slot = world.supervisor.acquire(&code.function).await.unwrap();
    until("the polls are broken", || world.logs.text().contains("broken")).await;
    let (outcome, ()) = tokio::join!(slot.invoke(invocation("[7]")), async {
        until("it has begun", || world.logs.text().contains("START RequestId")).await;
        std::fs::write(code.function.code_dir.join("gate"), "").unwrap();
    });
    assert_eq!(outcome.result.unwrap(), "[7]");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_and_a_flood_of_connections_do_no_harm() {
    let world = World::new();
    let code = bootstrap(
        r#"
import socket
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
for rubbish in (b"\x00\xff\r\n\r\n", b"GET", b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"):
    for _ in range(50):
        raw = socket.create_connection((host, int(port)))
        raw.sendall(rubbish)
        raw.close()
id, body = next()
post(id, body)
next()
"#,
    );
    assert_eq!(world.value(&code, "[7]").await, json!([7]));
}

#[tokio::test(flavor = "multi_thread")]
async fn outcome_does_not_wait_for_a_runtime_that_dallies() {
    let world = World::with(|config| config.settle_limit = std::time::Duration::from_millis(1));
    let code = bootstrap("id, body = next()\npost(id, body)\nimport time\ntime.sleep(1000)\n");
    assert_eq!(world.value(&code, "1").await, 1);
    assert_eq!(world.value(&code, "2").await, 2, "in another process");
    assert_eq!(world.keys.issued(), 2);
    world.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_after_the_answer_is_no_failure() {
    let world = World::new();
    let code = bootstrap("id, body = next()\npost(id, body)\nprint('after')\nsys.exit(1)\n");
    assert_eq!(world.value(&code, "1").await, 1);
    until("no process is left", || world.supervisor.processes() == 0).await;
    assert!(world.logs.lines().contains(&"after".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_output_is_no_busy_loop_and_no_failure() {
    let world = World::new();
    let code = bootstrap("os.close(1)\nos.close(2)\nwhile True:\n    id, body = next()\n    post(id, body)\n");
    assert_eq!(world.value(&code, "1").await, 1);
    assert_eq!(world.value(&code, "2").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_of_output_does_not_hold_up_the_timeout() {
    let world = World::new();
    let code = Code::with(
        Runtime::ProvidedAl2023,
        "x",
        &[("bootstrap", &format!("{PRELUDE}next()\nwhile True: os.write(1, b'x' * 1000 + b'\\n')\n"))],
        |function| function.timeout = std::time::Duration::from_millis(500),
    );
    let failure = world.failure(&code, "1").await;
    assert_eq!(failure.error_type, "Sandbox.Timedout");
}
