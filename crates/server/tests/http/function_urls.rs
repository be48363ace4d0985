//! Function URLs: how they are configured, who may use them, and what is said through them.

use std::time::{Duration, SystemTime};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{Answer, Signer, Wire, World, function};

fn path(function: &str, tail: &str) -> String {
    format!("/2021-10-31/functions/{function}/{tail}")
}

/// A request to the host of a function URL.
fn request(url: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Wire {
    let host = url.strip_prefix("http://").and_then(|rest| rest.strip_suffix('/')).expect("a URL");
    let headers = [("host", host)]
        .into_iter()
        .chain(headers.iter().copied())
        .map(|(name, value)| (name.to_string(), value.to_string()));
    Wire { method: method.into(), path: path.into(), headers: headers.collect(), body: body.into() }
}

/// Shows status, the headers that matter, and the body.
fn show(answer: &Answer) -> String {
    let names = ["content-type", "set-cookie", "x-a", "access-control-allow-origin", "access-control-allow-methods"];
    let headers = names.iter().filter_map(|name| Some(format!("{name}: {}, ", answer.header(name)?)));
    format!("{} {}{}", answer.status, headers.collect::<String>(), String::from_utf8_lossy(&answer.body))
}

impl World {
    /// Gives a function a URL.
    async fn url(&self, function: &str, config: Value) -> String {
        let answer = self.send("POST", &path(function, "url"), &[], config.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["FunctionUrl"].as_str().unwrap().into()
    }

    /// Gives a function a URL that anyone may use.
    async fn open_url(&self, function: &str, mut config: Value) -> String {
        config["AuthType"] = "NONE".into();
        let url = self.url(function, config).await;
        let permission = json!({"StatementId": "all", "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"});
        let answer = self.post(&format!("/2015-03-31/functions/{function}/policy"), permission.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        url
    }

    /// Asks a function behind a URL for an answer.
    async fn ask_url(&self, url: &str, wish: Value) -> Answer {
        let json = [("content-type", "application/json")];
        self.exchange(&request(url, "POST", "/", &json, &wish.to_string())).await
    }
}

#[tokio::test]
async fn configuration_is_created_changed_listed_and_deleted() {
    let world = World::with_functions(300).await;
    let shown = |answer: &Answer| {
        let mut body = answer.json();
        let members = body.as_object_mut().unwrap();
        for name in ["CreationTime", "LastModifiedTime"] {
            assert!(members.remove(name).is_some_and(|at| at.as_str().unwrap().ends_with('Z')));
        }
        let url = members.remove("FunctionUrl").unwrap();
        let (id, rest) = url.as_str().unwrap().strip_prefix("http://").unwrap().split_once('.').unwrap();
        assert_eq!(id.len(), 32);
        assert_eq!(rest, format!("lambda-url.us-east-1.localhost:{}/", world.address().port()));
        format!("{} {body}", answer.status)
    };
    let create =
        async |function: &str, config: Value| world.send("POST", &path(function, "url"), &[], config.to_string()).await;
    let created = create("plain", json!({"AuthType": "NONE", "Cors": {"AllowOrigins": ["*"]}})).await;
    assert_snapshot!(shown(&created), @r#"201 {"AuthType":"NONE","Cors":{"AllowOrigins":["*"]},"FunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:plain","InvokeMode":"BUFFERED"}"#);
    assert_snapshot!(create("plain", json!({"AuthType": "NONE"})).await.line(), @"409 ResourceConflictException: Failed to create function url config for [functionArn = arn:aws:lambda:us-east-1:123456789012:function:plain]. Error message:  FunctionUrlConfig exists for this Lambda function");
    assert_eq!(world.get(&path("plain", "url")).await.json(), created.json());
    let update = json!({"AuthType": "AWS_IAM", "InvokeMode": "RESPONSE_STREAM", "Cors": {}});
    let updated = world.send("PUT", &path("plain", "url"), &[], update.to_string()).await;
    assert_snapshot!(shown(&updated), @r#"200 {"AuthType":"AWS_IAM","FunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:plain","InvokeMode":"RESPONSE_STREAM"}"#);

    world.post("/2015-03-31/functions/plain/versions", "").await;
    world.post("/2015-03-31/functions/plain/aliases", r#"{"Name": "live", "FunctionVersion": "1"}"#).await;
    let of_alias = create("plain:live", json!({"AuthType": "NONE"})).await;
    assert_snapshot!(shown(&of_alias), @r#"201 {"AuthType":"NONE","FunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:plain:live","InvokeMode":"BUFFERED"}"#);
    let listed = async |tail: &str| world.get(&path("plain", &format!("urls{tail}"))).await.json();
    assert_eq!(listed("").await, json!({"FunctionUrlConfigs": [updated.json(), of_alias.json()]}));
    let first = listed("?MaxItems=1").await;
    assert_eq!(first["FunctionUrlConfigs"], json!([updated.json()]));
    let second = listed(&format!("?MaxItems=1&Marker={}", first["NextMarker"].as_str().unwrap())).await;
    assert_eq!(second, json!({"FunctionUrlConfigs": [of_alias.json()]}));

    assert_eq!(world.send("DELETE", &path("plain", "url"), &[], "").await.status, 204);
    assert_snapshot!(world.get(&path("plain", "url")).await.line(), @"404 ResourceNotFoundException: The resource you requested does not exist.");
    assert_snapshot!(world.send("DELETE", &path("plain", "url"), &[], "").await.line(), @"404 ResourceNotFoundException: The resource you requested does not exist.");
    assert_ne!(create("plain", json!({"AuthType": "NONE"})).await.json()["FunctionUrl"], created.json()["FunctionUrl"]);
}

#[tokio::test]
async fn configuration_that_makes_no_sense_is_refused() {
    let world = World::with_functions(300).await;
    let line = async |function: &str, config: Value| {
        world.send("POST", &path(function, "url"), &[], config.to_string()).await.line()
    };
    let none = json!({"AuthType": "NONE"});
    assert_snapshot!(line("plain", json!({})).await, @"400 ValidationException: 1 validation error detected: Value null at 'authType' failed to satisfy constraint: Member must not be null");
    assert_snapshot!(line("plain", json!({"AuthType": "ALL"})).await, @"400 ValidationException: 1 validation error detected: Value 'ALL' at 'authType' failed to satisfy constraint: Member must satisfy enum value set: [NONE, AWS_IAM]");
    assert_snapshot!(line("plain:1", none.clone()).await, @r"400 ValidationException: 1 validation error detected: Value '1' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^\d+$)^[0-9a-zA-Z-_]+$");
    assert!(line("plain:%24LATEST", none.clone()).await.starts_with("400 ValidationException"));
    assert_snapshot!(line("plain:gone", none.clone()).await, @"404 ResourceNotFoundException: Function does not exist");
    assert_snapshot!(line("gone", none.clone()).await, @"404 ResourceNotFoundException: Function does not exist");
    assert_snapshot!(line("durable", none).await, @"400 InvalidParameterValueException: You cannot invoke a durable function using an unqualified ARN.");
    for (cors, allowed) in [
        (json!({"MaxAge": 86_401}), false),
        (json!({"MaxAge": -1}), false),
        (json!({"AllowOrigins": vec!["*"; 101]}), false),
        (json!({"AllowHeaders": vec!["a"; 101]}), false),
        (json!({"ExposeHeaders": vec!["a"; 101]}), false),
        (json!({"AllowMethods": vec!["GET"; 7]}), false),
        (json!({"AllowHeaders": ["a\nb"]}), false),
        (json!({"MaxAge": 86_400, "AllowOrigins": vec!["*"; 100], "AllowMethods": vec!["GET"; 6]}), true),
    ] {
        let found = line("plain", json!({"AuthType": "NONE", "Cors": cors})).await;
        assert_eq!(!found.starts_with("400 ValidationException"), allowed, "{cors}: {found}");
    }
}

#[tokio::test]
async fn requests_become_events_and_answers_responses() {
    let world = World::with_functions(300).await;
    let url = world.url("plain", json!({"AuthType": "NONE"})).await;
    let forbidden = world.exchange(&request(&url, "GET", "/", &[], "")).await;
    assert_snapshot!(show(&forbidden), @r#"403 content-type: application/json, {"Message":"Forbidden"}"#);
    assert_eq!(world.send("DELETE", &path("plain", "url"), &[], "").await.status, 204);
    assert_snapshot!(show(&world.exchange(&request(&url, "GET", "/", &[], "")).await), @r#"404 content-type: application/json, {"Message":"There is no function at this URL."}"#);

    let url = world.open_url("plain", json!({})).await;
    let answer = world.exchange(&request(&url, "GET", "/a%20b?x=1&x=2", &[("cookie", "c=1")], "")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.header("x-amzn-trace-id").is_some_and(|id| id.starts_with("Root=1-")));
    let event = &answer.json()["event"];
    assert_eq!(event["rawPath"], "/a%20b");
    assert_eq!(event["queryStringParameters"], json!({"x": "1,2"}));
    assert_eq!(event["cookies"], json!(["c=1"]));
    let context = &event["requestContext"];
    assert_eq!(context["http"]["sourceIp"], "127.0.0.1");
    assert_eq!(context["requestId"].as_str(), answer.header("x-amzn-requestid"));
    assert_eq!(
        format!("http://{}.lambda-url.us-east-1.localhost", context["domainPrefix"].as_str().unwrap()),
        url[..url.rfind(':').unwrap()]
    );

    let give = |answer: Value| json!({"do": "give", "answer": answer});
    let whole = json!({"statusCode": 201, "headers": {"X-A": "b", "Content-Type": "text/plain"}, "cookies": ["k=v"], "body": "made"});
    assert_snapshot!(show(&world.ask_url(&url, give(whole)).await), @"201 content-type: text/plain, set-cookie: k=v, x-a: b, made");
    assert_snapshot!(show(&world.ask_url(&url, give(json!("text"))).await), @r#"200 content-type: application/json, "text""#);
    assert_snapshot!(show(&world.ask_url(&url, give(json!({"statusCode": "no"}))).await), @r#"502 content-type: application/json, {"Message":"Internal Server Error"}"#);
    assert_snapshot!(show(&world.ask_url(&url, json!({"do": "fail"})).await), @r#"502 content-type: application/json, {"Message":"Internal Server Error"}"#);
    let large = world.exchange(&request(&url, "POST", "/", &[], &"x".repeat(6 * 1_048_576 + 1))).await;
    assert_snapshot!(show(&large), @r#"413 content-type: application/json, {"Message":"Request must be smaller than 6291456 bytes for the operation"}"#);
    let too_large_in_base64 = world.exchange(&request(&url, "POST", "/", &[], &"x".repeat(5 * 1_048_576))).await;
    assert_eq!(too_large_in_base64.status, 413);

    // Another function of that name has no URL.
    world.send("DELETE", "/2015-03-31/functions/plain", &[], "").await;
    world.create(function("plain")).await;
    assert_eq!(world.ask_url(&url, json!({})).await.status, 404);
}

#[tokio::test]
async fn signatures_are_asked_for_if_the_url_says_so() {
    let world = World::with_functions(300).await;
    let url = world.url("plain", json!({"AuthType": "AWS_IAM"})).await;
    let unsigned = request(&url, "GET", "/?a=b", &[], "");
    assert_snapshot!(show(&world.exchange(&unsigned).await), @r#"403 content-type: application/json, {"Message":"Forbidden"}"#);
    let signed = unsigned.clone().signed(&world.signer(), world.address());
    let answer = world.exchange(&signed).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let event = &answer.json()["event"];
    assert_eq!(event["requestContext"]["accountId"], "123456789012");
    assert_eq!(event["requestContext"]["authorizer"]["iam"]["accessKey"], world.signer().access_key_id);
    assert_eq!(event["headers"].get("authorization"), None);
    let presigned = unsigned.clone().presigned(&world.signer(), world.address(), 60);
    assert_eq!(world.exchange(&presigned).await.status, 200);

    // The key of a function process is good for its own executions, not for this.
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let visited = world.invoke("plain", &[], json!({"do": "visit", "host": host}).to_string()).await;
    assert_eq!(visited.json(), json!([403, {"Message": "Forbidden"}]));

    let tampered = Wire { path: "/?a=c".into(), ..signed.clone() };
    assert!(show(&world.exchange(&tampered).await).contains("signature we calculated does not match"));
    let other = |change: fn(&mut Signer)| {
        let mut signer = world.signer();
        change(&mut signer);
        unsigned.clone().signed(&signer, world.address())
    };
    for (change, message) in [
        ((|signer| signer.service = "s3") as fn(&mut Signer), "correct service: 'lambda'"),
        (|signer| signer.secret = "guess".into(), "does not match"),
        (|signer| signer.access_key_id = "AKIANOBODY".into(), "security token included in the request is invalid"),
        (|signer| signer.at = SystemTime::now() - Duration::from_secs(400), "Signature expired"),
    ] {
        let answer = world.exchange(&other(change)).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(show(&answer).contains(message), "{answer:?}");
    }
}

#[tokio::test]
async fn browsers_of_other_sites_are_answered_by_the_configuration() {
    let world = World::with_functions(300).await;
    let cors = json!({"AllowOrigins": ["https://a.example"], "AllowMethods": ["PUT"]});
    let url = world.open_url("plain", json!({"Cors": cors})).await;
    let preflight = |origin: &'static str| {
        request(&url, "OPTIONS", "/", &[("origin", origin), ("access-control-request-method", "PUT")], "")
    };
    assert_snapshot!(show(&world.exchange(&preflight("https://a.example")).await), @"200 access-control-allow-origin: https://a.example, access-control-allow-methods: PUT, ");
    assert_snapshot!(show(&world.exchange(&preflight("https://b.example")).await), @"200 ");
    let own = json!({"do": "give", "answer": {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}}});
    let headers = [("content-type", "application/json"), ("origin", "https://a.example")];
    let answer = world.exchange(&request(&url, "POST", "/", &headers, &own.to_string())).await;
    assert_snapshot!(show(&answer), @"200 content-type: application/json, access-control-allow-origin: https://a.example, ");
    // Without an origin it is no business of CORS, and the function is asked.
    let asked = world.exchange(&request(&url, "OPTIONS", "/", &[], "")).await;
    assert_eq!(asked.json()["event"]["requestContext"]["http"]["method"], "OPTIONS");
}

#[tokio::test]
async fn streamed_answers_begin_with_status_and_headers_in_both_modes() {
    let world = World::with_functions(300).await;
    for mode in ["BUFFERED", "RESPONSE_STREAM"] {
        let name = mode.to_lowercase();
        world.create(function(&name)).await;
        let url = world.open_url(&name, json!({"InvokeMode": mode})).await;
        let integration = "application/vnd.awslambda.http-integration-response";
        let stream = |content_type: &str, parts: &[&str]| json!({"do": "stream", "type": content_type, "parts": parts});
        let parts = ["{\"statusCode\": 203, \"headers\": {\"X-A\": \"b\"}}\0\0\0", "\0\0\0\0\0one", "two"];
        let answer = world.ask_url(&url, stream(integration, &parts)).await;
        assert_eq!(show(&answer), "203 content-type: application/octet-stream, x-a: b, onetwo", "{mode}");
        let typed = world.ask_url(&url, stream("text/event-stream", &["data: 1\n\n", "data: 2\n\n"])).await;
        assert_eq!(show(&typed), "200 content-type: text/event-stream, data: 1\n\ndata: 2\n\n", "{mode}");
        assert_eq!(world.ask_url(&url, stream(integration, &["no prelude"])).await.status, 502, "{mode}");
        assert_eq!(world.ask_url(&url, stream(integration, &["{\0\0\0\0\0\0\0\0"])).await.status, 502, "{mode}");
        let whole = world.ask_url(&url, json!({"do": "give", "answer": {"statusCode": 202}})).await;
        assert_eq!(whole.status, 202, "{mode}");
    }
}

#[tokio::test]
async fn durable_function_answers_when_its_execution_is_over() {
    let world = World::with_functions(300).await;
    world.post("/2015-03-31/functions/durable/versions", "").await;
    world.post("/2015-03-31/functions/durable/aliases", r#"{"Name": "live", "FunctionVersion": "1"}"#).await;
    let url = world.url("durable:live", json!({"AuthType": "NONE"})).await;
    let permission = json!({"StatementId": "all", "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"});
    world.post("/2015-03-31/functions/durable/policy?Qualifier=live", permission.to_string()).await;
    let result = json!({"statusCode": 201, "body": "done"}).to_string();
    let give = |answer: Value| json!({"do": "give", "answer": answer});
    let answer = world.ask_url(&url, give(json!({"Status": "SUCCEEDED", "Result": result}))).await;
    assert_snapshot!(show(&answer), @"201 content-type: application/json, done");
    let failed = world.ask_url(&url, give(json!({"Status": "FAILED"}))).await;
    assert_snapshot!(show(&failed), @r#"502 content-type: application/json, {"Message":"Internal Server Error"}"#);
    let list = world.get("/2025-12-01/functions/durable/durable-executions").await.json();
    assert_eq!(list["DurableExecutions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn cloud_control_tells_where_a_function_is_reached() {
    let world = World::with_functions(300).await;
    let ask = async |type_name: &str, identifier: &str| {
        let wire = Wire {
            method: "POST".into(),
            path: "/".into(),
            headers: vec![("x-amz-target".into(), "CloudApiService.GetResource".into())],
            body: json!({"TypeName": type_name, "Identifier": identifier}).to_string().into_bytes(),
        };
        let signer = Signer { service: "cloudcontrolapi", ..world.signer() };
        world.deliver(&wire.signed(&signer, world.address())).await
    };
    let plain = "arn:aws:lambda:us-east-1:123456789012:function:plain";
    assert_snapshot!(ask("AWS::Lambda::Url", plain).await.line(), @"400 ResourceNotFoundException: Resource of type 'AWS::Lambda::Url' with identifier 'arn:aws:lambda:us-east-1:123456789012:function:plain' was not found.");
    assert_snapshot!(ask("AWS::S3::Bucket", plain).await.line(), @"400 UnsupportedActionException: Resource type AWS::S3::Bucket is not served here; of Cloud Control Everstep serves AWS::Lambda::Url.");
    let url = world.url("plain", json!({"AuthType": "NONE"})).await;
    let found = ask("AWS::Lambda::Url", plain).await.json();
    let properties: Value = serde_json::from_str(found["ResourceDescription"]["Properties"].as_str().unwrap()).unwrap();
    assert_eq!(
        (properties["FunctionUrl"].as_str(), properties["AuthType"].as_str()),
        (Some(url.as_str()), Some("NONE"))
    );
}
