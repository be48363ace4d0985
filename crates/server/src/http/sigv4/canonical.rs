//! A request in the form over which Signature Version 4 is computed. Source: AWS, "Create a signed AWS API request".

use std::borrow::Cow;
use std::fmt::Write as _;

use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::request::parse_query;

/// What is encoded everywhere: all that is not unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ENCODED_IN_PATHS: &AsciiSet = &ENCODED.remove(b'/');

/// A request, as far as it is signed.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    /// Path and query, as they were sent.
    pub(super) uri: &'a str,
    pub(super) headers: &'a HeaderMap,
    /// Names of headers that are signed.
    pub(super) names: &'a [&'a str],
    /// The digest of the body, or a word in its place.
    pub(super) content_hash: &'a str,
    /// Whether the path is taken as it is, as S3 does. Every other service wants it normalized, and encoded once more.
    pub(super) path_as_it_is: bool,
    /// The parameter of the query that is the signature, if it is there.
    pub(super) signature_parameter: Option<&'a str>,
}

impl Signed<'_> {
    /// Writes the canonical request. Header values are bytes.
    pub(super) fn canonical(&self) -> Vec<u8> {
        let (path, query) = self.uri.split_once('?').unwrap_or((self.uri, ""));
        let path = if path.is_empty() { "/" } else { path };
        let mut text = Vec::with_capacity(1_024);
        let mut write = |part: &[u8]| {
            text.extend_from_slice(part);
            text.push(b'\n');
        };
        write(self.method.as_bytes());
        if self.path_as_it_is {
            write(path.as_bytes());
        } else {
            write(Cow::from(utf8_percent_encode(&normalized(path), ENCODED_IN_PATHS)).as_bytes());
        }
        write(self.query(query).as_bytes());
        let mut names: Vec<&str> = self.names.iter().copied().filter(|name| self.headers.contains_key(*name)).collect();
        names.sort_unstable();
        names.dedup();
        for name in &names {
            let values: Vec<_> = self.headers.get_all(*name).iter().map(|value| trimmed(value.as_bytes())).collect();
            write(&[name.as_bytes(), b":", &values.join(&b","[..])].concat());
        }
        write(b"");
        write(names.join(";").as_bytes());
        text.extend_from_slice(self.content_hash.as_bytes());
        text
    }

    fn query(&self, query: &str) -> String {
        let mut parameters: Vec<(String, String)> = parse_query(query)
            .iter()
            .filter(|(name, _)| self.signature_parameter != Some(name))
            .map(|(name, value)| {
                (utf8_percent_encode(name, ENCODED).to_string(), utf8_percent_encode(value, ENCODED).to_string())
            })
            .collect();
        parameters.sort_unstable();
        let mut text = String::new();
        for (name, value) in parameters {
            let and = if text.is_empty() { "" } else { "&" };
            write!(text, "{and}{name}={value}").expect("text takes what is written to it");
        }
        text
    }
}

/// Resolves `.` and `..`, and makes several slashes one.
fn normalized(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && !path.contains('.') {
        return path.into();
    }
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let is_directory = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let end = if is_directory && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/")).into()
}

/// Takes spaces off both ends, and makes several of them one.
fn trimmed(value: &[u8]) -> Vec<u8> {
    let words: Vec<&[u8]> = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use aws_credential_types::Credentials;
    use aws_sigv4::http_request::{
        PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode, sign,
    };
    use aws_sigv4::sign::v4;
    use http::{HeaderName, HeaderValue};

    use super::super::{Authorization, Payload};
    use super::*;

    /// Has AWS's crate sign, and checks what it signed.
    #[track_caller]
    fn check(service: &str, method: &str, uri: &str, given: &[(&str, &str)]) {
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_767_225_600);
        let identity = Credentials::new("AKID", "secret", Some("token".into()), None, "test").into();
        let mut settings = SigningSettings::default();
        if service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(service)
            .time(now)
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let given = || [("host", "127.0.0.1:9001")].into_iter().chain(given.iter().copied());
        let request = SignableRequest::new(method, uri, given(), SignableBody::Bytes(b"body")).unwrap();
        let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
        let mut headers = HeaderMap::new();
        for (name, value) in given().chain(instructions.headers()) {
            headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let authorization = Authorization::read(&headers, &[]).unwrap();
        let verify = |secret, body| authorization.verify(secret, method, uri, &headers, Payload::Whole(body), now);
        assert_eq!(verify("secret", b"body"), Ok(()), "{service} {method} {uri}");
        assert!(verify("other", b"body").is_err() && verify("secret", b"Body").is_err(), "{service} {method} {uri}");
        let refused = |method: &str, uri: &str, headers: &HeaderMap| {
            let found = authorization.verify("secret", method, uri, headers, Payload::Whole(b"body"), now);
            assert!(found.is_err(), "{service} {method} {uri} {headers:?}");
        };
        let and = if uri.contains('?') { '&' } else { '?' };
        refused("PATCH", uri, &headers);
        refused(method, &format!("/other/than/this{uri}"), &headers);
        refused(method, &format!("{uri}{and}X-Amz-Signature=1"), &headers);
        for name in headers.keys().filter(|name| *name != "authorization") {
            for value in [&b"other"[..], b"\xff"] {
                let mut changed = headers.clone();
                changed.append(name, HeaderValue::from_bytes(value).unwrap());
                refused(method, uri, &changed);
            }
        }
    }

    #[test]
    fn what_awss_crate_signs_is_accepted() {
        check("lambda", "GET", "/", &[]);
        check("lambda", "POST", "/2025-12-01/durable-executions/arn%3Aaws%3Aa%2Fb/state?Marker=a%2Bb&MaxItems=3", &[]);
        check("lambda", "GET", "/a/./b/../c//d.txt/?b=2&a=%20x&b=1&empty", &[]);
        check("lambda", "GET", "/../..", &[]);
        check("lambda", "GET", "/a/..", &[("x-amz-meta", "  a   b  c ")]);
        check("lambda", "PUT", "/~a_b-c*(d)'!", &[("x-twice", "1"), ("x-twice", "2"), ("content-type", "a/b; c=d")]);
        check("s3", "PUT", "/bucket/a%20b//c/../d?partNumber=1&uploadId=x%2Fy", &[("x-amz-date-like", "")]);
        check("s3", "GET", "/bucket?list-type=2&prefix=a%2Fb&delimiter=%2F", &[]);
    }
}
