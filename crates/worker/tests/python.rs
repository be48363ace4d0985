//! Python functions in real processes.

mod support;

use std::time::Duration;

use everstep_worker::{FailureKind, LogFormat, Runtime};
use serde_json::{Value, json};
use support::{Code, World, invocation, lives, until};

/// Invokes code that must fail, and compares kind and type; the message must contain the words.
async fn check_failure(code: &Code, event: &str, kind: FailureKind, error_type: &str, words: &str) {
    let world = World::new();
    let failure = world.failure(code, event).await;
    assert_eq!((failure.kind, failure.error_type.as_str()), (kind, error_type), "{failure}");
    assert!(failure.error_message.contains(words), "{failure}");
    let payload: Value = serde_json::from_slice(&failure.payload).unwrap();
    assert_eq!(payload["errorType"], error_type);
    assert_eq!(payload["errorMessage"], failure.error_message);
    world.supervisor.shutdown().await;
}

fn file(name: &str, handler: &str, text: &str) -> Code {
    Code::new(Runtime::Python313, handler, &[(name, text)])
}

#[tokio::test(flavor = "multi_thread")]
async fn second_invocation_uses_the_same_process() {
    let world = World::new();
    let code = Code::python(
        "import os\ncount = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return [os.getpid(), count, event]\n",
    );
    let first = world.value(&code, r#"{"a": "é\u0000"}"#).await;
    let second = world.value(&code, "null").await;
    assert_eq!(first, json!([first[0], 1, {"a": "é\u{0}"}]));
    assert_eq!(second, json!([first[0], 2, null]));
    assert_eq!(world.logs.streams().len(), 1);
    world.supervisor.shutdown().await;
    assert!(!lives(first[0].as_u64().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn handler_error_is_reported_and_the_process_goes_on() {
    let world = World::new();
    let code =
        Code::python("def handler(event, context):\n    if event: raise ValueError('bad \"é\"')\n    return 'fine'\n");
    let failure = world.failure(&code, "1").await;
    assert_eq!(failure.kind, FailureKind::Handler);
    assert_eq!(failure.error_type, "ValueError");
    assert_eq!(failure.error_message, "bad \"é\"");
    assert_eq!(failure.stack_trace.len(), 1, "only the function's own frames: {:?}", failure.stack_trace);
    assert!(failure.stack_trace[0].contains("app.py\", line 2, in handler"), "{:?}", failure.stack_trace);
    assert_eq!(world.value(&code, "0").await, "fine");
    assert_eq!(world.keys.issued(), 1);
    let logged = world.logs.text();
    assert!(logged.contains("[ERROR] ValueError: bad \"é\"\nTraceback (most recent call last):\n  File"), "{logged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_cannot_be_loaded() {
    use FailureKind::Init;
    let check = async |name: &str, handler: &str, text: &str, error_type: &str, words: &str| {
        check_failure(&file(name, handler, text), "{}", Init, error_type, words).await;
    };
    check(
        "app.py",
        "app.handler",
        "import nosuchmodule",
        "Runtime.ImportModuleError",
        "Unable to import module 'app': No module named 'nosuchmodule'",
    )
    .await;
    check("other.py", "app.handler", "", "Runtime.ImportModuleError", "No module named 'app'").await;
    check("app.py", "app.handler", "def handler(:\n", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'")
        .await;
    check("app.py", "app.missing", "", "Runtime.HandlerNotFound", "Handler 'missing' missing on module 'app'").await;
    check("app.py", "app", "", "Runtime.MalformedHandlerName", "Bad handler 'app'").await;
    check("app.py", "", "", "Runtime.MalformedHandlerName", "Bad handler ''").await;
    check("app.py", "app.handler", "1 / 0", "ZeroDivisionError", "division by zero").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn process_that_ends() {
    use FailureKind::{Exit, Handler};
    let code = Code::python(
        "import os, signal, sys\n\
         def handler(event, context):\n\
         \x20   print('last words')\n\
         \x20   if event == 'kill': os.kill(os.getpid(), signal.SIGKILL)\n\
         \x20   if event == 'sys': sys.exit(4)\n\
         \x20   if event == 'set': return {1}\n\
         \x20   os._exit(event)\n",
    );
    let id = "RequestId: 00000000-0000-4000-8000-";
    check_failure(&code, "1", Exit, "Runtime.ExitError", "Error: Runtime exited with error: exit status 1").await;
    check_failure(&code, "0", Exit, "Runtime.ExitError", "Error: Runtime exited without providing a reason").await;
    check_failure(&code, "\"kill\"", Exit, "Runtime.ExitError", "Error: Runtime exited with error: signal: killed")
        .await;
    check_failure(&code, "\"sys\"", Exit, "Runtime.ExitError", "exit status 4").await;
    check_failure(&code, "1", Exit, "Runtime.ExitError", id).await;
    check_failure(&code, "\"set\"", Handler, "Runtime.MarshalError", "Unable to marshal response: Object of type set")
        .await;
    check_failure(&code, "not json", Handler, "Runtime.UnmarshalError", "Unable to unmarshal input").await;
    let init = Code::python("import os; os._exit(3)");
    check_failure(&init, "1", Exit, "Runtime.ExitError", "exit status 3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_takes_its_children_along_keeps_its_last_words_and_is_followed_by_a_new_process() {
    let world = World::new();
    let code = Code::python(
        "import os, subprocess, sys\n\
         def handler(event, context):\n\
         \x20   if not event: return os.getpid()\n\
         \x20   child = subprocess.Popen(['sleep', '1000'])\n\
         \x20   sys.stdout.write(f'child {child.pid}')\n\
         \x20   sys.stdout.flush()\n\
         \x20   os._exit(1)\n",
    );
    world.value(&code, "0").await;
    let outcome = world.invoke(&code, "1").await;
    assert_eq!(outcome.result.unwrap_err().kind, FailureKind::Exit);
    let tail = String::from_utf8(outcome.log_tail).unwrap();
    let child: u64 = tail.lines().find_map(|line| line.strip_prefix("child ")).expect(&tail).parse().unwrap();
    until("the grandchild is gone", || !lives(child)).await;
    world.value(&code, "0").await;
    assert_eq!(world.keys.issued(), 2);
    until("the first key is revoked", || world.keys.valid() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timeout_kills_the_whole_group() {
    let world = World::new();
    let code = Code::with(
        Runtime::Python313,
        "app.handler",
        &[(
            "app.py",
            "import subprocess, time\ndef handler(event, context):\n    child = subprocess.Popen(['sleep', '1000'])\n    print('child', child.pid)\n    time.sleep(1000)\n",
        )],
        |function| function.timeout = Duration::from_secs(1),
    );
    let outcome = world.invoke(&code, "{}").await;
    let failure = outcome.result.unwrap_err();
    assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Timeout, "Sandbox.Timedout"));
    assert!(failure.error_message.ends_with(" Error: Task timed out after 1.00 seconds"), "{failure}");
    assert!(outcome.duration >= Duration::from_secs(1));
    let tail = String::from_utf8(outcome.log_tail).unwrap();
    let child: u64 = tail.lines().find_map(|line| line.strip_prefix("child ")).expect(&tail).parse().unwrap();
    until("the grandchild is gone", || !lives(child)).await;
    assert!(tail.contains("Task timed out after 1.00 seconds\nEND RequestId: "), "{tail}");
    assert!(tail.trim_end().ends_with("Status: timeout"), "{tail}");
    until("no process is left", || world.supervisor.processes() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn context_has_all_members() {
    let world = World::new();
    let code = Code::python(
        "import os\n\
         def handler(event, context):\n\
         \x20   left = context.get_remaining_time_in_millis()\n\
         \x20   return {'id': context.aws_request_id, 'arn': context.invoked_function_arn, 'name': context.function_name,\n\
         \x20       'version': context.function_version, 'memory': context.memory_limit_in_mb, 'group': context.log_group_name,\n\
         \x20       'stream': context.log_stream_name, 'identity': context.identity.cognito_identity_id, 'tenant': context.tenant_id,\n\
         \x20       'client': context.client_context.client.app_title, 'custom': context.client_context.custom,\n\
         \x20       'left': 50000 < left <= 60000, 'trace': os.environ['_X_AMZN_TRACE_ID'], 'repr': 'demo' in repr(context)}\n",
    );
    let mut invocation = invocation("{}");
    invocation.client_context = Some(r#"{"client":{"app_title":"tïtle"},"custom":{"a":"b"}}"#.into());
    invocation.tenant_id = Some("tenant-1".into());
    let (id, trace) = (invocation.request_id.clone(), invocation.trace_id.clone());
    let outcome = world.supervisor.acquire(&code.function).await.unwrap().invoke(invocation).await;
    let got: Value = serde_json::from_slice(&outcome.result.unwrap()).unwrap();
    let stream = world.logs.streams().into_iter().next().unwrap();
    assert!(stream.contains("/[$LATEST]"), "{stream}");
    let expected = json!({"id": id, "arn": "arn:aws:lambda:us-east-1:000000000000:function:demo:live", "name": "demo", "version": "$LATEST",
        "memory": "256", "group": "/aws/lambda/demo", "stream": stream, "identity": null, "tenant": "tenant-1", "client": "tïtle",
        "custom": {"a": "b"}, "left": true, "trace": trace, "repr": true});
    assert_eq!(got, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn environment_is_the_functions_alone() {
    let world = World::new();
    let code = Code::with(
        Runtime::Python313,
        "app.handler",
        &[(
            "app.py",
            "import os, tempfile\ndef handler(event, context):\n    return dict(os.environ, tmp=tempfile.gettempdir(), cwd=os.getcwd())\n",
        )],
        |function| {
            let variables = [
                ("STAGE", "test"),
                ("TZ", "Europe/Berlin"),
                ("AWS_ACCESS_KEY_ID", "forged"),
                ("NUL", "a\0b"),
                ("A=B", "c"),
            ];
            function.environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        },
    );
    let got = world.value(&code, "{}").await;
    let code_dir = code.function.code_dir.to_str().unwrap();
    let names: Vec<&str> = got.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL_LAMBDA",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_FORMAT",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "HOME",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "LC_CTYPE",
        "LD_LIBRARY_PATH",
        "PATH",
        "PWD",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPATH",
        "STAGE",
        "TMPDIR",
        "TZ",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "cwd",
        "tmp",
    ];
    let unexpected: Vec<&&str> = names.iter().filter(|name| !expected.contains(name)).collect();
    assert!(unexpected.is_empty(), "leaked: {unexpected:?}");
    // Python may set the first, and the launcher of an installed one the second; the third is there if the SDK is.
    let varying = ["LC_CTYPE", "PWD", "PYTHONPATH"];
    let missing: Vec<&&str> = expected.iter().filter(|name| !varying.contains(name) && !names.contains(name)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    assert_eq!(got["STAGE"], "test");
    assert_eq!(got["TZ"], "Europe/Berlin");
    assert_eq!(got["AWS_ACCESS_KEY_ID"], "AKIA1");
    assert_eq!(got["AWS_EXECUTION_ENV"], "AWS_Lambda_python3.13");
    assert_eq!(got["AWS_ENDPOINT_URL_LAMBDA"], "http://127.0.0.1:9");
    assert_eq!((&got["cwd"], &got["LAMBDA_TASK_ROOT"]), (&json!(code_dir), &json!(code_dir)));
    assert_eq!(got["tmp"], got["TMPDIR"]);
    let temp_dir = std::path::PathBuf::from(got["TMPDIR"].as_str().unwrap());
    assert!(temp_dir.is_dir());
    world.supervisor.shutdown().await;
    assert!(!temp_dir.exists());
    assert_eq!(world.keys.valid(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_in_packages_and_paths() {
    let world = World::new();
    let text = "def handler(event, context): return __name__\n";
    for (name, handler) in
        [("pkg/mod.py", "pkg/mod.handler"), ("pkg/mod.py", "pkg.mod.handler"), ("app.py", "app.handler")]
    {
        let got = world.value(&file(name, handler, text), "{}").await;
        assert_eq!(got, handler.replace('/', ".").strip_suffix(".handler").unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_log_is_in_order_and_its_tail_complete() {
    let world = World::new();
    let code = Code::python(
        "import logging, os, sys\n\
         print('loading')\n\
         def handler(event, context):\n\
         \x20   print('out')\n\
         \x20   print('err', file=sys.stderr)\n\
         \x20   os.system('echo child')\n\
         \x20   logging.getLogger().warning('two\\nlines')\n\
         \x20   logging.getLogger().info('hidden')\n\
         \x20   sys.stdout.write('no newline')\n",
    );
    world.invoke(&code, "{}").await.result.unwrap();
    let outcome = world.invoke(&code, "{}").await;
    let lines = world.logs.lines();
    let shape: Vec<&str> = lines.iter().map(|line| line.split([' ', '\t']).next().unwrap()).collect();
    let once = ["START", "out", "err", "child", "[WARNING]", "no", "END", "REPORT"];
    assert_eq!(shape, [&["INIT_START", "loading"][..], &once, &once].concat(), "{lines:#?}");
    assert!(lines[6].ends_with("\ttwo\nlines"), "{:?}", lines[6]);
    assert!(lines[6].contains("Z\t00000000-0000-4000-8000-"), "{:?}", lines[6]);
    assert_eq!(lines[7], "no newline");
    assert!(lines[2].starts_with("START RequestId: ") && lines[2].ends_with(" Version: $LATEST"), "{}", lines[2]);
    assert!(lines[9].contains("\tMax Memory Used: ") && lines[9].contains("\tInit Duration: "), "{}", lines[9]);
    assert!(!lines[17].contains("Init Duration"), "{}", lines[17]);
    let tail = String::from_utf8(outcome.log_tail).unwrap();
    assert_eq!(tail, lines[10..].join("\n") + "\n");
    assert!(world.logs.timestamps().is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn json_log_has_fields_of_the_record_and_of_extra() {
    let world = World::new();
    let code = Code::with(
        Runtime::Python313,
        "app.handler",
        &[(
            "app.py",
            "import logging\n\
             logger = logging.getLogger('shop')\n\
             def handler(event, context):\n\
             \x20   logging.LoggerAdapter(logger, {'executionArn': 'arn:x', 'operationId': 'op', 'attempt': 2}).info('hello %s', 'you')\n\
             \x20   logger.debug('hidden')\n\
             \x20   try: 1 / 0\n\
             \x20   except ZeroDivisionError: logger.exception('caught', extra={'level': 'mine', 'odd': {1}})\n\
             \x20   raise KeyError('k')\n",
        )],
        |function| function.log_format = LogFormat::Json,
    );
    let failure = world.failure(&code, "{}").await;
    assert_eq!((failure.error_type.as_str(), failure.error_message.as_str()), ("KeyError", "'k'"));
    let types: Vec<Value> = world.logs.records("type").iter().map(|record| record["type"].clone()).collect();
    assert_eq!(types, ["platform.initStart", "platform.start", "platform.report"]);
    let report = &world.logs.records("type")[2]["record"];
    assert_eq!((&report["status"], &report["errorType"]), (&json!("error"), &json!("KeyError")));
    let records = world.logs.records("level");
    let [hello, caught, raised] = &records[..] else { panic!("{records:#?}") };
    for (name, value) in [
        ("level", "INFO"),
        ("message", "hello you"),
        ("logger", "shop"),
        ("executionArn", "arn:x"),
        ("operationId", "op"),
    ] {
        assert_eq!(hello[name], value, "{hello}");
    }
    assert_eq!(hello["attempt"], 2);
    assert_eq!(hello["requestId"], report["requestId"]);
    assert_eq!((&caught["level"], &caught["errorType"]), (&json!("ERROR"), &json!("ZeroDivisionError")));
    assert_eq!(caught["odd"], "{1}");
    assert_eq!((&raised["level"], &raised["errorType"]), (&json!("ERROR"), &json!("KeyError")));
}

#[tokio::test(flavor = "multi_thread")]
async fn log_level_filters() {
    let world = World::new();
    let text = "import logging\ndef handler(event, context):\n    for name in ('debug', 'info', 'warning', 'error'): getattr(logging, name)('said ' + name)\n";
    let code = Code::with(Runtime::Python313, "app.handler", &[("app.py", text)], |function| {
        function.log_format = LogFormat::Json;
        function.log_level = Some("ERROR".into());
    });
    world.value(&code, "{}").await;
    let records = world.logs.records("message");
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["message"], "said error");
}

#[tokio::test(flavor = "multi_thread")]
async fn response_at_the_limit_is_taken_and_one_past_is_refused() {
    let world = World::new();
    let code = Code::python("def handler(event, context): return 'x' * (event - 2)\n");
    let max = everstep_worker::limits::RESPONSE_BYTES_MAX;
    let outcome = world.invoke(&code, &max.to_string()).await;
    assert_eq!(outcome.result.unwrap().len(), max);
    let failure = world.failure(&code, &(max + 1).to_string()).await;
    assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Handler, "Function.ResponseSizeTooLarge"));
    assert!(failure.error_message.contains("(6291557 bytes)"), "{failure}");
    assert_eq!(world.value(&code, "5").await, "xxx");
    assert_eq!(world.keys.issued(), 1, "the process goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_wrapper_runs_the_interpreter() {
    let world = World::new();
    let text = "import os\ndef handler(event, context): return os.environ['WRAPPED']\n";
    let files = [("app.py", text), ("wrap.sh", "#!/bin/sh\nWRAPPED=yes exec \"$@\"\n")];
    let code = Code::with(Runtime::Python313, "app.handler", &files, |function| {
        let wrapper = function.code_dir.join("wrap.sh").to_str().unwrap().to_owned();
        function.environment.insert("AWS_LAMBDA_EXEC_WRAPPER".into(), wrapper);
    });
    assert_eq!(world.value(&code, "{}").await, "yes");
}

#[tokio::test(flavor = "multi_thread")]
async fn decimals_are_numbers() {
    let world = World::new();
    let code = Code::python(
        "from decimal import Decimal\ndef handler(event, context): return [Decimal('3'), Decimal('1.5')]\n",
    );
    assert_eq!(world.value(&code, "{}").await, json!([3, 1.5]));
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_lines_arrive_before_the_outcome() {
    let world = World::new();
    let code = Code::python("def handler(event, context):\n    for number in range(30000): print('line', number)\n");
    world.invoke(&code, "{}").await.result.unwrap();
    let lines: Vec<String> = world.logs.lines().into_iter().filter(|line| line.starts_with("line")).collect();
    assert_eq!(lines.len(), 30000);
    assert_eq!(lines[29999], "line 29999");
    assert!(world.logs.lines().last().unwrap().starts_with("REPORT"));
}
