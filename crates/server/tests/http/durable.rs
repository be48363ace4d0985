//! Durable executions as callers see them.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{World, escaped, execution};

const LIST: &str = "/2025-12-01/functions/durable/durable-executions";

fn give(result: &str) -> String {
    json!({"do": "give", "answer": {"Status": "SUCCEEDED", "Result": result}}).to_string()
}

/// Starts an execution and waits until it is over. Returns its ARN, escaped.
async fn finished(world: &World, payload: &str) -> String {
    let arn = world.start(payload).await;
    world.until(&execution(&arn), |execution| execution.get("EndTimestamp").is_some()).await;
    arn
}

fn callback(id: &str, verb: &str) -> String {
    format!("/2025-12-01/durable-execution-callbacks/{id}/{verb}")
}

#[tokio::test]
async fn execution_is_described() {
    let world = World::with_functions(300).await;
    let arn = world.start(r#"{"do": "wait"}"#).await;
    world.callback_id(&arn).await;
    assert_snapshot!(world.get(&execution(&arn)).await.show(), @r#"
    200
    {
      "DurableConfig": {
        "ExecutionTimeout": 300,
        "RetentionPeriodInDays": 14
      },
      "DurableExecutionArn": "arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>",
      "DurableExecutionName": "<uuid>",
      "ExecutionDataIncluded": true,
      "ExpectedExecutionTimeoutTimestamp": "<seconds>",
      "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST",
      "InputPayload": "{\"do\": \"wait\"}",
      "StartTimestamp": "<seconds>",
      "Status": "RUNNING",
      "TraceHeader": {
        "XAmznTraceId": "<trace>;Sampled=0"
      },
      "Version": "$LATEST"
    }
    "#);
    let over = finished(&world, &give("{}")).await;
    assert_snapshot!(world.get(&execution(&over)).await.show(), @r#"
    200
    {
      "DurableConfig": {
        "ExecutionTimeout": 300,
        "RetentionPeriodInDays": 14
      },
      "DurableExecutionArn": "arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>",
      "DurableExecutionName": "<uuid>",
      "EndTimestamp": "<seconds>",
      "ExecutionDataIncluded": true,
      "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST",
      "InputPayload": "{\"answer\":{\"Result\":\"{}\",\"Status\":\"SUCCEEDED\"},\"do\":\"give\"}",
      "Result": "{}",
      "StartTimestamp": "<seconds>",
      "Status": "SUCCEEDED",
      "TraceHeader": {
        "XAmznTraceId": "<trace>;Sampled=0"
      },
      "Version": "$LATEST"
    }
    "#);
    let bare = world.get(&format!("{}?IncludeExecutionData=false", execution(&over))).await.json();
    assert_eq!(
        (&bare["ExecutionDataIncluded"], &bare["InputPayload"], &bare["Result"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
    assert_snapshot!(world.get(&format!("{}?IncludeExecutionData=maybe", execution(&over))).await.line(), @"400 SerializationException: `maybe` is not `true` or `false`, in IncludeExecutionData");
    let other_name = arn.replace("function%3Adurable", "function%3Aplain");
    assert_eq!(world.get(&execution(&other_name)).await.status, 404, "the ARN must be right as a whole");
}

#[tokio::test]
async fn the_trace_of_a_function_is_sampled_if_it_is_traced_actively_or_the_caller_says_so() {
    let world = World::with_functions(300).await;
    let check = async |mode: &str, header: &[(&str, &str)], sampled: &str| {
        let configuration = json!({"TracingConfig": {"Mode": mode}}).to_string();
        let path = "/2015-03-31/functions/durable/configuration";
        assert_eq!(world.send("PUT", path, &[], configuration).await.status, 200);
        let headers = [&[("x-amz-invocation-type", "Event")], header].concat();
        let answer = world.invoke("durable:$LATEST", &headers, give("{}")).await;
        let arn = escaped(answer.header("x-amz-durable-execution-arn").unwrap());
        let told = world.get(&execution(&arn)).await.json();
        let told = told["TraceHeader"]["XAmznTraceId"].as_str().unwrap();
        assert!(told.ends_with(sampled), "{mode} {header:?}: {told}");
    };
    check("PassThrough", &[], ";Sampled=0").await;
    check("Active", &[], ";Sampled=1").await;
    let from_caller = "Root=1-6955b900-0123456789abcdef01234567;Parent=00ab00cd00ef0001;Sampled=0";
    check("Active", &[("x-amzn-trace-id", from_caller)], from_caller).await;
}

#[tokio::test]
async fn handler_is_told_everything_it_needs() {
    let world = World::with_functions(300).await;
    let arn = world.start(r#"{"do": "wait"}"#).await;
    let id = world.callback_id(&arn).await;
    assert_eq!(world.post(&callback(&id, "succeed"), r#"{"status": "approved"}"#).await.status, 200);
    let over = world.until(&execution(&arn), |execution| execution["Status"] == "SUCCEEDED").await;
    let envelope: Value = serde_json::from_str(over["Result"].as_str().unwrap()).unwrap();
    let first = &envelope["InitialExecutionState"]["Operations"][0];
    assert!(envelope["DurableExecutionArn"].as_str().unwrap().ends_with(first["Id"].as_str().unwrap()));
    assert!(!over["Result"].as_str().unwrap().contains("null"));
    assert_snapshot!(crate::world::show(&envelope), @r#"
    {
      "CheckpointToken": "<CheckpointToken>",
      "DurableExecutionArn": "arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>",
      "InitialExecutionState": {
        "NextMarker": "",
        "Operations": [
          {
            "ExecutionDetails": {
              "InputPayload": "{\"do\": \"wait\"}"
            },
            "Id": "<uuid>",
            "Name": "<uuid>",
            "StartTimestamp": "<milliseconds>",
            "Status": "STARTED",
            "Type": "EXECUTION"
          },
          {
            "ChainedInvokeDetails": {
              "Error": {
                "ErrorMessage": "Function not found: arn:aws:lambda:us-east-1:123456789012:function:missing:$LATEST",
                "ErrorType": "ResourceNotFoundException"
              }
            },
            "EndTimestamp": "<milliseconds>",
            "Id": "missing",
            "StartTimestamp": "<milliseconds>",
            "Status": "FAILED",
            "Type": "CHAINED_INVOKE"
          },
          {
            "ChainedInvokeDetails": {
              "Error": {
                "ErrorMessage": "You cannot invoke a durable function using an unqualified ARN.",
                "ErrorType": "InvalidParameterValueException"
              }
            },
            "EndTimestamp": "<milliseconds>",
            "Id": "unqualified",
            "StartTimestamp": "<milliseconds>",
            "Status": "FAILED",
            "Type": "CHAINED_INVOKE"
          },
          {
            "EndTimestamp": "<milliseconds>",
            "Id": "step",
            "Name": "greet",
            "StartTimestamp": "<milliseconds>",
            "Status": "SUCCEEDED",
            "StepDetails": {
              "Attempt": 1,
              "Result": "\"hello\""
            },
            "SubType": "Step",
            "Type": "STEP"
          },
          {
            "ContextDetails": {},
            "Id": "context",
            "StartTimestamp": "<milliseconds>",
            "Status": "STARTED",
            "SubType": "RunInChildContext",
            "Type": "CONTEXT"
          },
          {
            "EndTimestamp": "<milliseconds>",
            "Id": "failed",
            "ParentId": "context",
            "StartTimestamp": "<milliseconds>",
            "Status": "FAILED",
            "StepDetails": {
              "Attempt": 1,
              "Error": {
                "ErrorType": "No",
                "StackTrace": [
                  "a"
                ]
              }
            },
            "Type": "STEP"
          },
          {
            "Id": "retried",
            "StartTimestamp": "<milliseconds>",
            "Status": "PENDING",
            "StepDetails": {
              "Attempt": 1,
              "NextAttemptTimestamp": "<milliseconds>"
            },
            "Type": "STEP"
          },
          {
            "Id": "wait",
            "StartTimestamp": "<milliseconds>",
            "Status": "STARTED",
            "Type": "WAIT",
            "WaitDetails": {
              "ScheduledEndTimestamp": "<milliseconds>"
            }
          },
          {
            "CallbackDetails": {
              "CallbackId": "<CallbackId>",
              "Result": "{\"status\": \"approved\"}"
            },
            "EndTimestamp": "<milliseconds>",
            "Id": "callback",
            "StartTimestamp": "<milliseconds>",
            "Status": "SUCCEEDED",
            "Type": "CALLBACK"
          }
        ]
      },
      "UpdatedOperationIds": [
        "callback"
      ]
    }
    "#);
}

#[tokio::test]
async fn first_invocation_is_told_of_the_execution_only() {
    let world = World::with_functions(300).await;
    let answer = world.invoke("durable:$LATEST", &[], "").await;
    assert_snapshot!(answer.show(), @r#"
    200
    x-amz-durable-execution-arn: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>
    x-amz-executed-version: $LATEST
    {
      "CheckpointToken": "<CheckpointToken>",
      "DurableExecutionArn": "arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>",
      "InitialExecutionState": {
        "NextMarker": "",
        "Operations": [
          {
            "ExecutionDetails": {},
            "Id": "<uuid>",
            "Name": "<uuid>",
            "StartTimestamp": "<milliseconds>",
            "Status": "STARTED",
            "Type": "EXECUTION"
          }
        ]
      },
      "UpdatedOperationIds": []
    }
    "#);
}

#[tokio::test]
async fn history_is_told_page_by_page() {
    let world = World::with_functions(300).await;
    let arn = world.start(r#"{"do": "wait"}"#).await;
    let id = world.callback_id(&arn).await;
    world.post(&callback(&id, "succeed"), "yes").await;
    world.until(&execution(&arn), |execution| execution["Status"] == "SUCCEEDED").await;
    let path = format!("{}/history", execution(&arn));
    let whole = world.get(&path).await.json();
    let brief: Vec<String> = whole["Events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| format!("{} {}", event["EventId"], event["EventType"].as_str().unwrap()))
        .collect();
    assert_snapshot!(brief.join("\n"), @r"
    1 ExecutionStarted
    2 ChainedInvokeStarted
    3 ChainedInvokeFailed
    4 ChainedInvokeStarted
    5 ChainedInvokeFailed
    6 StepStarted
    7 StepSucceeded
    8 ContextStarted
    9 StepFailed
    10 StepSucceeded
    11 WaitStarted
    12 CallbackStarted
    13 InvocationCompleted
    14 CallbackSucceeded
    15 InvocationCompleted
    16 ExecutionSucceeded
    ");
    assert!(whole["NextMarker"].is_null());
    for (query, reverse) in [("MaxItems=1", false), ("MaxItems=3", false), ("MaxItems=4&ReverseOrder=true", true)] {
        let (mut events, mut marker) = (Vec::new(), String::new());
        loop {
            let page = world.get(&format!("{path}?{query}&Marker={marker}")).await.json();
            events.extend(page["Events"].as_array().unwrap().clone());
            match page["NextMarker"].as_str() {
                Some(next) => marker = next.into(),
                None => break,
            }
        }
        if reverse {
            events.reverse();
        }
        assert_eq!(Value::from(events), whole["Events"], "{query}");
    }
    let bare = world.get(&format!("{path}?IncludeExecutionData=false&MaxItems=2")).await;
    assert_snapshot!(bare.show(), @r#"
    200
    {
      "Events": [
        {
          "EventId": 1,
          "EventTimestamp": "<seconds>",
          "EventType": "ExecutionStarted",
          "ExecutionStartedDetails": {
            "ExecutionTimeout": 300,
            "Input": {
              "Truncated": true
            }
          },
          "Id": "<uuid>",
          "Name": "<uuid>"
        },
        {
          "ChainedInvokeStartedDetails": {
            "FunctionName": "missing"
          },
          "EventId": 2,
          "EventTimestamp": "<seconds>",
          "EventType": "ChainedInvokeStarted",
          "Id": "missing"
        }
      ],
      "NextMarker": "<NextMarker>"
    }
    "#);
}

#[tokio::test]
async fn callbacks_are_completed_once() {
    let world = World::with_functions(300).await;
    let arn = world.start(r#"{"do": "wait"}"#).await;
    let id = world.callback_id(&arn).await;
    assert_snapshot!(world.post(&callback(&id, "heartbeat"), "").await.show(), @r"
    200
    {}
    ");
    let large = "x".repeat(1_048_577);
    assert_snapshot!(world.post(&callback(&id, "succeed"), large).await.line(), @"400 ValidationException: 1 validation error detected: Value at 'result' failed to satisfy constraint: Member must have length less than or equal to 1048576");
    assert_snapshot!(world.post(&callback(&id, "succeed"), b"\xff".to_vec()).await.line(), @"400 InvalidParameterValueException: The callback result must be UTF-8 text.");
    assert_snapshot!(world.post(&callback(&id, "fail"), "[]").await.line(), @"400 SerializationException: Could not parse request body: it must be a JSON object");
    let raw = percent_encoding::percent_decode_str(&id).decode_utf8().unwrap().into_owned();
    assert_snapshot!(world.post(&callback(&raw, "fail"), r#"{"ErrorType": "No"}"#).await.show(), @r"
    200
    {}
    ");
    assert_snapshot!(world.post(&callback(&id, "succeed"), "late").await.show(), @r#"
    400
    x-amzn-errortype: CallbackTimeoutException
    {
      "Message": "The callback is either timed out or already completed",
      "Type": "User"
    }
    "#);
    assert_snapshot!(world.post(&callback(&id, "heartbeat"), "").await.line(), @"400 CallbackTimeoutException: The callback is either timed out or already completed");
    assert_snapshot!(world.post(&callback("nonsense", "succeed"), "").await.show(), @r#"
    400
    x-amzn-errortype: InvalidParameterValueException
    {
      "Type": "User",
      "message": "Invalid callback id"
    }
    "#);
    let over = world.until(&execution(&arn), |execution| execution["Status"] == "SUCCEEDED").await;
    let envelope: Value = serde_json::from_str(over["Result"].as_str().unwrap()).unwrap();
    let operations = envelope["InitialExecutionState"]["Operations"].as_array().unwrap();
    let details = &operations.last().unwrap()["CallbackDetails"];
    assert_eq!((&details["Error"], &details["Result"]), (&json!({"ErrorType": "No"}), &Value::Null));
}

#[tokio::test]
async fn executions_are_stopped_paused_resumed_and_deleted() {
    let world = World::with_functions(300).await;
    let arn = world.start(r#"{"do": "wait"}"#).await;
    world.callback_id(&arn).await;
    let path = execution(&arn);
    let pause = r#"{"Reason": "maintenance", "ExecutionTimeoutPaused": false, "ClientToken": "t"}"#;
    let mut lines = Vec::new();
    for (verb, body) in [
        ("pause", pause),
        ("pause", pause),
        ("pause", r#"{"Reason": 1}"#),
        ("pause", r#"{"ClientToken": "a b"}"#),
        ("resume", r#"{"ClientToken": ""}"#),
    ] {
        let answer = world.post(&format!("{path}/{verb}"), body).await;
        lines.push(format!("{verb} {body} -> {} {}", answer.line(), answer.json()));
    }
    assert_snapshot!(lines.join("\n"), @r#"
    pause {"Reason": "maintenance", "ExecutionTimeoutPaused": false, "ClientToken": "t"} -> 202 ok:  {}
    pause {"Reason": "maintenance", "ExecutionTimeoutPaused": false, "ClientToken": "t"} -> 202 ok:  {}
    pause {"Reason": 1} -> 400 SerializationException: Could not parse request body: invalid type: integer `1`, expected a string at line 1 column 12 {"Type":"User","message":"Could not parse request body: invalid type: integer `1`, expected a string at line 1 column 12"}
    pause {"ClientToken": "a b"} -> 400 ValidationException: 1 validation error detected: Value 'a b' at 'clientToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [\x21-\x7E]+ {"Type":"User","message":"1 validation error detected: Value 'a b' at 'clientToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\x21-\\x7E]+"}
    resume {"ClientToken": ""} -> 400 ValidationException: 2 validation errors detected: Value '' at 'clientToken' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'clientToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [\x21-\x7E]+ {"Type":"User","message":"2 validation errors detected: Value '' at 'clientToken' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'clientToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\x21-\\x7E]+"}
    "#);
    let paused = world.until(&path, |execution| execution["Status"] == "PAUSED").await;
    assert_snapshot!(crate::world::show(&paused["PauseDetails"]), @r#"
    {
      "ExecutionTimeoutPaused": false,
      "PauseRequestTimestamp": "<seconds>",
      "Reason": "maintenance"
    }
    "#);
    assert_snapshot!(world.post(&format!("{path}/resume"), "").await.show(), @r"
    202
    {}
    ");
    assert_snapshot!(world.send("DELETE", &path, &[], "").await.show(), @r#"
    409
    x-amzn-errortype: ResourceConflictException
    {
      "Type": "User",
      "message": "The execution is not over yet. Stop it before you delete it."
    }
    "#);
    let stopped = world.post(&format!("{path}/stop"), r#"{"ErrorType": "Enough"}"#).await;
    assert_snapshot!(stopped.show(), @r#"
    200
    {
      "StopTimestamp": "<seconds>"
    }
    "#);
    assert_eq!(world.post(&format!("{path}/stop"), "").await.json(), stopped.json(), "it is over already");
    assert_eq!(world.get(&path).await.json()["Error"], json!({"ErrorType": "Enough"}));
    assert_snapshot!(world.post(&format!("{path}/pause"), "").await.show(), @r#"
    409
    x-amzn-errortype: ResourceConflictException
    {
      "Type": "User",
      "message": "The execution is STOPPED; it cannot be paused any more."
    }
    "#);
    assert_snapshot!(world.send("DELETE", &path, &[], "").await.show(), @r#"
    202
    {
      "DeletionRequestTimestamp": "<seconds>"
    }
    "#);
    world.until(&path, |execution| execution["Status"].is_null()).await;
    for verb in ["stop", "pause", "resume"] {
        assert_eq!(
            world.post(&format!("{path}/{verb}"), "").await.line(),
            "404 ResourceNotFoundException: Durable Execution does not exist"
        );
    }
}

#[tokio::test]
async fn executions_are_listed_and_filtered() {
    let world = World::with_functions(300).await;
    world.post("/2015-03-31/functions/durable/versions", "").await;
    let event = ("x-amz-invocation-type", "Event");
    for (reference, name, payload) in [
        ("durable:$LATEST", "a", give("1")),
        ("durable:1", "b", give("2")),
        ("durable:1", "c", r#"{"do": "wait"}"#.into()),
    ] {
        let answer = world.invoke(reference, &[event, ("x-amz-durable-execution-name", name)], payload).await;
        let arn = escaped(answer.header("x-amz-durable-execution-arn").unwrap());
        if name == "c" {
            world.callback_id(&arn).await;
        } else {
            world.until(&execution(&arn), |execution| execution["Status"] == "SUCCEEDED").await;
        }
    }
    let names = async |query: &str| -> String {
        let answer = world.get(&format!("{LIST}{query}")).await;
        match answer.json()["DurableExecutions"].as_array() {
            Some(list) => list.iter().map(|item| item["DurableExecutionName"].as_str().unwrap()).collect(),
            None => answer.line(),
        }
    };
    assert_eq!(names("").await, "cba");
    assert_eq!(names("?ReverseOrder=true").await, "abc");
    assert_eq!(names("?Qualifier=1").await, "cb");
    assert_eq!(names("?Qualifier=%24LATEST").await, "a");
    assert_eq!(names("?DurableExecutionName=b").await, "b");
    assert_eq!(names("?Statuses=RUNNING").await, "c");
    assert_eq!(names("?Statuses=SUCCEEDED&ReverseOrder=true").await, "ab");
    assert_eq!(names("?StartedAfter=2020-01-01T00%3A00%3A00Z").await, "cba");
    assert_eq!(names("?StartedBefore=1577836800").await, "");
    let mut lines = Vec::new();
    for query in [
        "?Statuses=RUNNING&Statuses=FAILED",
        "?Statuses=ASLEEP",
        "?DurableExecutionName=a%20b",
        "?StartedAfter=soon",
        "?ReverseOrder=1",
        "?Qualifier=live",
    ] {
        lines.push(format!("{query} -> {}", names(query).await));
    }
    assert_snapshot!(lines.join("\n"), @r"
    ?Statuses=RUNNING&Statuses=FAILED -> 400 InvalidParameterValueException: Cannot filter by more than one status
    ?Statuses=ASLEEP -> 400 ValidationException: 1 validation error detected: Value 'ASLEEP' at 'statuses.1.member' failed to satisfy constraint: Member must satisfy enum value set: [RUNNING, SUCCEEDED, FAILED, TIMED_OUT, STOPPED, DELETING, PAUSING, PAUSED]
    ?DurableExecutionName=a%20b -> 400 ValidationException: 1 validation error detected: Value 'a b' at 'durableExecutionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]{1,64}
    ?StartedAfter=soon -> 400 SerializationException: `soon` is not a timestamp, in StartedAfter
    ?ReverseOrder=1 -> 400 SerializationException: `1` is not `true` or `false`, in ReverseOrder
    ?Qualifier=live -> 404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:durable:live
    ");
    let first = world.get(&format!("{LIST}?MaxItems=2")).await;
    assert_snapshot!(first.show(), @r#"
    200
    {
      "DurableExecutions": [
        {
          "DurableExecutionArn": "arn:aws:lambda:us-east-1:123456789012:function:durable:1/durable-execution/c/<uuid>",
          "DurableExecutionName": "c",
          "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:durable:1",
          "StartTimestamp": "<seconds>",
          "Status": "RUNNING"
        },
        {
          "DurableExecutionArn": "arn:aws:lambda:us-east-1:123456789012:function:durable:1/durable-execution/b/<uuid>",
          "DurableExecutionName": "b",
          "EndTimestamp": "<seconds>",
          "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:durable:1",
          "StartTimestamp": "<seconds>",
          "Status": "SUCCEEDED"
        }
      ],
      "NextMarker": "<NextMarker>"
    }
    "#);
    let marker = first.json()["NextMarker"].as_str().unwrap().to_string();
    assert_eq!(names(&format!("?MaxItems=2&Marker={marker}")).await, "a");
    assert_eq!(world.get("/2025-12-01/functions/missing/durable-executions").await.status, 404);
}
