//! Lists of objects.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result};

use super::bucket::{owner, timestamp};
use super::operations::Answer;
use super::{Buckets, error};
use crate::limits::OBJECTS_LISTED_MAX;
use crate::objects::{Entry, Page, Query, Version};

/// `ListObjectsV2`
pub async fn objects_v2(buckets: &Buckets, request: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
    let input = request.input;
    let invalid = || error::invalid_argument("The continuation token provided is incorrect");
    let after = match &input.continuation_token {
        Some(token) => Some(open(token).ok_or_else(invalid)?),
        None => input.start_after.clone(),
    };
    let query = query(input.prefix.as_ref(), input.delimiter.as_ref(), after, input.max_keys)?;
    let encoding = Encoding::new(input.encoding_type.as_ref());
    let page = buckets.objects.list(&input.bucket, &query, is_there).await.map_err(error::of)?;
    let next = page.entries.last().filter(|_| page.truncated).map(|last| seal(last.name()));
    let owner = input.fetch_owner.unwrap_or_default().then(|| owner(buckets));
    let count = page.entries.len();
    let truncated = page.truncated;
    let (contents, prefixes) = shapes(page, &encoding, owner.as_ref());
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encoding.write(&query.prefix)),
        max_keys: Some(query.limit as i32),
        key_count: Some(count as i32),
        continuation_token: input.continuation_token,
        is_truncated: Some(truncated),
        next_continuation_token: next,
        contents: Some(contents),
        common_prefixes: Some(prefixes),
        delimiter: query.delimiter.as_deref().map(|delimiter| encoding.write(delimiter)),
        encoding_type: input.encoding_type,
        start_after: input.start_after.map(|after| encoding.write(&after)),
        request_charged: None,
    }))
}

/// `ListObjects`, of which the second version is better.
pub async fn objects(buckets: &Buckets, request: S3Request<ListObjectsInput>) -> Answer<ListObjectsOutput> {
    let input = request.input;
    let query = query(input.prefix.as_ref(), input.delimiter.as_ref(), input.marker.clone(), input.max_keys)?;
    let encoding = Encoding::new(input.encoding_type.as_ref());
    let page = buckets.objects.list(&input.bucket, &query, is_there).await.map_err(error::of)?;
    let truncated = page.truncated;
    let next = page.entries.last().filter(|_| truncated).map(|last| encoding.write(last.name()));
    let owner = owner(buckets);
    let (contents, prefixes) = shapes(page, &encoding, Some(&owner));
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encoding.write(&query.prefix)),
        marker: Some(encoding.write(&input.marker.unwrap_or_default())),
        max_keys: Some(query.limit as i32),
        is_truncated: Some(truncated),
        contents: Some(contents),
        common_prefixes: Some(prefixes),
        delimiter: query.delimiter.as_deref().map(|delimiter| encoding.write(delimiter)),
        next_marker: next,
        encoding_type: input.encoding_type,
        request_charged: None,
    }))
}

/// `ListObjectVersions`. The versions of one key are never parted: a page may hold more of them than are asked for.
pub async fn versions(
    buckets: &Buckets,
    request: S3Request<ListObjectVersionsInput>,
) -> Answer<ListObjectVersionsOutput> {
    let input = request.input;
    let query = query(input.prefix.as_ref(), input.delimiter.as_ref(), input.key_marker.clone(), input.max_keys)?;
    let encoding = Encoding::new(input.encoding_type.as_ref());
    let page = buckets.objects.list(&input.bucket, &query, |_| true).await.map_err(error::of)?;
    let next = page.entries.last().filter(|_| page.truncated).map(|last| encoding.write(last.name()));
    let (mut found, mut markers, mut prefixes) = (Vec::new(), Vec::new(), Vec::new());
    for entry in page.entries {
        match entry {
            Entry::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(encoding.write(&prefix)) }),
            Entry::Key(key, versions) => {
                let newest = versions.len() - 1;
                for (position, version) in versions.into_iter().enumerate().rev() {
                    let key = Some(encoding.write(&key));
                    let last_modified = Some(timestamp(version.modified_millis));
                    let (is_latest, owner) = (Some(position == newest), Some(owner(buckets)));
                    match version.object {
                        Some(object) => found.push(ObjectVersion {
                            key,
                            last_modified,
                            is_latest,
                            owner,
                            version_id: Some(version.id),
                            e_tag: Some(ETag::Strong(object.etag)),
                            size: i64::try_from(object.size).ok(),
                            storage_class: Some(ObjectVersionStorageClass::from_static(
                                ObjectVersionStorageClass::STANDARD,
                            )),
                            ..Default::default()
                        }),
                        None => markers.push(DeleteMarkerEntry {
                            key,
                            last_modified,
                            is_latest,
                            owner,
                            version_id: Some(version.id),
                        }),
                    }
                }
            }
        }
    }
    Ok(S3Response::new(ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix: Some(encoding.write(&query.prefix)),
        key_marker: Some(encoding.write(&input.key_marker.unwrap_or_default())),
        version_id_marker: input.version_id_marker,
        max_keys: Some(query.limit as i32),
        is_truncated: Some(page.truncated),
        next_key_marker: next,
        versions: Some(found),
        delete_markers: Some(markers),
        common_prefixes: Some(prefixes),
        delimiter: query.delimiter.as_deref().map(|delimiter| encoding.write(delimiter)),
        encoding_type: input.encoding_type,
        ..Default::default()
    }))
}

/// How names are written: some are no XML.
pub struct Encoding(bool);

impl Encoding {
    /// Reads how a client wants them.
    pub fn new(asked: Option<&EncodingType>) -> Self {
        Self(asked.is_some_and(|asked| asked.as_str() == EncodingType::URL))
    }

    /// Writes a name.
    pub fn write(&self, name: &str) -> String {
        use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
        const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*');
        if self.0 { utf8_percent_encode(name, ENCODED).to_string() } else { name.into() }
    }
}

/// Returns how many items a page may have.
///
/// # Errors
/// `InvalidArgument`.
pub fn limit(asked: Option<i32>, name: &str) -> S3Result<usize> {
    let asked = asked.map(|asked| {
        usize::try_from(asked).map_err(|_| {
            error::invalid_argument(format!("Argument {name} must be an integer between 0 and 2147483647"))
        })
    });
    Ok(asked.transpose()?.unwrap_or(OBJECTS_LISTED_MAX).min(OBJECTS_LISTED_MAX))
}

fn query(
    prefix: Option<&String>,
    delimiter: Option<&String>,
    after: Option<String>,
    max_keys: Option<i32>,
) -> S3Result<Query> {
    let after = after.filter(|after| !after.is_empty());
    let delimiter = delimiter.cloned().filter(|delimiter| !delimiter.is_empty());
    Ok(Query { prefix: prefix.cloned().unwrap_or_default(), delimiter, after, limit: limit(max_keys, "maxKeys")? })
}

/// Tells whether the newest of these versions is an object.
fn is_there(versions: &[Version]) -> bool {
    versions.last().is_some_and(|version| version.object.is_some())
}

fn shapes(page: Page, encoding: &Encoding, owner: Option<&Owner>) -> (Vec<Object>, Vec<CommonPrefix>) {
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    for entry in page.entries {
        match entry {
            Entry::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(encoding.write(&prefix)) }),
            Entry::Key(key, versions) => {
                let newest = versions.into_iter().next_back().expect("only what is there is listed");
                let object = newest.object.expect("only what is there is listed");
                let algorithm = object.checksum.as_ref().map(|checksum| checksum.algorithm.name());
                objects.push(Object {
                    key: Some(encoding.write(&key)),
                    last_modified: Some(timestamp(newest.modified_millis)),
                    e_tag: Some(ETag::Strong(object.etag)),
                    size: i64::try_from(object.size).ok(),
                    storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                    checksum_algorithm: algorithm.map(|name| vec![ChecksumAlgorithm::from_static(name)]),
                    owner: owner.cloned(),
                    ..Default::default()
                });
            }
        }
    }
    (objects, prefixes)
}

/// Writes where a list goes on.
fn seal(name: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(name)
}

/// Reads such a token.
fn open(token: &str) -> Option<String> {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}
