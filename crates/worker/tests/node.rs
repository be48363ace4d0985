//! Node.js functions in real processes. The first run installs Node.js 22 from npm if the machine has none.

mod support;

use everstep_worker::{FailureKind, LogFormat, Runtime};
use serde_json::{Value, json};
use support::{Code, World, invocation, until};

fn files(handler: &str, files: &[(&str, &str)]) -> Code {
    Code::new(Runtime::Nodejs22, handler, files)
}

/// Invokes once, and compares the response.
async fn check(code: Code, event: &str, expected: Value) {
    let world = World::new();
    assert_eq!(world.value(&code, event).await, expected);
    world.supervisor.shutdown().await;
}

/// Invokes code that must fail, and compares kind and type; the message must contain the words.
async fn check_failure(code: Code, event: &str, kind: FailureKind, error_type: &str, words: &str) {
    let world = World::new();
    let failure = world.failure(&code, event).await;
    assert_eq!((failure.kind, failure.error_type.as_str()), (kind, error_type), "{failure}\n{}", world.logs.text());
    assert!(failure.error_message.contains(words), "{failure}");
    world.supervisor.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn second_invocation_uses_the_same_process() {
    let world = World::new();
    let code = Code::node("let count = 0; export const handler = async (event) => [process.pid, ++count, event];\n");
    let first = world.value(&code, r#"{"a": "é\u0000"}"#).await;
    assert_eq!(first, json!([first[0], 1, {"a": "é\u{0}"}]));
    assert_eq!(world.value(&code, "null").await, json!([first[0], 2, null]));
    assert_eq!(world.logs.streams().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_are_found_in_every_kind_of_module() {
    let common = "exports.handler = async () => 'ok'; exports.deep = { er: exports.handler };\n";
    let modern = "export const handler = async () => 'ok'; export const deep = { er: handler };\n";
    let awaiting = "const ok = await Promise.resolve('ok'); export const handler = async () => ok;\n";
    let package = ("package.json", r#"{"type": "module"}"#);
    check(files("index.handler", &[("index.js", common)]), "1", json!("ok")).await;
    check(files("index.handler", &[("index.cjs", common)]), "1", json!("ok")).await;
    check(files("index.handler", &[("index.mjs", modern)]), "1", json!("ok")).await;
    check(files("index.deep.er", &[("index.mjs", modern)]), "1", json!("ok")).await;
    check(files("src/app.handler", &[("src/app.js", common)]), "1", json!("ok")).await;
    check(files("src/app.handler", &[("src/app.js", modern), package]), "1", json!("ok")).await;
    check(files("index.handler", &[("index.js", modern)]), "1", json!("ok")).await;
    check(files("index.handler", &[("index.js", awaiting)]), "1", json!("ok")).await;
    check(files("index.handler", &[("index.mjs", awaiting)]), "1", json!("ok")).await;
    check(files("index.handler", &[("index/index.js", common)]), "1", json!("ok")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_answer_works() {
    let node = |body: &str| Code::node(&format!("export const handler = {body};\n"));
    check(node("async () => undefined"), "1", json!(null)).await;
    check(node("(event) => event + 1"), "1", json!(2)).await;
    check(node("() => {}"), "1", json!(null)).await;
    check(node("(event, context, callback) => { setTimeout(() => callback(null, event), 5); }"), "1", json!(1)).await;
    check(node("(event, context) => { context.succeed(event); }"), "1", json!(1)).await;
    check(node("(event, context) => { context.done(null, event); }"), "1", json!(1)).await;
    check(node("(event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1000); callback(null, event); }"), "1", json!(1)).await;
    check(node("(event, context, callback) => { globalThis.late = 0; setTimeout(() => { console.log('late') }, 20); callback(null, event); }"), "1", json!(1)).await;
    check(node("(event) => ({ then(resolve) { resolve(event) } })"), "1", json!(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_fail_is_reported() {
    use FailureKind::{Exit, Handler, Init};
    let node = |body: &str| Code::node(&format!("export const handler = {body};\n"));
    check_failure(node("async () => { throw new TypeError('bad') }"), "1", Handler, "TypeError", "bad").await;
    check_failure(node("() => { throw new TypeError('bad') }"), "1", Handler, "TypeError", "bad").await;
    check_failure(node("async () => { throw 'text' }"), "1", Handler, "string", "text").await;
    check_failure(node("async () => { throw undefined }"), "1", Handler, "undefined", "undefined").await;
    check_failure(
        node("(event, context, callback) => { callback(new RangeError('late')) }"),
        "1",
        Handler,
        "RangeError",
        "late",
    )
    .await;
    check_failure(node("(event, context) => { context.fail('text') }"), "1", Handler, "string", "text").await;
    check_failure(node("async () => 1n"), "1", Handler, "Runtime.MarshalError", "BigInt").await;
    check_failure(node("async () => 1"), "not json", Handler, "Runtime.UnmarshalError", "parse").await;
    check_failure(node("() => new Promise(() => {})"), "1", Handler, "Runtime.NodeJsExit", "never settled").await;
    check_failure(
        node("() => new Promise(() => { setTimeout(() => { throw new Error('loose') }, 5) })"),
        "1",
        Handler,
        "Error",
        "loose",
    )
    .await;
    check_failure(
        node("() => new Promise(() => { Promise.reject(new Error('loose')); setTimeout(() => {}, 5000) })"),
        "1",
        Handler,
        "Runtime.UnhandledPromiseRejection",
        "loose",
    )
    .await;
    check_failure(node("async () => process.exit(3)"), "1", Exit, "Runtime.ExitError", "exit status 3").await;
    check_failure(node("async () => process.abort()"), "1", Exit, "Runtime.ExitError", "signal: aborted").await;
    check_failure(files("index.handler", &[]), "1", Init, "Runtime.ImportModuleError", "Cannot find module").await;
    check_failure(Code::node("import 'nosuchmodule'"), "1", Init, "Runtime.ImportModuleError", "nosuchmodule").await;
    check_failure(
        files("index.handler", &[("index.js", "require('nosuchmodule')")]),
        "1",
        Init,
        "Runtime.ImportModuleError",
        "Error: Cannot find module 'nosuchmodule'",
    )
    .await;
    check_failure(Code::node("export const handler = ("), "1", Init, "Runtime.UserCodeSyntaxError", "SyntaxError: ")
        .await;
    check_failure(
        files("index.missing", &[("index.js", "")]),
        "1",
        Init,
        "Runtime.HandlerNotFound",
        "index.missing is undefined or not exported",
    )
    .await;
    check_failure(files("index", &[("index.js", "")]), "1", Init, "Runtime.MalformedHandlerName", "Bad handler").await;
    check_failure(Code::node("throw new Error('at the top')"), "1", Init, "Error", "at the top").await;
    check_failure(Code::node("await new Promise(() => {})"), "1", Exit, "Runtime.ExitError", "exit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn process_goes_on_after_an_error_and_has_its_trace() {
    let world = World::new();
    let code = Code::node(
        "export const handler = async (event) => { if (event) throw new Error('two\\nlines'); return 'fine'; };\n",
    );
    let failure = world.failure(&code, "1").await;
    assert!(failure.stack_trace.iter().any(|line| line.contains("index.mjs:1:")), "{:?}", failure.stack_trace);
    assert_eq!(world.value(&code, "0").await, "fine");
    assert_eq!(world.keys.issued(), 1);
    let line = world.logs.lines().into_iter().find(|line| line.contains("Invoke Error")).unwrap();
    assert!(
        line.contains("\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"two\\nlines\",\"stack\":["),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn error_between_two_invocations_ends_the_process() {
    let world = World::new();
    let code = Code::node(
        "export const handler = async () => { setTimeout(() => { throw new Error('stray') }, 5); return 1; };\n",
    );
    assert_eq!(world.value(&code, "1").await, 1);
    until("the process is gone", || world.supervisor.processes() == 0).await;
    assert!(world.logs.text().contains("stray"));
}

#[tokio::test(flavor = "multi_thread")]
async fn context_has_all_members() {
    let world = World::new();
    let code = Code::node(
        "export const handler = async (event, context) => ({ ...context, left: context.getRemainingTimeInMillis() > 50000,\n\
         methods: [typeof context.done, typeof context.succeed, typeof context.fail], trace: process.env._X_AMZN_TRACE_ID });\n",
    );
    let mut invocation = invocation("{}");
    invocation.client_context = Some(r#"{"custom":{"a":"ü"}}"#.into());
    invocation.tenant_id = Some("tenant-1".into());
    let (id, trace) = (invocation.request_id.clone(), invocation.trace_id.clone());
    let outcome = world.supervisor.acquire(&code.function).await.unwrap().invoke(invocation).await;
    let got: Value = serde_json::from_slice(&outcome.result.unwrap()).unwrap();
    let stream = world.logs.streams().into_iter().next().unwrap();
    let expected = json!({"callbackWaitsForEmptyEventLoop": true, "functionVersion": "$LATEST", "functionName": "demo", "memoryLimitInMB": "256",
        "logGroupName": "/aws/lambda/demo", "logStreamName": stream, "clientContext": {"custom": {"a": "ü"}},
        "invokedFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:demo:live", "awsRequestId": id, "tenantId": "tenant-1",
        "left": true, "methods": ["function", "function", "function"], "trace": trace});
    assert_eq!(got, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_log_has_time_request_and_level() {
    let world = World::new();
    let code = Code::node(
        "console.log('loading');\n\
         export const handler = async (event) => {\n\
         \x20 console.log('out %s', 'x', event);\n\
         \x20 console.error('two\\nlines');\n\
         \x20 process.stdout.write('raw\\n');\n\
         \x20 for (const level of ['debug', 'info', 'warn', 'trace']) console[level](level);\n\
         };\n",
    );
    world.value(&code, r#"{"a": 1}"#).await;
    let lines = world.logs.lines();
    let fields: Vec<Vec<&str>> = lines.iter().map(|line| line.split('\t').collect()).collect();
    assert_eq!(fields[1][1..], ["undefined", "INFO", "loading"]);
    assert_eq!(fields[3][2..], ["INFO", "out x { a: 1 }"]);
    assert_eq!(fields[4][2..], ["ERROR", "two\nlines"]);
    assert_eq!(fields[5], ["raw"]);
    let levels: Vec<&str> = fields[6..10].iter().map(|fields| fields[2]).collect();
    assert_eq!(levels, ["DEBUG", "INFO", "WARN", "TRACE"]);
    assert!(lines[3].contains("Z\t00000000-0000-4000-8000-"), "{}", lines[3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_log_keeps_objects_and_lines_that_are_json_already() {
    let world = World::new();
    let text = "import { Console } from 'node:console';\n\
        export const handler = async (event) => {\n\
        \x20 console.debug('hidden');\n\
        \x20 console.log('out %s', 'x');\n\
        \x20 console.info({ orderId: 7, error: new TypeError('inner') });\n\
        \x20 console.error('failed', new RangeError('outer'));\n\
        \x20 const circle = {}; circle.circle = circle; console.log(circle); console.log(1n);\n\
        \x20 new Console(process.stdout).log(JSON.stringify({ message: 'own', executionArn: 'arn:x' }));\n\
        };\n";
    let code = Code::with(Runtime::Nodejs22, "index.handler", &[("index.mjs", text)], |function| {
        function.log_format = LogFormat::Json;
        function.log_level = Some("INFO".into());
    });
    world.value(&code, "{}").await;
    let records = world.logs.records("message");
    let [out, object, failed, circle, big, own] = &records[..] else { panic!("{records:#?}") };
    assert_eq!((&out["message"], &out["level"]), (&json!("out x"), &json!("INFO")));
    assert!(out["requestId"].is_string() && out["timestamp"].is_string());
    assert_eq!(object["message"]["orderId"], 7);
    assert_eq!(object["message"]["error"]["errorType"], "TypeError");
    assert_eq!((&failed["errorType"], &failed["errorMessage"]), (&json!("RangeError"), &json!("outer")));
    assert!(circle["message"].as_str().unwrap().contains("Circular"), "{circle}");
    assert_eq!(big["message"], "1n");
    assert_eq!(own, &json!({"message": "own", "executionArn": "arn:x"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_events_and_responses_pass_whole() {
    let world = World::new();
    let code = Code::node(
        "export const handler = async (event) => typeof event === 'number' ? 'x'.repeat(event - 2) : event;\n",
    );
    let max = everstep_worker::limits::RESPONSE_BYTES_MAX;
    let outcome = world.invoke(&code, &max.to_string()).await;
    assert_eq!(outcome.result.unwrap().len(), max);
    let failure = world.failure(&code, &(max + 1).to_string()).await;
    assert_eq!(failure.error_type, "Function.ResponseSizeTooLarge");
    let event = json!("é".repeat(2_000_000));
    assert_eq!(world.value(&code, &event.to_string()).await, event);
    assert_eq!(world.keys.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_kinds_of_module_find_packages_on_the_node_path_last() {
    let package =
        |name: &str, text: &str| (format!("{name}/package.json"), format!("{name}/index.js"), text.to_owned());
    let (manifest, index, text) = package("shared/node_modules/fallback", "exports.from = 'path';");
    let (own_manifest, own_index, own_text) = package("node_modules/both", "exports.from = 'own';");
    let (other_manifest, other_index, other_text) = package("shared/node_modules/both", "exports.from = 'path';");
    let check = async |name: &str, text_of_handler: &str| {
        let world = World::new();
        let all = [
            (name, text_of_handler),
            (&manifest, "{}"),
            (&index, &text),
            (&own_manifest, "{}"),
            (&own_index, &own_text),
            (&other_manifest, "{}"),
            (&other_index, &other_text),
        ];
        let code = Code::with(Runtime::Nodejs22, "index.handler", &all, |function| {
            let path = function.code_dir.join("shared/node_modules").to_str().unwrap().to_owned();
            function.environment.insert("NODE_PATH".into(), path);
        });
        assert_eq!(world.value(&code, "1").await, json!(["path", "own"]), "{name}");
    };
    check(
        "index.mjs",
        "import a from 'fallback'; import b from 'both'; export const handler = async () => [a.from, b.from];\n",
    )
    .await;
    check(
        "index.js",
        "const a = require('fallback'), b = require('both'); exports.handler = async () => [a.from, b.from];\n",
    )
    .await;
}
