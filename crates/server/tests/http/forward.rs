//! Services that are passed on: what reaches the real one, whose key signs it, and what comes back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use everstep_server::Config;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{Signer, Wire, World, function, show};

/// A service that answers everyone with the same, and notes what it was sent.
struct Stub {
    url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// A request's head and body.
type Heard = (String, Vec<u8>);

impl Stub {
    async fn new(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let notes = Arc::clone(&heard);
        tokio::spawn(async move {
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                // A connection that is broken off was no request.
                if let Some(request) = read(&mut connection).await {
                    notes.lock().unwrap().push(request);
                    connection.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
        Self { url, heard }
    }

    /// Returns the head of the only request, without what varies, and its body.
    fn heard(&self) -> (String, String) {
        let heard = self.heard.lock().unwrap();
        let [(head, body)] = &heard[..] else { panic!("{heard:?}") };
        let authority = self.url.trim_start_matches("http://");
        let mut lines: Vec<String> = head.replace(authority, "<service>").lines().map(varied).collect();
        lines[1..].sort();
        (lines.join("\n"), String::from_utf8(body.clone()).unwrap())
    }
}

/// Reads a request; `None` if it is broken off.
async fn read(connection: &mut TcpStream) -> Option<Heard> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some((head, bytes[end + 4..].to_vec()));
            }
        }
        if connection.read_buf(&mut bytes).await.unwrap() == 0 {
            return None;
        }
    }
}

/// Replaces what differs from run to run in the line of a header.
fn varied(line: &str) -> String {
    match line.split_once(": ") {
        Some(("x-amz-date", _)) => "x-amz-date: <date>".into(),
        Some(("authorization", value)) => {
            let (signed, _) = value.split_once("Signature=").unwrap();
            let [algorithm, _, scope] = signed.splitn(3, '/').collect::<Vec<_>>()[..] else { panic!("{value}") };
            format!("authorization: {algorithm}/<day>/{scope}Signature=…")
        }
        _ => line.into(),
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// Has a service passed on to where it is, signed with the key `REAL`.
fn forward(config: &mut Config, service: &str, endpoint: &str) {
    let keys = config.data.join("real-keys");
    let key = "[real]\naws_access_key_id = REAL\naws_secret_access_key = secret\naws_session_token = TOKEN\nregion = eu-west-1\n";
    std::fs::write(&keys, key).unwrap();
    let settings = json!({service: {"endpoint": endpoint, "profile": "real", "credentials_file": keys}});
    config.forward.extend(serde_json::from_value::<BTreeMap<_, _>>(settings).unwrap());
}

async fn world(service: &str, endpoint: &str) -> World {
    World::with(|config| forward(config, service, endpoint)).await
}

/// Signs a request for a service as the operator.
fn wire(world: &World, service: &'static str, path: &str, headers: &[(&str, &str)], body: &str) -> Wire {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let wire = Wire { method: "POST".into(), path: path.into(), headers, body: body.into() };
    wire.signed(&Signer { service, ..world.signer() }, world.address())
}

const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.0");

fn put_item(world: &World) -> Wire {
    wire(world, "dynamodb", "/", &[JSON, ("x-amz-target", "DynamoDB_20120810.PutItem")], "{\"TableName\": \"t\"}")
}

#[tokio::test]
async fn request_reaches_the_service_under_the_operators_own_key() {
    let stub = Stub::new(OK).await;
    let world = world("dynamodb", &stub.url).await;
    let hop_by_hop = [("keep-alive", "1"), ("te", "trailers"), ("x-private", "1"), ("connection", "x-private")];
    let mut wire = put_item(&world);
    wire.headers.extend(hop_by_hop.map(|(name, value)| (name.to_string(), value.to_string())));
    assert_eq!(world.exchange(&wire).await.status, 200);
    let (head, body) = stub.heard();
    assert_eq!(body, r#"{"TableName": "t"}"#);
    assert_snapshot!(head, @r"
    POST / HTTP/1.1
    authorization: AWS4-HMAC-SHA256 Credential=REAL/<day>/eu-west-1/dynamodb/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-amz-target, Signature=…
    content-length: 18
    content-type: application/x-amz-json-1.0
    host: <service>
    x-amz-content-sha256: 195350121d9bb31578dea33dbd020a0614795c09111a27ced78d9279f048f009
    x-amz-date: <date>
    x-amz-security-token: TOKEN
    x-amz-target: DynamoDB_20120810.PutItem
    ");
}

#[tokio::test]
async fn what_the_service_answers_is_not_touched() {
    let stub = Stub::new("HTTP/1.1 400 Bad Request\r\nx-amzn-requestid: ITS-OWN\r\nx-amz-crc32: 7\r\ncontent-type: text/odd\r\nkeep-alive: 5\r\nconnection: close\r\ncontent-length: 3\r\n\r\nno!").await;
    let world = world("dynamodb", &stub.url).await;
    let answer = world.exchange(&put_item(&world)).await;
    assert_eq!((answer.status, answer.body.as_slice()), (400, b"no!".as_slice()));
    let expected = [
        ("x-amzn-requestid", Some("ITS-OWN")),
        ("x-amz-crc32", Some("7")),
        ("content-type", Some("text/odd")),
        ("keep-alive", None),
    ];
    for (name, value) in expected {
        assert_eq!(answer.header(name), value, "{answer:?}");
    }
}

/// One server passes on to another, which checks the signature as AWS would.
#[tokio::test]
async fn signature_is_good_whatever_the_path_and_query() {
    let stub = Stub::new(OK).await;
    let second = world("bedrock-runtime", &stub.url).await;
    let key = second.server.operator_key();
    let (id, secret) = (key.access_key_id, key.secret_access_key);
    let first = World::with(|config| {
        forward(config, "bedrock-runtime", &format!("http://{}", second.address()));
        let keys = format!("[real]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        std::fs::write(config.data.join("real-keys"), keys).unwrap();
    })
    .await;
    let path = "/model/anthropic.claude%3A1%2Fx/invoke?a=%20b&A=&a=1";
    let answer =
        first.exchange(&wire(&first, "bedrock", path, &[("x-amzn-bedrock-trace", "ENABLED"), JSON], "{}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let (head, _) = stub.heard();
    assert!(head.starts_with(&format!("POST {path} HTTP/1.1\n")), "{head}");
    assert!(head.contains("x-amzn-bedrock-trace: ENABLED"), "{head}");
}

#[tokio::test]
async fn strangers_and_other_bodies_do_not_get_through() {
    let stub = Stub::new(OK).await;
    let world = world("dynamodb", &stub.url).await;
    let lines = async |wire: &Wire| world.deliver(wire).await.line();
    let tampered = Wire { body: b"{\"TableName\": \"u\"}".to_vec(), ..put_item(&world) };
    assert!(lines(&tampered).await.starts_with("403 InvalidSignatureException"));
    let stranger = put_item(&world).with("authorization", |value| value.replace("Credential=AKIA", "Credential=AKIB"));
    assert!(lines(&stranger).await.starts_with("403 UnrecognizedClientException"));
    let other = wire(&world, "glacier", "/", &[("x-amz-target", "A.B")], "");
    assert_snapshot!(lines(&other).await, @"501 NotImplementedException: Everstep does not serve the service `glacier`: pass it on to a real one by a table [forward.glacier] in the configuration file.");
    assert!(stub.heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn service_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let world = world("dynamodb", &url).await;
    let answer = world.deliver(&put_item(&world)).await;
    assert_snapshot!(answer.show(), @r#"
    503
    x-amzn-errortype: ServiceUnavailable
    {
      "Type": "Service",
      "__type": "ServiceUnavailable",
      "message": "Everstep passes requests to `dynamodb` on to a service that could not be asked: it does not answer. The server's log says more."
    }
    "#);
    // Its key may go missing as well.
    std::fs::write(world.directory.path().join("real-keys"), "").unwrap();
    assert_snapshot!(world.deliver(&put_item(&world)).await.line(), @"503 ServiceUnavailable: Everstep passes requests to `dynamodb` on to a service that could not be asked: the key for it cannot be read. The server's log says more.");
}

#[tokio::test]
async fn body_is_held_up_to_a_size() {
    const BODY_BYTES_MAX: usize = 26 * 1_048_576;
    let stub = Stub::new(OK).await;
    let world = world("dynamodb", &stub.url).await;
    let send =
        async |bytes: usize| world.exchange(&wire(&world, "dynamodb", "/", &[JSON], &"x".repeat(bytes))).await.status;
    assert_eq!(send(BODY_BYTES_MAX).await, 200);
    assert_eq!(send(BODY_BYTES_MAX + 1).await, 413);
}

#[tokio::test]
async fn answer_passes_while_it_is_written() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = world("bedrock-runtime", &format!("http://{}", listener.local_addr().unwrap())).await;
    let wire = wire(&world, "bedrock", "/model/m/invoke-with-response-stream", &[], "{}");
    let mut caller = TcpStream::connect(world.address()).await.unwrap();
    caller.write_all(&bytes(&wire)).await.unwrap();
    let (mut service, _) = listener.accept().await.unwrap();
    read(&mut service).await.unwrap();
    service.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let mut seen = String::new();
    for part in ["first", "other"] {
        service.write_all(format!("5\r\n{part}\r\n").as_bytes()).await.unwrap();
        // The next part is not written before this one has come.
        while !seen.contains(part) {
            let mut bytes = [0; 1_024];
            let count = caller.read(&mut bytes).await.unwrap();
            assert_ne!(count, 0, "{seen}");
            seen += std::str::from_utf8(&bytes[..count]).unwrap();
        }
    }
}

fn bytes(wire: &Wire) -> Vec<u8> {
    let headers: String = wire.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head =
        format!("{} {} HTTP/1.1\r\n{headers}content-length: {}\r\n\r\n", wire.method, wire.path, wire.body.len());
    [head.as_bytes(), &wire.body].concat()
}

/// A world whose functions reach S3 elsewhere.
async fn with_s3(stub: &Stub) -> World {
    let world = world("s3", &stub.url).await;
    world.create(function("plain")).await;
    let allowed = [("RoleName", "everstep"), ("PolicyArn", "arn:aws:iam::aws:policy/AmazonS3FullAccess")];
    assert_eq!(world.iam("AttachRolePolicy", &allowed).await.status, 200);
    world
}

async fn put(world: &World, digest: &str) -> Value {
    world.invoke("plain", &[], json!({"do": "put", "body": "hello", "digest": digest}).to_string()).await.json()
}

#[tokio::test]
async fn function_reaches_s3_under_its_own_key_and_the_service_under_the_operators() {
    for (digest, signed) in [
        ("", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
        ("UNSIGNED-PAYLOAD", "UNSIGNED-PAYLOAD"),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
    ] {
        let stub = Stub::new(OK).await;
        let world = with_s3(&stub).await;
        assert_eq!(put(&world, digest).await, json!([200, {}]));
        let (head, body) = stub.heard();
        assert_eq!(body, "hello");
        assert!(head.contains("Credential=REAL/<day>/eu-west-1/s3/aws4_request"), "{head}");
        assert!(head.contains(&format!("x-amz-content-sha256: {signed}")), "{head}");
    }
}

#[tokio::test]
async fn body_that_is_not_what_was_signed_does_not_reach_s3() {
    let stub = Stub::new(OK).await;
    let world = with_s3(&stub).await;
    let other = "0".repeat(64);
    assert_snapshot!(show(&put(&world, &other).await), @r#"
    [
      403,
      {
        "Type": "User",
        "message": "The provided 'x-amz-content-sha256' header does not match what was computed."
      }
    ]
    "#);
    assert_snapshot!(show(&put(&world, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD").await), @r#"
    [
      501,
      {
        "Type": "Service",
        "message": "Everstep does not pass on bodies that are signed chunk by chunk (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD`): set the client not to (in AWS SDK for Java, chunkedEncodingEnabled(false))."
      }
    ]
    "#);
    assert!(stub.heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn functions_are_told_where_services_are_unless_they_know_better() {
    let world = world("bedrock-runtime", "http://127.0.0.1:1").await;
    let check = async |name: &str, variables: Value, expected: Value| {
        let mut function = function(name);
        function["Environment"] = json!({"Variables": variables});
        world.create(function).await;
        let told = world.invoke(name, &[], r#"{"do": "endpoints"}"#).await.json();
        for (service, here) in expected.as_object().unwrap() {
            assert_eq!(&told[format!("AWS_ENDPOINT_URL{service}")], here, "{name}, {service}: {told}");
        }
    };
    check("none", json!({}), json!({"_LAMBDA": true, "_STS": true, "_BEDROCK_RUNTIME": true, "": null})).await;
    let own = json!({"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://own"});
    check("one", own, json!({"_LAMBDA": true, "_STS": true, "_BEDROCK_RUNTIME": false, "": null})).await;
    let own = json!({"AWS_ENDPOINT_URL": "http://own"});
    check("all", own, json!({"_LAMBDA": true, "_STS": null, "_BEDROCK_RUNTIME": null, "": false})).await;
}
