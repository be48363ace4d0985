//! The content of an object on its way in: to disk as it comes, measured and checked.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{Extensions, HeaderMap};
use http_body_util::BodyExt;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::body::{Refused, Trailers};
use super::error;
use crate::limits::PART_BYTES_MAX;
use crate::objects::checksum::{Algorithm, Checksum, Hasher, hex};
use crate::objects::content::{Content, Held};

/// What the head of a request says of its body, to check it by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    md5: Option<Vec<u8>>,
    /// By which algorithm, and the value if it does not come behind the body.
    checksum: Option<(Algorithm, Option<String>)>,
}

/// Content that is on disk.
pub struct Received {
    /// It.
    pub held: Held,
    /// Its MD5, in hexadecimal digits.
    pub md5: String,
    /// What it can be checked with.
    pub checksum: Checksum,
    /// What it was checked with, if the head names an algorithm.
    pub given: Option<Checksum>,
}

impl Given {
    /// Reads a head.
    ///
    /// # Errors
    /// `InvalidDigest` or `InvalidRequest`.
    pub fn read(headers: &HeaderMap) -> S3Result<Self> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let md5 = header("content-md5").map(|text| {
            let md5 = BASE64_STANDARD.decode(text).ok().filter(|md5| md5.len() == 16);
            let message = "The Content-MD5 you specified was invalid.";
            md5.ok_or_else(|| S3Error::with_message(S3ErrorCode::InvalidDigest, message))
        });
        let md5 = md5.transpose()?;
        let mut given = Algorithm::ALL
            .into_iter()
            .filter_map(|algorithm| Some((algorithm, Some(header(&checksum_header(algorithm))?.to_string()))));
        let first = given.next();
        if given.next().is_some() {
            return Err(S3Error::with_message(
                S3ErrorCode::InvalidRequest,
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
        let trailer = header("x-amz-trailer").and_then(|name| name.trim().strip_prefix("x-amz-checksum-"));
        let trailer = trailer.and_then(Algorithm::find).map(|algorithm| (algorithm, None));
        Ok(Self { md5, checksum: first.or(trailer) })
    }

    /// Checks a body that was read whole.
    ///
    /// # Errors
    /// `BadDigest`.
    pub fn check(&self, bytes: &[u8], trailers: &Trailers) -> S3Result<()> {
        let checksum = self.hasher().map(|mut hasher| {
            hasher.update(bytes);
            hasher.finish()
        });
        self.compare(&Md5::checksum(bytes), checksum.as_ref(), trailers)
    }

    fn hasher(&self) -> Option<Hasher> {
        self.checksum.as_ref().map(|(algorithm, _)| Hasher::new(*algorithm))
    }

    fn compare(&self, md5: &[u8], checksum: Option<&Checksum>, trailers: &Trailers) -> S3Result<()> {
        if self.md5.as_ref().is_some_and(|given| given != md5) {
            let message = "The Content-MD5 you specified did not match what we received.";
            return Err(S3Error::with_message(S3ErrorCode::BadDigest, message));
        }
        let Some((algorithm, value)) = &self.checksum else { return Ok(()) };
        let value = value.clone().or_else(|| trailers.get(&checksum_header(*algorithm)));
        if value.as_ref() == checksum.map(|checksum| &checksum.value) {
            Ok(())
        } else {
            Err(error::bad_checksum(algorithm.name()))
        }
    }
}

/// Takes content in. The checksum that is kept of it is by `algorithm`, or by the one that the head names, or by S3's own.
///
/// # Errors
/// S3's, if it is not what the head says of it. Then nothing of it is left.
pub async fn receive(
    content: &Content,
    body: Option<StreamingBlob>,
    length: Option<i64>,
    algorithm: Option<Algorithm>,
    extensions: &Extensions,
) -> S3Result<Received> {
    if length.is_some_and(|length| length as u64 > PART_BYTES_MAX) {
        return Err(error::too_large(PART_BYTES_MAX));
    }
    let given = extensions.get::<Given>().cloned().unwrap_or_default();
    let trailers = extensions.get::<Trailers>().cloned().unwrap_or_default();
    let named = given.checksum.as_ref().map(|(algorithm, _)| *algorithm);
    let algorithm = algorithm.or(named).unwrap_or(Algorithm::Crc64Nvme);
    let mut hasher = Hasher::new(algorithm);
    let mut other = given.hasher().filter(|_| named != Some(algorithm));
    let mut md5 = Md5::new();
    let mut incoming = content.begin().await.map_err(|error| error::of_disk(&error))?;
    let mut body = body.map(s3s::Body::from).unwrap_or_default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.downcast_ref::<Refused>() {
            Some(refused) => error::of_body(refused),
            None => error::of_body(&Refused::Incomplete),
        })?;
        let Ok(data) = frame.into_data() else { continue };
        hasher.update(&data);
        if let Some(other) = &mut other {
            other.update(&data);
        }
        md5.update(&data);
        incoming.write(&data).await.map_err(|error| error::of_disk(&error))?;
        if incoming.size() > PART_BYTES_MAX {
            return Err(error::too_large(PART_BYTES_MAX));
        }
    }
    if length.is_some_and(|length| length as u64 != incoming.size()) {
        return Err(error::of_body(&Refused::Incomplete));
    }
    let (md5, checksum) = (md5.finalize(), hasher.finish());
    let checked = other.map(Hasher::finish).or_else(|| named.map(|_| checksum.clone()));
    given.compare(&md5, checked.as_ref(), &trailers)?;
    let held = incoming.finish().await.map_err(|error| error::of_disk(&error))?;
    Ok(Received { held, md5: hex(&md5), checksum, given: checked })
}

fn checksum_header(algorithm: Algorithm) -> String {
    format!("x-amz-checksum-{}", algorithm.name().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(headers: &[(&'static str, &str)], expected: Result<(), &str>) {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let found = Given::read(&headers).and_then(|given| given.check(b"123456789", &Trailers::default()));
        assert_eq!(
            found.as_ref().map_err(|error| error.code().as_str()),
            expected.as_ref().map(|()| &()).map_err(|code| *code)
        );
    }

    #[test]
    fn bodies_are_checked_by_what_came_with_them() {
        check(&[], Ok(()));
        check(&[("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==")], Ok(()));
        check(&[("content-md5", "JfnnlDI7RTiF9RgfG2JNCA==")], Err("BadDigest"));
        check(&[("content-md5", "abc")], Err("InvalidDigest"));
        check(&[("x-amz-checksum-crc32", "y/Q5Jg==")], Ok(()));
        check(&[("x-amz-checksum-crc32", "AAAAAA==")], Err("BadDigest"));
        check(&[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-sha1", "x")], Err("InvalidRequest"));
        // It was announced and did not come.
        check(&[("x-amz-trailer", "x-amz-checksum-crc32")], Err("BadDigest"));
    }
}
