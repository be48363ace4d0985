//! AWS Signature Version 4: whether a request was signed with a key of this server.
//!
//! The signature is computed anew by AWS's own crate over what was signed, and compared in constant time.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::Error;
use crate::limits::CLOCK_SKEW_MAX;

/// What the `Authorization` header says.
#[derive(Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// The key that signed.
    pub access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    /// The service that the request is meant for.
    pub service: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// AWS's, if it is missing or makes no sense.
    pub fn read(headers: &'a HeaderMap) -> Result<Self, Error> {
        let header = headers.get(http::header::AUTHORIZATION).ok_or_else(Error::missing_authentication)?;
        let text = header.to_str().unwrap_or_default();
        let incomplete = |what: &str| Error::incomplete_signature(format!("Authorization header requires {what}."));
        let rest = text.strip_prefix("AWS4-HMAC-SHA256").ok_or_else(|| incomplete("algorithm AWS4-HMAC-SHA256"))?;
        let parameter = |name: &str| {
            let found = rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| incomplete(&format!("'{name}' parameter")))
        };
        let credential: Vec<&str> = parameter("Credential")?.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = credential[..] else {
            return Err(incomplete("a Credential of the form KEY/DATE/REGION/SERVICE/aws4_request"));
        };
        let signed_headers = parameter("SignedHeaders")?.split(';').collect();
        Ok(Self { access_key_id, date, region, service, signed_headers, signature: parameter("Signature")? })
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
        body: &[u8],
        now: SystemTime,
    ) -> Result<(), Error> {
        let signed_at = self.signed_at(headers)?;
        check_time(signed_at, now)?;
        if !self.signed_headers.contains(&"host") {
            return Err(Error::invalid_signature("'Host' must be a 'SignedHeader' in the AWS Authorization."));
        }
        let payload_hash = headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
        let content_hash = hex(&Sha256::digest(body));
        if payload_hash.is_some_and(|claimed| claimed != content_hash) {
            return Err(Error::invalid_signature(
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ));
        }
        let expected = self.expected(secret, method, uri, headers, content_hash, signed_at)?;
        if expected.as_bytes().ct_eq(self.signature.as_bytes()).into() {
            return Ok(());
        }
        Err(Error::invalid_signature(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        ))
    }

    fn signed_at(&self, headers: &HeaderMap) -> Result<SystemTime, Error> {
        let text = headers.get("x-amz-date").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let parsed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text)
            .ok()
            .and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC).ok());
        let at = parsed.ok_or_else(|| {
            Error::incomplete_signature("Date must be in ISO-8601 'basic format', in header X-Amz-Date.")
        })?;
        if !text.starts_with(self.date) {
            return Err(Error::invalid_signature("Date in Credential scope does not match the date of the request."));
        }
        Ok(at.timestamp().into())
    }

    fn expected(
        &self,
        secret: &str,
        method: &str,
        uri: &str,
        headers: &HeaderMap,
        content_hash: String,
        signed_at: SystemTime,
    ) -> Result<String, Error> {
        let unusable = |_| Error::incomplete_signature("The request cannot be put into canonical form.");
        let signs = |name: &str| self.signed_headers.contains(&name);
        let token = signs("x-amz-security-token")
            .then(|| headers.get("x-amz-security-token")?.to_str().ok().map(Into::into))
            .flatten();
        let identity = Credentials::new(self.access_key_id, secret, token, None, "request").into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Double;
        settings.excluded_headers = None;
        settings.payload_checksum_kind =
            if signs("x-amz-content-sha256") { PayloadChecksumKind::XAmzSha256 } else { PayloadChecksumKind::NoHeader };
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(signed_at)
            .settings(settings)
            .build()
            .expect("every parameter is given")
            .into();
        let signed = headers
            .iter()
            .filter(|(name, _)| signs(name.as_str()))
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let body = SignableBody::Precomputed(content_hash);
        let request = SignableRequest::new(method, uri, signed, body).map_err(unusable)?;
        let (_, signature) = sign(request, &parameters).map_err(unusable)?.into_parts();
        Ok(signature)
    }
}

fn check_time(signed_at: SystemTime, now: SystemTime) -> Result<(), Error> {
    let show = |at: SystemTime| {
        jiff::Timestamp::try_from(at).map_or_else(|_| "?".into(), |at| at.strftime("%Y%m%dT%H%M%SZ").to_string())
    };
    let (signed, server) = (show(signed_at), show(now));
    if signed_at + CLOCK_SKEW_MAX < now {
        let earliest = show(now - CLOCK_SKEW_MAX);
        let message = format!("Signature expired: {signed} is now earlier than {earliest} ({server} - 5 min.)");
        return Err(Error::invalid_signature(message));
    }
    if signed_at > now + CLOCK_SKEW_MAX {
        let latest = show(now + CLOCK_SKEW_MAX);
        let message = format!("Signature not yet current: {signed} is still later than {latest} ({server} + 5 min.)");
        return Err(Error::invalid_signature(message));
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn signatures_are_good_for_five_minutes_either_way() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (offset, allowed) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
            let seconds = Duration::from_secs(i32::abs(offset) as u64);
            let signed_at = if offset < 0 { now - seconds } else { now + seconds };
            assert_eq!(check_time(signed_at, now).is_ok(), allowed, "{offset}");
        }
    }

    #[test]
    fn authorization_headers_are_read_or_refused() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", text.parse().unwrap());
            Authorization::read(&headers).map(|found| (found.access_key_id.to_string(), found.service.to_string()))
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
}
