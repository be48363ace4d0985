//! The Parameter Store: versions, selectors, labels, lists and limits.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::World;

impl World {
    /// Asks the Parameter Store as the operator.
    async fn ssm(&self, operation: &str, body: &Value) -> (u16, Value) {
        self.target("ssm", &format!("AmazonSSM.{operation}"), body).await
    }
}

/// Sends one request after the other, and shows what came of each.
async fn check(world: &World, requests: &[(&str, Value)]) -> String {
    let mut lines = Vec::new();
    for (operation, body) in requests {
        let (status, answer) = world.ssm(operation, body).await;
        let text = crate::world::redact(answer).to_string();
        lines.push(format!("{operation}: {status} {text}"));
    }
    lines.join("\n")
}

#[tokio::test]
async fn parameters_have_versions_and_labels() {
    let world = World::new().await;
    let lines = check(
        &world,
        &[
            ("GetParameter", json!({"Name": "a"})),
            ("PutParameter", json!({"Name": "a", "Value": "1"})),
            ("PutParameter", json!({"Name": "a", "Value": "1", "Type": "Number"})),
            (
                "PutParameter",
                json!({"Name": "a", "Value": "1", "Type": "String", "Tags": [{"Key": "k", "Value": "v"}]}),
            ),
            ("PutParameter", json!({"Name": "a", "Value": "2", "Type": "String"})),
            ("PutParameter", json!({"Name": "a", "Value": "2", "Overwrite": true})),
            ("GetParameter", json!({"Name": "a"})),
            ("GetParameter", json!({"Name": "a:1"})),
            ("GetParameter", json!({"Name": "a:3"})),
            ("GetParameter", json!({"Name": "arn:aws:ssm:us-east-1:123456789012:parameter/a"})),
            ("LabelParameterVersion", json!({"Name": "a", "ParameterVersion": 1, "Labels": ["old", "1st"]})),
            ("GetParameter", json!({"Name": "a:old"})),
            ("LabelParameterVersion", json!({"Name": "a", "Labels": ["old"]})),
            ("GetParameter", json!({"Name": "a:old"})),
            ("LabelParameterVersion", json!({"Name": "a", "ParameterVersion": 9, "Labels": ["old"]})),
            ("UnlabelParameterVersion", json!({"Name": "a", "ParameterVersion": 2, "Labels": ["old", "new"]})),
            ("GetParameterHistory", json!({"Name": "a", "MaxResults": 1})),
            ("PutParameter", json!({"Name": "s", "Value": "secret", "Type": "SecureString"})),
            ("GetParameters", json!({"Names": ["s", "x"]})),
            ("GetParameters", json!({"Names": ["s"], "WithDecryption": true})),
            (
                "AddTagsToResource",
                json!({"ResourceType": "Parameter", "ResourceId": "a", "Tags": [{"Key": "l", "Value": "w"}]}),
            ),
            ("RemoveTagsFromResource", json!({"ResourceType": "Parameter", "ResourceId": "a", "TagKeys": ["k"]})),
            ("ListTagsForResource", json!({"ResourceType": "Parameter", "ResourceId": "a"})),
            ("ListTagsForResource", json!({"ResourceType": "Document", "ResourceId": "a"})),
            ("DeleteParameter", json!({"Name": "a"})),
            ("DeleteParameter", json!({"Name": "a"})),
            ("DeleteParameters", json!({"Names": ["s", "a"]})),
            ("SendCommand", json!({})),
        ],
    )
    .await;
    assert_snapshot!(lines, @r#"
    GetParameter: 400 {"Type":"User","__type":"ParameterNotFound","message":"Parameter not found."}
    PutParameter: 400 {"Type":"User","__type":"ValidationException","message":"A parameter type is required when you create a parameter."}
    PutParameter: 400 {"Type":"User","__type":"ValidationException","message":"1 validation error detected: Value 'Number' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [SecureString, StringList, String]"}
    PutParameter: 200 {"Tier":"Standard","Version":1}
    PutParameter: 400 {"Type":"User","__type":"ParameterAlreadyExists","message":"The parameter already exists. To overwrite this value, set the overwrite option in the request to true."}
    PutParameter: 200 {"Tier":"Standard","Version":2}
    GetParameter: 200 {"Parameter":{"ARN":"arn:aws:ssm:us-east-1:123456789012:parameter/a","DataType":"text","LastModifiedDate":"<seconds>","Name":"a","Type":"String","Value":"2","Version":2}}
    GetParameter: 200 {"Parameter":{"ARN":"arn:aws:ssm:us-east-1:123456789012:parameter/a","DataType":"text","LastModifiedDate":"<seconds>","Name":"a","Selector":":1","Type":"String","Value":"1","Version":1}}
    GetParameter: 400 {"Type":"User","__type":"ParameterVersionNotFound","message":"Systems Manager could not find version 3 of a. Verify the version and try again."}
    GetParameter: 200 {"Parameter":{"ARN":"arn:aws:ssm:us-east-1:123456789012:parameter/a","DataType":"text","LastModifiedDate":"<seconds>","Name":"a","Type":"String","Value":"2","Version":2}}
    LabelParameterVersion: 200 {"InvalidLabels":["1st"],"ParameterVersion":1}
    GetParameter: 200 {"Parameter":{"ARN":"arn:aws:ssm:us-east-1:123456789012:parameter/a","DataType":"text","LastModifiedDate":"<seconds>","Name":"a","Selector":":old","Type":"String","Value":"1","Version":1}}
    LabelParameterVersion: 200 {"InvalidLabels":[],"ParameterVersion":2}
    GetParameter: 200 {"Parameter":{"ARN":"arn:aws:ssm:us-east-1:123456789012:parameter/a","DataType":"text","LastModifiedDate":"<seconds>","Name":"a","Selector":":old","Type":"String","Value":"2","Version":2}}
    LabelParameterVersion: 400 {"Type":"User","__type":"ParameterVersionNotFound","message":"Systems Manager could not find version 9 of a. Verify the version and try again."}
    UnlabelParameterVersion: 200 {"InvalidLabels":["new"],"RemovedLabels":["old"]}
    GetParameterHistory: 200 {"NextToken":"<NextToken>","Parameters":[{"DataType":"text","Labels":[],"LastModifiedDate":"<seconds>","LastModifiedUser":"arn:aws:iam::123456789012:root","Name":"a","Policies":[],"Tier":"Standard","Type":"String","Value":"1","Version":1}]}
    PutParameter: 200 {"Tier":"Standard","Version":1}
    GetParameters: 200 {"InvalidParameters":["x"],"Parameters":[{"ARN":"arn:aws:ssm:us-east-1:123456789012:parameter/s","DataType":"text","LastModifiedDate":"<seconds>","Name":"s","Type":"SecureString","Value":"(a SecureString: ask with WithDecryption)","Version":1}]}
    GetParameters: 200 {"InvalidParameters":[],"Parameters":[{"ARN":"arn:aws:ssm:us-east-1:123456789012:parameter/s","DataType":"text","LastModifiedDate":"<seconds>","Name":"s","Type":"SecureString","Value":"secret","Version":1}]}
    AddTagsToResource: 200 {}
    RemoveTagsFromResource: 200 {}
    ListTagsForResource: 200 {"TagList":[{"Key":"l","Value":"w"}]}
    ListTagsForResource: 400 {"Type":"User","__type":"InvalidResourceType","message":"Of Systems Manager, Everstep has parameters only."}
    DeleteParameter: 200 {}
    DeleteParameter: 400 {"Type":"User","__type":"ParameterNotFound","message":"Parameter not found."}
    DeleteParameters: 200 {"DeletedParameters":["s"],"InvalidParameters":["a"]}
    SendCommand: 501 {"Type":"Service","__type":"NotImplementedException","message":"Everstep does not serve SendCommand; of Systems Manager it serves parameters."}
    "#);
}

#[tokio::test]
async fn parameters_are_listed_by_path_and_by_filter() {
    let world = World::new().await;
    for name in ["/p", "/p/a", "/p/b/c", "/p/d", "/pq/e", "f"] {
        world.ssm("PutParameter", &json!({"Name": name, "Value": "v", "Type": "String"})).await;
    }
    let names = async |operation: &str, body: Value| {
        let mut body = body;
        let mut names: Vec<String> = Vec::new();
        loop {
            let (status, answer) = world.ssm(operation, &body).await;
            assert_eq!(status, 200, "{answer}");
            let found = answer["Parameters"].as_array().unwrap();
            names.extend(found.iter().map(|parameter| parameter["Name"].as_str().unwrap().to_string()));
            match answer.get("NextToken") {
                Some(token) => body["NextToken"] = token.clone(),
                None => return names.join(" "),
            }
        }
    };
    let by_path = "GetParametersByPath";
    assert_eq!(names(by_path, json!({"Path": "/p", "MaxResults": 1})).await, "/p/a /p/d");
    assert_eq!(names(by_path, json!({"Path": "/p/", "Recursive": true, "MaxResults": 2})).await, "/p/a /p/b/c /p/d");
    assert_eq!(names(by_path, json!({"Path": "/", "Recursive": false})).await, "/p");
    let filter = |key: &str, option: &str, value: &str| json!({"MaxResults": 2, "ParameterFilters": [{"Key": key, "Option": option, "Values": [value]}]});
    let describe = "DescribeParameters";
    assert_eq!(names(describe, filter("Name", "BeginsWith", "/p/")).await, "/p/a /p/b/c /p/d");
    assert_eq!(names(describe, filter("Name", "Contains", "q")).await, "/pq/e");
    assert_eq!(names(describe, filter("Name", "Equals", "f")).await, "f");
    assert_eq!(names(describe, filter("Path", "OneLevel", "/p")).await, "/p/a /p/d");
    assert_eq!(names(describe, filter("Path", "Recursive", "/p")).await, "/p/a /p/b/c /p/d");
    assert_eq!(world.ssm(describe, &filter("Path", "Equals", "/p")).await.0, 400);
    assert_eq!(world.ssm(describe, &filter("Size", "Equals", "/p")).await.0, 400);
    assert_eq!(world.ssm(by_path, &json!({"Path": "p"})).await.0, 400);
}

#[tokio::test]
async fn limits_of_parameters_are_kept() {
    let world = World::new().await;
    let put = |name: String, value: usize, more: Value| {
        let mut body = json!({"Name": name, "Value": "v".repeat(value), "Type": "String", "Overwrite": true});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ("PutParameter", body)
    };
    let levels = |count: usize| "/l".repeat(count);
    let labels = |count: usize| (0..count).map(|number| format!("l{number}")).collect::<Vec<_>>();
    for ((operation, body), expected) in [
        (put("a".into(), 4_096, json!({})), 200),
        (put("a".into(), 4_097, json!({})), 400),
        (put("a".into(), 8_192, json!({"Tier": "Advanced"})), 200),
        (put("a".into(), 8_193, json!({"Tier": "Advanced"})), 400),
        (put("b".into(), 4_097, json!({"Tier": "Intelligent-Tiering"})), 200),
        (put("n".repeat(1_011), 1, json!({})), 200),
        (put("n".repeat(1_012), 1, json!({})), 400),
        (put(levels(15), 1, json!({})), 200),
        (put(levels(16), 1, json!({})), 400),
        (put("a b".into(), 1, json!({})), 400),
        (put("a/b".into(), 1, json!({})), 400),
        (put("/aws/b".into(), 1, json!({})), 400),
        (put("ssm-b".into(), 1, json!({})), 400),
        (put("c".into(), 1, json!({"Description": "d".repeat(1_024)})), 200),
        (put("c".into(), 1, json!({"Description": "d".repeat(1_025)})), 400),
        (put("c".into(), 1, json!({"AllowedPattern": "v"})), 400),
        (put("c".into(), 1, json!({"DataType": "number"})), 400),
        (("GetParameters", json!({"Names": vec!["a"; 10]})), 200),
        (("GetParameters", json!({"Names": vec!["a"; 11]})), 400),
        (("GetParameters", json!({"Names": []})), 400),
        (("GetParametersByPath", json!({"Path": "/", "MaxResults": 10})), 200),
        (("GetParametersByPath", json!({"Path": "/", "MaxResults": 11})), 400),
        (("DescribeParameters", json!({"MaxResults": 50})), 200),
        (("DescribeParameters", json!({"MaxResults": 51})), 400),
        (("LabelParameterVersion", json!({"Name": "c", "Labels": labels(10)})), 200),
        (("LabelParameterVersion", json!({"Name": "c", "Labels": labels(11)})), 400),
        (("LabelParameterVersion", json!({"Name": "b", "Labels": ["l".repeat(100)]})), 200),
    ] {
        let (status, answer) = world.ssm(operation, &body).await;
        assert_eq!(status, expected, "{operation} {answer}");
    }
    let (_, answer) = world.ssm("LabelParameterVersion", &json!({"Name": "b", "Labels": ["l".repeat(101)]})).await;
    assert_eq!(answer["InvalidLabels"].as_array().unwrap().len(), 1);
    for _ in 0..101 {
        let (operation, body) = put("many".into(), 1, json!({}));
        assert_eq!(world.ssm(operation, &body).await.0, 200);
    }
    assert_eq!(world.ssm("GetParameter", &json!({"Name": "many:2"})).await.0, 200);
    assert_eq!(world.ssm("GetParameter", &json!({"Name": "many:1"})).await.0, 400, "a hundred versions are kept");
    world.ssm("LabelParameterVersion", &json!({"Name": "many", "ParameterVersion": 2, "Labels": ["kept"]})).await;
    let (operation, body) = put("many".into(), 1, json!({}));
    assert_eq!(world.ssm(operation, &body).await.1["__type"], "ParameterMaxVersionLimitExceeded");
}

#[tokio::test]
async fn parameter_that_a_server_is_born_with_gives_way_and_stays_away() {
    let world = World::new().await;
    let name = "/cdk-bootstrap/hnb659fds/version";
    let put = json!({"Name": name, "Value": "31", "Type": "String"});
    assert_eq!(world.ssm("GetParameter", &json!({"Name": name})).await.1["Parameter"]["Value"], "30");
    assert_eq!(world.ssm("PutParameter", &put).await.0, 200);
    assert_eq!(world.ssm("PutParameter", &put).await.0, 400);
    assert_eq!(world.ssm("DeleteParameter", &json!({"Name": name})).await.0, 200);
    let world = world.restarted().await;
    assert_eq!(world.ssm("GetParameter", &json!({"Name": name})).await.0, 400);
}
