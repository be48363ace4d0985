//! Reserved concurrency, throttling, and tenants that share no process.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::world::{Answer, World, execution, function};

const EVENT: (&str, &str) = ("x-amz-invocation-type", "Event");

fn concurrency(function: &str) -> String {
    format!("/2017-10-31/functions/{function}/concurrency")
}

fn reserved(function: &str) -> String {
    format!("/2019-09-30/functions/{function}/concurrency")
}

async fn reserve(world: &World, function: &str, concurrency_wanted: Value) -> Answer {
    let body = json!({"ReservedConcurrentExecutions": concurrency_wanted}).to_string();
    world.send("PUT", &concurrency(function), &[], body).await
}

/// A door at which functions knock, so that tests know that they run and when they end.
struct Door(TcpListener);

impl Door {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn knock(&self) -> String {
        json!({"do": "knock", "port": self.0.local_addr().unwrap().port()}).to_string()
    }

    /// Waits until a function knocks. It is let in when the stream gets a byte.
    async fn knocked(&self) -> TcpStream {
        self.0.accept().await.unwrap().0
    }
}

async fn let_in(mut function: TcpStream) {
    function.write_all(b"!").await.unwrap();
}

#[tokio::test]
async fn concurrency_is_reserved_shown_and_given_back() {
    let world = World::with_functions(300).await;
    assert_eq!(world.get(&reserved("plain")).await.json(), json!({}));
    let put = reserve(&world, "plain", json!(10)).await;
    assert_eq!((put.status, put.json()), (200, json!({"ReservedConcurrentExecutions": 10})));
    assert_eq!(world.get(&reserved("plain")).await.json(), json!({"ReservedConcurrentExecutions": 10}));
    let got = world.get("/2015-03-31/functions/plain").await.json();
    assert_eq!(got["Concurrency"], json!({"ReservedConcurrentExecutions": 10}));

    assert_eq!(reserve(&world, "durable", json!(53)).await.status, 200, "of 64 one must stay");
    let limit = world.get("/2016-08-19/account-settings").await.json()["AccountLimit"].clone();
    assert_eq!((&limit["ConcurrentExecutions"], &limit["UnreservedConcurrentExecutions"]), (&json!(64), &json!(1)));
    let mut lines = Vec::new();
    for (function, wanted) in
        [("durable", json!(54)), ("plain", json!(-1)), ("plain", Value::Null), ("nobody", json!(1))]
    {
        lines.push(reserve(&world, function, wanted).await.line());
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    400 InvalidParameterValueException: Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [1].
    400 ValidationException: 1 validation error detected: Value '-1' at 'reservedConcurrentExecutions' failed to satisfy constraint: Member must have value greater than or equal to 0
    400 ValidationException: 1 validation error detected: Value null at 'reservedConcurrentExecutions' failed to satisfy constraint: Member must not be null
    404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody
    ");

    assert_eq!(world.send("DELETE", &concurrency("plain"), &[], "").await.status, 204);
    assert_eq!(world.get(&reserved("plain")).await.json(), json!({}));
    world.send("DELETE", "/2015-03-31/functions/durable", &[], "").await;
    assert_eq!(reserve(&world, "plain", json!(63)).await.status, 200, "what is deleted has nothing reserved");
}

#[tokio::test]
async fn invocation_beyond_reserved_concurrency_is_throttled() {
    let world = World::with_functions(300).await;
    reserve(&world, "plain", json!(1)).await;
    let door = Door::new().await;
    let (first, ()) = tokio::join!(world.invoke("plain", &[], door.knock()), async {
        let inside = door.knocked().await;
        insta::assert_snapshot!(world.invoke("plain", &[], "{}").await.show(), @r#"
        429
        x-amzn-errortype: TooManyRequestsException
        retry-after: 1
        {
          "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
          "Type": "User",
          "message": "Rate Exceeded."
        }
        "#);
        let_in(inside).await;
    });
    assert_eq!(first.status, 200);
    assert_eq!(world.invoke("plain", &[], "{}").await.status, 200);
}

#[tokio::test]
async fn function_without_concurrency_is_throttled() {
    let world = World::with_functions(300).await;
    for function in ["plain", "durable"] {
        reserve(&world, function, json!(0)).await;
    }
    for function in ["plain", "durable:$LATEST"] {
        assert_eq!(world.invoke(function, &[], "{}").await.status, 429);
        assert_eq!(world.invoke(function, &[EVENT], "{}").await.status, 202, "it is queued");
        assert_eq!(world.invoke(function, &[("x-amz-invocation-type", "DryRun")], "{}").await.status, 204);
    }
}

#[tokio::test]
async fn asynchronous_invocation_waits_for_reserved_concurrency() {
    let world = World::with_functions(300).await;
    for function in ["plain", "durable"] {
        reserve(&world, function, json!(1)).await;
    }
    let door = Door::new().await;
    let (first, ()) = tokio::join!(world.invoke("plain", &[], door.knock()), async {
        let inside = door.knocked().await;
        assert_eq!(world.invoke("plain", &[EVENT], door.knock()).await.status, 202);
        let_in(inside).await;
    });
    assert_eq!(first.status, 200);
    let_in(door.knocked().await).await;

    let mut executions = Vec::new();
    for _ in 0..3 {
        executions.push(world.start("{}").await);
    }
    for arn in executions {
        let over = world.until(&execution(&arn), |execution| execution["Status"] != "RUNNING").await;
        assert_eq!(over["Status"], "SUCCEEDED");
    }
}

#[tokio::test]
async fn reserved_concurrency_is_kept_over_a_restart() {
    let world = World::with_functions(300).await;
    reserve(&world, "plain", json!(0)).await;
    let world = world.restarted().await;
    assert_eq!(world.invoke("plain", &[], "{}").await.status, 429);
}

#[tokio::test]
async fn tenants_share_no_process() {
    let world = World::new().await;
    let mut create = function("f");
    create["TenancyConfig"] = json!({"TenantIsolationMode": "PER_TENANT"});
    world.create(create).await;
    let door = Door::new().await;
    let process_of = |tenant: &'static str| {
        let (world, door) = (&world, &door);
        async move {
            let headers = [("x-amz-tenant-id", tenant)];
            let (answer, ()) = tokio::join!(world.invoke("f", &headers, door.knock()), async {
                let_in(door.knocked().await).await;
            });
            answer.json()
        }
    };
    let (first, second, again) = (process_of("a").await, process_of("b").await, process_of("a").await);
    assert_ne!(first, second);
    assert_eq!(first, again);

    let change = json!({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}).to_string();
    let changed = world.send("PUT", "/2015-03-31/functions/f/configuration", &[], change).await;
    assert!(changed.line().contains("TenancyConfig cannot be changed"), "{changed:?}");
}
