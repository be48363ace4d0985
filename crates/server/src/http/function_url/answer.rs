//! What a function behind a URL answers, as an HTTP response. Source: Lambda Developer Guide, function URLs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The `Content-Type` of a stream that begins with status and headers.
pub const INTEGRATION: &str = "application/vnd.awslambda.http-integration-response";

/// What ends status and headers at the beginning of a stream.
const PRELUDE_END: [u8; 8] = [0; 8];

/// Headers that belong to a connection; the server writes its own.
const OWN_HEADERS: [&str; 4] = ["connection", "content-length", "keep-alive", "transfer-encoding"];

/// Status and headers of an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
}

/// The members by which a function says more than a body.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    status_code: Option<Value>,
    #[serde(default)]
    headers: Option<Map<String, Value>>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

impl Head {
    /// Returns what is said if a function says nothing.
    pub fn of_type(content_type: &str) -> Self {
        let content_type =
            HeaderValue::from_str(content_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
        Self { status: StatusCode::OK, headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]) }
    }

    fn read(shape: &Shape, content_type: &'static str) -> Option<Self> {
        let status = match &shape.status_code {
            None => StatusCode::OK,
            Some(Value::Number(number)) => StatusCode::from_u16(number.as_u64()?.try_into().ok()?).ok()?,
            Some(Value::String(text)) => text.parse().ok()?,
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => return None,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in shape.headers.iter().flatten() {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                Value::Null => continue,
                Value::Array(_) | Value::Object(_) => return None,
            };
            let name: HeaderName = name.parse().ok()?;
            if !OWN_HEADERS.contains(&name.as_str()) {
                headers.append(name, text.parse().ok()?);
            }
        }
        for cookie in shape.cookies.iter().flatten() {
            headers.append(SET_COOKIE, cookie.parse().ok()?);
        }
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
        Some(Self { status, headers })
    }
}

/// Reads a response that is whole; `None` if it makes no sense. One without `statusCode` is the body itself.
pub fn read(response: Bytes) -> Option<(Head, Bytes)> {
    let document: Option<Map<String, Value>> = serde_json::from_slice(&response).ok();
    let Some(document) = document.filter(|document| document.get("statusCode").is_some_and(|status| !status.is_null()))
    else {
        return Some((Head::of_type("application/json"), response));
    };
    let mut shape: Shape = serde_json::from_value(document.into()).ok()?;
    let body = shape.body.take().unwrap_or_default();
    let body = if shape.is_base64_encoded == Some(true) { STANDARD.decode(body).ok()?.into() } else { body.into() };
    Some((Head::read(&shape, "application/json")?, body))
}

/// Reads status and headers at the beginning of a stream. Returns `Ok(None)` if there is more to come.
///
/// # Errors
/// If it makes no sense.
pub fn read_prelude(begun: &[u8]) -> Result<Option<(Head, usize)>, ()> {
    let Some(end) = begun.windows(PRELUDE_END.len()).position(|window| window == PRELUDE_END) else { return Ok(None) };
    let shape: Shape = serde_json::from_slice(&begun[..end]).map_err(|_| ())?;
    let head = Head::read(&shape, "application/octet-stream").ok_or(())?;
    Ok(Some((head, end + PRELUDE_END.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a response, and shows status, headers and body.
    #[track_caller]
    fn check(response: &str, expected: Option<&str>) {
        let shown = read(Bytes::copy_from_slice(response.as_bytes())).map(|(head, body)| {
            let headers = head.headers.iter().map(|(name, value)| format!(" {name}={}", value.to_str().unwrap()));
            format!(
                "{}{} {}",
                head.status.as_u16(),
                headers.collect::<String>(),
                String::from_utf8(body.into()).unwrap()
            )
        });
        assert_eq!(shown.as_deref(), expected, "{response}");
    }

    #[test]
    fn responses_without_a_status_are_the_body() {
        check(r#""Hello, world!""#, Some(r#"200 content-type=application/json "Hello, world!""#));
        check(r#"{"message":"hi"}"#, Some(r#"200 content-type=application/json {"message":"hi"}"#));
        check("[1]", Some("200 content-type=application/json [1]"));
        check(r#"{"statusCode":null}"#, Some(r#"200 content-type=application/json {"statusCode":null}"#));
        check("no json", Some("200 content-type=application/json no json"));
    }

    #[test]
    fn responses_with_a_status_say_all_of_it() {
        check(r#"{"statusCode":204}"#, Some("204 content-type=application/json "));
        check(r#"{"statusCode":"404","body":null,"headers":null}"#, Some("404 content-type=application/json "));
        check(
            r#"{"statusCode":201,"headers":{"Content-Type":"text/plain","X-Number":7,"Connection":"close"},"cookies":["a=1","b=2"],"body":"made"}"#,
            Some("201 content-type=text/plain x-number=7 set-cookie=a=1 set-cookie=b=2 made"),
        );
        check(
            r#"{"statusCode":200,"body":"aGk=","isBase64Encoded":true}"#,
            Some("200 content-type=application/json hi"),
        );
    }

    #[test]
    fn responses_that_make_no_sense_are_none() {
        for response in [
            r#"{"statusCode":7}"#,
            r#"{"statusCode":"ok"}"#,
            r#"{"statusCode":200,"body":{"a":1}}"#,
            r#"{"statusCode":200,"body":"???","isBase64Encoded":true}"#,
            r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
            r#"{"statusCode":200,"headers":{"a":"b\nc"}}"#,
            r#"{"statusCode":200,"headers":{"a":["b"]}}"#,
        ] {
            check(response, None);
        }
    }

    #[test]
    fn preludes_are_read_once_they_are_whole() {
        assert_eq!(read_prelude(b"{\"statusCode\":201}\0\0\0"), Ok(None));
        let (head, end) = read_prelude(b"{\"statusCode\":201}\0\0\0\0\0\0\0\0body").unwrap().unwrap();
        assert_eq!((head.status.as_u16(), end), (201, 26));
        assert_eq!(head.headers["content-type"], "application/octet-stream");
        assert!(read_prelude(b"{\0\0\0\0\0\0\0\0").is_err());
    }
}
