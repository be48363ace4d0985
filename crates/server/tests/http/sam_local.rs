//! `sam local`: executions whose function is in a container at an endpoint, started and asked for where nobody signs.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Path;
use axum::routing::post;
use everstep_server::{Config, Server};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{Answer, PATIENCE, Signer, Wire, World, escaped, exchange, execution};

/// A world with the door.
async fn world() -> World {
    World::with(|config| config.sam_local = vec!["127.0.0.1:0".parse().unwrap()]).await
}

fn door(world: &World) -> SocketAddr {
    world.server.sam_local_addresses()[0]
}

/// Sends a request to the door, signed with a key that nobody knows.
async fn ask(door: SocketAddr, method: &str, path: &str, body: &Value) -> Answer {
    ask_with(door, method, path, &[("host", "host.docker.internal:9014")], body).await
}

async fn ask_with(door: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let key = "AWS4-HMAC-SHA256 Credential=foo/20260101/us-west-2/lambda/aws4_request, SignedHeaders=host, Signature=0";
    let mut headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    headers.push(("authorization".into(), key.into()));
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let wire = Wire { method: method.into(), path: path.into(), headers, body };
    tokio::time::timeout(PATIENCE, exchange(door, &wire)).await.expect("an answer")
}

/// What `sam local` says of an execution.
fn start(name: &str, input: &Value, endpoint: &str) -> Value {
    json!({
        "AccountId": "123456789012",
        "FunctionName": "function",
        "FunctionQualifier": "$LATEST",
        "ExecutionName": name,
        "ExecutionTimeoutSeconds": 300,
        "ExecutionRetentionPeriodDays": 1,
        "Input": input.to_string(),
        "LambdaEndpoint": endpoint,
    })
}

/// Runs a container whose function waits for a callback and returns what comes. Returns its endpoint.
///
/// The function knows the door by its input, and throws if that is none.
async fn container() -> String {
    async fn handler(Path(function): Path<String>, body: String) -> String {
        assert_eq!(function, "function");
        let event: Value = serde_json::from_str(&body).unwrap();
        let operations = event["InitialExecutionState"]["Operations"].as_array().unwrap();
        let input = operations[0]["ExecutionDetails"]["InputPayload"].as_str().unwrap();
        let Ok(door) = serde_json::from_str::<SocketAddr>(input) else {
            return json!({"errorType": "ValueError", "errorMessage": input, "requestId": "r"}).to_string();
        };
        let arn = execution(&escaped(event["DurableExecutionArn"].as_str().unwrap()));
        if let Some(callback) = operations.get(1) {
            assert_eq!(callback["Status"], "SUCCEEDED");
            return json!({"Status": "SUCCEEDED", "Result": callback["CallbackDetails"]["Result"]}).to_string();
        }
        let update = |id: &str, action: Value| {
            let mut update = json!({"Id": id, "Action": "START"});
            update.as_object_mut().unwrap().extend(action.as_object().unwrap().clone());
            update
        };
        let callback = update("c", json!({"Type": "CALLBACK", "CallbackOptions": {}}));
        let token = &event["CheckpointToken"];
        let body = json!({"CheckpointToken": token, "Updates": [callback]});
        let answer = ask(door, "POST", &format!("{arn}/checkpoint"), &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let chained = json!({"Type": "CHAINED_INVOKE", "ChainedInvokeOptions": {"FunctionName": "other"}});
        let body = json!({"CheckpointToken": answer.json()["CheckpointToken"], "Updates": [update("i", chained)]});
        let answer = ask(door, "POST", &format!("{arn}/checkpoint"), &body).await;
        let operation = &answer.json()["NewExecutionState"]["Operations"][0];
        let refusal = operation["ChainedInvokeDetails"]["Error"]["ErrorMessage"].as_str().unwrap();
        assert!(refusal.contains("`sam local` runs one function at a time"), "{answer:?}");
        json!({"Status": "PENDING"}).to_string()
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let router = Router::new().route("/2015-03-31/functions/{function}/invocations", post(handler));
    tokio::spawn(async move { axum::serve(listener, router).await });
    endpoint
}

/// Asks again and again until an answer is as wanted.
async fn until(door: SocketAddr, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let answer = ask(door, "GET", path, &Value::Null).await.json();
            if wanted(&answer) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("a state")
}

async fn callback_id(door: SocketAddr, arn: &str) -> String {
    let waits = |history: &Value| {
        history["Events"].as_array().unwrap().iter().any(|event| event["EventType"] == "InvocationCompleted")
    };
    let history = until(door, &format!("{}/history", execution(arn)), waits).await;
    let ids = history["Events"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|event| event["CallbackStartedDetails"]["CallbackId"].as_str().map(escaped));
    ids.expect("a callback")
}

#[tokio::test]
async fn executions_run_at_their_endpoint_and_survive_a_restart() {
    let (world, endpoint) = (world().await, container().await);
    let first = door(&world);
    assert_snapshot!(ask(first, "GET", "/health", &Value::Null).await.show(), @r#"
    200
    {
      "status": "healthy"
    }
    "#);
    let asked = start("one", &json!(first), &endpoint);
    let started = ask(first, "POST", "/start-durable-execution", &asked).await;
    assert_eq!(started.status, 201, "{started:?}");
    let arn = started.json()["ExecutionArn"].as_str().unwrap().to_string();
    assert!(
        arn.starts_with("arn:aws:lambda:us-east-1:123456789012:function:function:$LATEST/durable-execution/one/"),
        "{arn}"
    );
    let again = ask(first, "POST", "/start-durable-execution", &asked).await;
    assert_eq!(again.json()["ExecutionArn"].as_str(), Some(arn.as_str()));
    let other = ask(first, "POST", "/start-durable-execution", &start("one", &json!(1), &endpoint)).await;
    assert_eq!(other.status, 409, "{other:?}");
    let arn = escaped(&arn);
    let callback = callback_id(first, &arn).await;
    // The server knows nothing of it where one has to sign.
    assert_eq!(world.get(&execution(&arn)).await.status, 404);

    world.server.stop().await;
    let world = World::open(world.directory, |config| config.sam_local = vec!["127.0.0.1:0".parse().unwrap()]).await;
    let second = door(&world);
    let done = format!("/2025-12-01/durable-execution-callbacks/{callback}");
    assert_eq!(ask(second, "POST", &format!("{done}/heartbeat"), &Value::Null).await.status, 200);
    assert_eq!(ask(second, "POST", &format!("{done}/succeed"), &json!({"approved": true})).await.status, 200);
    let ended = until(second, &execution(&arn), |found| found["Status"] != "RUNNING").await;
    assert_eq!((&ended["Status"], &ended["Result"]), (&json!("SUCCEEDED"), &json!(r#"{"approved":true}"#)));
}

#[tokio::test]
async fn failures_of_the_function_and_its_container_are_told() {
    let (world, endpoint) = (world().await, container().await);
    let door = door(&world);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (name, endpoint, expected) in
        [("throws", endpoint, "ValueError"), ("gone", format!("http://{nobody}"), "SamLocal.Unreachable")]
    {
        let started = ask(door, "POST", "/start-durable-execution", &start(name, &json!("wrong"), &endpoint)).await;
        let arn = escaped(started.json()["ExecutionArn"].as_str().unwrap());
        let failed = |history: &Value| history["Events"].to_string().contains(expected);
        until(door, &format!("{}/history", execution(&arn)), failed).await;
        let stop = json!({"ErrorMessage": "enough"});
        assert_eq!(ask(door, "POST", &format!("{}/stop", execution(&arn)), &stop).await.status, 200);
        assert_eq!(ask(door, "GET", &execution(&arn), &Value::Null).await.json()["Status"], "STOPPED");
    }
}

#[tokio::test]
async fn a_server_that_cannot_open_the_door_begins_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config::new(directory.path());
    config.listen[0].set_port(0);
    config.sam_local = vec![taken.local_addr().unwrap()];
    let refused = Server::start(config).await.err().expect("the address is taken");
    assert!(refused.to_string().contains("name another by --sam-local=ADDRESS:PORT"), "{refused:#}");
    // Whatever had begun would hold the store, which the next server needs.
    let config = |config: &mut Config| config.sam_local = vec!["127.0.0.1:0".parse().unwrap()];
    World::open(directory, config).await.stopped().await;
}

#[tokio::test]
async fn clock_is_moved_to_what_executions_wait_for() {
    let config = |config: &mut Config| {
        config.sam_local = vec!["127.0.0.1:0".parse().unwrap()];
        config.movable_clock = true;
    };
    let world = World::with(config).await;
    let next = async || {
        let (method, path) = ("POST".to_string(), "/everstep/clock/next".to_string());
        let wire = Wire { method, path, headers: Vec::new(), body: Vec::new() };
        world.deliver(&wire.signed(&Signer { service: "everstep", ..world.signer() }, world.address())).await
    };
    let nothing = next().await;
    assert_snapshot!(nothing.line(), @"409 ResourceConflictException: No execution sleeps: there is nothing to wake up.");
    // Its function does not answer, so it is invoked again after a while, and again.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let asked = start("one", &json!(1), &format!("http://{nobody}"));
    let started = ask(door(&world), "POST", "/start-durable-execution", &asked).await.json();
    let asleep = async {
        loop {
            let answer = next().await;
            if answer.status == 200 {
                return answer.json();
            }
            assert!(answer.line().contains("is at work: wait until it sleeps."), "{answer:?}");
        }
    };
    let moved = tokio::time::timeout(PATIENCE, asleep).await.expect("it sleeps");
    assert_eq!(moved["DurableExecutionArn"], started["ExecutionArn"]);
}

#[tokio::test]
async fn the_door_leads_to_its_own_executions_only() {
    let world = world().await;
    let door = door(&world);
    let mut durable = crate::world::function("durable");
    durable["DurableConfig"] = json!({"ExecutionTimeout": 300});
    world.create(durable).await;
    let theirs = world.start(r#"{"do": "wait"}"#).await;
    let callback = world.callback_id(&theirs).await;
    let callback = format!("/2025-12-01/durable-execution-callbacks/{callback}/succeed");
    let start = start("n", &json!({}), "http://localhost:1");
    let with = |name: &str, value: Value| {
        let mut changed = start.clone();
        changed[name] = value;
        changed
    };
    let here = [("host", "localhost:9014")];
    type Asked = (&'static str, String, Vec<(&'static str, &'static str)>, Value);
    let asked: Vec<Asked> = vec![
        ("GET", execution(&theirs), here.to_vec(), Value::Null),
        ("POST", callback, here.to_vec(), json!(1)),
        ("POST", format!("{}/stop", execution(&theirs)), here.to_vec(), json!({})),
        ("GET", "/2015-03-31/functions".into(), here.to_vec(), Value::Null),
        ("POST", "/2015-03-31/functions/durable/invocations".into(), here.to_vec(), json!({})),
        ("POST", "/".into(), here.to_vec(), json!({})),
        ("GET", "/health".into(), vec![("host", "evil.example.com")], Value::Null),
        ("GET", "/health".into(), vec![("host", "localhost:9014"), ("origin", "http://localhost:9014")], Value::Null),
        ("POST", "/start-durable-execution".into(), here.to_vec(), with("LambdaEndpoint", json!("http://10.0.0.1"))),
        ("POST", "/start-durable-execution".into(), here.to_vec(), with("AccountId", json!("1"))),
        ("POST", "/start-durable-execution".into(), here.to_vec(), with("FunctionName", json!("a b"))),
        ("POST", "/start-durable-execution".into(), here.to_vec(), with("ExecutionTimeoutSeconds", json!(31_622_401))),
        ("POST", "/start-durable-execution".into(), here.to_vec(), with("ExecutionRetentionPeriodDays", json!(91))),
        ("POST", "/start-durable-execution".into(), here.to_vec(), with("Input", json!("x".repeat(1_048_577)))),
    ];
    let by_address = ask_with(door, "GET", "/health", &[("host", "[::1]:9014")], &Value::Null).await;
    assert_eq!(by_address.status, 200, "{by_address:?}");
    let mut lines = Vec::new();
    for (method, path, headers, body) in asked {
        let answer = ask_with(door, method, &path, &headers, &body).await;
        lines.push(answer.line());
    }
    assert_snapshot!(lines.join("\n"), @r"
    404 ResourceNotFoundException: Durable Execution does not exist
    400 InvalidParameterValueException: Invalid callback id
    404 ResourceNotFoundException: Durable Execution does not exist
    501 NotImplementedException: ListFunctions is not served at this address, which is for the executions of `sam local`; the server's own address serves the rest.
    501 NotImplementedException: Invoke is not served at this address, which is for the executions of `sam local`; the server's own address serves the rest.
    501 NotImplementedException: / is not served at this address, which is for the executions of `sam local`; the server's own address serves the rest.
    403 AccessDeniedException: This address is for `sam local`, by the names localhost and host.docker.internal or an IP address; no page in a browser may use it.
    403 AccessDeniedException: This address is for `sam local`, by the names localhost and host.docker.internal or an IP address; no page in a browser may use it.
    400 ValidationException: 1 validation error detected: Value 'http://10.0.0.1' at 'lambdaEndpoint' failed to satisfy constraint: Member must be a URL such as http://localhost:3001, of a function on this machine
    400 ValidationException: 1 validation error detected: Value '1' at 'accountId' failed to satisfy constraint: Member must satisfy regular expression pattern: \d{12}
    400 ValidationException: 1 validation error detected: Value 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]{1,64}
    400 ValidationException: 1 validation error detected: Value '31622401' at 'executionTimeoutSeconds' failed to satisfy constraint: Member must have value less than or equal to 31622400
    400 ValidationException: 1 validation error detected: Value '91' at 'executionRetentionPeriodDays' failed to satisfy constraint: Member must have value less than or equal to 90
    413 RequestTooLargeException: 1048577 byte payload is too large for an invocation (limit 1048576 bytes)
    ");
    assert_eq!(world.get(&execution(&theirs)).await.json()["Status"], "RUNNING");
    for changed in [
        with("ExecutionName", Value::Null),
        with("ExecutionTimeoutSeconds", json!(31_622_400)),
        with("ExecutionRetentionPeriodDays", json!(90)),
        with("Input", json!("not JSON")),
        with("Input", json!("1".repeat(1_048_576))),
    ] {
        let mut changed = changed;
        changed["ExecutionName"] = Value::Null;
        let answer = ask(door, "POST", "/start-durable-execution", &changed).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
}
