//! What a function process may do with its own key, and what it is told page by page.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{World, execution, show};

/// Runs an execution to its end, and returns what its handler saw.
async fn seen(world: &World, input: Value) -> Value {
    let arn = world.start(&input.to_string()).await;
    let over = world.until(&execution(&arn), |execution| execution.get("EndTimestamp").is_some()).await;
    let result = over["Result"].as_str().unwrap_or_else(|| panic!("{over}"));
    serde_json::from_str(result).unwrap()
}

#[tokio::test]
async fn process_may_report_on_its_own_execution_and_nothing_else() {
    let world = World::with_functions(300).await;
    let foreign = world.start(r#"{"do": "wait"}"#).await;
    world.callback_id(&foreign).await;
    let foreign = percent_encoding::percent_decode_str(&foreign).decode_utf8().unwrap().into_owned();
    let answers = seen(&world, json!({"do": "spy", "foreign": foreign})).await;
    assert_snapshot!(show(&answers), @r#"
    {
      "foreign checkpoint": [
        403,
        {
          "Message": "User: arn:aws:sts::123456789012:assumed-role/everstep/durable is not authorized to perform: lambda:CheckpointDurableExecution on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>",
          "Type": "User"
        }
      ],
      "foreign state": [
        403,
        {
          "Message": "User: arn:aws:sts::123456789012:assumed-role/everstep/durable is not authorized to perform: lambda:GetDurableExecutionState on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>",
          "Type": "User"
        }
      ],
      "list": [
        403,
        {
          "Message": "User: arn:aws:sts::123456789012:assumed-role/everstep/durable is not authorized to perform: lambda:ListFunctions on resource: * because no identity-based policy allows the lambda:ListFunctions action",
          "Type": "User"
        }
      ],
      "no session token": [
        403,
        {
          "Type": "User",
          "message": "The security token included in the request is invalid."
        }
      ],
      "other session token": [
        403,
        {
          "Type": "User",
          "message": "The security token included in the request is invalid."
        }
      ],
      "own checkpoint": [
        200,
        {
          "CheckpointToken": "<CheckpointToken>",
          "NewExecutionState": {
            "Operations": []
          }
        }
      ],
      "own history": [
        403,
        {
          "Message": "User: arn:aws:sts::123456789012:assumed-role/everstep/durable is not authorized to perform: lambda:GetDurableExecutionHistory on resource: arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid> because no identity-based policy allows the lambda:GetDurableExecutionHistory action",
          "Type": "User"
        }
      ],
      "own state": [
        200,
        {
          "Operations": [
            {
              "ExecutionDetails": {
                "InputPayload": "{\"do\":\"spy\",\"foreign\":\"arn:aws:lambda:us-east-1:123456789012:function:durable:$LATEST/durable-execution/<uuid>/<uuid>\"}"
              },
              "Id": "<uuid>",
              "Name": "<uuid>",
              "StartTimestamp": "<seconds>",
              "Status": "STARTED",
              "Type": "EXECUTION"
            }
          ]
        }
      ]
    }
    "#);
    let plain = world.invoke("plain", &[], r#"{"do": "spy"}"#).await.json();
    assert_snapshot!(show(&plain), @r#"
    [
      403,
      {
        "Message": "User: arn:aws:sts::123456789012:assumed-role/everstep/plain is not authorized to perform: lambda:ListFunctions on resource: * because no identity-based policy allows the lambda:ListFunctions action",
        "Type": "User"
      }
    ]
    "#);
}

#[tokio::test]
async fn state_that_is_too_large_for_the_event_is_read_page_by_page() {
    let world = World::with_functions(300).await;
    assert_snapshot!(seen(&world, json!({"do": "fill"})).await, @r#"{"pages":[21,4,4,2],"whole":true}"#);
}

#[tokio::test]
async fn tokens_are_good_for_their_own_execution_only() {
    let world = World::with_functions(300).await;
    let (own, other) = (world.start(r#"{"do": "echo"}"#).await, world.start(r#"{"do": "wait"}"#).await);
    let over = world.until(&execution(&own), |execution| execution["Status"] == "SUCCEEDED").await;
    let envelope: Value = serde_json::from_str(over["Result"].as_str().unwrap()).unwrap();
    let token = envelope["CheckpointToken"].as_str().unwrap();
    let checkpoint = json!({"CheckpointToken": token}).to_string();
    let state =
        |arn: &str, token: &str| format!("{}/state?CheckpointToken={}", execution(arn), crate::world::escaped(token));
    let mut lines = vec![
        world.post(&format!("{}/checkpoint", execution(&own)), checkpoint.as_str()).await.line(),
        world.post(&format!("{}/checkpoint", execution(&other)), checkpoint.as_str()).await.line(),
        world.get(&state(&own, token)).await.line(),
        world.get(&state(&other, token)).await.line(),
        world.get(&state(&own, "dummyToken")).await.line(),
        world.get(&format!("{}/state", execution(&own))).await.line(),
        world.get(&state("nonsense", token)).await.line(),
    ];
    let dummy =
        "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Adummy%3A%24LATEST%2Fdurable-execution%2Fn%2Fi";
    lines.push(world.get(&format!("{}&MaxItems=0", state(dummy, "dummyToken"))).await.line());
    assert_snapshot!(lines.join("\n"), @r"
    400 InvalidParameterValueException: Invalid checkpoint token
    400 InvalidParameterValueException: Checkpoint token is not valid for the durable execution ARN
    400 InvalidParameterValueException: Invalid checkpoint token
    400 InvalidParameterValueException: Checkpoint token is not valid for the durable execution ARN
    400 InvalidParameterValueException: Invalid checkpoint token
    400 ValidationException: 1 validation error detected: Value null at 'checkpointToken' failed to satisfy constraint: Member must not be null
    400 InvalidParameterValueException: Invalid checkpoint token
    400 InvalidParameterValueException: Invalid checkpoint token
    ");
}
