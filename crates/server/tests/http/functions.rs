//! Functions, versions and aliases.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{World, escaped, function, zip};

const FUNCTIONS: &str = "/2015-03-31/functions";

/// The path of a function, or of something below it.
fn path(function: &str, below: &str) -> String {
    format!("{FUNCTIONS}/{}{below}", escaped(function))
}

/// Tries to create a function that differs from a good one in some members. Returns the refusal.
async fn refused(world: &World, members: Value) -> String {
    let mut create = function("refused");
    create.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let answer = world.post(FUNCTIONS, create.to_string()).await;
    // Where in the body it is depends on the size of the code.
    let line = answer.line();
    format!("{members} -> {}", line.split(" at line").next().unwrap())
}

#[tokio::test]
async fn function_is_created_described_and_deleted() {
    let world = World::new().await;
    let mut create = function("f");
    create["DurableConfig"] = json!({"ExecutionTimeout": 300});
    create["Environment"] = json!({"Variables": {"KEY": "value"}});
    create["LoggingConfig"] = json!({"LogFormat": "JSON"});
    create["Tags"] = json!({"team": "a"});
    let created = world.post(FUNCTIONS, create.to_string()).await;
    assert_snapshot!(created.show(), @r#"
    201
    {
      "Architectures": [
        "x86_64"
      ],
      "CodeSha256": "<CodeSha256>",
      "CodeSize": "<size>",
      "Description": "",
      "DurableConfig": {
        "ExecutionTimeout": 300,
        "RetentionPeriodInDays": 14
      },
      "Environment": {
        "Variables": {
          "KEY": "value"
        }
      },
      "EphemeralStorage": {
        "Size": 512
      },
      "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:f",
      "FunctionName": "f",
      "Handler": "",
      "LastModified": "<time>",
      "LastUpdateStatus": "Successful",
      "LoggingConfig": {
        "ApplicationLogLevel": "INFO",
        "LogFormat": "JSON",
        "LogGroup": "/aws/lambda/f",
        "SystemLogLevel": "INFO"
      },
      "MemorySize": 128,
      "PackageType": "Zip",
      "RevisionId": "<uuid>",
      "Role": "arn:aws:iam::123456789012:role/everstep",
      "Runtime": "provided.al2023",
      "State": "Active",
      "Timeout": 30,
      "TracingConfig": {
        "Mode": "PassThrough"
      },
      "Version": "$LATEST"
    }
    "#);
    assert_snapshot!(world.post(FUNCTIONS, create.to_string()).await.show(), @r#"
    409
    x-amzn-errortype: ResourceConflictException
    {
      "Type": "User",
      "message": "Function already exist: f"
    }
    "#);
    let got = world.get(&path("f", "")).await.json();
    assert_eq!(got["Configuration"], created.json());
    assert_eq!((&got["Code"]["RepositoryType"], &got["Tags"]), (&json!("Everstep"), &json!({"team": "a"})));
    assert_eq!(world.get(&path("f", "/configuration")).await.json(), created.json());
    for reference in ["arn:aws:lambda:us-east-1:123456789012:function:f", "123456789012:function:f", "function:f"] {
        assert_eq!(world.get(&path(reference, "/configuration")).await.json(), created.json(), "{reference}");
    }
    let latest = world.get(&path("f:$LATEST", "/configuration")).await.json();
    assert_eq!(latest["FunctionArn"], "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST");

    let deleted = world.send("DELETE", &path("f", ""), &[], "").await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    assert_snapshot!(world.get(&path("f", "")).await.show(), @r#"
    404
    x-amzn-errortype: ResourceNotFoundException
    {
      "Message": "Function not found: arn:aws:lambda:us-east-1:123456789012:function:f",
      "Type": "User"
    }
    "#);
    assert_snapshot!(world.send("DELETE", &path("f:7", ""), &[], "").await.line(), @"404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:f:7");
}

#[tokio::test]
async fn functions_that_cannot_be_are_refused() {
    let world = World::new().await;
    let mut lines = Vec::new();
    for members in [
        json!({"FunctionName": null}),
        json!({"FunctionName": "a b"}),
        json!({"FunctionName": "arn:aws:lambda:eu-west-1:123456789012:function:f"}),
        json!({"Runtime": null}),
        json!({"Runtime": "cobol"}),
        json!({"Runtime": "python3.13"}),
        json!({"Role": null}),
        json!({"Code": null}),
        json!({"Code": {}}),
        json!({"Code": {"ZipFile": "!"}}),
        json!({"Code": {"ZipFile": "bm8gemlw"}}),
        json!({"Code": {"S3Bucket": "b", "S3Key": "k"}}),
        json!({"Code": {"ImageUri": "i"}}),
        json!({"PackageType": "Image"}),
        json!({"Environment": {"Variables": {"AWS_REGION": "x"}}}),
        json!({"Timeout": 0, "MemorySize": 1, "DurableConfig": {"ExecutionTimeout": 0, "RetentionPeriodInDays": 91}}),
        json!({"Timeout": "30"}),
        json!({"Publish": "yes"}),
    ] {
        lines.push(refused(&world, members).await);
    }
    assert_snapshot!(lines.join("\n"), @r#"
    {"FunctionName":null} -> 400 ValidationException: 1 validation error detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null
    {"FunctionName":"a b"} -> 400 ValidationException: 1 validation error detected: Value 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?
    {"FunctionName":"arn:aws:lambda:eu-west-1:123456789012:function:f"} -> 404 ResourceNotFoundException: Function not found: arn:aws:lambda:eu-west-1:123456789012:function:f
    {"Runtime":null} -> 400 InvalidParameterValueException: Runtime is mandatory for functions created with deployment packages.
    {"Runtime":"cobol"} -> 400 InvalidParameterValueException: no runtime `cobol`; this server has python3.11 to python3.14, nodejs22.x, nodejs24.x, java17, java21, java25, provided.al2023 and provided.al2
    {"Runtime":"python3.13"} -> 400 InvalidParameterValueException: Handler is mandatory for functions created with deployment packages.
    {"Role":null} -> 400 ValidationException: 1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null
    {"Code":null} -> 400 ValidationException: 1 validation error detected: Value null at 'code' failed to satisfy constraint: Member must not be null
    {"Code":{}} -> 400 InvalidParameterValueException: Please provide a source for function code.
    {"Code":{"ZipFile":"!"}} -> 400 SerializationException: ZipFile is not base64: Invalid symbol 33, offset 0.
    {"Code":{"ZipFile":"bm8gemlw"}} -> 400 InvalidParameterValueException: the upload is not a zip file that can be read: invalid Zip archive: Could not find EOCD
    {"Code":{"S3Bucket":"b","S3Key":"k"}} -> 400 InvalidParameterValueException: Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist
    {"Code":{"ImageUri":"i"}} -> 400 InvalidParameterValueException: Everstep runs no container images: upload a zip file (PackageType Zip).
    {"PackageType":"Image"} -> 400 InvalidParameterValueException: Everstep runs no container images: use PackageType Zip.
    {"Environment":{"Variables":{"AWS_REGION":"x"}}} -> 400 InvalidParameterValueException: Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION
    {"DurableConfig":{"ExecutionTimeout":0,"RetentionPeriodInDays":91},"MemorySize":1,"Timeout":0} -> 400 ValidationException: 4 validation errors detected: Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1; Value '1' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128; Value '0' at 'durableConfig.executionTimeout' failed to satisfy constraint: Member must have value greater than or equal to 1; Value '91' at 'durableConfig.retentionPeriodInDays' failed to satisfy constraint: Member must have value less than or equal to 90
    {"Timeout":"30"} -> 400 SerializationException: Could not parse request body: invalid type: string "30", expected i64
    {"Publish":"yes"} -> 400 SerializationException: Could not parse request body: invalid type: string "yes", expected a boolean
    "#);
}

#[tokio::test]
async fn nulls_count_as_absent() {
    let world = World::new().await;
    let mut create = function("f");
    for member in ["Publish", "Description", "Environment", "DurableConfig", "Layers", "Tags", "PackageType"] {
        create[member] = Value::Null;
    }
    world.create(create).await;
    let code = json!({"ZipFile": zip(&[("bootstrap", "")]), "Publish": null, "DryRun": null});
    assert_eq!(world.send("PUT", &path("f", "/code"), &[], code.to_string()).await.status, 200);
}

#[tokio::test]
async fn settings_change_and_revisions_protect_them() {
    let world = World::with_functions(300).await;
    let configuration = path("durable", "/configuration");
    let before = world.get(&configuration).await.json();
    let change = json!({
        "Timeout": 7, "Description": "new", "DurableConfig": {"RetentionPeriodInDays": 3}, "RevisionId": before["RevisionId"],
    });
    let changed = world.send("PUT", &configuration, &[], change.to_string()).await;
    assert_eq!(changed.status, 200);
    let after = changed.json();
    assert_eq!((&after["Timeout"], &after["Description"]), (&json!(7), &json!("new")));
    assert_eq!(after["DurableConfig"], json!({"ExecutionTimeout": 300, "RetentionPeriodInDays": 3}));
    assert_eq!((&after["Runtime"], &after["CodeSha256"]), (&before["Runtime"], &before["CodeSha256"]));
    assert_snapshot!(world.send("PUT", &configuration, &[], change.to_string()).await.show(), @r#"
    412
    x-amzn-errortype: PreconditionFailedException
    {
      "Message": "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
      "Type": "User"
    }
    "#);
    let code = json!({"ZipFile": zip(&[("bootstrap", "")]), "RevisionId": before["RevisionId"]});
    assert_eq!(world.send("PUT", &path("durable", "/code"), &[], code.to_string()).await.status, 412);
    let publish = json!({"RevisionId": before["RevisionId"]});
    assert_eq!(world.post(&path("durable", "/versions"), publish.to_string()).await.status, 412);
    let enable = json!({"DurableConfig": {"ExecutionTimeout": 5}}).to_string();
    assert_snapshot!(world.send("PUT", &path("plain", "/configuration"), &[], enable).await.line(), @"400 InvalidParameterValueException: DurableConfig cannot be added to a function that was created without it: create a new function.");
}

#[tokio::test]
async fn code_changes() {
    let world = World::with_functions(300).await;
    let before = world.get(&path("plain", "/configuration")).await.json();
    let put = |code: Value| {
        let (world, path) = (&world, path("plain", "/code"));
        async move { world.send("PUT", &path, &[], code.to_string()).await }
    };
    let zip = zip(&[("bootstrap", "other")]);
    let tried = put(json!({"ZipFile": zip, "DryRun": true})).await;
    assert_eq!((tried.status, world.get(&path("plain", "/configuration")).await.json()), (200, before.clone()));
    let after = put(json!({"ZipFile": zip, "Publish": true})).await.json();
    assert_ne!(after["CodeSha256"], before["CodeSha256"]);
    assert_eq!(after["Version"], "1");
    assert_snapshot!(put(json!({})).await.line(), @"400 InvalidParameterValueException: Please provide a source for function code.");
    assert_snapshot!(put(json!({"S3Bucket": "b"})).await.line(), @"400 InvalidParameterValueException: Please provide an S3Key, too.");
}

#[tokio::test]
async fn versions_are_published_listed_and_deleted() {
    let world = World::with_functions(300).await;
    let versions = path("durable", "/versions");
    let first = world.post(&versions, r#"{"Description": "first"}"#).await;
    assert_snapshot!(first.show(), @r#"
    201
    {
      "Architectures": [
        "x86_64"
      ],
      "CodeSha256": "<CodeSha256>",
      "CodeSize": "<size>",
      "Description": "first",
      "DurableConfig": {
        "ExecutionTimeout": 300,
        "RetentionPeriodInDays": 14
      },
      "EphemeralStorage": {
        "Size": 512
      },
      "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:durable:1",
      "FunctionName": "durable",
      "Handler": "",
      "LastModified": "<time>",
      "LastUpdateStatus": "Successful",
      "LoggingConfig": {
        "LogFormat": "Text",
        "LogGroup": "/aws/lambda/durable"
      },
      "MemorySize": 128,
      "PackageType": "Zip",
      "RevisionId": "<uuid>",
      "Role": "arn:aws:iam::123456789012:role/everstep",
      "Runtime": "provided.al2023",
      "State": "Active",
      "Timeout": 30,
      "TracingConfig": {
        "Mode": "PassThrough"
      },
      "Version": "1"
    }
    "#);
    let again = world.post(&versions, r#"{"Description": "first"}"#).await.json();
    assert_eq!(again, first.json(), "nothing has changed since");
    let second = world.post(&versions, r#"{"Description": "second"}"#).await.json();
    assert_eq!(second["Version"], "2");
    let other_code = world.post(&versions, r#"{"CodeSha256": "other"}"#).await;
    assert!(other_code.line().contains("CodeSHA256 (other) is different from current CodeSHA256"), "{other_code:?}");

    let page = world.get(&format!("{versions}?MaxItems=2")).await.json();
    let marker = page["NextMarker"].as_str().unwrap();
    let rest = world.get(&format!("{versions}?MaxItems=2&Marker={marker}")).await.json();
    let numbers = |page: &Value| -> Vec<String> {
        page["Versions"].as_array().unwrap().iter().map(|version| version["Version"].as_str().unwrap().into()).collect()
    };
    assert_eq!((numbers(&page), numbers(&rest)), (vec!["$LATEST".into(), "1".into()], vec!["2".into()]));
    assert!(rest["NextMarker"].is_null());

    assert_eq!(world.send("DELETE", &path("durable:1", ""), &[], "").await.status, 204);
    assert_snapshot!(world.get(&path("durable:1", "")).await.line(), @"404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:durable:1");
    assert_snapshot!(world.send("DELETE", &path("durable:$LATEST", ""), &[], "").await.line(), @"400 InvalidParameterValueException: $LATEST version cannot be deleted without deleting the function.");
    world.send("PUT", &path("durable", "/configuration"), &[], r#"{"Timeout": 9}"#).await;
    assert_eq!(world.post(&versions, "").await.json()["Version"], "3", "numbers are never used again");
}

#[tokio::test]
async fn functions_are_listed_page_by_page() {
    let world = World::with_functions(300).await;
    world.post(&path("durable", "/versions"), "").await;
    let arns = |page: &Value| -> Vec<String> {
        let functions = page["Functions"].as_array().unwrap();
        functions.iter().map(|function| function["FunctionArn"].as_str().unwrap()[47..].into()).collect()
    };
    let page = world.get(&format!("{FUNCTIONS}?MaxItems=1")).await.json();
    let marker = page["NextMarker"].as_str().unwrap();
    let rest = world.get(&format!("{FUNCTIONS}/?Marker={marker}")).await.json();
    assert_eq!((arns(&page), arns(&rest)), (vec!["durable".into()], vec!["plain".into()]));
    let all = world.get(&format!("{FUNCTIONS}?FunctionVersion=ALL")).await.json();
    assert_eq!(arns(&all), ["durable:$LATEST", "durable:1", "plain:$LATEST"]);
}

#[tokio::test]
async fn aliases_point_to_versions() {
    let world = World::with_functions(300).await;
    world.post(&path("durable", "/versions"), "").await;
    let aliases = path("durable", "/aliases");
    let live = path("durable", "/aliases/live");
    let created = world.post(&aliases, r#"{"Name": "live", "FunctionVersion": "1", "Description": "for all"}"#).await;
    assert_snapshot!(created.show(), @r#"
    201
    {
      "AliasArn": "arn:aws:lambda:us-east-1:123456789012:function:durable:live",
      "Description": "for all",
      "FunctionVersion": "1",
      "Name": "live",
      "RevisionId": "<uuid>"
    }
    "#);
    let mut lines = Vec::new();
    for body in [
        r#"{"Name": "live", "FunctionVersion": "1"}"#,
        r#"{"Name": "other", "FunctionVersion": "9"}"#,
        r#"{"Name": "other"}"#,
        r#"{"Name": "7", "FunctionVersion": "1"}"#,
        r#"{"FunctionVersion": "1"}"#,
    ] {
        lines.push(format!("{body} -> {}", world.post(&aliases, body).await.line()));
    }
    assert_snapshot!(lines.join("\n"), @r#"
    {"Name": "live", "FunctionVersion": "1"} -> 409 ResourceConflictException: Alias already exists: arn:aws:lambda:us-east-1:123456789012:function:durable:live
    {"Name": "other", "FunctionVersion": "9"} -> 404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:durable:9
    {"Name": "other"} -> 400 ValidationException: 1 validation error detected: Value null at 'functionVersion' failed to satisfy constraint: Member must not be null
    {"Name": "7", "FunctionVersion": "1"} -> 400 ValidationException: 1 validation error detected: Value '7' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)
    {"FunctionVersion": "1"} -> 400 ValidationException: 1 validation error detected: Value '' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)
    "#);
    assert_eq!(world.get(&live).await.json(), created.json());
    assert_eq!(world.get(&path("durable:live", "/configuration")).await.json()["Version"], "1");
    assert_snapshot!(world.send("DELETE", &path("durable:1", ""), &[], "").await.line(), @"409 ResourceConflictException: Version 1 is used by alias live: point it elsewhere first.");
    assert_snapshot!(world.send("DELETE", &path("durable:live", ""), &[], "").await.line(), @"400 InvalidParameterValueException: Deletion of aliases is not currently supported.");

    let stale = r#"{"FunctionVersion": "$LATEST", "RevisionId": "old"}"#;
    assert_eq!(world.send("PUT", &live, &[], stale).await.status, 412);
    let updated = world.send("PUT", &live, &[], r#"{"FunctionVersion": "$LATEST"}"#).await.json();
    assert_eq!((&updated["FunctionVersion"], &updated["Description"]), (&json!("$LATEST"), &json!("for all")));
    assert_eq!(world.get(&aliases).await.json(), json!({"Aliases": [updated]}));
    assert_eq!(world.get(&format!("{aliases}?FunctionVersion=1")).await.json(), json!({"Aliases": []}));

    for _ in 0..2 {
        assert_eq!(world.send("DELETE", &live, &[], "").await.status, 204);
    }
    assert_snapshot!(world.get(&live).await.line(), @"404 ResourceNotFoundException: Cannot find alias arn: arn:aws:lambda:us-east-1:123456789012:function:durable:live");
    assert_snapshot!(world.send("PUT", &live, &[], "{}").await.line(), @"404 ResourceNotFoundException: Cannot find alias arn: arn:aws:lambda:us-east-1:123456789012:function:durable:live");
}

#[tokio::test]
async fn weighted_aliases_lead_to_two_versions() {
    let world = World::with_functions(300).await;
    for function in ["plain", "durable"] {
        world.post(&path(function, "/versions"), "").await;
        world.post(&path(function, "/versions"), r#"{"Description": "second"}"#).await;
    }
    let weighted = |weight: f64| json!({"AdditionalVersionWeights": {"2": weight}});
    let create = json!({"Name": "live", "FunctionVersion": "1", "RoutingConfig": weighted(1.0)});
    for function in ["plain", "durable"] {
        let created = world.post(&path(function, "/aliases"), create.to_string()).await;
        assert_eq!((created.status, &created.json()["RoutingConfig"]), (201, &weighted(1.0)));
        assert_eq!(world.get(&path(function, "/aliases/live")).await.json(), created.json());
    }
    let version_of = |function: &'static str| {
        let world = &world;
        async move {
            let answer = world.invoke(function, &[("x-amz-durable-execution-name", "n")], "{}").await;
            let plain = if answer.status == 200 { answer } else { world.invoke(function, &[], "{}").await };
            plain.header("x-amz-executed-version").unwrap().to_string()
        }
    };
    assert_eq!((version_of("plain:live").await, version_of("durable:live").await), ("2".into(), "2".into()));
    let update = |function: &'static str, body: Value| {
        let world = &world;
        async move { world.send("PUT", &path(function, "/aliases/live"), &[], body.to_string()).await }
    };
    for function in ["plain", "durable"] {
        let updated = update(function, json!({"RoutingConfig": weighted(0.0)})).await;
        assert_eq!(updated.json()["RoutingConfig"], weighted(0.0));
    }
    assert_eq!(version_of("plain:live").await, "1");
    assert_eq!(version_of("durable:live").await, "2", "the execution of that name is pinned");
    assert!(world.send("DELETE", &path("plain:2", ""), &[], "").await.line().contains("used by alias live"));

    let mut lines = Vec::new();
    for body in [
        json!({"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.5, "1": 0.5}}}),
        json!({"RoutingConfig": {"AdditionalVersionWeights": {"2": 1.1}}}),
        json!({"RoutingConfig": {"AdditionalVersionWeights": {"2": -0.1}}}),
        json!({"RoutingConfig": {"AdditionalVersionWeights": {"$LATEST": 0.5}}}),
        json!({"RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}),
        json!({"RoutingConfig": {"AdditionalVersionWeights": {"9": 0.5}}}),
        json!({"FunctionVersion": "$LATEST"}),
        json!({"FunctionVersion": "2"}),
    ] {
        lines.push(format!("{body} -> {}", update("plain", body.clone()).await.line()));
    }
    assert_snapshot!(lines.join("\n"), @r#"
    {"RoutingConfig":{"AdditionalVersionWeights":{"1":0.5,"2":0.5}}} -> 400 InvalidParameterValueException: Number of items in AdditionalVersionWeights cannot be greater than 1
    {"RoutingConfig":{"AdditionalVersionWeights":{"2":1.1}}} -> 400 ValidationException: 1 validation error detected: Value '1.1' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value between 0.0 and 1.0]
    {"RoutingConfig":{"AdditionalVersionWeights":{"2":-0.1}}} -> 400 ValidationException: 1 validation error detected: Value '-0.1' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value between 0.0 and 1.0]
    {"RoutingConfig":{"AdditionalVersionWeights":{"$LATEST":0.5}}} -> 400 ValidationException: 1 validation error detected: Value '$LATEST' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]+]
    {"RoutingConfig":{"AdditionalVersionWeights":{"1":0.5}}} -> 400 InvalidParameterValueException: Invalid function version 1. Function version 1 is already included in routing configuration.
    {"RoutingConfig":{"AdditionalVersionWeights":{"9":0.5}}} -> 404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:plain:9
    {"FunctionVersion":"$LATEST"} -> 400 InvalidParameterValueException: $LATEST is not supported for an alias pointing to more than 1 version
    {"FunctionVersion":"2"} -> 400 InvalidParameterValueException: Invalid function version 2. Function version 2 is already included in routing configuration.
    "#);
    for config in [json!({}), json!({"AdditionalVersionWeights": {}})] {
        update("plain", json!({"RoutingConfig": weighted(0.5)})).await;
        assert_eq!(update("plain", json!({"RoutingConfig": config})).await.json().get("RoutingConfig"), None);
    }
    world.create_role("other").await;
    world
        .send("PUT", &path("plain", "/configuration"), &[], r#"{"Role": "arn:aws:iam::123456789012:role/other"}"#)
        .await;
    assert_eq!(world.post(&path("plain", "/versions"), "").await.json()["Version"], "3");
    let other_role = update("plain", json!({"RoutingConfig": {"AdditionalVersionWeights": {"3": 0.5}}})).await;
    assert_snapshot!(other_role.line(), @"400 InvalidParameterValueException: The versions of an alias must have the same execution role.");
}
