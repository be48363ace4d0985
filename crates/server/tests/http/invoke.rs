//! `Invoke`, in all of its forms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{World, escaped, execution, function};

const EVENT: (&str, &str) = ("x-amz-invocation-type", "Event");
const DRY_RUN: (&str, &str) = ("x-amz-invocation-type", "DryRun");
const NAME: &str = "x-amz-durable-execution-name";

/// The input of an execution whose handler gives an answer.
fn give(answer: Value) -> String {
    json!({"do": "give", "answer": answer}).to_string()
}

#[tokio::test]
async fn plain_function_answers() {
    let world = World::with_functions(300).await;
    assert_snapshot!(world.invoke("plain", &[], r#"{"n": 1}"#).await.show(), @r#"
    200
    x-amz-executed-version: $LATEST
    {
      "event": {
        "n": 1
      },
      "headers": {
        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:plain"
      }
    }
    "#);
    let versions = "/2015-03-31/functions/plain/versions";
    world.post(versions, "").await;
    world.post("/2015-03-31/functions/plain/aliases", r#"{"Name": "live", "FunctionVersion": "1"}"#).await;
    let qualified = world.post("/2015-03-31/functions/plain/invocations?Qualifier=live", "").await;
    assert_snapshot!(qualified.show(), @r#"
    200
    x-amz-executed-version: 1
    {
      "event": {},
      "headers": {
        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:plain:live"
      }
    }
    "#);
    let context = STANDARD.encode(r#"{"custom": {"a": "b"}}"#);
    let with_context = world.invoke("plain:$LATEST", &[("x-amz-client-context", &context)], "[]").await;
    assert_snapshot!(with_context.show(), @r#"
    200
    x-amz-executed-version: $LATEST
    {
      "event": [],
      "headers": {
        "Lambda-Runtime-Client-Context": "{\"custom\": {\"a\": \"b\"}}",
        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:plain:$LATEST"
      }
    }
    "#);
}

#[tokio::test]
async fn failing_function_answers_with_its_error() {
    let world = World::with_functions(300).await;
    assert_snapshot!(world.invoke("plain", &[], r#"{"do": "fail"}"#).await.show(), @r#"
    200
    x-amz-function-error: Unhandled
    x-amz-executed-version: $LATEST
    {
      "errorMessage": "it broke",
      "errorType": "Whoops",
      "stackTrace": [
        "line 1"
      ]
    }
    "#);
    assert_snapshot!(world.invoke("plain", &[], r#"{"do": "exit"}"#).await.show(), @r#"
    200
    x-amz-function-error: Unhandled
    x-amz-executed-version: $LATEST
    {
      "errorMessage": "RequestId: <uuid> Error: Runtime exited with error: exit status 3",
      "errorType": "Runtime.ExitError"
    }
    "#);
}

#[tokio::test]
async fn log_is_returned_when_it_is_asked_for() {
    let world = World::with_functions(300).await;
    let answer = world.invoke("plain", &[("x-amz-log-type", "Tail")], r#"{"do": "say"}"#).await;
    let log = STANDARD.decode(answer.header("x-amz-log-result").expect("a log")).unwrap();
    let log = String::from_utf8(log).unwrap();
    assert!(log.contains("START RequestId") && log.contains("a line of the function"), "{log}");
    let silent = world.invoke("plain", &[("x-amz-log-type", "None")], r#"{"do": "say"}"#).await;
    assert_eq!(silent.header("x-amz-log-result"), None);
}

#[tokio::test]
async fn asynchronous_and_dry_runs_answer_at_once() {
    let world = World::with_functions(300).await;
    assert_snapshot!(world.invoke("plain", &[EVENT], "{}").await.show(), @r"
    202
    x-amz-executed-version: $LATEST
    ");
    assert_snapshot!(world.invoke("plain", &[DRY_RUN], "{}").await.show(), @r"
    204
    x-amz-executed-version: $LATEST
    ");
    assert_snapshot!(world.invoke("durable:$LATEST", &[EVENT], give(json!({"Status": "SUCCEEDED"}))).await.show(), @r"
    202
    x-amz-durable-execution-arn: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>
    x-amz-executed-version: $LATEST
    ");
    assert_snapshot!(world.invoke("durable:$LATEST", &[DRY_RUN], "{}").await.show(), @r"
    204
    x-amz-executed-version: $LATEST
    ");
    let list = world.get("/2025-12-01/functions/durable/durable-executions").await.json();
    assert_eq!(list["DurableExecutions"].as_array().unwrap().len(), 1, "a dry run starts nothing");
}

#[tokio::test]
async fn requests_that_cannot_be_are_refused() {
    let world = World::with_functions(300).await;
    let mut lines = Vec::new();
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&str, Headers, &str); 14] = [
        ("plain", &[("x-amz-invocation-type", "Later")], "{}"),
        ("missing", &[], "{}"),
        ("plain:9", &[], "{}"),
        ("plain:live", &[], "{}"),
        ("a b", &[], "{}"),
        ("plain", &[], "{"),
        ("plain", &[EVENT], "nonsense"),
        ("plain", &[("x-amz-client-context", "!")], "{}"),
        ("plain", &[("x-amz-client-context", "bm8=")], "{}"),
        ("plain", &[(NAME, "n")], "{}"),
        ("durable", &[], "{}"),
        ("durable", &[EVENT], "{}"),
        ("durable", &[DRY_RUN], "{}"),
        ("durable:$LATEST", &[(NAME, "a b")], "{}"),
    ];
    for (reference, headers, payload) in cases {
        let path = format!("/2015-03-31/functions/{}/invocations", escaped(reference));
        let answer = world.send("POST", &path, headers, payload).await;
        lines.push(format!("{reference} {headers:?} -> {}", answer.line()));
    }
    let conflicting = world.post("/2015-03-31/functions/plain:1/invocations?Qualifier=2", "").await;
    lines.push(conflicting.line());
    let invalid = world.post("/2015-03-31/functions/plain/invocations?Qualifier=a%20b", "").await;
    lines.push(invalid.line());
    lines.push(world.invoke("plain", &[], b"\"\xff\"".to_vec()).await.line());
    assert_snapshot!(lines.join("\n"), @r#"
    plain [("x-amz-invocation-type", "Later")] -> 400 ValidationException: 1 validation error detected: Value 'Later' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]
    missing [] -> 404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:missing
    plain:9 [] -> 404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:plain:9
    plain:live [] -> 404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:plain:live
    a b [] -> 400 ValidationException: 1 validation error detected: Value 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?
    plain [] -> 400 InvalidRequestContentException: Could not parse request body into json: EOF while parsing an object at line 1 column 1
    plain [("x-amz-invocation-type", "Event")] -> 400 InvalidRequestContentException: Could not parse request body into json: expected ident at line 1 column 2
    plain [("x-amz-client-context", "!")] -> 400 InvalidRequestContentException: Client context must be a valid Base64-encoded JSON object.
    plain [("x-amz-client-context", "bm8=")] -> 400 InvalidRequestContentException: Client context must be a valid Base64-encoded JSON object.
    plain [("x-amz-durable-execution-name", "n")] -> 400 InvalidParameterValueException: You cannot provide a durable execution name for a function that is not durable.
    durable [] -> 400 InvalidParameterValueException: You cannot invoke a durable function using an unqualified ARN.
    durable [("x-amz-invocation-type", "Event")] -> 400 InvalidParameterValueException: You cannot invoke a durable function using an unqualified ARN.
    durable [("x-amz-invocation-type", "DryRun")] -> 400 InvalidParameterValueException: You cannot invoke a durable function using an unqualified ARN.
    durable:$LATEST [("x-amz-durable-execution-name", "a b")] -> 400 ValidationException: 1 validation error detected: Value 'a b' at 'durableExecutionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+ and have length between 1 and 64
    400 InvalidParameterValueException: The derived qualifier from the function name does not match the specified qualifier.
    400 ValidationException: 1 validation error detected: Value 'a b' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: \$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+
    400 InvalidRequestContentException: Could not parse request body into json: invalid UTF-8
    "#);
}

#[tokio::test]
async fn payloads_may_be_so_large_and_no_larger() {
    let world = World::with_functions(300).await;
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    assert_eq!(world.invoke("plain", &[DRY_RUN], text(6_291_456)).await.status, 204);
    assert_snapshot!(world.invoke("plain", &[], text(6_291_457)).await.line(), @"413 RequestTooLargeException: 6291457 byte payload is too large for an invocation (limit 6291456 bytes)");
    assert_eq!(world.invoke("durable:$LATEST", &[EVENT], text(1_048_576)).await.status, 202);
    assert_snapshot!(world.invoke("durable:$LATEST", &[EVENT], text(1_048_577)).await.line(), @"413 RequestTooLargeException: 1048577 byte payload is too large for an invocation (limit 1048576 bytes)");
    let context = "A".repeat(3_584);
    let refused = world.invoke("plain", &[("x-amz-client-context", &context)], "{}").await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn tenants_are_named_where_they_are_kept_apart() {
    let world = World::with_functions(300).await;
    let mut create = function("isolated");
    create["TenancyConfig"] = json!({"TenantIsolationMode": "PER_TENANT"});
    world.create(create).await;
    let tenant = |id| [("x-amz-tenant-id", id)];
    assert_snapshot!(world.invoke("isolated", &tenant("blue"), "{}").await.show(), @r#"
    200
    x-amz-executed-version: $LATEST
    {
      "event": {},
      "headers": {
        "Lambda-Runtime-Aws-Tenant-Id": "blue",
        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:isolated"
      }
    }
    "#);
    assert_snapshot!(world.invoke("isolated", &[], "{}").await.line(), @"400 InvalidParameterValueException: The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.");
    assert_snapshot!(world.invoke("isolated", &tenant("a!b"), "{}").await.line(), @r"400 ValidationException: 1 validation error detected: Value 'a!b' at 'tenantId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9\._:\/=+\-@ ]+ and have length between 1 and 256");
    assert_snapshot!(world.invoke("plain", &tenant("blue"), "{}").await.line(), @"400 InvalidParameterValueException: The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and try again.");
}

#[tokio::test]
async fn outcome_of_an_execution_is_the_answer() {
    let world = World::with_functions(300).await;
    let succeeded = give(json!({"Status": "SUCCEEDED", "Result": "{\"b\": 1,  \"a\":2}"}));
    let answer = world.invoke("durable:$LATEST", &[], succeeded).await;
    assert_eq!(answer.body, b"{\"b\": 1,  \"a\":2}", "to the byte");
    assert_snapshot!(answer.show(), @r#"
    200
    x-amz-durable-execution-arn: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>
    x-amz-executed-version: $LATEST
    {
      "a": 2,
      "b": 1
    }
    "#);
    let empty = world.invoke("durable:$LATEST", &[], give(json!({"Status": "SUCCEEDED"}))).await;
    assert_snapshot!(empty.show(), @r"
    200
    x-amz-durable-execution-arn: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>
    x-amz-executed-version: $LATEST
    null
    ");
    let error = json!({"ErrorType": "No", "ErrorMessage": "not today", "ErrorData": "d", "StackTrace": ["a", "b"]});
    let failed = world.invoke("durable:$LATEST", &[], give(json!({"Status": "FAILED", "Error": error}))).await;
    assert_snapshot!(failed.show(), @r#"
    200
    x-amz-function-error: Unhandled
    x-amz-durable-execution-arn: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>
    x-amz-executed-version: $LATEST
    {
      "errorData": "d",
      "errorMessage": "not today",
      "errorType": "No",
      "stackTrace": [
        "a",
        "b"
      ]
    }
    "#);
    let failed = world.invoke("durable:$LATEST", &[], give(json!({"Status": "FAILED", "Error": null}))).await;
    assert_snapshot!(failed.show(), @r"
    200
    x-amz-function-error: Unhandled
    x-amz-durable-execution-arn: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>
    x-amz-executed-version: $LATEST
    {}
    ");
    let nonsense = world.invoke("durable:$LATEST", &[], give(json!({"Status": "DONE"}))).await;
    assert_snapshot!(nonsense.show(), @r#"
    200
    x-amz-function-error: Unhandled
    x-amz-durable-execution-arn: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>
    x-amz-executed-version: $LATEST
    {
      "errorMessage": "Invalid Status in invocation output.",
      "errorType": "InvalidParameterValueException"
    }
    "#);
}

#[tokio::test]
async fn execution_that_is_stopped_or_too_slow_is_an_error() {
    let world = World::with_functions(1).await;
    let timed_out = world.invoke("durable:$LATEST", &[], r#"{"do": "wait"}"#).await;
    assert_snapshot!(timed_out.show(), @r#"
    200
    x-amz-function-error: Unhandled
    x-amz-durable-execution-arn: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>
    x-amz-executed-version: $LATEST
    {
      "errorMessage": "Execution timed out after 1 seconds."
    }
    "#);

    let world = World::with_functions(300).await;
    let stop = async {
        let path = "/2025-12-01/functions/durable/durable-executions";
        let list = world.until(path, |list| !list["DurableExecutions"][0].is_null()).await;
        let arn = escaped(list["DurableExecutions"][0]["DurableExecutionArn"].as_str().unwrap());
        let stopped = world.post(&format!("{}/stop", execution(&arn)), r#"{"ErrorMessage": "enough"}"#).await;
        assert_snapshot!(stopped.show(), @r#"
        200
        {
          "StopTimestamp": "<seconds>"
        }
        "#);
    };
    let (answer, ()) = tokio::join!(world.invoke("durable:$LATEST", &[], r#"{"do": "wait"}"#), stop);
    assert_snapshot!(answer.show(), @r#"
    200
    x-amz-function-error: Unhandled
    x-amz-durable-execution-arn: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>
    x-amz-executed-version: $LATEST
    {
      "errorMessage": "enough"
    }
    "#);
}

#[tokio::test]
async fn nobody_waits_longer_than_fifteen_minutes() {
    let world = World::with_functions(901).await;
    assert_snapshot!(world.invoke("durable:$LATEST", &[], "{}").await.show(), @r#"
    400
    x-amzn-errortype: InvalidParameterValueException
    {
      "Type": "User",
      "message": "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."
    }
    "#);
    assert_eq!(world.invoke("durable:$LATEST", &[EVENT], "{}").await.status, 202);
}

#[tokio::test]
async fn names_make_starts_idempotent() {
    let world = World::with_functions(300).await;
    let arn = |answer: &crate::world::Answer| {
        answer.header("x-amz-durable-execution-arn").expect("an execution has an ARN").to_string()
    };
    let name = [EVENT, (NAME, "order-7")];
    let waiting = r#"{"do": "wait"}"#;
    let started = world.invoke("durable:$LATEST", &name, waiting).await;
    let first = arn(&started);
    assert!(first.contains("/durable-execution/order-7/"), "{first}");
    let callback = world.callback_id(&escaped(&first)).await;

    let again = world.invoke("durable:$LATEST", &name, waiting).await;
    assert_eq!((again.status, arn(&again)), (202, first.clone()), "running, the same payload");
    let other = world.invoke("durable:$LATEST", &name, r#"{"do":  "wait"}"#).await;
    assert_snapshot!(other.show(), @r#"
    409
    x-amzn-errortype: DurableExecutionAlreadyStartedException
    {
      "Message": "Execution already started: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/order-7/<uuid>",
      "Type": "User"
    }
    "#);
    world.post("/2015-03-31/functions/durable/versions", "").await;
    let version = world.invoke("durable:1", &name, waiting).await;
    assert_eq!(version.status, 409, "another version of the function");

    let path = execution(&escaped(&first));
    assert_eq!(world.post(&format!("{path}/pause"), "").await.status, 202);
    world.until(&path, |execution| execution["Status"] == "PAUSED").await;
    let paused = world.invoke("durable:$LATEST", &name, waiting).await;
    assert_eq!((paused.status, arn(&paused)), (202, first.clone()), "paused, the same payload");
    assert_eq!(world.get(&path).await.json()["Status"], "PAUSED");
    assert_eq!(world.post(&format!("{path}/resume"), "").await.status, 202);

    let complete = format!("/2025-12-01/durable-execution-callbacks/{callback}/succeed");
    assert_eq!(world.post(&complete, "done").await.status, 200);
    let attached = world.invoke("durable:$LATEST", &[(NAME, "order-7")], waiting).await;
    assert_eq!((attached.status, arn(&attached)), (200, first.clone()), "a caller that waits for a running one");
    assert_eq!(attached.json()["DurableExecutionArn"], first);
    let over = world.invoke("durable:$LATEST", &[(NAME, "order-7")], waiting).await;
    assert_eq!((over.status, &over.body), (200, &attached.body), "over, the same payload");
    let other = world.invoke("durable:$LATEST", &[(NAME, "order-7")], "{}").await;
    assert_eq!(other.status, 409, "over, another payload");

    assert_eq!(world.send("DELETE", &path, &[], "").await.status, 202);
    world.until(&path, |execution| execution["Status"].is_null()).await;
    let anew = world.invoke("durable:$LATEST", &name, "{}").await;
    assert_ne!(arn(&anew), first, "deleted");
    assert_ne!(arn(&world.invoke("durable:$LATEST", &[EVENT], "{}").await), arn(&anew), "no name");
}
