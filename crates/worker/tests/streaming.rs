//! Responses that are read while they are written.

mod support;

use everstep_worker::limits::{STREAM_PARTS_MAX, STREAMED_RESPONSE_BYTES_MAX};
use everstep_worker::{Outcome, Runtime, StreamPart, response_stream};
use support::{Code, World, invocation};

/// A runtime in Python that streams: `begin()`, `chunk()`, `end()`.
const PRELUDE: &str = r#"#!/usr/bin/env python3
import base64, http.client, json, os
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
api = http.client.HTTPConnection(host, int(port))
def next():
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    return answer.headers["Lambda-Runtime-Aws-Request-Id"], json.loads(answer.read())
def begin(id, mode="streaming"):
    api.putrequest("POST", f"/2018-06-01/runtime/invocation/{id}/response")
    api.putheader("Lambda-Runtime-Function-Response-Mode", mode)
    api.putheader("Content-Type", "text/event-stream")
    api.putheader("Transfer-Encoding", "chunked")
    api.endheaders()
def chunk(bytes):
    api.send(b"%x\r\n" % len(bytes) + bytes + b"\r\n")
def end(trailers=b""):
    api.send(b"0\r\n" + trailers + b"\r\n")
    answer = api.getresponse()
    return answer.status, answer.read()
"#;

fn bootstrap(lines: &str) -> Code {
    Code::new(Runtime::ProvidedAl2023, "anything", &[("bootstrap", &format!("{PRELUDE}{lines}"))])
}

/// Invokes and reads to the end. Returns the content type, if the response was streamed, and all of its body.
async fn stream(world: &World, code: &Code, event: &str) -> (Option<String>, Vec<u8>, Outcome) {
    let slot = world.supervisor.acquire(&code.function).await.expect("a process");
    let (parts, mut reader) = response_stream();
    let reading = async {
        let (mut head, mut body) = (None, Vec::new());
        while let Some(part) = reader.recv().await {
            match part {
                StreamPart::Head { content_type } => head = content_type,
                StreamPart::Chunk(bytes) => body.extend_from_slice(&bytes),
            }
        }
        (head, body)
    };
    let ((head, body), outcome) = tokio::join!(reading, slot.invoke_streaming(invocation(event), parts));
    (head, body, outcome)
}

/// Invokes a Node.js handler that streams, and compares what was read and the type of its error.
async fn check_node(world: &World, body: &str, head: Option<&str>, expected: &str, error_type: Option<&str>) {
    let code = Code::node(&format!("export const handler = awslambda.streamifyResponse({body});\n"));
    let (found, body, outcome) = stream(world, &code, r#"{"n": 1}"#).await;
    let failed = outcome.result.as_ref().err().map(|failure| failure.error_type.as_str());
    assert_eq!((found.as_deref(), failed), (head, error_type), "{}", world.logs.text());
    assert_eq!(String::from_utf8_lossy(&body), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_handlers_stream() {
    let world = World::new();
    let octets = Some("application/octet-stream");
    let paced = "async (event, stream) => {
        stream.write('a'); await new Promise((r) => setTimeout(r, 5)); stream.write(Buffer.from('b'));
        stream.write(''); stream.end(JSON.stringify(event)); }";
    check_node(&world, paced, octets, r#"ab{"n":1}"#, None).await;
    let later = "async (event, stream) => { setTimeout(() => stream.end('later'), 5); }";
    check_node(&world, later, octets, "later", None).await;
    check_node(&world, "async (event, stream) => { stream.write('open'); }", octets, "open", None).await;
    check_node(&world, "async () => {}", octets, "", None).await;
    let typed = "async (event, stream) => { stream.setContentType('text/plain'); stream.end('t'); }";
    check_node(&world, typed, Some("text/plain"), "t", None).await;
    let http = "async (event, stream) => {
        stream = awslambda.HttpResponseStream.from(stream, {statusCode: 201});
        stream.write('body'); stream.end(); }";
    let integration = Some("application/vnd.awslambda.http-integration-response");
    check_node(&world, http, integration, "{\"statusCode\":201}\0\0\0\0\0\0\0\0body", None).await;
    let pipeline = "async (event, stream) => {
        const { pipeline } = await import('node:stream/promises'); const { Readable } = await import('node:stream');
        await pipeline(Readable.from(['x', 'y', 'z']), stream); }";
    check_node(&world, pipeline, octets, "xyz", None).await;
    check_node(&world, "async () => { throw new RangeError('early'); }", None, "", Some("RangeError")).await;
    let late = "async (event, stream) => {
        await new Promise((r) => stream.write('half', r)); throw new RangeError('late'); }";
    check_node(&world, late, octets, "half", Some("RangeError")).await;
    check_node(&world, "() => new Promise(() => {})", None, "", Some("Runtime.NodeJsExit")).await;
    world.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn process_that_streamed_is_used_again_and_buffers_for_who_does_not_stream() {
    let world = World::new();
    let code = Code::node(
        "let count = 0; export const handler = awslambda.streamifyResponse(async (event, stream) => {
            if (event === 'fail') { await new Promise((r) => stream.write('half', r)); throw new RangeError('late'); }
            stream.end(JSON.stringify([++count, event])); });\n",
    );
    assert_eq!(world.value(&code, "1").await, serde_json::json!([1, 1]));
    assert_eq!(world.failure(&code, "\"fail\"").await.error_message, "late");
    assert_eq!(stream(&world, &code, "2").await.1, b"[2,2]");
    assert_eq!(stream(&world, &code, "\"fail\"").await.1, b"half");
    assert_eq!(world.value(&code, "3").await, serde_json::json!([3, 3]));
    assert_eq!(world.keys.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn function_that_does_not_stream_sends_nothing_ahead() {
    let world = World::new();
    let code = Code::node("export const handler = async (event) => event;\n");
    let (head, body, outcome) = stream(&world, &code, "[1]").await;
    assert_eq!((head, body), (None, Vec::new()));
    assert_eq!(outcome.result.unwrap(), "[1]");
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_runtime_streams_and_may_fail_half_way() {
    let world = World::new();
    let code = bootstrap(
        r#"
while True:
    id, event = next()
    begin(id)
    for n in range(event["chunks"]):
        chunk(b"<%d>" % n)
    end(b"".join(b"%s: %s\r\n" % (name.encode(), value.encode()) for name, value in event.get("trailers", {}).items()))
"#,
    );
    let (head, body, outcome) = stream(&world, &code, r#"{"chunks": 3}"#).await;
    assert_eq!((head.as_deref(), body.as_slice()), (Some("text/event-stream"), &b"<0><1><2>"[..]));
    assert_eq!(outcome.result.unwrap(), "");
    let document = "eyJlcnJvclR5cGUiOiJUIiwiZXJyb3JNZXNzYWdlIjoibSJ9";
    let event = format!(
        r#"{{"chunks": 1, "trailers": {{"Lambda-Runtime-Function-Error-Type": "Custom.Reason", "Lambda-Runtime-Function-Error-Body": "{document}"}}}}"#
    );
    let (_, body, outcome) = stream(&world, &code, &event).await;
    let failure = outcome.result.unwrap_err();
    assert_eq!((body.as_slice(), failure.error_type.as_str(), failure.error_message.as_str()), (&b"<0>"[..], "T", "m"));
    assert_eq!(world.keys.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn function_waits_for_a_slow_reader_and_goes_on_without_one() {
    let world = World::new();
    // More than the parts that may wait, the buffers of the connection, and one to spare.
    let code = bootstrap(
        r#"
import select
id, event = next()
begin(id)
api.sock.setblocking(False)
data = b"x" * 65536
sent = stalled = 0
def send(bytes):
    global stalled
    while bytes:
        try:
            bytes = bytes[api.sock.send(bytes):]
        except BlockingIOError:
            if not stalled:
                stalled = sent
                print("stalled", flush=True)
            select.select([], [api.sock], [])
for n in range(1024):
    send(b"%x\r\n" % len(data) + data + b"\r\n")
    sent += 1
api.sock.setblocking(True)
end()
print("sent", sent, stalled < 1024, flush=True)
next()
"#,
    );
    let slot = world.supervisor.acquire(&code.function).await.expect("a process");
    let (parts, mut reader) = response_stream();
    let invoked = tokio::spawn(slot.invoke_streaming(invocation("{}"), parts));
    assert!(matches!(reader.recv().await, Some(StreamPart::Head { .. })));
    support::until("the function waits", || world.logs.text().contains("stalled")).await;
    // It may have waited for a moment only before; the parts that may wait are never more.
    support::until("all that may wait does", || reader.len() == STREAM_PARTS_MAX).await;
    assert!(!world.logs.text().contains("sent 1024"), "it has not waited");
    drop(reader);
    assert!(invoked.await.unwrap().result.is_ok());
    assert!(world.logs.text().contains("sent 1024 True"), "{}", world.logs.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn streamed_response_holds_its_limit() {
    let world = World::new();
    let code = bootstrap(
        r#"
while True:
    id, size = next()
    begin(id)
    data = b"x" * 1048576
    while size:
        chunk(data[:size])
        size -= len(data[:size])
    end()
"#,
    );
    for (bytes, error_type) in
        [(STREAMED_RESPONSE_BYTES_MAX, None), (STREAMED_RESPONSE_BYTES_MAX + 1, Some("Function.ResponseSizeTooLarge"))]
    {
        let (_, body, outcome) = stream(&world, &code, &bytes.to_string()).await;
        assert!(body.len() as u64 <= STREAMED_RESPONSE_BYTES_MAX);
        assert_eq!(outcome.result.err().map(|failure| failure.error_type).as_deref(), error_type);
    }
}
