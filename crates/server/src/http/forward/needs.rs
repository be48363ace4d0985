//! What the sender of a request that is passed on must be allowed, as far as it can be told from outside the service.
//!
//! The action is the operation that a header, a form or a well-known path names. What cannot be told needs everything of the
//! service: its action is `*`, which only policies of the whole service allow; a resource that cannot be told is `*` likewise.

use everstep_core::id::Place;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::http::authorize::Need;
use crate::http::request::parse_query;

/// Returns what a request to a service takes. Without a body it is one to S3, which is told from its path.
pub fn needs(service: &str, place: &Place, parts: &Parts, body: Option<&[u8]>) -> Vec<Need> {
    let path = parts.uri.path();
    let Some(body) = body else { return vec![s3(parts)] };
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let Place { region, account } = place;
    let arn = |rest: &str| format!("arn:aws:{service}:{region}:{account}:{rest}");
    let operation = match target {
        Some(target) => target.rsplit('.').next().map(str::to_string),
        None => form_member(body, "Action"),
    };
    if service == "bedrock" {
        return vec![bedrock(place, path)];
    }
    let Some(operation) = operation else { return vec![Need::new(format!("{service}:*"), "*")] };
    let action = format!("{service}:{operation}");
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |member: &str| json[member].as_str().map(str::to_string).or_else(|| form_member(body, member));
    let resource = match service {
        "dynamodb" => return dynamodb(&operation, &json, arn),
        "sqs" => {
            let queue = text("QueueUrl").and_then(|url| url.rsplit('/').next().map(str::to_string));
            queue.or_else(|| text("QueueName")).map(|name| arn(&name))
        }
        "sns" => text("TopicArn").or_else(|| text("TargetArn")),
        "secretsmanager" => {
            text("SecretId").map(|id| if id.starts_with("arn:") { id } else { arn(&format!("secret:{id}")) })
        }
        "states" => text("stateMachineArn").or_else(|| text("executionArn")),
        "kinesis" => text("StreamARN").or_else(|| text("StreamName").map(|name| arn(&format!("stream/{name}")))),
        _ => None,
    };
    vec![Need::new(action, resource.unwrap_or_else(|| "*".into()))]
}

fn dynamodb(operation: &str, json: &Value, arn: impl Fn(&str) -> String) -> Vec<Need> {
    let table = |name: &str| {
        let index = json["IndexName"].as_str().map(|index| format!("/index/{index}")).unwrap_or_default();
        let name = name.rsplit(":table/").next().unwrap_or_default();
        arn(&format!("table/{name}{index}"))
    };
    let need = |operation: &str, name: &str| Need::new(format!("dynamodb:{operation}"), table(name));
    if let Some(name) = json["TableName"].as_str() {
        return vec![need(operation, name)];
    }
    if let Some(items) = json["RequestItems"].as_object() {
        return items.keys().map(|name| need(operation, name)).collect();
    }
    // A transaction takes what its parts take.
    let parts = json["TransactItems"].as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
    let needs: Vec<Need> = parts
        .map(|(kind, part)| {
            let operation = if kind == "ConditionCheck" { "ConditionCheckItem".into() } else { format!("{kind}Item") };
            need(&operation, part["TableName"].as_str().unwrap_or_default())
        })
        .collect();
    if needs.is_empty() { vec![Need::new(format!("dynamodb:{operation}"), "*")] } else { needs }
}

/// Source: Bedrock API, paths of the runtime.
fn bedrock(place: &Place, path: &str) -> Need {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let action = match parts[..] {
        ["model", _, "invoke" | "converse"] => "bedrock:InvokeModel",
        ["model", _, "invoke-with-response-stream" | "converse-stream"] => "bedrock:InvokeModelWithResponseStream",
        _ => return Need::new("bedrock:*", "*"),
    };
    let model = percent_decode_str(parts[1]).decode_utf8_lossy();
    let resource = match model.strip_prefix("arn:") {
        Some(_) => model.into_owned(),
        None => format!("arn:aws:bedrock:{}::foundation-model/{model}", place.region),
    };
    Need::new(action, resource)
}

/// Path style: the bucket is the first segment. Source: S3 User Guide, actions.
fn s3(parts: &Parts) -> Need {
    let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy();
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let query = parse_query(parts.uri.query().unwrap_or_default());
    let has = |name: &str| query.iter().any(|(known, _)| known == name);
    if bucket.is_empty() {
        return Need::new("s3:ListAllMyBuckets", "*");
    }
    let resource =
        if key.is_empty() { format!("arn:aws:s3:::{bucket}") } else { format!("arn:aws:s3:::{bucket}/{key}") };
    // What else a query asks for is a matter of its own: tags, policies, versions and so on.
    const OF_OBJECTS: [&str; 9] = [
        "uploads",
        "uploadId",
        "partNumber",
        "x-id",
        "list-type",
        "prefix",
        "delimiter",
        "max-keys",
        "continuation-token",
    ];
    let plain = |name: &String| {
        OF_OBJECTS.contains(&name.as_str()) || name.starts_with("X-Amz-") || name.starts_with("response-")
    };
    let others = query.iter().any(|(name, _)| {
        !plain(name) && !["start-after", "fetch-owner", "encoding-type", "marker"].contains(&name.as_str())
    });
    let action = match (parts.method.as_str(), key.is_empty()) {
        _ if others => "s3:*",
        ("GET" | "HEAD", true) => "s3:ListBucket",
        ("GET", false) if has("uploadId") => "s3:ListMultipartUploadParts",
        ("GET" | "HEAD", false) => "s3:GetObject",
        ("PUT", true) => "s3:CreateBucket",
        ("PUT" | "POST", false) => "s3:PutObject",
        ("DELETE", true) => "s3:DeleteBucket",
        ("DELETE", false) if has("uploadId") => "s3:AbortMultipartUpload",
        ("DELETE", false) => "s3:DeleteObject",
        _ => "s3:*",
    };
    Need::new(action, resource)
}

fn form_member(body: &[u8], name: &str) -> Option<String> {
    let pairs = parse_query(std::str::from_utf8(body).ok()?);
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(service: &str, request: http::request::Builder, body: Option<&str>, expected: &[&str]) {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let place = Place { region: "r".into(), account: "1".into() };
        let found = needs(service, &place, &parts, body.map(str::as_bytes));
        let found: Vec<String> = found.iter().map(|need| format!("{} {}", need.action, need.resource)).collect();
        assert_eq!(found, expected, "{service} {}", parts.uri);
    }

    fn target(target: &str) -> http::request::Builder {
        http::Request::post("/").header("x-amz-target", target)
    }

    #[test]
    fn what_a_request_takes_is_told_from_outside() {
        let table = r#"{"TableName": "t"}"#;
        check(
            "dynamodb",
            target("DynamoDB_20120810.UpdateItem"),
            Some(table),
            &["dynamodb:UpdateItem arn:aws:dynamodb:r:1:table/t"],
        );
        check(
            "dynamodb",
            target("DynamoDB_20120810.Query"),
            Some(r#"{"TableName": "t", "IndexName": "i"}"#),
            &["dynamodb:Query arn:aws:dynamodb:r:1:table/t/index/i"],
        );
        check("dynamodb", target("DynamoDB_20120810.ListTables"), Some("{}"), &["dynamodb:ListTables *"]);
        check(
            "dynamodb",
            target("DynamoDB_20120810.BatchWriteItem"),
            Some(r#"{"RequestItems": {"a": [], "b": []}}"#),
            &[
                "dynamodb:BatchWriteItem arn:aws:dynamodb:r:1:table/a",
                "dynamodb:BatchWriteItem arn:aws:dynamodb:r:1:table/b",
            ],
        );
        check(
            "dynamodb",
            target("DynamoDB_20120810.TransactWriteItems"),
            Some(r#"{"TransactItems": [{"Put": {"TableName": "a"}}, {"ConditionCheck": {"TableName": "b"}}]}"#),
            &[
                "dynamodb:PutItem arn:aws:dynamodb:r:1:table/a",
                "dynamodb:ConditionCheckItem arn:aws:dynamodb:r:1:table/b",
            ],
        );
        let queue = r#"{"QueueUrl": "http://q/1/jobs"}"#;
        check("sqs", target("AmazonSQS.SendMessage"), Some(queue), &["sqs:SendMessage arn:aws:sqs:r:1:jobs"]);
        check("sns", http::Request::post("/"), Some("Action=Publish&TopicArn=arn%3At"), &["sns:Publish arn:t"]);
        check("xray", http::Request::post("/TraceSegments"), Some("{}"), &["xray:* *"]);
        check(
            "bedrock",
            http::Request::post("/model/m%3A0/converse"),
            Some("{}"),
            &["bedrock:InvokeModel arn:aws:bedrock:r::foundation-model/m:0"],
        );
        check("bedrock", http::Request::post("/agents/a"), Some("{}"), &["bedrock:* *"]);
        check("s3", http::Request::get("/b/k/l?x-id=GetObject"), None, &["s3:GetObject arn:aws:s3:::b/k/l"]);
        check("s3", http::Request::put("/b/k"), None, &["s3:PutObject arn:aws:s3:::b/k"]);
        check("s3", http::Request::get("/b?list-type=2&prefix=a"), None, &["s3:ListBucket arn:aws:s3:::b"]);
        check("s3", http::Request::get("/b?policy"), None, &["s3:* arn:aws:s3:::b"]);
        check("s3", http::Request::delete("/b/k"), None, &["s3:DeleteObject arn:aws:s3:::b/k"]);
        check("s3", http::Request::get("/"), None, &["s3:ListAllMyBuckets *"]);
    }
}
