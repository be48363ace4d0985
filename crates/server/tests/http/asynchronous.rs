//! Asynchronous invocations: how they are configured, and who is told how they ended.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{World, execution, function};

const PLACE: &str = "arn:aws:lambda:us-east-1:123456789012:function";

fn path(function: &str, tail: &str) -> String {
    format!("/2019-09-25/functions/{}/event-invoke-config{tail}", function.replace('$', "%24"))
}

async fn put(world: &World, function: &str, config: Value) -> crate::world::Answer {
    world.send("PUT", &path(function, ""), &[], config.to_string()).await
}

fn destination(arn: &str) -> Value {
    json!({"DestinationConfig": {"OnSuccess": {"Destination": arn}}})
}

/// Shows an answer without the time of its last change.
fn show(answer: &crate::world::Answer) -> String {
    let mut body = answer.json();
    let modified = body.as_object_mut().unwrap().remove("LastModified");
    assert!(modified.is_some_and(|at| at.as_f64().is_some_and(|at| at > 1e9)), "epoch seconds");
    format!("{} {body}", answer.status)
}

#[tokio::test]
async fn configuration_is_put_changed_listed_and_deleted() {
    let world = World::with_functions(300).await;
    world.create(function("other")).await;
    let config = json!({"MaximumRetryAttempts": 1, "DestinationConfig": {"OnFailure": {"Destination": format!("{PLACE}:other")}}});
    assert_snapshot!(show(&put(&world, "plain", config).await), @r#"200 {"DestinationConfig":{"OnFailure":{"Destination":"arn:aws:lambda:us-east-1:123456789012:function:other"},"OnSuccess":{}},"FunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:plain:$LATEST","MaximumRetryAttempts":1}"#);
    let changed = world.send("POST", &path("plain", ""), &[], r#"{"MaximumEventAgeInSeconds": 60}"#).await;
    assert_snapshot!(show(&changed), @r#"200 {"DestinationConfig":{"OnFailure":{"Destination":"arn:aws:lambda:us-east-1:123456789012:function:other"},"OnSuccess":{}},"FunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:plain:$LATEST","MaximumEventAgeInSeconds":60,"MaximumRetryAttempts":1}"#);
    assert_eq!(show(&world.get(&path("plain", "?Qualifier=%24LATEST")).await), show(&changed));
    assert_snapshot!(show(&put(&world, "plain", json!({"MaximumRetryAttempts": 0})).await), @r#"200 {"DestinationConfig":{"OnFailure":{},"OnSuccess":{}},"FunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:plain:$LATEST","MaximumRetryAttempts":0}"#);

    world.post("/2015-03-31/functions/plain/versions", "").await;
    world.post("/2015-03-31/functions/plain/aliases", r#"{"Name": "live", "FunctionVersion": "1"}"#).await;
    for qualifier in ["1", "live"] {
        assert_eq!(put(&world, &format!("plain:{qualifier}"), json!({"MaximumRetryAttempts": 2})).await.status, 200);
    }
    let listed = async |tail: &str| {
        let page = world.get(&path("plain", &format!("/list{tail}"))).await.json();
        let configs = page["FunctionEventInvokeConfigs"].as_array().unwrap();
        let arns: Vec<String> = configs.iter().map(|config| config["FunctionArn"].as_str().unwrap().into()).collect();
        (arns, page["NextMarker"].as_str().map(str::to_owned))
    };
    let of = |qualifier: &str| format!("{PLACE}:plain:{qualifier}");
    assert_eq!(listed("").await, (vec![of("$LATEST"), of("1"), of("live")], None));
    let (first, marker) = listed("?MaxItems=2").await;
    assert_eq!(first, [of("$LATEST"), of("1")]);
    assert_eq!(listed(&format!("?MaxItems=2&Marker={}", marker.unwrap())).await, (vec![of("live")], None));

    // What a configuration was for takes it along.
    world.send("DELETE", "/2015-03-31/functions/plain/aliases/live", &[], "").await;
    world.send("DELETE", "/2015-03-31/functions/plain?Qualifier=1", &[], "").await;
    assert_eq!(listed("").await, (vec![of("$LATEST")], None));
    assert_eq!(world.send("DELETE", &path("plain", ""), &[], "").await.status, 204);
    for method in ["GET", "DELETE", "POST"] {
        let answer = world.send(method, &path("plain", ""), &[], r#"{"MaximumRetryAttempts": 0}"#).await;
        assert_eq!(
            answer.line(),
            format!(
                "404 ResourceNotFoundException: The function {PLACE}:plain:$LATEST doesn't have an EventInvokeConfig"
            )
        );
    }
}

#[tokio::test]
async fn configuration_that_makes_no_sense_is_refused() {
    let world = World::with_functions(300).await;
    let line = async |config: Value| put(&world, "plain", config).await.line();
    for (config, allowed) in [
        (json!({"MaximumRetryAttempts": 2}), true),
        (json!({"MaximumRetryAttempts": 3}), false),
        (json!({"MaximumRetryAttempts": -1}), false),
        (json!({"MaximumEventAgeInSeconds": 60}), true),
        (json!({"MaximumEventAgeInSeconds": 59}), false),
        (json!({"MaximumEventAgeInSeconds": 21_600}), true),
        (json!({"MaximumEventAgeInSeconds": 21_601}), false),
    ] {
        assert_eq!(line(config.clone()).await.starts_with("200"), allowed, "{config}");
    }
    assert_snapshot!(line(json!({})).await, @"400 InvalidParameterValueException: You must specify at least one of error handling or destination setting.");
    assert_snapshot!(line(json!({"MaximumRetryAttempts": 3})).await, @"400 ValidationException: 1 validation error detected: Value '3' at 'maximumRetryAttempts' failed to satisfy constraint: Member must have value less than or equal to 2");
    assert_snapshot!(line(destination("arn:aws:sqs:us-east-1:123456789012:q")).await, @"400 InvalidParameterValueException: The provided destination arn:aws:sqs:us-east-1:123456789012:q is invalid: Everstep does not serve `sqs` destinations yet. Use the ARN of a function, which can pass the record on.");
    assert_snapshot!(line(destination(&format!("{PLACE}:plain"))).await, @"400 InvalidParameterValueException: You can't specify the function as a destination for itself.");
    assert_snapshot!(line(destination(&format!("{PLACE}:gone"))).await, @"400 InvalidParameterValueException: The provided destination arn:aws:lambda:us-east-1:123456789012:function:gone is invalid: Function not found: arn:aws:lambda:us-east-1:123456789012:function:gone");
    assert_snapshot!(line(destination(&format!("{PLACE}:durable"))).await, @"400 InvalidParameterValueException: You cannot invoke a durable function using an unqualified ARN.");
    assert!(line(destination("queue")).await.starts_with("400 ValidationException"));
    let missing = put(&world, "plain:9", json!({"MaximumRetryAttempts": 0})).await;
    assert_snapshot!(missing.line(), @"404 ResourceNotFoundException: The function doesn't exist.");
    let gone = put(&world, "gone", json!({"MaximumRetryAttempts": 0})).await;
    assert_snapshot!(gone.line(), @"404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:gone");
}

#[tokio::test]
async fn execution_that_fails_is_told_of() {
    let world = World::with_functions(300).await;
    let mut failing = function("failing");
    failing["DurableConfig"] = json!({"ExecutionTimeout": 300});
    world.create(failing).await;
    world.post("/2015-03-31/functions/failing/versions", "").await;
    world.post("/2015-03-31/functions/failing/aliases", r#"{"Name": "live", "FunctionVersion": "1"}"#).await;
    let config = json!({"DestinationConfig": {"OnFailure": {"Destination": format!("{PLACE}:durable:$LATEST")}}});
    assert_eq!(put(&world, "failing:live", config).await.status, 200);
    let input = json!({"do": "give", "answer": {"Status": "FAILED", "Error": {"ErrorType": "No"}}});
    let record = told_by(&world, "failing:live", &input.to_string()).await;
    assert_eq!(record["requestContext"]["functionArn"], format!("{PLACE}:failing:live"));
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestPayload"], input);
    assert_eq!(record["responseContext"]["executedVersion"], "1");
    assert_eq!(record["responsePayload"], json!({"errorType": "No"}));
}

/// Invokes `plain` for nobody who waits, and returns what its destination `durable` was told.
async fn told(world: &World, payload: &str) -> Value {
    told_by(world, "plain", payload).await
}

async fn told_by(world: &World, function: &str, payload: &str) -> Value {
    let list = "/2025-12-01/functions/durable/durable-executions";
    let count = async || world.get(list).await.json()["DurableExecutions"].as_array().unwrap().len();
    let before = count().await;
    let answer = world.invoke(function, &[("x-amz-invocation-type", "Event")], payload).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let listed = world.until(list, |page| page["DurableExecutions"].as_array().unwrap().len() > before).await;
    let arn = listed["DurableExecutions"][0]["DurableExecutionArn"].as_str().unwrap();
    let execution = world.get(&execution(&crate::world::escaped(arn))).await.json();
    let mut record: Value = serde_json::from_str(execution["InputPayload"].as_str().unwrap()).unwrap();
    assert!(record["timestamp"].as_str().unwrap().ends_with('Z'));
    record.as_object_mut().unwrap().remove("timestamp");
    assert!(record["requestContext"].as_object_mut().unwrap().remove("requestId").is_some());
    record
}

#[tokio::test]
async fn destinations_are_told_of_success_and_of_failure() {
    let world = World::with_functions(300).await;
    let durable = json!({"Destination": format!("{PLACE}:durable:$LATEST")});
    let config = json!({"MaximumRetryAttempts": 0, "DestinationConfig": {"OnSuccess": durable, "OnFailure": durable}});
    assert_eq!(put(&world, "plain", config).await.status, 200);
    let context = |condition: &str| json!({"functionArn": format!("{PLACE}:plain:$LATEST"), "condition": condition, "approximateInvokeCount": 1});
    let headers = json!({"Lambda-Runtime-Invoked-Function-Arn": format!("{PLACE}:plain:$LATEST")});
    let expected = json!({
        "version": "1.0",
        "requestContext": context("Success"),
        "requestPayload": {"n": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"event": {"n": 1}, "headers": headers},
    });
    assert_eq!(told(&world, r#"{"n": 1}"#).await, expected);
    let expected = json!({
        "version": "1.0",
        "requestContext": context("RetriesExhausted"),
        "requestPayload": {"do": "fail"},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "Whoops", "errorMessage": "it broke", "stackTrace": ["line 1"]},
    });
    assert_eq!(told(&world, r#"{"do": "fail"}"#).await, expected);

    // A destination that is not durable tells its own.
    world.create(function("between")).await;
    assert_eq!(put(&world, "plain", destination(&format!("{PLACE}:between"))).await.status, 200);
    let between = json!({"DestinationConfig": {"OnSuccess": durable}});
    assert_eq!(put(&world, "between", between).await.status, 200);
    let record = told(&world, "[]").await;
    assert_eq!(record["requestContext"]["functionArn"], format!("{PLACE}:between:$LATEST"));
    assert_eq!(record["requestPayload"]["requestContext"]["functionArn"], format!("{PLACE}:plain:$LATEST"));
}
