//! Amazon S3 on the wire: what clients seldom send, and what a stranger might.

use insta::assert_snapshot;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::world::{Answer, Signer, Wire, World};

impl World {
    /// Asks S3, as the operator.
    pub(crate) async fn s3(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.exchange(&self.s3_wire(method, path, headers, body)).await
    }

    fn s3_wire(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Wire {
        let digest: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut headers: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        if !headers.iter().any(|(name, _)| name == "x-amz-content-sha256") {
            headers.push(("x-amz-content-sha256".into(), digest));
        }
        let wire = Wire { method: method.into(), path: path.into(), headers, body: body.into() };
        wire.signed_for_s3(&Signer { service: "s3", ..self.signer() }, self.address())
    }

    async fn with_bucket() -> Self {
        let world = Self::new().await;
        assert_eq!(world.s3("PUT", "/bucket", &[], b"").await.status, 200);
        world
    }

    /// Returns how many files of objects there are.
    fn files(&self) -> usize {
        std::fs::read_dir(self.directory.path().join("objects")).unwrap().count()
    }
}

fn code(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    format!("{} {}", answer.status, code.unwrap_or("ok"))
}

#[tokio::test]
async fn errors_are_s3s() {
    let world = World::with_bucket().await;
    let answer = world.s3("GET", "/bucket/nothing", &[], b"").await;
    assert_snapshot!(String::from_utf8_lossy(&answer.body), @r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"#);
    assert_eq!(answer.header("x-amz-request-id"), answer.header("x-amzn-requestid"));
    assert_eq!(code(&world.s3("GET", "/other/k", &[], b"").await), "404 NoSuchBucket");
    assert_eq!(code(&world.s3("PUT", "/Bad_Name", &[], b"").await), "400 InvalidBucketName");
    assert_eq!(code(&world.s3("GET", "/bucket?website", &[], b"").await), "501 NotImplemented");
    let form = [("content-type", "multipart/form-data; boundary=x")];
    assert_eq!(code(&world.s3("POST", "/bucket", &form, b"--x--").await), "501 NotImplemented");
}

#[tokio::test]
async fn what_is_not_what_was_signed_leaves_nothing() {
    let world = World::with_bucket().await;
    let good = world.s3_wire("PUT", "/bucket/k", &[], b"content");
    let mut tampered = good.clone();
    tampered.body = b"CONTENT".into();
    assert_eq!(code(&world.exchange(&tampered).await), "400 XAmzContentSHA256Mismatch");
    let mut elsewhere = good.clone();
    elsewhere.path = "/bucket/l".into();
    assert_eq!(code(&world.exchange(&elsewhere).await), "403 SignatureDoesNotMatch");
    let claims = good.clone().with("x-amz-content-sha256", |_| "UNSIGNED-PAYLOAD".into());
    assert_eq!(code(&world.exchange(&claims).await), "403 SignatureDoesNotMatch");
    let unsigned = good.clone().without("authorization");
    assert_eq!(world.exchange(&unsigned).await.status, 403);
    assert_eq!(world.files(), 0);
    assert_eq!(code(&world.exchange(&good).await), "200 ok");
    assert_eq!(world.files(), 1);
    let mut document = world.s3_wire("PUT", "/bucket?versioning", &[], b"<VersioningConfiguration/>");
    document.body = b"<versioningConfiguration/>".into();
    assert_eq!(code(&world.exchange(&document).await), "400 XAmzContentSHA256Mismatch");
}

#[tokio::test]
async fn requests_of_long_ago_are_refused_so_that_clients_correct_their_clocks() {
    let world = World::with_bucket().await;
    let wire = world.s3_wire("GET", "/bucket/k", &[], b"");
    let at = std::time::SystemTime::now() - std::time::Duration::from_secs(3_600);
    let old = Wire { headers: vec![wire.headers[0].clone()], ..wire };
    let old = old.signed_for_s3(&Signer { service: "s3", at, ..world.signer() }, world.address());
    assert_eq!(code(&world.exchange(&old).await), "403 RequestTimeTooSkewed");
}

#[tokio::test]
async fn bodies_in_chunks_are_taken_apart() {
    let world = World::with_bucket().await;
    let headers = [
        ("content-encoding", "gzip,aws-chunked"),
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "9"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    let put = async |body: &str| code(&world.s3("PUT", "/bucket/k", &headers, body.as_bytes()).await);
    assert_eq!(put("4\r\n1234\r\n5\r\n56789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n").await, "200 ok");
    let got = world.s3("GET", "/bucket/k", &[("x-amz-checksum-mode", "ENABLED")], b"").await;
    assert_eq!(got.body, b"123456789");
    assert_eq!(got.header("content-encoding"), Some("gzip"));
    assert_eq!(got.header("x-amz-checksum-crc32"), Some("y/Q5Jg=="));
    assert_eq!(put("9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n").await, "400 BadDigest");
    assert_eq!(put("9\r\n123456789\r\n0\r\n\r\n").await, "400 BadDigest");
    assert_eq!(put("4\r\n1234\r\n0\r\nx-amz-checksum-crc32:m+P+1Q==\r\n\r\n").await, "400 IncompleteBody");
    assert_eq!(put("4\r\n1234\r\n").await, "400 IncompleteBody");
    assert_eq!(put("no chunk\r\n").await, "400 InvalidRequest");
    assert_eq!(world.files(), 1);
}

#[tokio::test]
async fn signed_chunks_are_checked_one_by_one() {
    let world = World::with_bucket().await;
    let trailer = "x-amz-checksum-crc32:y/Q5Jg==\n";
    let headers = |form: &'static str| {
        vec![
            ("x-amz-content-sha256", form),
            ("x-amz-decoded-content-length", "9"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ]
    };
    for (form, trailer) in
        [("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", None), ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", Some(trailer))]
    {
        let mut headers = headers(form);
        headers.truncate(if trailer.is_some() { 3 } else { 2 });
        let head = world.s3_wire("PUT", "/bucket/k", &headers, b"");
        let body = head.chunked(&world.signer(), &[b"1234", b"56789"], trailer);
        let good = Wire { body: body.clone(), ..head.clone() };
        assert_eq!(code(&world.exchange(&good).await), "200 ok", "{form}");
        assert_eq!(world.s3("GET", "/bucket/k", &[], b"").await.body, b"123456789");
        let text = String::from_utf8(body).unwrap();
        for (part, replacement, expected) in [
            ("1234", "1235", "403 SignatureDoesNotMatch"),
            ("56789", "56780", "403 SignatureDoesNotMatch"),
            ("y/Q5Jg", "y/Q5Jh", "403 SignatureDoesNotMatch"),
            ("\r\n0;", "\r\n1;", "400 IncompleteBody"),
        ] {
            if !text.contains(part) {
                continue;
            }
            let bad = Wire { body: text.replace(part, replacement).into_bytes(), ..head.clone() };
            let found = code(&world.exchange(&bad).await);
            assert!(found == expected || part == "\r\n0;" && found.starts_with('4'), "{form} {part}: {found}");
        }
    }
    assert_eq!(world.files(), 1);
}

#[tokio::test]
async fn function_processes_have_no_way_to_buckets() {
    let world = World::with_functions(300).await;
    let answer = world.s3("GET", "/", &[], b"").await;
    assert_eq!(answer.status, 200);
    // A key of a process is not to be had here: that of nobody stands for it.
    let nobody = Signer { access_key_id: "ASIANOBODY".into(), service: "s3", ..world.signer() };
    let wire = world.s3_wire("GET", "/", &[], b"");
    let wire = Wire { headers: vec![wire.headers[0].clone()], ..wire }.signed_for_s3(&nobody, world.address());
    assert_eq!(code(&world.exchange(&wire).await), "403 InvalidAccessKeyId");
}

#[tokio::test]
async fn buckets_are_there_after_a_restart_and_the_first_one_stays_deleted() {
    let world = World::with_bucket().await;
    world.s3("PUT", "/bucket/k", &[], b"content").await;
    assert_eq!(code(&world.s3("DELETE", "/cdk-hnb659fds-assets-123456789012-us-east-1", &[], b"").await), "204 ok");
    let world = world.restarted().await;
    assert_eq!(world.s3("GET", "/bucket/k", &[], b"").await.body, b"content");
    let listed = world.s3("GET", "/", &[], b"").await;
    assert!(!String::from_utf8_lossy(&listed.body).contains("cdk-hnb659fds"));
}

#[tokio::test]
async fn who_creates_the_first_bucket_keeps_what_was_set_on_it() {
    let world = World::new().await;
    let bucket = "/cdk-hnb659fds-assets-123456789012-us-east-1";
    let arn = "arn:aws:s3:::cdk-hnb659fds-assets-123456789012-us-east-1/*";
    let statement = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": arn});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let versioning = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(code(&world.s3("PUT", &format!("{bucket}?policy"), &[], policy.as_bytes()).await), "204 ok");
    assert_eq!(code(&world.s3("PUT", &format!("{bucket}?versioning"), &[], versioning).await), "200 ok");
    assert_eq!(code(&world.s3("PUT", bucket, &[], b"").await), "200 ok");
    assert_eq!(world.s3("GET", &format!("{bucket}?policy"), &[], b"").await.body, policy.as_bytes());
    let kept = world.s3("GET", &format!("{bucket}?versioning"), &[], b"").await;
    assert!(String::from_utf8_lossy(&kept.body).contains("<Status>Enabled</Status>"), "{kept:?}");
}

#[tokio::test]
async fn documents_metadata_and_tags_hold_their_limits() {
    let world = World::with_bucket().await;
    let meta = "m".repeat(2_045);
    assert_eq!(code(&world.s3("PUT", "/bucket/k", &[("x-amz-meta-abc", &meta)], b"").await), "200 ok");
    assert_eq!(code(&world.s3("PUT", "/bucket/k", &[("x-amz-meta-abcd", &meta)], b"").await), "400 MetadataTooLarge");
    let tags = |count: usize| (0..count).map(|tag| format!("t{tag}=x")).collect::<Vec<_>>().join("&");
    assert_eq!(code(&world.s3("PUT", "/bucket/k", &[("x-amz-tagging", &tags(10))], b"").await), "200 ok");
    assert_eq!(code(&world.s3("PUT", "/bucket/k", &[("x-amz-tagging", &tags(11))], b"").await), "400 BadRequest");
    let large = vec![b' '; 4 * 1_048_576 + 1];
    assert_eq!(code(&world.s3("PUT", "/bucket?versioning", &[], &large).await), "400 EntityTooLarge");
    let too_long = (5_u64 * 1_073_741_824 + 1).to_string();
    let headers = [
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", too_long.as_str()),
    ];
    assert_eq!(code(&world.s3("PUT", "/bucket/k", &headers, b"0\r\n\r\n").await), "400 EntityTooLarge");
}
