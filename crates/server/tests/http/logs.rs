//! CloudWatch Logs, as far as it is served: what functions print is read by group, stream, time and page.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{Answer, Signer, Wire, World};

impl World {
    /// Asks CloudWatch Logs, as the operator.
    async fn logs(&self, operation: &str, body: &Value) -> Answer {
        let target = ("x-amz-target".to_string(), format!("Logs_20140328.{operation}"));
        let wire = Wire {
            method: "POST".into(),
            path: "/".into(),
            headers: vec![target],
            body: body.to_string().into_bytes(),
        };
        self.deliver(&wire.signed(&Signer { service: "logs", ..self.signer() }, self.address())).await
    }

    /// Invokes `plain` and waits until its last line is in the log. Returns all its events.
    async fn log_of_plain(&self) -> Vec<Value> {
        self.invoke("plain", &[], r#"{"do": "say"}"#).await;
        loop {
            let answer = self.logs("FilterLogEvents", &json!({"logGroupName": "/aws/lambda/plain"})).await.json();
            let events = answer["events"].as_array().unwrap();
            if events.iter().any(|event| event["message"].as_str().unwrap().starts_with("REPORT")) {
                return events.clone();
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Returns the first words of the messages.
fn words(answer: &Value) -> Vec<&str> {
    let events = answer["events"].as_array().unwrap_or_else(|| panic!("{answer}"));
    events.iter().map(|event| event["message"].as_str().unwrap().split([' ', '\t']).next().unwrap()).collect()
}

#[tokio::test]
async fn what_functions_print_is_read_by_group_stream_time_and_page() {
    let world = World::with_functions(300).await;
    let events = world.log_of_plain().await;
    let all = ["INIT_START", "START", "a", "END", "REPORT"];
    assert_eq!(words(&json!({"events": events})), all);
    let stream = events[0]["logStreamName"].as_str().unwrap();
    let group = "/aws/lambda/plain";
    let (first, last) = (events[0]["timestamp"].as_i64().unwrap(), events[4]["timestamp"].as_i64().unwrap());
    let filter = async |extra: Value| {
        let mut body = json!({"logGroupName": group});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        world.logs("FilterLogEvents", &body).await.json()
    };
    assert_eq!(words(&filter(json!({"logStreamNames": [stream]})).await), all);
    assert!(words(&filter(json!({"logStreamNames": ["other", "another"]})).await).is_empty());
    assert_eq!(words(&filter(json!({"logStreamNamePrefix": &stream[..4]})).await), all);
    assert_eq!(words(&filter(json!({"startTime": first, "endTime": last})).await), all);
    assert!(words(&filter(json!({"endTime": first - 1})).await).is_empty());
    assert!(words(&filter(json!({"startTime": last + 1})).await).is_empty());
    assert_eq!(words(&filter(json!({"limit": 10_000})).await), all);
    assert_eq!(words(&filter(json!({"filterPattern": "RequestId -REPORT -END"})).await), all[1..2]);
    assert!(words(&filter(json!({"filterPattern": "{ $.a = 1 }"})).await).is_empty());
    let page = filter(json!({"limit": 4})).await;
    assert_eq!(words(&page), all[..4]);
    let rest = filter(json!({"limit": 4, "nextToken": page["nextToken"]})).await;
    assert_eq!((words(&rest), rest.get("nextToken")), (all[4..].to_vec(), None));
    let arn = format!("arn:aws:logs:us-east-1:123456789012:log-group:{group}:*");
    assert_eq!(words(&world.logs("FilterLogEvents", &json!({"logGroupIdentifier": arn})).await.json()), all);

    let get = async |token: &Value, head: bool| {
        let body = json!({"logGroupName": group, "logStreamName": stream, "limit": 2, "nextToken": token, "startFromHead": head});
        world.logs("GetLogEvents", &body).await.json()
    };
    let newest = get(&Value::Null, false).await;
    assert_eq!(words(&newest), all[3..]);
    let before = get(&newest["nextBackwardToken"], false).await;
    assert_eq!(words(&before), all[1..3]);
    assert_eq!(words(&get(&before["nextForwardToken"], true).await), all[3..]);
    // At its end a stream gives the same token again: more may come.
    let end = get(&newest["nextForwardToken"], true).await;
    assert_eq!((words(&end), &end["nextForwardToken"]), (vec![], &newest["nextForwardToken"]));
    assert_eq!(words(&get(&end["nextBackwardToken"], true).await), all[3..]);
    assert_eq!(words(&get(&Value::Null, true).await), all[..2]);

    let groups = world.logs("DescribeLogGroups", &json!({"limit": 1})).await.json();
    assert_eq!(groups["logGroups"][0]["logGroupName"], "/aws/lambda/durable");
    let groups = world.logs("DescribeLogGroups", &json!({"nextToken": groups["nextToken"]})).await.json();
    assert_snapshot!(groups, @r#"{"logGroups":[{"arn":"arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/plain:*","logGroupArn":"arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/plain","logGroupClass":"STANDARD","logGroupName":"/aws/lambda/plain"}]}"#);
    let body = json!({"logGroupName": group, "orderBy": "LastEventTime", "descending": true, "limit": 50});
    let streams = world.logs("DescribeLogStreams", &body).await.json();
    assert_eq!(streams["logStreams"][0]["logStreamName"], stream);
    assert_eq!(streams["logStreams"][0]["lastEventTimestamp"], last);
    assert!(streams.get("nextToken").is_none());
    assert_eq!(world.logs("DescribeLogGroups", &json!({"limit": 50})).await.status, 200);
}

#[tokio::test]
async fn log_requests_that_make_no_sense_are_refused_in_awss_words() {
    let world = World::with_functions(300).await;
    let mut lines = String::new();
    for (operation, body) in [
        ("FilterLogEvents", json!({})),
        ("FilterLogEvents", json!({"logGroupName": "/aws/lambda/none"})),
        ("FilterLogEvents", json!({"logGroupName": "/aws/lambda/plain", "filterPattern": "{ $.a = 1"})),
        ("FilterLogEvents", json!({"logGroupName": "/aws/lambda/plain", "filterPattern": "a".repeat(1_024)})),
        ("FilterLogEvents", json!({"logGroupName": "/aws/lambda/plain", "filterPattern": "a".repeat(1_025)})),
        ("FilterLogEvents", json!({"logGroupName": "/aws/lambda/plain", "limit": 10_001})),
        ("FilterLogEvents", json!({"logGroupName": "/aws/lambda/plain", "nextToken": "AAAA"})),
        (
            "FilterLogEvents",
            json!({"logGroupName": "/aws/lambda/plain", "logStreamNames": [], "logStreamNamePrefix": "a"}),
        ),
        ("FilterLogEvents", json!({"logGroupName": "/aws/lambda/plain", "logGroupIdentifier": "/aws/lambda/plain"})),
        ("FilterLogEvents", json!({"logGroupName": 5})),
        ("GetLogEvents", json!({"logGroupName": "/aws/lambda/plain"})),
        ("GetLogEvents", json!({"logGroupName": "/aws/lambda/plain", "logStreamName": "none"})),
        ("GetLogEvents", json!({"logGroupName": "/aws/lambda/plain", "logStreamName": "none", "nextToken": "x/1"})),
        ("GetLogEvents", json!({"logGroupName": "/aws/lambda/plain", "logStreamName": "none", "nextToken": "f/x"})),
        ("DescribeLogGroups", json!({"limit": 51})),
        ("DescribeLogGroups", json!({"limit": 0})),
        ("DescribeLogStreams", json!({"logGroupName": "/aws/lambda/plain", "limit": 51})),
        ("DescribeLogStreams", json!({"logGroupName": "/aws/lambda/plain", "orderBy": "Size"})),
        ("PutLogEvents", json!({})),
    ] {
        lines += &format!("{}\n", world.logs(operation, &body).await.line());
    }
    assert_snapshot!(lines, @r#"
    400 InvalidParameterException: 1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null
    400 ResourceNotFoundException: The specified log group does not exist.
    400 InvalidParameterException: Invalid filter pattern: If a filter pattern starts with '{' it must end with '}'
    200 ok: 
    400 InvalidParameterException: 1 validation error detected: Value 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' at 'filterPattern' failed to satisfy constraint: Member must have length less than or equal to 1024
    400 InvalidParameterException: 1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000
    400 InvalidParameterException: The specified nextToken is invalid.
    400 InvalidParameterException: LogStreamNamePrefix and LogStreamNames cannot be used together.
    400 InvalidParameterException: LogGroup name and LogGroup identifier cannot be specified together.
    400 SerializationException: Could not parse request body: invalid type: integer `5`, expected a string at line 1 column 17
    400 InvalidParameterException: 1 validation error detected: Value null at 'logStreamName' failed to satisfy constraint: Member must not be null
    400 ResourceNotFoundException: The specified log stream does not exist.
    400 InvalidParameterException: The specified nextToken is invalid.
    400 InvalidParameterException: The specified nextToken is invalid.
    400 InvalidParameterException: 1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50
    400 InvalidParameterException: 1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1
    400 InvalidParameterException: 1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50
    400 InvalidParameterException: 1 validation error detected: Value 'Size' at 'orderBy' failed to satisfy constraint: Member must satisfy enum value set: [LogStreamName, LastEventTime]
    501 NotImplementedException: Everstep does not serve PutLogEvents yet; of CloudWatch Logs it serves CreateLogGroup, DeleteLogGroup, DeleteRetentionPolicy, DescribeLogGroups, DescribeLogStreams, FilterLogEvents, GetLogEvents, PutRetentionPolicy.
    "#);
    let refused = world.logs("GetLogEvents", &json!({"logStreamName": "s"})).await.json();
    assert_eq!(refused["__type"], "InvalidParameterException");
}

#[tokio::test]
async fn groups_are_created_kept_for_so_long_and_deleted() {
    let world = World::with_functions(300).await;
    let mut lines = String::new();
    for (operation, body) in [
        ("CreateLogGroup", json!({"logGroupName": "own", "tags": {"a": "b"}})),
        ("CreateLogGroup", json!({"logGroupName": "own"})),
        ("CreateLogGroup", json!({"logGroupName": "n".repeat(512)})),
        ("CreateLogGroup", json!({"logGroupName": "n".repeat(513)})),
        ("CreateLogGroup", json!({"logGroupName": "a b"})),
        ("PutRetentionPolicy", json!({"logGroupName": "own"})),
        ("PutRetentionPolicy", json!({"logGroupName": "own", "retentionInDays": 2})),
        ("PutRetentionPolicy", json!({"logGroupName": "none", "retentionInDays": 1})),
        ("PutRetentionPolicy", json!({"logGroupName": "own", "retentionInDays": 14})),
    ] {
        let answer = world.logs(operation, &body).await;
        // What is done has no body.
        let line = if answer.body.is_empty() { answer.status.to_string() } else { answer.line() };
        lines += &format!("{operation} {line}\n");
    }
    let long = "n".repeat(100);
    let days =
        "1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653";
    let lines = lines.replace(&long, "LONG").replace(days, "DAYS");
    assert_snapshot!(lines, @r"
    CreateLogGroup 200
    CreateLogGroup 400 ResourceAlreadyExistsException: The specified log group already exists
    CreateLogGroup 200
    CreateLogGroup 400 InvalidParameterException: 1 validation error detected: Value 'LONG' at 'logGroupName' failed to satisfy constraint: Member must have length less than or equal to 512
    CreateLogGroup 400 InvalidParameterException: 1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+
    PutRetentionPolicy 400 InvalidParameterException: 1 validation error detected: Value null at 'retentionInDays' failed to satisfy constraint: Member must not be null
    PutRetentionPolicy 400 InvalidParameterException: 1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [DAYS]
    PutRetentionPolicy 400 ResourceNotFoundException: The specified log group does not exist.
    PutRetentionPolicy 200
    ");
    let own = async || {
        let shape = world.logs("DescribeLogGroups", &json!({"logGroupNamePrefix": "own"})).await.json();
        shape["logGroups"][0].clone()
    };
    let shape = own().await;
    assert!(shape["creationTime"].is_i64(), "{shape}");
    assert_eq!(shape["retentionInDays"], 14);
    world.logs("DeleteRetentionPolicy", &json!({"logGroupName": "own"})).await;
    assert_eq!(own().await.get("retentionInDays"), None);
    world.logs("DeleteLogGroup", &json!({"logGroupName": "own"})).await;
    assert_eq!(own().await, Value::Null);
    let again = world.logs("DeleteLogGroup", &json!({"logGroupName": "own"})).await.line();
    assert_eq!(again, "400 ResourceNotFoundException: The specified log group does not exist.");
}
