//! How a server ends: nothing of it goes on, whatever it did.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{World, exchange, execution};

#[tokio::test]
async fn nothing_works_with_the_store_after_functions_ran() {
    let world = World::with_functions(300).await;
    let answer = json!({"Status": "SUCCEEDED", "Result": "{}"});
    let arn = world.start(&json!({"do": "give", "answer": answer}).to_string()).await;
    world.until(&execution(&arn), |execution| execution.get("EndTimestamp").is_some()).await;
    // One more that goes on after the next start.
    let arn = world.start(r#"{"do": "wait"}"#).await;
    world.callback_id(&arn).await;
    let world = world.restarted().await;
    assert_eq!(world.get(&execution(&arn)).await.json()["Status"], "RUNNING");
    world.stopped().await;
}

#[tokio::test]
async fn callers_that_wait_for_an_execution_are_cut_off() {
    let world = World::with_functions(300).await;
    let wire = world.wire("POST", "/2015-03-31/functions/durable:$LATEST/invocations", &[], r#"{"do": "wait"}"#);
    let address = world.address();
    let waiting = tokio::spawn(async move { exchange(address, &wire).await });
    let list = "/2025-12-01/functions/durable/durable-executions";
    world.until(list, |list| list["DurableExecutions"].as_array().is_some_and(|found| !found.is_empty())).await;
    world.stopped().await;
    assert_eq!(waiting.await.unwrap().status, 503);
}

#[tokio::test]
async fn who_still_asks_at_the_door_of_sam_local_holds_its_store() {
    let world = World::with(|config| config.sam_local = vec!["127.0.0.1:0".parse().unwrap()]).await;
    let mut asking = TcpStream::connect(world.server.sam_local_addresses()[0]).await.unwrap();
    let head = "POST /start-durable-execution HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n";
    asking.write_all(head.as_bytes()).await.unwrap();
    // From then on the body is waited for.
    let mut begun = [0; 12];
    asking.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 100");
    assert!(!world.server.stop().await);
}
