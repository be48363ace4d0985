//! Requests that cannot be what was meant: what they are told.

use std::time::Duration;

use insta::assert_snapshot;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{Signer, Wire, World, escaped, execution};

const ARN: &str =
    "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/n/00000000-0000-4000-8000-000000000000";

/// Sends a checkpoint, and returns its refusal.
async fn checkpoint(world: &World, body: impl Into<Vec<u8>>) -> String {
    world.post(&format!("{}/checkpoint", execution(&escaped(ARN))), body).await.line()
}

#[tokio::test]
async fn unknown_operations_and_services_are_named() {
    let world = World::new().await;
    assert_snapshot!(world.get("/nowhere").await.show(), @r#"
    404
    x-amzn-errortype: UnknownOperationException
    {
      "Type": "User",
      "message": "There is no operation GET /nowhere."
    }
    "#);
    assert_snapshot!(world.send("PATCH", "/2015-03-31/functions", &[], "").await.line(), @"404 UnknownOperationException: There is no operation PATCH /2015-03-31/functions.");
    assert_snapshot!(world.get("/2015-03-31/event-source-mappings").await.show(), @r#"
    501
    x-amzn-errortype: NotImplementedException
    {
      "Type": "Service",
      "message": "Everstep does not serve ListEventSourceMappings yet."
    }
    "#);
    assert_snapshot!(world.post("/2014-11-13/functions/f/invoke-async", "").await.line(), @"501 NotImplementedException: Everstep does not serve InvokeAsync yet.");
    let signer = Signer { service: "glacier", ..world.signer() };
    let wire = Wire { method: "GET".into(), path: "/".into(), headers: Vec::new(), body: Vec::new() };
    assert_snapshot!(world.deliver(&wire.signed(&signer, world.address())).await.show(), @r#"
    501
    x-amzn-errortype: NotImplementedException
    {
      "Type": "Service",
      "message": "Everstep does not serve the service `glacier`: pass it on to a real one by a table [forward.glacier] in the configuration file."
    }
    "#);
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be_are_refused() {
    let world = World::new().await;
    let mut lines = Vec::new();
    for body in [
        "{",
        "{} {}",
        "nothing",
        "[]",
        "null",
        r#"["token", null, []]"#,
        r#"{"CheckpointToken": 5}"#,
        r#"{"CheckpointToken": "dG9rZW4=", "Updates": {}}"#,
        r#"{"CheckpointToken": "dG9rZW4=", "Updates": [{"Id": "a", "WaitOptions": {"WaitSeconds": 1.5}}]}"#,
        r#"{"CheckpointToken": "dG9rZW4=", "Updates": [[]]}"#,
        r#"{"CheckpointToken": "a", "CheckpointToken": "b"}"#,
    ] {
        lines.push(format!("{body} -> {}", checkpoint(&world, body).await));
    }
    lines.push(checkpoint(&world, b"{\"CheckpointToken\": \"\xff\"}".to_vec()).await);
    assert_snapshot!(lines.join("\n"), @r#"
    { -> 400 SerializationException: Could not parse request body: EOF while parsing an object at line 1 column 1
    {} {} -> 400 SerializationException: Could not parse request body: trailing characters at line 1 column 4
    nothing -> 400 SerializationException: Could not parse request body: expected ident at line 1 column 2
    [] -> 400 SerializationException: Could not parse request body: it must be a JSON object
    null -> 400 SerializationException: Could not parse request body: invalid type: null, expected struct CheckpointRequest at line 1 column 4
    ["token", null, []] -> 400 SerializationException: Could not parse request body: it must be a JSON object
    {"CheckpointToken": 5} -> 400 SerializationException: Could not parse request body: invalid type: integer `5`, expected a string at line 1 column 21
    {"CheckpointToken": "dG9rZW4=", "Updates": {}} -> 400 SerializationException: Could not parse request body: invalid type: map, expected a sequence at line 1 column 43
    {"CheckpointToken": "dG9rZW4=", "Updates": [{"Id": "a", "WaitOptions": {"WaitSeconds": 1.5}}]} -> 400 SerializationException: Could not parse request body: invalid type: floating point `1.5`, expected i64 at line 1 column 90
    {"CheckpointToken": "dG9rZW4=", "Updates": [[]]} -> 400 SerializationException: Could not parse request body: invalid length 0, expected struct UpdateShape with 13 elements at line 1 column 46
    {"CheckpointToken": "a", "CheckpointToken": "b"} -> 400 SerializationException: Could not parse request body: duplicate field `CheckpointToken` at line 1 column 42
    400 SerializationException: Could not parse request body: invalid unicode code point at line 1 column 22
    "#);
}

#[tokio::test]
async fn nulls_count_as_absent_and_unknown_members_are_ignored() {
    let world = World::new().await;
    let body = r#"{"CheckpointToken": "dG9rZW4=", "ClientToken": null, "Updates": null, "New": {"A": 1}}"#;
    assert_snapshot!(checkpoint(&world, body).await, @"400 InvalidParameterValueException: Invalid checkpoint token");
    let body = r#"{"CheckpointToken": "dG9rZW4=", "Updates": [{"Id": "a", "Type": "STEP", "Action": "START", "ParentId": null,
        "Name": null, "SubType": null, "Payload": null, "Error": null, "ContextOptions": null, "StepOptions": null,
        "WaitOptions": {"WaitSeconds": null}, "CallbackOptions": null, "ChainedInvokeOptions": null, "New": 1}]}"#;
    assert_snapshot!(checkpoint(&world, body).await, @"400 InvalidParameterValueException: Invalid checkpoint token");
}

#[tokio::test]
async fn constraint_violations_are_gathered() {
    let world = World::new().await;
    let mut lines = Vec::new();
    for body in [
        "",
        "{}",
        r#"{"CheckpointToken": "dG9rZW4=", "ClientToken": "a b", "Updates": [{}]}"#,
        r#"{"CheckpointToken": "dG9rZW4=", "Updates": [{"Id": "a", "Type": "SLEEP", "Action": "BEGIN"}]}"#,
        r#"{"CheckpointToken": "dG9rZW4=", "Updates": [
            {"Id": "", "Type": "STEP", "Action": "START", "ParentId": "a b", "Name": "é", "SubType": "a.b"},
            {"Id": "b", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 0}},
            {"Id": "c", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 31622401}},
            {"Id": "d", "Type": "STEP", "Action": "RETRY", "StepOptions": {"NextAttemptDelaySeconds": -1}},
            {"Id": "e", "Type": "CALLBACK", "Action": "START", "CallbackOptions": {"TimeoutSeconds": 100000000, "HeartbeatTimeoutSeconds": -1}},
            {"Id": "f", "Type": "CHAINED_INVOKE", "Action": "START", "ChainedInvokeOptions": {"TenantId": "!"}}
        ]}"#,
    ] {
        lines.push(checkpoint(&world, body).await.replace("; ", ";\n    "));
    }
    assert_snapshot!(lines.join("\n"), @r"
    400 ValidationException: 1 validation error detected: Value null at 'checkpointToken' failed to satisfy constraint: Member must not be null
    400 ValidationException: 1 validation error detected: Value null at 'checkpointToken' failed to satisfy constraint: Member must not be null
    400 ValidationException: 4 validation errors detected: Value 'a b' at 'clientToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [\x21-\x7E]+;
        Value null at 'updates.1.member.id' failed to satisfy constraint: Member must not be null;
        Value null at 'updates.1.member.type' failed to satisfy constraint: Member must not be null;
        Value null at 'updates.1.member.action' failed to satisfy constraint: Member must not be null
    400 ValidationException: 2 validation errors detected: Value 'SLEEP' at 'updates.1.member.type' failed to satisfy constraint: Member must satisfy enum value set: [EXECUTION, CONTEXT, STEP, WAIT, CALLBACK, CHAINED_INVOKE];
        Value 'BEGIN' at 'updates.1.member.action' failed to satisfy constraint: Member must satisfy enum value set: [START, SUCCEED, FAIL, RETRY, CANCEL]
    400 ValidationException: 12 validation errors detected: Value '' at 'updates.1.member.id' failed to satisfy constraint: Member must have length greater than or equal to 1;
        Value '' at 'updates.1.member.id' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+;
        Value 'a b' at 'updates.1.member.parentId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+;
        Value 'é' at 'updates.1.member.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\x20-\x7E]+;
        Value 'a.b' at 'updates.1.member.subType' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+;
        Value '0' at 'updates.2.member.waitOptions.waitSeconds' failed to satisfy constraint: Member must have value greater than or equal to 1;
        Value '31622401' at 'updates.3.member.waitOptions.waitSeconds' failed to satisfy constraint: Member must have value less than or equal to 31622400;
        Value '-1' at 'updates.4.member.stepOptions.nextAttemptDelaySeconds' failed to satisfy constraint: Member must have value greater than or equal to 1;
        Value '100000000' at 'updates.5.member.callbackOptions.timeoutSeconds' failed to satisfy constraint: Member must have value less than or equal to 99999999;
        Value '-1' at 'updates.5.member.callbackOptions.heartbeatTimeoutSeconds' failed to satisfy constraint: Member must have value greater than or equal to 0;
        Value null at 'updates.6.member.chainedInvokeOptions.functionName' failed to satisfy constraint: Member must not be null;
        Value '!' at 'updates.6.member.chainedInvokeOptions.tenantId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9\._:\/=+\-@ ]+
    ");
}

#[tokio::test]
async fn refusals_do_not_repeat_what_is_too_long() {
    let world = World::new().await;
    let long = "x".repeat(100_000);
    let body = format!(
        r#"{{"CheckpointToken": "dG9rZW4=", "Updates": [{{"Id": "{long}", "Type": "{long}", "Action": "{long}", "SubType": "{long}"}}]}}"#
    );
    let line = checkpoint(&world, body).await;
    assert!(line.starts_with("400 ValidationException") && line.len() < 2_000, "{} characters", line.len());
}

#[tokio::test]
async fn bodies_may_be_so_large_and_no_larger() {
    let world = World::new().await;
    let limit = 2 * 6_291_456 + 1_048_576;
    let path = format!("{}/checkpoint", execution(&escaped(ARN)));
    let at_the_limit = world.post(&path, "x".repeat(limit)).await;
    assert_eq!((at_the_limit.status, at_the_limit.header("x-amzn-errortype")), (400, Some("SerializationException")));
    assert_snapshot!(world.post(&path, "x".repeat(limit + 1)).await.line(), @"413 RequestEntityTooLargeException: Request must be smaller than 13631488 bytes for the operation");
}

#[tokio::test]
async fn arns_are_understood_escaped_and_raw() {
    let world = World::new().await;
    for arn in [ARN.to_string(), escaped(ARN), ARN.replace('$', "%24")] {
        let found = world.get(&execution(&arn)).await;
        assert_eq!(found.line(), "404 ResourceNotFoundException: Durable Execution does not exist", "{arn}");
    }
    assert_snapshot!(world.get(&execution("nonsense")).await.line(), @r"400 ValidationException: 1 validation error detected: Value 'nonsense' at 'durableExecutionArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:([a-zA-Z0-9-]+):lambda:([a-zA-Z0-9-]+):(\d{12}):function:([a-zA-Z0-9_-]+):(\$LATEST(?:\.PUBLISHED)?|[0-9]+)/durable-execution/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)");
    let foreign = ARN.replace("123456789012", "000000000000");
    assert_snapshot!(world.get(&execution(&escaped(&foreign))).await.line(), @"404 ResourceNotFoundException: Durable Execution does not exist");
    assert_snapshot!(world.post(&format!("{}/stop", execution("a%2Fb%2Fc")), "").await.line(), @r"400 ValidationException: 1 validation error detected: Value 'a/b/c' at 'durableExecutionArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:([a-zA-Z0-9-]+):lambda:([a-zA-Z0-9-]+):(\d{12}):function:([a-zA-Z0-9_-]+):(\$LATEST(?:\.PUBLISHED)?|[0-9]+)/durable-execution/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)");
}

#[tokio::test]
async fn pages_have_a_largest_size() {
    let world = World::with_functions(300).await;
    let path = |max_items: &str| format!("/2025-12-01/functions/durable/durable-executions?MaxItems={max_items}");
    for good in ["0", "1", "1000", ""] {
        assert_eq!(world.get(&path(good)).await.status, 200, "{good}");
    }
    let mut lines = Vec::new();
    for bad in ["-1", "1001", "many", "99999999999999999999"] {
        lines.push(world.get(&path(bad)).await.line());
    }
    assert_snapshot!(lines.join("\n"), @r"
    400 ValidationException: 1 validation error detected: Value '-1' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 0
    400 ValidationException: 1 validation error detected: Value '1001' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000
    400 SerializationException: `many` is not a number, in MaxItems
    400 SerializationException: `99999999999999999999` is not a number, in MaxItems
    ");
}

#[tokio::test]
async fn markers_that_were_not_given_out_are_refused() {
    let world = World::with_functions(300).await;
    let arn = world.start(r#"{"do": "give", "answer": {"Status": "SUCCEEDED"}}"#).await;
    world.until(&execution(&arn), |execution| execution["Status"] == "SUCCEEDED").await;
    use base64::Engine as _;
    let sealed = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    for path in [
        format!("{}/history", execution(&arn)),
        "/2025-12-01/functions/durable/durable-executions".into(),
        "/2015-03-31/functions/durable/versions".into(),
    ] {
        for marker in ["nonsense".into(), sealed("1/1"), sealed(&format!("{now}/x y")), sealed("x/1"), "%FF".into()] {
            let answer = world.get(&format!("{path}?Marker={marker}")).await;
            let line = answer.line();
            assert_eq!(line, "400 InvalidParameterValueException: Invalid Marker", "{path} {marker}");
        }
    }
    // One that leads beyond the end leads nowhere.
    for reverse in ["false", "true"] {
        for position in ["0", "1000", "9223372036854775807", "18446744073709551615"] {
            let marker = sealed(&format!("{now}/{position}"));
            let path = format!("{}/history?ReverseOrder={reverse}&Marker={marker}", execution(&arn));
            let answer = world.get(&path).await;
            assert_eq!(answer.status, 200, "{reverse} {position}");
            assert!(answer.json()["NextMarker"].is_null(), "{reverse} {position}");
        }
    }
}

#[tokio::test]
async fn connection_ends_where_no_100_continue_was_sent() {
    let world = World::new().await;
    let mut connection = TcpStream::connect(world.address()).await.unwrap();
    let request = b"PUT /bucket/k HTTP/1.1\r\nhost: s3\r\nexpect: 100-continue\r\ncontent-length: 0\r\n\r\n";
    connection.write_all(request).await.unwrap();
    let mut answer = String::new();
    let end = connection.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(60), end).await.expect("the end of the connection").unwrap();
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}
