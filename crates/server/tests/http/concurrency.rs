//! Reserved concurrency, throttling, and tenants that share no process.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::world::{Answer, PATIENCE, World, execution, function, zip};

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

/// Waits until so many callers wait for a process.
async fn queued(world: &World, callers: usize) {
    let all = async {
        while world.server.supervisor().waiting() < callers {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("all of them wait");
}

#[tokio::test]
async fn invocation_that_waited_runs_the_function_as_it_is_then() {
    let world = World::with(|config| config.processes_max = 1).await;
    world.create(function("plain")).await;
    let door = Door::new().await;
    let tell = || world.invoke("plain", &[], r#"{"do": "tell"}"#);
    let (busy, answers) = tokio::join!(world.invoke("plain", &[], door.knock()), async {
        let inside = door.knocked().await;
        let (first, second, third, ()) = tokio::join!(tell(), tell(), tell(), async {
            queued(&world, 3).await;
            let files = [("bootstrap", include_str!("bootstrap")), ("word", "new code")];
            for (what, change) in [
                ("code", json!({"ZipFile": zip(&files)})),
                ("configuration", json!({"Environment": {"Variables": {"WORD": "new variable"}}})),
            ] {
                let path = format!("/2015-03-31/functions/plain/{what}");
                assert_eq!(world.send("PUT", &path, &[], change.to_string()).await.status, 200);
            }
            let_in(inside).await;
        });
        [first, second, third].map(|answer| answer.json())
    });
    assert_eq!(busy.status, 200, "what has begun ends as it began");
    let process = &answers[0][2];
    assert_eq!(answers, [(); 3].map(|()| json!(["new code", "new variable", process])), "one process serves them all");
}

#[tokio::test]
async fn invocation_of_what_was_deleted_while_it_waited_fails() {
    let world = World::with(|config| config.processes_max = 1).await;
    for name in ["plain", "deleted", "durable"] {
        let mut create = function(name);
        if name == "durable" {
            create["DurableConfig"] = json!({"ExecutionTimeout": 300});
        }
        world.create(create).await;
    }
    assert_eq!(world.post("/2015-03-31/functions/plain/versions", "{}").await.status, 201);
    let door = Door::new().await;
    let (busy, (arn, lines)) = tokio::join!(world.invoke("plain", &[], door.knock()), async {
        let inside = door.knocked().await;
        let arn = world.start("{}").await;
        let (function, version, ()) =
            tokio::join!(world.invoke("deleted", &[], "{}"), world.invoke("plain:1", &[], "{}"), async {
                queued(&world, 3).await;
                for what in ["deleted", "durable", "plain?Qualifier=1"] {
                    let path = format!("/2015-03-31/functions/{what}");
                    assert_eq!(world.send("DELETE", &path, &[], "").await.status, 204);
                }
                let_in(inside).await;
            });
        (arn, [function.line(), version.line()])
    });
    assert_eq!(busy.status, 200);
    insta::assert_snapshot!(lines.join("\n"), @r"
    404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:deleted
    404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:plain:1
    ");
    let over = world.until(&execution(&arn), |execution| execution["Status"] != "RUNNING").await;
    assert_eq!(over["Status"], "FAILED", "{over}");
}
