//! A server, a client that signs, and answers in a form that can be read.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use everstep_server::{Config, Server};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zip::write::SimpleFileOptions;

/// Longer than anything takes; a test that reaches it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server and who talks to it.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) directory: TempDir,
}

/// A request, ready to be sent or to be tampered with.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// How a request is signed.
pub(crate) struct Signer {
    pub(crate) access_key_id: String,
    pub(crate) secret: String,
    pub(crate) service: &'static str,
    pub(crate) at: SystemTime,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A world whose server is set up in another way.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::open(tempfile::tempdir().unwrap(), change).await
    }

    /// Stops the server, and checks that nothing goes on.
    pub(crate) async fn stopped(self) -> TempDir {
        assert!(self.server.stop().await, "something still works with the store");
        self.directory
    }

    /// The same world after a restart of its server.
    pub(crate) async fn restarted(self) -> Self {
        Self::open(self.stopped().await, |_| {}).await
    }

    /// A world on a directory where there was one before.
    pub(crate) async fn on(directory: TempDir) -> Self {
        Self::open(directory, |_| {}).await
    }

    /// A world on a directory, whose server is set up in another way.
    pub(crate) async fn open(directory: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(directory.path());
        config.listen[0].set_port(0);
        change(&mut config);
        Self { server: Server::start(config).await.unwrap(), directory }
    }

    /// A world with a function `plain`, and a function `durable` whose executions may take `seconds`.
    pub(crate) async fn with_functions(seconds: u64) -> Self {
        let world = Self::new().await;
        world.create(function("plain")).await;
        let mut durable = function("durable");
        durable["DurableConfig"] = json!({"ExecutionTimeout": seconds});
        world.create(durable).await;
        world
    }

    pub(crate) async fn create(&self, function: Value) -> Value {
        let answer = self.send("POST", "/2015-03-31/functions", &[], function.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Signs as the operator, now.
    pub(crate) fn signer(&self) -> Signer {
        let key = self.server.operator_key();
        Signer {
            access_key_id: key.access_key_id.clone(),
            secret: key.secret_access_key.clone(),
            service: "lambda",
            at: SystemTime::now(),
        }
    }

    /// Signs a request as the operator.
    pub(crate) fn wire(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Wire {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let wire = Wire { method: method.into(), path: path.into(), headers, body: body.into() };
        wire.signed(&self.signer(), self.address())
    }

    /// Signs a form as the operator, for a service that speaks the query protocol.
    pub(crate) fn form(&self, service: &'static str, form: &str) -> Wire {
        let kind = ("content-type".to_string(), "application/x-www-form-urlencoded; charset=utf-8".to_string());
        let wire = Wire { method: "POST".into(), path: "/".into(), headers: vec![kind], body: form.into() };
        wire.signed(&Signer { service, ..self.signer() }, self.address())
    }

    /// Sends a request as the operator.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        self.deliver(&self.wire(method, path, headers, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send("POST", path, &[], body).await
    }

    /// Sends a request as it is, and checks what every answer has.
    pub(crate) async fn deliver(&self, wire: &Wire) -> Answer {
        let answer = self.exchange(wire).await;
        let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("no `{name}`: {answer:?}"));
        assert_eq!(redacted(header("x-amzn-requestid")), "<uuid>");
        assert!(header("date").ends_with(" GMT"), "{answer:?}");
        let speaks_json = wire.headers.iter().any(|(name, _)| name == "x-amz-target");
        let content_type = if speaks_json { "application/x-amz-json-1.1" } else { "application/json" };
        assert_eq!(header("content-type"), content_type);
        assert_eq!(answer.header("x-amzn-errortype").is_some(), answer.status >= 400, "{answer:?}");
        answer
    }

    /// Sends a request as it is.
    pub(crate) async fn exchange(&self, wire: &Wire) -> Answer {
        tokio::time::timeout(PATIENCE, exchange(self.address(), wire)).await.expect("an answer")
    }

    /// Sends a request and goes away; returns once the server has noticed.
    pub(crate) async fn send_and_leave(&self, wire: &Wire) {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        stream.write_all(&wire.bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        // Whatever comes, be it an answer.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }

    /// Sends a form to IAM as the operator.
    pub(crate) async fn iam(&self, action: &str, members: &[(&str, &str)]) -> Answer {
        self.exchange(&self.form("iam", &form(action, members))).await
    }

    /// Sends JSON as the operator to a service that is told by `X-Amz-Target` what to do.
    pub(crate) async fn target(&self, service: &'static str, target: &str, body: &Value) -> (u16, Value) {
        let headers = vec![("x-amz-target".into(), target.into())];
        let wire = Wire { method: "POST".into(), path: "/".into(), headers, body: body.to_string().into() };
        let answer = self.deliver(&wire.signed(&Signer { service, ..self.signer() }, self.address())).await;
        (answer.status, answer.json())
    }

    /// Creates a role for functions that may do nothing yet.
    pub(crate) async fn create_role(&self, name: &str) {
        let trust = trust("lambda.amazonaws.com");
        let answer = self.iam("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Invokes a function.
    pub(crate) async fn invoke(&self, function: &str, headers: &[(&str, &str)], payload: impl Into<Vec<u8>>) -> Answer {
        let path = format!("/2015-03-31/functions/{}/invocations", function.replace('$', "%24"));
        self.send("POST", &path, headers, payload).await
    }

    /// Starts an execution that nobody waits for. Returns its ARN, escaped for a path.
    pub(crate) async fn start(&self, payload: &str) -> String {
        let answer = self.invoke("durable:$LATEST", &[("x-amz-invocation-type", "Event")], payload).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        escaped(answer.header("x-amz-durable-execution-arn").expect("an execution has an ARN"))
    }

    /// Asks again and again until an answer is as wanted. The server says nothing by itself.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let asking = async {
            loop {
                let answer = self.get(path).await.json();
                if wanted(&answer) {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("a state")
    }

    /// Waits until a handler sleeps over a callback. Returns its id, escaped for a path.
    pub(crate) async fn callback_id(&self, arn: &str) -> String {
        let of = |history: &Value| {
            let events = history["Events"].as_array()?;
            events.iter().find(|event| event["EventType"] == "InvocationCompleted")?;
            let id = events.iter().find_map(|event| event["CallbackStartedDetails"]["CallbackId"].as_str());
            id.map(escaped)
        };
        of(&self.until(&format!("{}/history", execution(arn)), |history| of(history).is_some()).await).unwrap()
    }
}

impl Wire {
    /// Returns it as it goes out, as the last one of its connection.
    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(head, "content-length: {}\r\nconnection: close\r\n\r\n", self.body.len()).unwrap();
        [head.as_bytes(), &self.body].concat()
    }

    /// Signs the request with what it has now.
    pub(crate) fn signed(self, signer: &Signer, address: SocketAddr) -> Self {
        self.sign(signer, address, SigningSettings::default())
    }

    /// Signs the request in its query, for so many seconds.
    pub(crate) fn presigned(self, signer: &Signer, address: SocketAddr, seconds: u64) -> Self {
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(seconds));
        self.sign(signer, address, settings)
    }

    /// Signs the head of a request to S3 over what it says of its body.
    pub(crate) fn signed_for_s3(self, signer: &Signer, address: SocketAddr) -> Self {
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        self.sign(signer, address, settings)
    }

    /// Returns these chunks as a body that goes with this head: each is signed over the signature before it.
    pub(crate) fn chunked(&self, signer: &Signer, chunks: &[&[u8]], trailer: Option<&str>) -> Vec<u8> {
        let header = |name: &str| &self.headers.iter().find(|(known, _)| known == name).expect("it is signed").1;
        let (date, authorization) = (header("x-amz-date"), header("authorization"));
        let mut previous = authorization.rsplit_once("Signature=").unwrap().1.to_string();
        let scope = format!("{}/us-east-1/s3/aws4_request", &date[..8]);
        let key = v4::generate_signing_key(&signer.secret, signer.at, "us-east-1", "s3");
        let digest = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut sign = |algorithm: &str, rest: String| {
            let text = format!("AWS4-HMAC-SHA256-{algorithm}\n{date}\n{scope}\n{previous}\n{rest}");
            previous = v4::calculate_signature(&key, text.as_bytes());
            previous.clone()
        };
        let mut body = Vec::new();
        for chunk in chunks.iter().copied().chain([b"".as_slice()]) {
            let signature = sign("PAYLOAD", format!("{}\n{}", digest(b""), digest(chunk)));
            body.extend(format!("{:x};chunk-signature={signature}\r\n", chunk.len()).into_bytes());
            body.extend(chunk);
            body.extend(if chunk.is_empty() { b"".as_slice() } else { b"\r\n" });
        }
        if let Some(trailer) = trailer {
            let signature = sign("TRAILER", digest(trailer.as_bytes()));
            let line = trailer.trim_end();
            body.extend(format!("{line}\r\nx-amz-trailer-signature:{signature}\r\n").into_bytes());
        }
        body.extend(b"\r\n");
        body
    }

    fn sign(mut self, signer: &Signer, address: SocketAddr, settings: SigningSettings) -> Self {
        if !self.headers.iter().any(|(name, _)| name == "host") {
            self.headers.push(("host".into(), address.to_string()));
        }
        let identity = Credentials::new(&signer.access_key_id, &signer.secret, None, None, "test").into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(signer.service)
            .time(signer.at)
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let claimed = self.headers.iter().find(|(name, _)| name == "x-amz-content-sha256").map(|(_, value)| value);
        let body = claimed.map_or(SignableBody::Bytes(&self.body), |text| SignableBody::Precomputed(text.clone()));
        let request = SignableRequest::new(&self.method, &self.path, headers, body).unwrap();
        let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
        let (headers, parameters) = instructions.into_parts();
        for header in headers {
            self.headers.push((header.name().into(), header.value().into()));
        }
        for (name, value) in parameters {
            let separator = if self.path.contains('?') { '&' } else { '?' };
            write!(self.path, "{separator}{name}={}", escaped(&value)).unwrap();
        }
        self
    }

    /// Replaces what a header says.
    pub(crate) fn with(mut self, name: &str, change: impl FnOnce(&str) -> String) -> Self {
        let header = self.headers.iter_mut().find(|(known, _)| known == name).expect("the header is there");
        header.1 = change(&header.1);
        self
    }

    /// Removes a header.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns what is worth a look: status, headers that not every answer has, and the body without what varies.
    pub(crate) fn show(&self) -> String {
        let mut text = self.status.to_string();
        for (name, value) in &self.headers {
            if !["date", "content-type", "content-length", "x-amzn-requestid", "connection"].contains(&name.as_str()) {
                write!(text, "\n{name}: {}", redacted(value)).unwrap();
            }
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(body)) => {
                write!(text, "\n{}", serde_json::to_string_pretty(&redact(Value::Object(body))).unwrap()).unwrap();
            }
            _ => write!(text, "\n{}", redacted(&String::from_utf8_lossy(&self.body))).unwrap(),
        }
        text
    }

    /// Returns status, kind of error and message in a line.
    pub(crate) fn line(&self) -> String {
        let body = self.json();
        let message = body["message"].as_str().or(body["Message"].as_str()).unwrap_or_default();
        let kind = self.header("x-amzn-errortype").unwrap_or("ok");
        redacted(&format!("{} {kind}: {message}", self.status))
    }
}

/// Writes a form.
pub(crate) fn form(action: &str, members: &[(&str, &str)]) -> String {
    let mut form = format!("Action={action}&Version=2010-05-08");
    for (name, value) in members {
        write!(form, "&{name}={}", escaped(value)).unwrap();
    }
    form
}

/// Writes a policy that lets a service assume a role.
pub(crate) fn trust(service: &str) -> String {
    let statement = json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// Writes a policy that allows actions on resources.
pub(crate) fn allow(actions: &[&str], resources: &[&str]) -> String {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": resources});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// Sends a request to an address as it is.
pub(crate) async fn exchange(address: SocketAddr, wire: &Wire) -> Answer {
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let write = async {
        // A server that has heard enough may hang up.
        let _ = writer.write_all(&wire.bytes()).await;
    };
    let mut bytes = Vec::new();
    let read = async {
        let _ = reader.read_to_end(&mut bytes).await;
    };
    tokio::join!(write, read);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line").parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").map(|(name, value)| (name.into(), value.into())).unwrap());
    let headers: Vec<(String, String)> = headers.collect();
    let body = bytes[end + 4..].to_vec();
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    Answer { status, headers, body: if chunked { dechunked(&body) } else { body } }
}

/// Joins the chunks of a body.
fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
    body
}

/// Returns the request that creates a function of `bootstrap`.
pub(crate) fn function(name: &str) -> Value {
    json!({
        "FunctionName": name,
        "Runtime": "provided.al2023",
        "Role": "arn:aws:iam::123456789012:role/everstep",
        "Timeout": 30,
        "Code": {"ZipFile": zip(&[("bootstrap", include_str!("bootstrap"))])},
    })
}

/// Returns a zip in base64.
pub(crate) fn zip(files: &[(&str, &str)]) -> String {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o755);
    for (name, text) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    STANDARD.encode(writer.finish().unwrap().into_inner())
}

/// Returns the path of an execution.
pub(crate) fn execution(arn: &str) -> String {
    format!("/2025-12-01/durable-executions/{arn}")
}

/// Escapes a parameter of a path as AWS's SDKs do.
pub(crate) fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string().replace("%2D", "-")
}

/// Returns a document without what differs from run to run.
pub(crate) fn show(value: &Value) -> String {
    serde_json::to_string_pretty(&redact(value.clone())).unwrap()
}

/// Replaces what differs from run to run.
pub(crate) fn redact(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| {
                let secret = ["CheckpointToken", "CallbackId", "NextMarker", "NextToken", "nextToken", "CodeSha256"]
                    .contains(&name.as_str());
                let value = match value {
                    Value::String(text) if secret && !text.is_empty() => format!("<{name}>").into(),
                    Value::Number(number) if is_time(&name) => {
                        if number.is_f64() { "<seconds>" } else { "<milliseconds>" }.into()
                    }
                    Value::Number(_) if name == "CodeSize" => "<size>".into(),
                    value => redact(value),
                };
                (name, value)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(redact).collect(),
        Value::String(text) => redacted(&text).into(),
        value => value,
    }
}

fn is_time(name: &str) -> bool {
    name.ends_with("Timestamp") || name.ends_with("Date") || name == "createdAt"
}

/// Replaces ids, dates and trace headers in a text.
pub(crate) fn redacted(text: &str) -> String {
    const PATTERNS: [(&str, &str); 5] = [
        ("Root=1-hhhhhhhh-hhhhhhhhhhhhhhhhhhhhhhhh;Parent=hhhhhhhhhhhhhhhh", "<trace>"),
        ("hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh", "<uuid>"),
        ("ddddddddTddddddZ", "<date>"),
        ("dddd-dd-ddTdd:dd:dd.ddd+0000", "<time>"),
        ("127.0.0.1:ddddd", "<address>"),
    ];
    let mut rest = text;
    let mut shown = String::new();
    while let Some(first) = rest.chars().next() {
        let found = PATTERNS.iter().find(|(pattern, _)| is_like(rest, pattern));
        match found {
            Some((pattern, name)) => {
                shown.push_str(name);
                rest = &rest[pattern.len()..];
            }
            None => {
                shown.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    shown
}

/// Tells whether a text begins like a pattern, in which `h` is a hexadecimal and `d` a decimal digit.
fn is_like(text: &str, pattern: &str) -> bool {
    text.len() >= pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(found, wanted)| match wanted {
            b'h' => found.is_ascii_digit() || (b'a'..=b'f').contains(&found),
            b'd' => found.is_ascii_digit(),
            wanted => found == wanted,
        })
}
