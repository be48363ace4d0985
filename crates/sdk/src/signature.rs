//! AWS Signature Version 4, as far as Lambda's API needs it: one service, whole bodies, JSON.
//! Source: AWS, "Create a signed AWS API request".

use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::SystemTime;

use http::Method;
use ring::hmac;

use crate::digest::{hex, sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "lambda";

/// The keys of a function's role.
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: Option<String>,
}

/// Signs requests.
pub(crate) struct Signer {
    region: String,
    credentials: Credentials,
    /// The key of a day, and that day.
    day: Mutex<Option<(String, hmac::Key)>>,
}

impl Signer {
    pub(crate) fn new(region: String, credentials: Credentials) -> Self {
        Self { region, credentials, day: Mutex::new(None) }
    }

    /// Returns the headers that make a request a signed one. `path` and `query` are as they go out.
    pub(crate) fn sign(
        &self,
        method: &Method,
        host: &str,
        path: &str,
        query: &str,
        body: &[u8],
        now: SystemTime,
    ) -> Vec<(&'static str, String)> {
        let time = jiff::Timestamp::try_from(now).unwrap_or_default().strftime("%Y%m%dT%H%M%SZ").to_string();
        let date = &time[..8];
        let mut headers = vec![("x-amz-date", time.clone())];
        headers.extend(self.credentials.session_token.clone().map(|token| ("x-amz-security-token", token)));
        let mut canonical_headers = format!("host:{host}\n");
        let mut signed_headers = "host".to_owned();
        for (name, value) in &headers {
            writeln!(canonical_headers, "{name}:{value}").expect("text takes what is written to it");
            write!(signed_headers, ";{name}").expect("text takes what is written to it");
        }
        // What is encoded in the path is encoded once more: every service but S3 wants that.
        let canonical_path = path.split('/').map(encoded).collect::<Vec<_>>().join("/");
        let body_hash = hex(&sha256(body));
        let canonical =
            format!("{method}\n{canonical_path}\n{query}\n{canonical_headers}\n{signed_headers}\n{body_hash}");
        let scope = format!("{date}/{}/{SERVICE}/aws4_request", self.region);
        let canonical_hash = hex(&sha256(canonical.as_bytes()));
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{canonical_hash}");
        let signature = hex(hmac::sign(&self.key(date), to_sign.as_bytes()).as_ref());
        let access_key_id = &self.credentials.access_key_id;
        let authorization = format!(
            "{ALGORITHM} Credential={access_key_id}/{scope}, SignedHeaders={signed_headers}, Signature={signature}"
        );
        headers.push(("authorization", authorization));
        headers
    }

    /// Returns the key of a day.
    fn key(&self, date: &str) -> hmac::Key {
        let mut day = self.day.lock().expect("nothing panics here");
        match &*day {
            Some((of, key)) if of == date => key.clone(),
            _ => {
                let secret = format!("AWS4{}", self.credentials.secret_access_key);
                let derive = |key: hmac::Key, part: &str| {
                    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
                };
                let first = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
                let key = [date, &self.region, SERVICE, "aws4_request"].into_iter().fold(first, derive);
                *day = Some((date.to_owned(), key.clone()));
                key
            }
        }
    }
}

/// Encodes everything that is not unreserved, as URIs and signatures want it.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => write!(encoded, "%{byte:02X}").expect("text takes what is written to it"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests_are_signed_as_botocore_signs_them() {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: Some("token".into()),
        };
        let signer = Signer::new("us-east-1".into(), credentials);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        let path = format!("/2025-12-01/durable-executions/{}/state", encoded("arn:a/b"));
        let headers = signer.sign(&Method::GET, "127.0.0.1:9001", &path, "Marker=a%2Bb", b"", now);
        let [date, token, authorization] = headers.try_into().unwrap();
        assert_eq!(date, ("x-amz-date", "20260101T000000Z".into()));
        assert_eq!(token, ("x-amz-security-token", "token".into()));
        let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/lambda/aws4_request, \
                        SignedHeaders=host;x-amz-date;x-amz-security-token, \
                        Signature=39e10714bf10a8b5fefe89801523c775e8b2643456bca7eefa3b42439b9f2ab8";
        assert_eq!(authorization, ("authorization", expected.into()));
    }
}
