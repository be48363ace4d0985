//! `InvokeWithResponseStream`: messages of AWS's event stream, taken apart by hand.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::World;

/// Reads an unsigned number of four bytes.
fn number(bytes: &[u8]) -> usize {
    u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize
}

/// The checksum of Ethernet and zip, which closes prelude and message.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// Takes a stream apart: of each message its type and its payload.
fn messages(mut stream: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut messages = Vec::new();
    while !stream.is_empty() {
        let (length, headers_length) = (number(stream), number(&stream[4..]));
        assert_eq!(number(&stream[8..]) as u32, crc32(&stream[..8]), "the prelude's checksum");
        assert_eq!(number(&stream[length - 4..]) as u32, crc32(&stream[..length - 4]), "the message's checksum");
        let mut headers = &stream[12..12 + headers_length];
        let mut event_type = None;
        while !headers.is_empty() {
            let name_end = 1 + usize::from(headers[0]);
            assert_eq!(headers[name_end], 7, "a string");
            let value_start = name_end + 3;
            let value_end =
                value_start + usize::from(u16::from_be_bytes([headers[name_end + 1], headers[name_end + 2]]));
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            if text(&headers[1..name_end]) == ":event-type" {
                event_type = Some(text(&headers[value_start..value_end]));
            }
            headers = &headers[value_end..];
        }
        messages.push((event_type.expect("a type"), stream[12 + headers_length..length - 4].to_vec()));
        stream = &stream[length..];
    }
    messages
}

/// Invokes a function, and shows what is read: the chunks joined, then how it ended.
async fn stream(world: &World, function: &str, headers: &[(&str, &str)], payload: Value) -> (String, Value) {
    let path = format!("/2021-11-15/functions/{}/response-streaming-invocations", function.replace('$', "%24"));
    let answer = world.exchange(&world.wire("POST", &path, headers, payload.to_string())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/vnd.amazon.eventstream"));
    assert_eq!(answer.header("x-amz-executed-version"), Some("$LATEST"));
    let mut messages = messages(&answer.body);
    let (last, end) = messages.pop().expect("a last message");
    assert_eq!(last, "InvokeComplete");
    assert!(messages.iter().all(|(name, _)| name == "PayloadChunk"), "{messages:?}");
    let body = messages.into_iter().flat_map(|(_, payload)| payload).collect();
    (String::from_utf8(body).unwrap(), serde_json::from_slice(&end).unwrap())
}

#[tokio::test]
async fn response_is_streamed_in_messages() {
    let world = World::with_functions(300).await;
    let (body, end) = stream(&world, "plain", &[], json!({"do": "stream", "parts": ["a", "bc", "d"]})).await;
    assert_eq!((body.as_str(), end), ("abcd", json!({})));
    let (body, end) = stream(&world, "plain", &[("x-amz-log-type", "Tail")], json!({"do": "say"})).await;
    assert_eq!(body, "null");
    assert!(end["LogResult"].as_str().is_some_and(|log| log.len() > 40), "{end}");
    let (body, end) = stream(&world, "plain", &[], json!({"do": "fail"})).await;
    assert_eq!(body, "");
    let details = json!({"errorType": "Whoops", "errorMessage": "it broke", "stackTrace": ["line 1"]});
    assert_eq!(end["ErrorCode"], "Whoops");
    assert_eq!(serde_json::from_str::<Value>(end["ErrorDetails"].as_str().unwrap()).unwrap(), details);
    let (body, end) =
        stream(&world, "durable:$LATEST", &[], json!({"do": "give", "answer": {"Status": "SUCCEEDED", "Result": "7"}}))
            .await;
    assert_eq!((body.as_str(), end), ("7", json!({})));
    let failed = json!({"Status": "FAILED", "Error": {"ErrorType": "T", "ErrorMessage": "m"}});
    let (body, end) = stream(&world, "durable:$LATEST", &[], json!({"do": "give", "answer": failed})).await;
    assert_eq!((body.as_str(), &end["ErrorCode"]), ("", &json!("T")));

    // Read at once, what was streamed is one document.
    let whole = world.invoke("plain", &[], json!({"do": "stream", "parts": ["[1,", "2]"]}).to_string()).await;
    assert_eq!(whole.json(), json!([1, 2]));
}

#[tokio::test]
async fn what_cannot_be_streamed_is_refused() {
    let world = World::with_functions(300).await;
    let post = async |function: &str, headers: &[(&str, &str)], payload: &str| {
        let path = format!("/2021-11-15/functions/{function}/response-streaming-invocations");
        world.exchange(&world.wire("POST", &path, headers, payload)).await
    };
    assert_eq!(post("plain", &[("x-amz-invocation-type", "DryRun")], "{}").await.status, 204);
    let event = post("plain", &[("x-amz-invocation-type", "Event")], "{}").await.line();
    assert_snapshot!(event, @"400 ValidationException: 1 validation error detected: Value 'Event' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [RequestResponse, DryRun]");
    assert_snapshot!(post("durable", &[], "{}").await.line(), @"400 InvalidParameterValueException: You cannot invoke a durable function using an unqualified ARN.");
    assert_snapshot!(post("gone", &[], "{}").await.line(), @"404 ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:gone");
    assert!(post("plain", &[], "{").await.line().starts_with("400 InvalidRequestContentException"));
}
