//! Everstep's own service: keys and the clock, for the operator only.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{Answer, Signer, Wire, World, execution, redacted};

const KEYS: &str = "/everstep/keys";
const CLOCK: &str = "/everstep/clock";

impl World {
    fn own(&self, method: &str, path: &str, body: &Value, signer: &Signer) -> Wire {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        Wire { method: method.into(), path: path.into(), headers: Vec::new(), body }.signed(signer, self.address())
    }

    /// Asks the service, as the operator.
    async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        let signer = Signer { service: "everstep", ..self.signer() };
        self.deliver(&self.own(method, path, &body, &signer)).await
    }

    /// Signs with another key.
    fn as_key(&self, key: &Value) -> Signer {
        let part = |name: &str| key[name].as_str().unwrap().to_string();
        let signer = Signer { service: "everstep", ..self.signer() };
        Signer { access_key_id: part("AccessKeyId"), secret: part("SecretAccessKey"), ..signer }
    }
}

#[tokio::test]
async fn keys_are_created_listed_and_revoked() {
    let world = World::new().await;
    let first = world.signer().access_key_id;
    let created = world.ask("POST", KEYS, json!({"Description": "build server"})).await;
    assert_eq!(created.status, 201);
    let key = created.json();
    let second = world.as_key(&key);
    let listed = world.deliver(&world.own("GET", KEYS, &Value::Null, &second)).await.json();
    let members: Vec<(&str, &str)> = listed["Keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (key["AccessKeyId"].as_str().unwrap(), key["Description"].as_str().unwrap()))
        .collect();
    let id = key["AccessKeyId"].as_str().unwrap();
    assert_eq!(members, [(first.as_str(), "made by the first start"), (id, "build server")]);
    assert!(!listed.to_string().contains("Secret"), "{listed}");

    // The key that signs may revoke the first one; the file in the data directory follows.
    let path = format!("{KEYS}/{first}");
    let old = Signer { service: "everstep", ..world.signer() };
    assert_eq!(world.deliver(&world.own("DELETE", &path, &Value::Null, &second)).await.status, 204);
    let refused = world.deliver(&world.own("GET", KEYS, &Value::Null, &old)).await;
    assert_snapshot!(refused.line(), @"403 UnrecognizedClientException: The security token included in the request is invalid.");
    let file = std::fs::read_to_string(world.directory.path().join("credentials")).unwrap();
    assert!(file.contains(id) && file.contains(key["SecretAccessKey"].as_str().unwrap()));
    for (path, expected) in
        [(path, "404 ResourceNotFoundException"), (format!("{KEYS}/{id}"), "409 ResourceConflictException")]
    {
        let line = world.ask("DELETE", &path, Value::Null).await.line();
        assert!(line.starts_with(expected), "{line}");
    }
    let long = world.ask("POST", KEYS, json!({"Description": "d".repeat(257)})).await;
    assert_eq!(long.header("x-amzn-errortype"), Some("ValidationException"));
    assert_eq!(world.ask("POST", KEYS, json!({"Description": "d".repeat(256)})).await.status, 201);
}

#[tokio::test]
async fn own_service_is_for_signed_requests_of_the_operator_only() {
    let world = World::with_functions(300).await;
    let mut lines = String::new();
    let signer = Signer { service: "everstep", ..world.signer() };
    for (what, wire) in [
        ("unsigned", world.own("GET", KEYS, &Value::Null, &signer).without("authorization")),
        ("signed for lambda", world.own("GET", KEYS, &Value::Null, &world.signer())),
        ("unknown path", world.own("GET", "/everstep/nothing", &Value::Null, &signer)),
        ("other path", world.own("GET", "/2015-03-31/functions", &Value::Null, &signer)),
        ("no key named", world.own("DELETE", "/everstep/keys/", &Value::Null, &signer)),
        (
            "clock of a server that is not for development",
            world.own("POST", "/everstep/clock/next", &Value::Null, &signer),
        ),
        ("advance", world.own("POST", "/everstep/clock/advance", &json!({"Seconds": 5}), &signer)),
    ] {
        lines += &format!("{what}: {}\n", world.deliver(&wire).await.line());
    }
    let spied = world.invoke("plain", &[], r#"{"do": "spy_on_services"}"#).await.json();
    for answer in spied.as_array().unwrap() {
        lines += &format!("process: {} {}\n", answer[0], redacted(answer[1]["Message"].as_str().unwrap()));
    }
    assert_snapshot!(lines, @r"
    unsigned: 403 MissingAuthenticationTokenException: Missing Authentication Token: sign the request with a key of this server
    signed for lambda: 404 UnknownOperationException: There is no operation GET /everstep/keys.
    unknown path: 404 UnknownOperationException: There is no operation GET /everstep/nothing.
    other path: 404 UnknownOperationException: There is no operation GET /2015-03-31/functions.
    no key named: 404 UnknownOperationException: There is no operation DELETE /everstep/keys/.
    clock of a server that is not for development: 403 AccessDeniedException: The clock of this server cannot be moved: start it with `everstep dev`, or with `serve --movable-clock`.
    advance: 403 AccessDeniedException: The clock of this server cannot be moved: start it with `everstep dev`, or with `serve --movable-clock`.
    process: 403 User: arn:aws:sts::123456789012:assumed-role/everstep/plain is not authorized to perform: everstep:ListKeys on resource: *
    process: 403 User: arn:aws:sts::123456789012:assumed-role/everstep/plain is not authorized to perform: everstep:AdvanceClockToNextWakeUp on resource: *
    process: 403 User: arn:aws:sts::123456789012:assumed-role/everstep/plain is not authorized to perform: logs:DescribeLogGroups on resource: arn:aws:logs:us-east-1:123456789012:log-group::log-stream: because no identity-based policy allows the logs:DescribeLogGroups action
    ");
}

#[tokio::test]
async fn clock_is_moved_by_hand_and_to_the_next_wake_up() {
    let world = World::with(|config| config.movable_clock = true).await;
    let mut durable = crate::world::function("durable");
    durable["DurableConfig"] = json!({"ExecutionTimeout": 900_000});
    world.create(durable).await;
    let nothing = world.ask("POST", "/everstep/clock/next", Value::Null).await;
    assert_snapshot!(nothing.line(), @"409 ResourceConflictException: No execution sleeps: there is nothing to wake up.");
    let day = world.ask("POST", "/everstep/clock/advance", json!({"Seconds": 86_400})).await.json();
    assert_eq!((&day["AheadSeconds"], &day["Movable"]), (&json!(86_400.0), &json!(true)));
    // Signatures go by the system's clock, so requests go on to be good.
    let arn = world.start(r#"{"do": "wait"}"#).await;
    world.callback_id(&arn).await;
    let moved = world.ask("POST", "/everstep/clock/next", Value::Null).await.json();
    let shown = world.get(&execution(&arn)).await.json();
    assert_eq!(moved["DurableExecutionArn"], shown["DurableExecutionArn"]);
    let ahead = moved["AheadSeconds"].as_f64().unwrap();
    assert!((86_400.0 + 8_900.0..86_400.0 + 9_000.0).contains(&ahead), "{moved}");
    let history = format!("{}/history", execution(&arn));
    let happened = |kind: &'static str| {
        move |history: &Value| history["Events"].as_array().unwrap().iter().any(|event| event["EventType"] == kind)
    };
    world.until(&history, happened("CallbackTimedOut")).await;
    let mut lines = String::new();
    for body in [json!({}), json!({"Seconds": -1}), json!({"Seconds": "3d"}), json!({"Seconds": u64::MAX})] {
        lines += &format!("{}\n", world.ask("POST", "/everstep/clock/advance", body).await.line());
    }
    assert_snapshot!(lines, @r#"
    400 ValidationException: 1 validation error detected: Value null at 'seconds' failed to satisfy constraint: Member must not be null
    400 SerializationException: Could not parse request body: invalid value: integer `-1`, expected u64 at line 1 column 13
    400 SerializationException: Could not parse request body: invalid type: string "3d", expected u64 at line 1 column 15
    400 InvalidParameterValueException: The clock would be more than a hundred years ahead.
    "#);
    // The time outlives the server, and a server that may not move it.
    let world = world.restarted().await;
    let after = world.ask("GET", CLOCK, Value::Null).await.json();
    assert_eq!(after["Movable"], json!(false));
    assert!(after["AheadSeconds"].as_f64().unwrap() >= ahead, "{after}");
}
