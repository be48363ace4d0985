//! Resource policies, tags, and what the account allows.

use serde_json::{Value, json};

use crate::world::{Answer, World, escaped, function, zip};

/// Checks what kind of refusal an answer is, and what it says.
#[track_caller]
fn check_refused(answer: &Answer, kind: &str, words: &str) {
    let line = answer.line();
    assert!(line.contains(&format!(" {kind}: ")) && line.contains(words), "{line}");
}

fn policy(function: &str) -> String {
    format!("/2015-03-31/functions/{}/policy", escaped(function))
}

fn tags(function: &str) -> String {
    format!("/2017-03-31/tags/{}", escaped(&format!("arn:aws:lambda:us-east-1:123456789012:function:{function}")))
}

/// A statement that lets S3 invoke, with other members.
fn statement(id: &str, members: Value) -> String {
    let mut statement = json!({"StatementId": id, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"});
    statement.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    statement.to_string()
}

async fn read(world: &World, function: &str) -> (Value, String) {
    let answer = world.get(&policy(function)).await.json();
    let document = serde_json::from_str(answer["Policy"].as_str().unwrap()).unwrap();
    (document, answer["RevisionId"].as_str().unwrap().into())
}

#[tokio::test]
async fn policies_hold_what_was_added() {
    let world = World::with_functions(300).await;
    check_refused(&world.get(&policy("plain")).await, "ResourceNotFoundException", "does not exist");
    let conditions = json!({
        "SourceArn": "arn:aws:s3:::bucket", "SourceAccount": "123456789012", "PrincipalOrgID": "o-1234567890",
    });
    let added = world.post(&policy("plain"), statement("first", conditions)).await;
    assert_eq!(added.status, 201);
    let first: Value = serde_json::from_str(added.json()["Statement"].as_str().unwrap()).unwrap();
    assert_eq!(
        first,
        json!({
            "Sid": "first",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:plain",
            "Condition": {
                "StringEquals": {"AWS:SourceAccount": "123456789012", "aws:PrincipalOrgID": "o-1234567890"},
                "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
            },
        })
    );
    let again = world.post(&policy("plain"), statement("first", json!({}))).await;
    check_refused(&again, "ResourceConflictException", "The statement id (first) provided already exists.");
    let (document, revision) = read(&world, "plain").await;
    assert_eq!(document, json!({"Version": "2012-10-17", "Id": "default", "Statement": [first]}));

    let stale = world.post(&policy("plain"), statement("second", json!({"RevisionId": "old"}))).await;
    check_refused(&stale, "PreconditionFailedException", "Call the GetPolicy API");
    world.post(&policy("plain"), statement("second", json!({"RevisionId": revision}))).await;
    let (document, _) = read(&world, "plain").await;
    assert_eq!(document["Statement"].as_array().unwrap().len(), 2);

    let remove = |id: &str| {
        let (world, path) = (&world, format!("{}/{id}", policy("plain")));
        async move { world.send("DELETE", &path, &[], "").await }
    };
    check_refused(&remove("first?RevisionId=old").await, "PreconditionFailedException", "GetPolicy");
    assert_eq!(remove("first").await.status, 204);
    check_refused(&remove("first").await, "ResourceNotFoundException", "Statement first is not found");
    assert_eq!(remove("second").await.status, 204);
    check_refused(&world.get(&policy("plain")).await, "ResourceNotFoundException", "does not exist");
}

#[tokio::test]
async fn versions_and_aliases_have_policies_of_their_own() {
    let world = World::with_functions(300).await;
    let below = |path: &str| format!("/2015-03-31/functions/plain/{path}");
    world.post(&below("versions"), "").await;
    world.post(&below("aliases"), r#"{"Name": "live", "FunctionVersion": "1"}"#).await;
    for function in ["plain:live", "plain:1"] {
        let added = world.post(&policy(function), statement("s", json!({}))).await;
        assert_eq!(added.status, 201, "{function}");
        let (document, _) = read(&world, function).await;
        let resource = format!("arn:aws:lambda:us-east-1:123456789012:function:{function}");
        assert_eq!(document["Statement"][0]["Resource"], resource);
    }
    check_refused(&world.get(&policy("plain")).await, "ResourceNotFoundException", "does not exist");
    let by_query = world.get(&format!("{}?Qualifier=live", policy("plain"))).await;
    assert_eq!(by_query.json(), world.get(&policy("plain:live")).await.json());

    world.send("DELETE", &below("aliases/live"), &[], "").await;
    world.post(&below("aliases"), r#"{"Name": "live", "FunctionVersion": "1"}"#).await;
    check_refused(&world.get(&policy("plain:live")).await, "ResourceNotFoundException", "does not exist");

    let latest = world.post(&policy("plain:$LATEST"), statement("s", json!({}))).await;
    check_refused(&latest, "InvalidParameterValueException", "do not support adding policies for $LATEST");
    for function in ["plain:2", "nobody"] {
        let missing = world.post(&policy(function), statement("s", json!({}))).await;
        check_refused(&missing, "ResourceNotFoundException", "Function not found");
    }
}

#[tokio::test]
async fn policy_at_the_limit_is_kept_and_one_past_it_is_refused() {
    let world = World::with_functions(300).await;
    let of_length = |id: &str, length: usize| {
        let arn = format!("arn:aws:s3:::{}", "b".repeat(length));
        statement(id, json!({"SourceArn": arn}))
    };
    assert_eq!(world.post(&policy("plain"), of_length("a", 100)).await.status, 201);
    let answer = world.get(&policy("plain")).await.json();
    let bytes = answer["Policy"].as_str().unwrap().len();
    // The second statement costs as much as the first, a comma, and what its ARN is longer.
    let statement_bytes = bytes - json!({"Version": "2012-10-17", "Id": "default", "Statement": []}).to_string().len();
    let fill = 20_480 - bytes - statement_bytes - 1 + 100;
    let past = world.post(&policy("plain"), of_length("b", fill + 1)).await;
    check_refused(
        &past,
        "PolicyLengthExceededException",
        "The final policy size (20481) is bigger than the limit (20480).",
    );
    assert_eq!(world.post(&policy("plain"), of_length("b", fill)).await.status, 201);
}

#[tokio::test]
async fn tags_are_added_listed_and_removed() {
    let world = World::new().await;
    let mut create = function("f");
    create["Tags"] = json!({"aws:team": "a"});
    check_refused(
        &world.post("/2015-03-31/functions", create.to_string()).await,
        "InvalidParameterValueException",
        "System tags",
    );
    create["Tags"] = json!({"team": "a"});
    world.create(create).await;
    let added = world.post(&tags("f"), json!({"Tags": {"team": "b", "cost center": "7"}}).to_string()).await;
    assert_eq!((added.status, added.body.len()), (204, 0));
    assert_eq!(world.get(&tags("f")).await.json(), json!({"Tags": {"cost center": "7", "team": "b"}}));
    assert_eq!(world.get("/2015-03-31/functions/f").await.json()["Tags"]["team"], "b");
    let removed = world.send("DELETE", &format!("{}?tagKeys=team&tagKeys=nothing", tags("f")), &[], "").await;
    assert_eq!(removed.status, 204);
    assert_eq!(world.get(&tags("f")).await.json(), json!({"Tags": {"cost center": "7"}}));

    let many: Vec<(String, Value)> = (0..49).map(|number| (number.to_string(), json!("v"))).collect();
    let many = Value::Object(many.into_iter().collect());
    assert_eq!(world.post(&tags("f"), json!({"Tags": many}).to_string()).await.status, 204);
    let past = world.post(&tags("f"), json!({"Tags": {"one more": "v"}}).to_string()).await;
    check_refused(&past, "InvalidParameterValueException", "51 tags, at most 50");
    assert_eq!(world.post(&tags("f"), json!({"Tags": {"48": "changed"}}).to_string()).await.status, 204);

    check_refused(&world.get(&tags("f:$LATEST")).await, "InvalidParameterValueException", "aliases and versions");
    check_refused(&world.get(&tags("nobody")).await, "ResourceNotFoundException", "Function not found");
    check_refused(&world.get("/2017-03-31/tags/f").await, "ValidationException", "'resource'");
    check_refused(&world.post(&tags("f"), "{}").await, "ValidationException", "null at 'tags'");
    check_refused(&world.send("DELETE", &tags("f"), &[], "").await, "ValidationException", "null at 'tagKeys'");
}

#[tokio::test]
async fn account_settings_are_those_of_the_server() {
    let world = World::with_functions(300).await;
    let code = json!({"ZipFile": zip(&[("bootstrap", "other")]), "Publish": true}).to_string();
    let second = world.send("PUT", "/2015-03-31/functions/plain/code", &[], code).await.json();
    let first = world.get("/2015-03-31/functions/durable/configuration").await.json();
    let settings = world.get("/2016-08-19/account-settings").await.json();
    let bytes = 2 * second["CodeSize"].as_u64().unwrap() + first["CodeSize"].as_u64().unwrap();
    assert_eq!(settings["AccountUsage"], json!({"FunctionCount": 2, "TotalCodeSize": bytes}));
    let limit = &settings["AccountLimit"];
    assert_eq!((&limit["CodeSizeUnzipped"], &limit["CodeSizeZipped"]), (&json!(262_144_000), &json!(52_428_800)));
    assert_eq!(limit["ConcurrentExecutions"], 64);
    assert!(limit["TotalCodeSize"].as_u64().unwrap() > bytes, "there is room on the disk");
}
