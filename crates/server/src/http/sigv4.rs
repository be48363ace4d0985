//! AWS Signature Version 4: whether a request was signed with a key of this server.
//!
//! A signature comes in the `Authorization` header, or in the query of a presigned URL. Either way it is computed
//! anew over what was signed, and compared in constant time. Every request passes here, so the canonical form is
//! written by hand; AWS's own crate says in tests whether it is right.

mod canonical;

use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4;
use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use canonical::Signed;

use super::error::Error;
use super::request::parse_query;
use crate::limits::{CLOCK_SKEW_MAX, PRESIGNED_SECONDS_MAX};

/// What a request says about its signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// The key that signed.
    pub access_key_id: &'a str,
    /// The session token that came along.
    pub session_token: Option<&'a str>,
    region: &'a str,
    /// The service that the request is meant for.
    pub service: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
    /// When it was made, as the sender wrote it.
    date: &'a str,
    signed_at: SystemTime,
    /// How long a presigned URL is good for; `None` if the signature came in the header.
    expires_in: Option<Duration>,
}

/// What is known of a body when its signature is checked.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// The digest that was signed, or a word in its place: whoever reads the body compares.
    Signed(&'a str),
}

const SIGN_ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signature takes up of a query.
const QUERY_PARAMETERS: [&str; 7] = [ALGORITHM, CREDENTIAL, DATE, EXPIRES, SIGNED_HEADERS, SIGNATURE, SECURITY_TOKEN];
const ALGORITHM: &str = "X-Amz-Algorithm";
const CREDENTIAL: &str = "X-Amz-Credential";
const DATE: &str = "X-Amz-Date";
const EXPIRES: &str = "X-Amz-Expires";
const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";
const SIGNATURE: &str = "X-Amz-Signature";
const SECURITY_TOKEN: &str = "X-Amz-Security-Token";

impl<'a> Authorization<'a> {
    /// Reads the header, or if there is none, the query.
    ///
    /// # Errors
    /// AWS's, if it is missing or makes no sense.
    pub fn read(headers: &'a HeaderMap, query: &'a [(String, String)]) -> Result<Self, Error> {
        match headers.get(http::header::AUTHORIZATION) {
            Some(header) => Self::read_header(header.to_str().unwrap_or_default(), headers),
            None if query.iter().any(|(name, _)| [ALGORITHM, CREDENTIAL, SIGNATURE].contains(&name.as_str())) => {
                Self::read_query(query)
            }
            None => Err(Error::missing_authentication()),
        }
    }

    fn read_header(text: &'a str, headers: &'a HeaderMap) -> Result<Self, Error> {
        let incomplete = |what: &str| Error::incomplete_signature(format!("Authorization header requires {what}."));
        let rest = text.strip_prefix(SIGN_ALGORITHM).ok_or_else(|| incomplete("algorithm AWS4-HMAC-SHA256"))?;
        let parameter = |name: &str| {
            let found = rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| incomplete(&format!("'{name}' parameter")))
        };
        let credential = parameter("Credential")?;
        let [access_key_id, scope_date, region, service] = scope(credential)
            .ok_or_else(|| incomplete("a Credential of the form KEY/DATE/REGION/SERVICE/aws4_request"))?;
        let signed_headers = parameter("SignedHeaders")?.split(';').collect();
        let signature = parameter("Signature")?;
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let date = header("x-amz-date").unwrap_or_default();
        let signed_at = read_date(date, scope_date, "header")?;
        let session_token = header("x-amz-security-token");
        let expires_in = None;
        Ok(Self {
            access_key_id,
            session_token,
            region,
            service,
            signed_headers,
            signature,
            date,
            signed_at,
            expires_in,
        })
    }

    fn read_query(query: &'a [(String, String)]) -> Result<Self, Error> {
        let given = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let parameter = |name: &str| {
            given(name).ok_or_else(|| {
                Error::incomplete_signature(format!(
                    "AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
                ))
            })
        };
        if parameter(ALGORITHM)? != SIGN_ALGORITHM {
            return Err(Error::incomplete_signature("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"."));
        }
        let [access_key_id, scope_date, region, service] = scope(parameter(CREDENTIAL)?).ok_or_else(|| {
            Error::incomplete_signature("X-Amz-Credential requires the form KEY/DATE/REGION/SERVICE/aws4_request.")
        })?;
        let signed_headers = parameter(SIGNED_HEADERS)?.split(';').collect();
        let signature = parameter(SIGNATURE)?;
        let date = parameter(DATE)?;
        let signed_at = read_date(date, scope_date, "parameter")?;
        let seconds: i64 = parameter(EXPIRES)?
            .parse()
            .map_err(|_| Error::incomplete_signature("X-Amz-Expires should be a number."))?;
        let seconds =
            u64::try_from(seconds).map_err(|_| Error::incomplete_signature("X-Amz-Expires must be non-negative."))?;
        if seconds > PRESIGNED_SECONDS_MAX {
            return Err(Error::incomplete_signature(format!(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than {PRESIGNED_SECONDS_MAX} seconds."
            )));
        }
        let session_token = given(SECURITY_TOKEN);
        let expires_in = Some(Duration::from_secs(seconds));
        Ok(Self {
            access_key_id,
            session_token,
            region,
            service,
            signed_headers,
            signature,
            date,
            signed_at,
            expires_in,
        })
    }

    /// Tells whether the signature is in the query.
    pub fn is_presigned(&self) -> bool {
        self.expires_in.is_some()
    }

    /// Checks that `secret` made this signature over the request, not too long ago.
    ///
    /// # Errors
    /// AWS's; one about the time carries a `Date` header, by which the SDKs correct themselves.
    pub fn verify(
        &self,
        secret: &str,
        method: &str,
        uri: &str,
        headers: &HeaderMap,
        payload: Payload<'_>,
        now: SystemTime,
    ) -> Result<(), Error> {
        self.check_time(now)?;
        let host = headers.get("host").is_some_and(|host| host.to_str().is_ok_and(|host| !host.is_empty()));
        if !host || !self.signed_headers.contains(&"host") {
            return Err(Error::invalid_signature("'Host' must be a 'SignedHeader' in the AWS Authorization."));
        }
        let content_hash = match payload {
            Payload::Whole(body) => hex(&Sha256::digest(body)),
            Payload::Signed(hash) => hash.into(),
        };
        let claimed = headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
        if claimed.is_some_and(|claimed| claimed != content_hash) {
            return Err(Error::other_content());
        }
        let expected = self.expected(secret, method, uri, headers, &content_hash);
        if expected.as_bytes().ct_eq(self.signature.as_bytes()).into() {
            return Ok(());
        }
        Err(Error::invalid_signature(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        ))
    }

    /// Checks that the signature is not too old, and not from the future.
    ///
    /// # Errors
    /// AWS's; it carries a `Date` header, by which the SDKs correct themselves.
    pub fn check_time(&self, now: SystemTime) -> Result<(), Error> {
        check_time(self.signed_at, self.expires_in.unwrap_or(CLOCK_SKEW_MAX), now)
    }

    /// Returns what checks the signatures of the chunks of a body, of which this signature is the first.
    pub fn chunks(&self, secret: &str) -> ChunkSignatures {
        let key = v4::generate_signing_key(secret, self.signed_at, self.region, self.service);
        ChunkSignatures {
            scope: format!("{}/{}/{}/aws4_request", &self.date[..8], self.region, self.service),
            date: self.date.into(),
            key: key.as_ref().to_vec(),
            previous: self.signature.into(),
        }
    }

    fn expected(&self, secret: &str, method: &str, uri: &str, headers: &HeaderMap, content_hash: &str) -> String {
        let signed = Signed {
            method,
            uri,
            headers,
            names: &self.signed_headers,
            content_hash,
            path_as_it_is: self.service == "s3",
            signature_parameter: self.is_presigned().then_some(SIGNATURE),
        };
        let Self { date, region, service, .. } = self;
        let canonical_hash = hex(&Sha256::digest(signed.canonical()));
        let text =
            format!("{SIGN_ALGORITHM}\n{date}\n{}/{region}/{service}/aws4_request\n{canonical_hash}", &date[..8]);
        v4::calculate_signature(v4::generate_signing_key(secret, self.signed_at, region, service), text.as_bytes())
    }
}

/// The signatures of the chunks of a body: each is made over the one before it.
pub struct ChunkSignatures {
    key: Vec<u8>,
    date: String,
    scope: String,
    previous: String,
}

impl ChunkSignatures {
    /// Tells whether a chunk, of which this is the digest, comes next and was signed like that.
    pub fn accept_chunk(&mut self, digest: &[u8], signature: &str) -> bool {
        let empty = Sha256::digest([]);
        self.accept("AWS4-HMAC-SHA256-PAYLOAD", &format!("{}\n{}", hex(&empty), hex(digest)), signature)
    }

    /// Tells whether the headers behind the last chunk, written one to a line, were signed like that.
    pub fn accept_trailer(&mut self, trailer: &str, signature: &str) -> bool {
        self.accept("AWS4-HMAC-SHA256-TRAILER", &hex(&Sha256::digest(trailer)), signature)
    }

    fn accept(&mut self, algorithm: &str, rest: &str, signature: &str) -> bool {
        let Self { key, date, scope, previous } = &*self;
        let text = format!("{algorithm}\n{date}\n{scope}\n{previous}\n{rest}");
        let expected = v4::calculate_signature(key, text.as_bytes());
        let accepted = bool::from(expected.as_bytes().ct_eq(signature.as_bytes()));
        self.previous = expected;
        accepted
    }
}

/// Takes a credential apart: key, date, Region and service.
fn scope(credential: &str) -> Option<[&str; 4]> {
    let parts: Vec<&str> = credential.split('/').collect();
    let [access_key_id, date, region, service, "aws4_request"] = parts[..] else { return None };
    Some([access_key_id, date, region, service])
}

fn read_date(text: &str, scope_date: &str, place: &str) -> Result<SystemTime, Error> {
    let parsed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text)
        .ok()
        .and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let at = parsed.ok_or_else(|| {
        Error::incomplete_signature(format!("Date must be in ISO-8601 'basic format', in {place} X-Amz-Date."))
    })?;
    if text.get(..8) != Some(scope_date) {
        return Err(Error::invalid_signature("Date in Credential scope does not match the date of the request."));
    }
    Ok(at.timestamp().into())
}

/// Returns a URI without what a presigned URL adds to it.
pub fn without_signature(uri: &str) -> String {
    let Some((path, query)) = uri.split_once('?') else { return uri.into() };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| parse_query(pair).iter().all(|(name, _)| !QUERY_PARAMETERS.contains(&name.as_str())))
        .collect();
    format!("{path}?{}", kept.join("&"))
}

/// A signature is good from a little before it was made until `good_for` later.
fn check_time(signed_at: SystemTime, good_for: Duration, now: SystemTime) -> Result<(), Error> {
    if signed_at + good_for < now {
        let (signed, server) = (show(signed_at), show(now));
        let earliest = show(now - good_for);
        let span = match good_for.as_secs() {
            seconds if seconds % 60 == 0 => format!("{} min.", seconds / 60),
            seconds => format!("{seconds} sec."),
        };
        let message = format!("Signature expired: {signed} is now earlier than {earliest} ({server} - {span})");
        return Err(Error::invalid_signature(message));
    }
    if signed_at > now + CLOCK_SKEW_MAX {
        let (signed, server) = (show(signed_at), show(now));
        let latest = show(now + CLOCK_SKEW_MAX);
        let message = format!("Signature not yet current: {signed} is still later than {latest} ({server} + 5 min.)");
        return Err(Error::invalid_signature(message));
    }
    Ok(())
}

/// Writes a time as signatures do.
fn show(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(|_| "?".into(), |at| at.strftime("%Y%m%dT%H%M%SZ").to_string())
}

/// Writes bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).expect("four bits are a digit");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_times(good_for: u64, cases: &[(i64, bool)]) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (offset, allowed) in cases {
            let seconds = Duration::from_secs(offset.unsigned_abs());
            let signed_at = if *offset < 0 { now - seconds } else { now + seconds };
            assert_eq!(check_time(signed_at, Duration::from_secs(good_for), now).is_ok(), *allowed, "{offset}");
        }
    }

    #[test]
    fn signatures_are_good_for_five_minutes_either_way() {
        check_times(CLOCK_SKEW_MAX.as_secs(), &[(-301, false), (-300, true), (0, true), (300, true), (301, false)]);
    }

    #[test]
    fn presigned_urls_are_good_until_they_expire() {
        check_times(60, &[(-61, false), (-60, true), (300, true), (301, false)]);
        check_times(PRESIGNED_SECONDS_MAX, &[(-604_801, false), (-604_800, true)]);
    }

    #[test]
    fn authorization_headers_are_read_or_refused() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", text.parse().unwrap());
            headers.insert("x-amz-date", "20261123T101112Z".parse().unwrap());
            Authorization::read(&headers, &[]).map(|found| (found.access_key_id.to_string(), found.service.to_string()))
        };
        let good = "AWS4-HMAC-SHA256 Credential=AK/20261123/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=ab";
        assert_eq!(read(good), Ok(("AK".into(), "lambda".into())));
        for bad in [
            "Basic abc",
            "AWS4-HMAC-SHA256 Credential=AK",
            "AWS4-HMAC-SHA256 Credential=AK/a/b, SignedHeaders=host, Signature=x",
        ] {
            assert_eq!(read(bad).unwrap_err().code, "IncompleteSignatureException", "{bad}");
        }
    }

    #[test]
    fn presigned_queries_are_read_or_refused() {
        let good = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK/20261123/us-east-1/lambda/aws4_request&X-Amz-Date=20261123T101112Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=ab";
        let read = |text: &str| {
            let query = parse_query(text);
            Authorization::read(&HeaderMap::new(), &query).map(|found| found.expires_in).map_err(|error| error.message)
        };
        assert_eq!(read(good), Ok(Some(Duration::from_secs(PRESIGNED_SECONDS_MAX))));
        for (part, replacement, message) in [
            ("Algorithm=AWS4-HMAC-SHA256", "Algorithm=AWS3", "only supports"),
            ("us-east-1/", "", "KEY/DATE/REGION/SERVICE"),
            ("=20261123T", "=x", "ISO-8601"),
            ("AK/20261123", "AK/20261122", "Credential scope"),
            ("AK/20261123", "AK/2026112", "Credential scope"),
            ("=604800", "=604801", "less than a week"),
            ("=604800", "=-1", "non-negative"),
            ("=604800", "=soon", "should be a number"),
            ("&X-Amz-Expires=604800", "", "must include 'X-Amz-Expires'"),
            ("X-Amz-Algorithm=AWS4-HMAC-SHA256&", "", "must include 'X-Amz-Algorithm'"),
            ("&X-Amz-SignedHeaders=host", "", "must include 'X-Amz-SignedHeaders'"),
            ("&X-Amz-Signature=ab", "", "must include 'X-Amz-Signature'"),
        ] {
            let found = read(&good.replace(part, replacement)).unwrap_err();
            assert!(found.contains(message), "{part}: {found}");
        }
        assert!(read("MaxItems=3").unwrap_err().starts_with("Missing Authentication Token"));
    }

    #[test]
    fn what_a_presigned_url_adds_is_taken_off() {
        let check = |uri: &str, expected: &str| assert_eq!(without_signature(uri), expected);
        check("/a", "/a");
        check("/a?b=1&X-Amz-Date=2&c=%203", "/a?b=1&c=%203");
        check("/a?X%2DAmz-Signature=1", "/a?");
    }
}
