//! The event of a function URL: a request in payload format 2.0. Source: Lambda Developer Guide, function URLs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};

use crate::http::request::parse_query;

/// A request to a function URL whose sender may send it.
pub struct UrlRequest<'a> {
    /// The URL's id.
    pub id: &'a str,
    /// The request id.
    pub request_id: &'a str,
    /// The method.
    pub method: &'a Method,
    /// Path and query.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
    /// Where it comes from.
    pub source_ip: Option<IpAddr>,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The trace header.
    pub trace_id: &'a str,
    /// Who signed it, if it had to be signed.
    pub signed_by: Option<&'a Signer>,
}

/// Who signed a request.
#[derive(Debug)]
pub struct Signer {
    /// The key.
    pub access_key_id: String,
    /// The account.
    pub account: String,
    /// The ARN of the sender.
    pub arn: String,
    /// The id of the sender.
    pub user_id: String,
}

/// Writes the event.
pub fn event(request: &UrlRequest<'_>, now: jiff::Timestamp) -> Value {
    let headers = headers(request);
    let source_ip = request.source_ip.map(|ip| ip.to_string());
    let query = request.uri.query().unwrap_or_default();
    let host = headers.get("host").cloned().unwrap_or_default();
    let domain = host.rsplit_once(':').map_or(host.as_str(), |(domain, _)| domain);
    let user_agent = headers.get("user-agent").cloned();
    let path = request.uri.path();
    let mut context = json!({
        "accountId": request.signed_by.map_or("anonymous", |signer| &signer.account),
        "apiId": request.id,
        "domainName": domain,
        "domainPrefix": request.id,
        "http": {
            "method": request.method.as_str(),
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": source_ip,
            "userAgent": user_agent,
        },
        "requestId": request.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
        "timeEpoch": now.as_millisecond(),
    });
    if let Some(Signer { access_key_id, account, arn, user_id }) = request.signed_by {
        context["authentication"] = Value::Null;
        context["authorizer"] = json!({"iam": {
            "accessKey": access_key_id,
            "accountId": account,
            "callerId": user_id,
            "cognitoIdentity": null,
            "principalOrgId": null,
            "userArn": arn,
            "userId": user_id,
        }});
    }
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": context,
    });
    let cookies = cookies(request.headers);
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    let parameters = joined(parse_query(query));
    if !parameters.is_empty() {
        event["queryStringParameters"] = json!(parameters);
    }
    let text = std::str::from_utf8(request.body).ok().filter(|_| is_text(request.headers));
    if !request.body.is_empty() {
        event["body"] = text.map_or_else(|| STANDARD.encode(request.body), Into::into).into();
    }
    event["isBase64Encoded"] = (!request.body.is_empty() && text.is_none()).into();
    event
}

/// Returns the headers by their names, values that came apart joined; and those that a proxy would add.
fn headers(request: &UrlRequest<'_>) -> BTreeMap<String, String> {
    let taken = |name: &str| name == "cookie" || (name == "authorization" && request.signed_by.is_some());
    let given = request.headers.iter().filter(|(name, _)| !taken(name.as_str()));
    let mut headers = joined(
        given.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect(),
    );
    let port = headers.get("host").and_then(|host| Some(host.rsplit_once(':')?.1.to_string()));
    let port = port.unwrap_or_else(|| if request.scheme == "https" { "443" } else { "80" }.into());
    let added = [
        ("x-amzn-trace-id", Some(request.trace_id.to_string())),
        ("x-forwarded-for", request.source_ip.map(|ip| ip.to_string())),
        ("x-forwarded-port", Some(port)),
        ("x-forwarded-proto", Some(request.scheme.to_string())),
    ];
    headers.extend(added.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))));
    headers
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
    let cookies = values.flat_map(|value| value.split(';')).map(|cookie| cookie.trim().to_string());
    cookies.filter(|cookie| !cookie.is_empty()).collect()
}

/// Joins values of the same name by commas.
fn joined(pairs: Vec<(String, String)>) -> BTreeMap<String, String> {
    let mut joined = BTreeMap::<String, String>::new();
    for (name, value) in pairs {
        joined
            .entry(name)
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert(value);
    }
    joined
}

/// Tells whether a body is shown as it is, by its type; forms are not.
fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type.starts_with("text/")
        || ["application/json", "application/javascript", "application/xml"].contains(&media_type.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the event of a request, without what is always the same.
    fn check(uri: &str, headers: &[(&str, &str)], body: &[u8], signed: bool, expected: Value) {
        let mut map = HeaderMap::new();
        map.insert("host", "id.lambda-url.us-east-1.localhost:9000".parse().unwrap());
        for (name, value) in headers {
            map.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let signer = Signer {
            access_key_id: "AKIA".into(),
            account: "123456789012".into(),
            arn: "arn:aws:iam::123456789012:root".into(),
            user_id: "123456789012".into(),
        };
        let request = UrlRequest {
            id: "id",
            request_id: "request",
            method: &Method::POST,
            uri: &uri.parse().unwrap(),
            headers: &map,
            body,
            source_ip: Some("10.0.0.7".parse().unwrap()),
            scheme: "http",
            trace_id: "Root=1-2-3",
            signed_by: signed.then_some(&signer),
        };
        let mut event = event(&request, jiff::Timestamp::from_millisecond(1_583_348_638_390).unwrap());
        let context = event["requestContext"].take();
        assert_eq!(context["http"]["path"], event["rawPath"]);
        assert_eq!(context["time"], "04/Mar/2020:19:03:58 +0000");
        assert_eq!(context["authorizer"]["iam"]["accessKey"].as_str(), signed.then_some("AKIA"));
        assert_eq!(context["accountId"], if signed { "123456789012" } else { "anonymous" });
        let members = event.as_object_mut().unwrap();
        members.remove("requestContext");
        for (name, value) in [
            ("host", "id.lambda-url.us-east-1.localhost:9000"),
            ("x-amzn-trace-id", "Root=1-2-3"),
            ("x-forwarded-for", "10.0.0.7"),
            ("x-forwarded-port", "9000"),
            ("x-forwarded-proto", "http"),
        ] {
            assert_eq!(members["headers"].as_object_mut().unwrap().remove(name), Some(value.into()), "{name}");
        }
        assert_eq!(members.remove("version"), Some("2.0".into()));
        assert_eq!(members.remove("routeKey"), Some("$default".into()));
        assert_eq!(event, expected);
    }

    #[test]
    fn requests_are_written_in_format_2() {
        let plain =
            |path: &str| json!({"rawPath": path, "rawQueryString": "", "headers": {}, "isBase64Encoded": false});
        check("/", &[], b"", false, plain("/"));
        check("/a%20b/c", &[], b"", false, plain("/a%20b/c"));
        check("/", &[("authorization", "AWS4-HMAC-SHA256 …")], b"", true, plain("/"));
        check(
            "/?a=1&b=%20x&a=2&c",
            &[("X-Twice", "1"), ("x-twice", "2"), ("cookie", "a=1; b=2"), ("cookie", "c=3"), ("authorization", "own")],
            b"",
            false,
            json!({
                "rawPath": "/",
                "rawQueryString": "a=1&b=%20x&a=2&c",
                "queryStringParameters": {"a": "1,2", "b": " x", "c": ""},
                "headers": {"x-twice": "1,2", "authorization": "own"},
                "cookies": ["a=1", "b=2", "c=3"],
                "isBase64Encoded": false,
            }),
        );
    }

    #[test]
    fn bodies_are_text_by_their_type() {
        let with = |content_type: &str, body: &str, encoded: bool| {
            json!({
                "rawPath": "/", "rawQueryString": "", "headers": {"content-type": content_type},
                "body": body, "isBase64Encoded": encoded,
            })
        };
        for text in ["application/json", "text/plain; charset=utf-8", "Application/XML", "application/javascript"] {
            check("/", &[("content-type", text)], "{\"ä\"}".as_bytes(), false, with(text, "{\"ä\"}", false));
        }
        for binary in ["application/octet-stream", "application/x-www-form-urlencoded", "image/png"] {
            check("/", &[("content-type", binary)], b"a=b", false, with(binary, "YT1i", true));
        }
        check("/", &[("content-type", "text/plain")], &[0xff], false, with("text/plain", "/w==", true));
    }
}
