//! S3's errors: the names and words of Amazon S3 for what was refused here or in the domain.

use axum::http::HeaderValue;
use http::{HeaderMap, StatusCode};
use s3s::{S3Error, S3ErrorCode};

use super::body::Refused;
use crate::http::error::Error as HouseError;
use crate::http::sigv4::Authorization;
use crate::limits::{BUCKETS_MAX, OBJECT_VERSIONS_MAX, PART_BYTES_MIN};
use crate::objects::Error;
use crate::objects::uploads::PartsError;

/// Writes what the domain refused.
pub fn of(error: Error) -> S3Error {
    let with = |code, message: &str| S3Error::with_message(code, message.to_string());
    match error {
        Error::NoSuchBucket(_) => with(S3ErrorCode::NoSuchBucket, "The specified bucket does not exist"),
        Error::BucketExists(_) => with(
            S3ErrorCode::BucketAlreadyOwnedByYou,
            "Your previous request to create the named bucket succeeded and you already own it.",
        ),
        Error::BucketNotEmpty(_) => with(
            S3ErrorCode::BucketNotEmpty,
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
        ),
        Error::TooManyBuckets => with(
            S3ErrorCode::TooManyBuckets,
            &format!("You have attempted to create more buckets than allowed: {BUCKETS_MAX}"),
        ),
        Error::NoSuchKey(_) => with(S3ErrorCode::NoSuchKey, "The specified key does not exist."),
        Error::NoSuchVersion(..) => with(S3ErrorCode::NoSuchVersion, "The specified version does not exist."),
        Error::IsDeleteMarker(..) => with(S3ErrorCode::NoSuchKey, "The specified key does not exist."),
        Error::NoSuchUpload(_) => with(
            S3ErrorCode::NoSuchUpload,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
        ),
        Error::PreconditionFailed(_) => {
            with(S3ErrorCode::PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
        }
        Error::TooManyVersions(_) => with(
            S3ErrorCode::InvalidRequest,
            &format!("An object can have {OBJECT_VERSIONS_MAX} versions here: delete old ones first"),
        ),
        Error::Parts(error) => of_parts(&error),
        Error::Store(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
            with(S3ErrorCode::InternalError, "The store could not serve the request; the server's log says why.")
        }
        Error::Disk(error) => of_disk(&error),
    }
}

/// Writes that bytes could not be read or written.
pub fn of_disk(error: &std::io::Error) -> S3Error {
    tracing::error!(error = error as &dyn std::error::Error, "bytes of an object could not be read or written");
    let message = "The object could not be read or written; the server's log says why.";
    S3Error::with_message(S3ErrorCode::InternalError, message)
}

/// Writes why a body was not taken.
pub fn of_body(refused: &Refused) -> S3Error {
    let with = |code, message: &'static str| S3Error::with_message(code, message);
    match refused {
        Refused::Digest => custom(
            StatusCode::BAD_REQUEST,
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ),
        Refused::Signature => with(S3ErrorCode::SignatureDoesNotMatch, SIGNATURE),
        Refused::Malformed => with(S3ErrorCode::InvalidRequest, "The body is not of the encoding aws-chunked"),
        Refused::Incomplete | Refused::Broken(_) => with(
            S3ErrorCode::IncompleteBody,
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        ),
        Refused::Unknown(name) => S3Error::with_message(
            S3ErrorCode::NotImplemented,
            format!("Everstep does not serve bodies that are {name}"),
        ),
    }
}

/// Writes what is wrong with a signature.
pub fn of_signature(error: HouseError) -> S3Error {
    match error.code {
        "InvalidSignatureException" => {
            let mut error = S3Error::with_message(S3ErrorCode::SignatureDoesNotMatch, SIGNATURE);
            error.set_status_code(StatusCode::FORBIDDEN);
            error
        }
        "IncompleteSignatureException" => {
            S3Error::with_message(S3ErrorCode::AuthorizationHeaderMalformed, error.message)
        }
        _ => denied(error.message),
    }
}

/// Writes that a signature is too old, or from the future. Clients correct their clock on the first of these.
pub fn of_time(error: HouseError, authorization: &Authorization<'_>) -> S3Error {
    if authorization.is_presigned() && error.message.starts_with("Signature expired") {
        return denied("Request has expired");
    }
    let message = "The difference between the request time and the current time is too large.";
    S3Error::with_message(S3ErrorCode::RequestTimeTooSkewed, message)
}

/// Says that the sender may not do that.
pub fn denied(message: impl Into<String>) -> S3Error {
    S3Error::with_message(S3ErrorCode::AccessDenied, message.into())
}

/// Says that a header is missing, or is not one.
pub fn missing(header: &str) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidRequest, format!("Missing required header for this request: {header}"))
}

/// Says that an argument makes no sense.
pub fn invalid_argument(message: impl Into<String>) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidArgument, message.into())
}

/// Says that a document or an object is too large.
pub fn too_large(bytes_max: u64) -> S3Error {
    let message = format!("Your proposed upload exceeds the maximum allowed size of {bytes_max} bytes");
    S3Error::with_message(S3ErrorCode::EntityTooLarge, message)
}

/// Says that Everstep does not do that.
pub fn not_served(what: &str) -> S3Error {
    S3Error::with_message(S3ErrorCode::NotImplemented, format!("Everstep does not serve {what}"))
}

/// Says that an object is gone, and by which version.
pub fn delete_marker(code: S3ErrorCode, message: &'static str, version_id: &str) -> S3Error {
    let mut error = S3Error::with_message(code, message);
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    headers.insert("content-type", HeaderValue::from_static("application/xml"));
    if let Ok(id) = HeaderValue::from_str(version_id) {
        headers.insert("x-amz-version-id", id);
    }
    error.set_headers(headers);
    error
}

/// Makes an error of a code whose status the library does not know.
pub fn custom(status: StatusCode, code: &'static str, message: impl Into<String>) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).expect("it is text");
    let mut error = S3Error::with_message(code, message.into());
    error.set_status_code(status);
    error
}

const SIGNATURE: &str =
    "The request signature we calculated does not match the signature you provided. Check your key and signing method.";

fn of_parts(error: &PartsError) -> S3Error {
    let with = |code, message: String| S3Error::with_message(code, message);
    match error {
        PartsError::Invalid(_) => with(
            S3ErrorCode::InvalidPart,
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.".into(),
        ),
        PartsError::Order => with(
            S3ErrorCode::InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number.".into(),
        ),
        PartsError::None => with(
            S3ErrorCode::MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema".into(),
        ),
        PartsError::Checksum(algorithm) => bad_checksum(algorithm.name()),
        PartsError::TooSmall { number, size, .. } => with(
            S3ErrorCode::EntityTooSmall,
            format!("Your proposed upload is smaller than the minimum allowed size: part {number} has {size} bytes, every part but the last needs {PART_BYTES_MIN}"),
        ),
    }
}

/// Says that bytes do not have the checksum that came with them.
pub fn bad_checksum(algorithm: &str) -> S3Error {
    let message = format!("The {algorithm} you specified did not match the calculated checksum.");
    S3Error::with_message(S3ErrorCode::BadDigest, message)
}
