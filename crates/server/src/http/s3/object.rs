//! Objects: to put, get, copy and delete them, and their tags.

use std::collections::BTreeMap;
use std::ops::Range;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::bucket::timestamp;
use super::operations::Answer;
use super::receive::{Received, receive};
use super::send::send;
use super::{Buckets, error};
use crate::functions::now_millis;
use crate::http::request::parse_query;
use crate::limits::{METADATA_BYTES_MAX, OBJECT_TAGS_MAX, OBJECTS_DELETED_MAX};
use crate::objects::checksum::{Algorithm, Checksum as Sum, Hasher};
use crate::objects::content::{Held, Piece, Reader};
use crate::objects::{Condition, Error as Refusal, NULL, Object as Stored, Version};

/// Sets the member of a shape that has a checksum; the shapes that have them share no trait.
macro_rules! set_checksum {
    ($shape:expr, $checksum:expr) => {{
        let value = Some($checksum.value.clone());
        match $checksum.algorithm {
            crate::objects::checksum::Algorithm::Crc32 => $shape.checksum_crc32 = value,
            crate::objects::checksum::Algorithm::Crc32c => $shape.checksum_crc32c = value,
            crate::objects::checksum::Algorithm::Crc64Nvme => $shape.checksum_crc64nvme = value,
            crate::objects::checksum::Algorithm::Sha1 => $shape.checksum_sha1 = value,
            crate::objects::checksum::Algorithm::Sha256 => $shape.checksum_sha256 = value,
        }
    }};
}
pub(super) use set_checksum;

/// Headers that are kept with an object and returned with it, beside its metadata.
const KEPT: [&str; 11] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// Those of them that are returned at once.
pub const ECHOED: [&str; 3] = [
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
];

/// `PutObject`
pub async fn put(buckets: &Buckets, request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
    let (headers, extensions, input) = (request.headers, request.extensions, request.input);
    let described = describe(&headers, input.metadata.as_ref(), input.tagging.as_deref())?;
    let condition = condition(input.if_match, input.if_none_match)?;
    let objects = &buckets.objects;
    // Asked for before the content comes, which may be large.
    objects.bucket(&input.bucket).await.map_err(error::of)?;
    let received = receive(objects.content(), input.body, input.content_length, None, &extensions).await?;
    let (object, held) = whole(described, received);
    let shown = object.clone();
    let version =
        objects.put(&input.bucket, &input.key, object, held, &condition, now_millis()).await.map_err(error::of)?;
    let output = PutObjectOutput {
        e_tag: Some(ETag::Strong(shown.etag.clone())),
        version_id: shown_id(&version),
        ..Default::default()
    };
    Ok(S3Response::with_headers(output, answer_headers(&shown, &ECHOED, true)?))
}

/// `GetObject`
pub async fn get(buckets: &Buckets, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
    let input = request.input;
    let (bucket, key, version_id) = (&input.bucket, &input.key, input.version_id.as_deref());
    let opened = buckets.objects.open_object(bucket, key, version_id).await;
    let (version, object, reader) = opened.map_err(|error| absent(error, version_id.is_some()))?;
    let conditions = Conditions {
        matches: input.if_match,
        none_match: input.if_none_match,
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    };
    conditions.check(&version, &object)?;
    let part = Chosen::read(&object, input.range.as_ref(), input.part_number)?;
    let with_checksum = input.checksum_mode.is_some() && part.is_all();
    let mut headers = answer_headers(&object, &KEPT, with_checksum)?;
    // The library writes what the query asks for in place of these.
    for (name, replaced) in [
        ("cache-control", input.response_cache_control.is_some()),
        ("content-disposition", input.response_content_disposition.is_some()),
        ("content-encoding", input.response_content_encoding.is_some()),
        ("content-language", input.response_content_language.is_some()),
        ("content-type", input.response_content_type.is_some()),
        ("expires", input.response_expires.is_some()),
    ] {
        if replaced {
            headers.remove(name);
        }
    }
    let output = GetObjectOutput {
        accept_ranges: Some("bytes".into()),
        content_length: Some(part.length()),
        content_range: part.content_range(),
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(timestamp(version.modified_millis)),
        metadata: Some(object.metadata.clone().into_iter().collect()),
        parts_count: part.parts_count,
        tag_count: tag_count(&object),
        version_id: shown_id(&version),
        body: Some(send(reader, part.range.clone()).map_err(|error| error::of_disk(&error))?),
        ..Default::default()
    };
    Ok(S3Response { status: Some(part.status()), ..S3Response::with_headers(output, headers) })
}

/// `HeadObject`
pub async fn head(buckets: &Buckets, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
    let input = request.input;
    let version_id = input.version_id.as_deref();
    let found = buckets.objects.find(&input.bucket, &input.key, version_id).await;
    let (version, object) = found.map_err(|error| absent(error, version_id.is_some()))?;
    let conditions = Conditions {
        matches: input.if_match,
        none_match: input.if_none_match,
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    };
    conditions.check(&version, &object)?;
    let part = Chosen::read(&object, input.range.as_ref(), input.part_number)?;
    let with_checksum = input.checksum_mode.is_some() && part.is_all();
    let headers = answer_headers(&object, &KEPT, with_checksum)?;
    let output = HeadObjectOutput {
        accept_ranges: Some("bytes".into()),
        content_length: Some(part.length()),
        content_range: part.content_range(),
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(timestamp(version.modified_millis)),
        metadata: Some(object.metadata.clone().into_iter().collect()),
        parts_count: part.parts_count,
        version_id: shown_id(&version),
        ..Default::default()
    };
    Ok(S3Response { status: Some(part.status()), ..S3Response::with_headers(output, headers) })
}

/// `CopyObject`. No bytes are moved.
pub async fn copy(buckets: &Buckets, request: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
    let (headers, input) = (request.headers, request.input);
    let source = Source::read(&input.copy_source)?;
    let (version, object, held) = source.open(buckets).await?;
    let conditions = Conditions {
        matches: input.copy_source_if_match,
        none_match: input.copy_source_if_none_match,
        modified_since: input.copy_source_if_modified_since,
        unmodified_since: input.copy_source_if_unmodified_since,
    };
    conditions.check(&version, &object).map_err(|_| error::of(Refusal::PreconditionFailed("copy source")))?;
    let replaces = |directive: Option<&str>| directive == Some("REPLACE");
    let replaces_metadata = replaces(input.metadata_directive.as_ref().map(MetadataDirective::as_str));
    let replaces_tags = replaces(input.tagging_directive.as_ref().map(TaggingDirective::as_str));
    let described = describe(&headers, input.metadata.as_ref(), input.tagging.as_deref())?;
    let same = source.bucket == input.bucket && source.key == input.key && source.version_id.is_none();
    if same && !replaces_metadata && !replaces_tags && !ECHOED.iter().any(|name| headers.contains_key(*name)) {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    let mut copied = object.clone();
    if replaces_metadata {
        (copied.headers, copied.metadata) = (described.headers, described.metadata);
    } else {
        copied.headers.extend(described.headers.into_iter().filter(|(name, _)| ECHOED.contains(&name.as_str())));
    }
    if replaces_tags {
        copied.tags = described.tags;
    }
    if let Some(algorithm) = input.checksum_algorithm.as_ref().and_then(|name| Algorithm::find(name.as_str())) {
        copied.checksum = Some(measure(Reader::new(held_again(buckets, &object)?), algorithm).await?);
    }
    let shown = copied.clone();
    let put = buckets.objects.put(&input.bucket, &input.key, copied, held, &Condition::Always, now_millis());
    let made = put.await.map_err(error::of)?;
    let mut result = CopyObjectResult {
        e_tag: Some(ETag::Strong(shown.etag.clone())),
        last_modified: Some(timestamp(made.modified_millis)),
        ..Default::default()
    };
    if let Some(checksum) = &shown.checksum {
        set_checksum!(result, checksum);
        result.checksum_type = Some(checksum_type(checksum));
    }
    let output = CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: shown_id(&version),
        version_id: shown_id(&made),
        ..Default::default()
    };
    Ok(S3Response::with_headers(output, answer_headers(&shown, &ECHOED, false)?))
}

/// `DeleteObject`
pub async fn delete(buckets: &Buckets, request: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
    let DeleteObjectInput { bucket, key, version_id, .. } = request.input;
    let deleted = buckets.objects.delete(&bucket, &key, version_id.as_deref(), now_millis()).await;
    let deleted = deleted.map_err(error::of)?;
    let output = DeleteObjectOutput {
        delete_marker: deleted.delete_marker.then_some(true),
        version_id: deleted.version_id,
        ..Default::default()
    };
    Ok(S3Response::with_status(output, StatusCode::NO_CONTENT))
}

/// `DeleteObjects`
pub async fn delete_several(buckets: &Buckets, request: S3Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> {
    let DeleteObjectsInput { bucket, delete, .. } = request.input;
    buckets.objects.bucket(&bucket).await.map_err(error::of)?;
    if delete.objects.is_empty() || delete.objects.len() > OBJECTS_DELETED_MAX {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(S3Error::with_message(S3ErrorCode::MalformedXML, message));
    }
    let (mut shapes, mut errors) = (Vec::new(), Vec::new());
    for ObjectIdentifier { key, version_id, .. } in delete.objects {
        match buckets.objects.delete(&bucket, &key, version_id.as_deref(), now_millis()).await {
            Ok(deleted) => shapes.push(DeletedObject {
                key: Some(key),
                version_id,
                delete_marker: deleted.delete_marker.then_some(true),
                delete_marker_version_id: deleted.version_id.filter(|_| deleted.delete_marker),
            }),
            Err(refusal) => {
                let error = error::of(refusal);
                errors.push(Error {
                    key: Some(key),
                    version_id,
                    code: Some(error.code().as_str().to_string()),
                    message: error.message().map(Into::into),
                });
            }
        }
    }
    if delete.quiet.unwrap_or_default() {
        shapes.clear();
    }
    let output = DeleteObjectsOutput { deleted: Some(shapes), errors: Some(errors), ..Default::default() };
    Ok(S3Response::new(output))
}

/// `GetObjectTagging`
pub async fn tagging(buckets: &Buckets, request: S3Request<GetObjectTaggingInput>) -> Answer<GetObjectTaggingOutput> {
    let GetObjectTaggingInput { bucket, key, version_id, .. } = request.input;
    let found = buckets.objects.find(&bucket, &key, version_id.as_deref()).await;
    let (version, object) = found.map_err(|error| absent(error, version_id.is_some()))?;
    let tag = |(key, value)| Tag { key: Some(key), value: Some(value) };
    let tag_set = object.tags.into_iter().map(tag).collect();
    Ok(S3Response::new(GetObjectTaggingOutput { tag_set, version_id: shown_id(&version) }))
}

/// `PutObjectTagging`
pub async fn put_tagging(
    buckets: &Buckets,
    request: S3Request<PutObjectTaggingInput>,
) -> Answer<PutObjectTaggingOutput> {
    let PutObjectTaggingInput { bucket, key, version_id, tagging, .. } = request.input;
    let pair = |tag: Tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
    let tags = check_tags(tagging.tag_set.into_iter().map(pair).collect())?;
    let tagged = buckets.objects.tag(&bucket, &key, version_id.as_deref(), &tags).await;
    let version = tagged.map_err(|error| absent(error, version_id.is_some()))?;
    Ok(S3Response::new(PutObjectTaggingOutput { version_id: shown_id(&version) }))
}

/// `DeleteObjectTagging`
pub async fn delete_tagging(
    buckets: &Buckets,
    request: S3Request<DeleteObjectTaggingInput>,
) -> Answer<DeleteObjectTaggingOutput> {
    let DeleteObjectTaggingInput { bucket, key, version_id, .. } = request.input;
    let tagged = buckets.objects.tag(&bucket, &key, version_id.as_deref(), &BTreeMap::new()).await;
    let version = tagged.map_err(|error| absent(error, version_id.is_some()))?;
    let output = DeleteObjectTaggingOutput { version_id: shown_id(&version) };
    Ok(S3Response::with_status(output, StatusCode::NO_CONTENT))
}

/// `GetObjectAttributes`
pub async fn attributes(
    buckets: &Buckets,
    request: S3Request<GetObjectAttributesInput>,
) -> Answer<GetObjectAttributesOutput> {
    let input = request.input;
    let found = buckets.objects.find(&input.bucket, &input.key, input.version_id.as_deref()).await;
    let (version, object) = found.map_err(|error| absent(error, input.version_id.is_some()))?;
    let asked: Vec<&str> = input.object_attributes.iter().flat_map(|asked| asked.as_str().split(',')).collect();
    let wants = |name: &str| asked.iter().any(|asked| asked.trim() == name);
    let checksum = object.checksum.as_ref().filter(|_| wants("Checksum")).map(|checksum| {
        let mut shape = Checksum { checksum_type: Some(checksum_type(checksum)), ..Default::default() };
        set_checksum!(shape, checksum);
        shape
    });
    let count = object.etag.rsplit_once('-').and_then(|(_, count)| count.parse().ok());
    let parts = count
        .filter(|_| wants("ObjectParts"))
        .map(|count| GetObjectAttributesParts { total_parts_count: Some(count), ..Default::default() });
    Ok(S3Response::new(GetObjectAttributesOutput {
        checksum,
        e_tag: wants("ETag").then_some(ETag::Strong(object.etag)),
        last_modified: Some(timestamp(version.modified_millis)),
        object_parts: parts,
        object_size: i64::try_from(object.size).ok().filter(|_| wants("ObjectSize")),
        storage_class: wants("StorageClass").then(|| StorageClass::from_static(StorageClass::STANDARD)),
        version_id: shown_id(&version),
        ..Default::default()
    }))
}

/// Reads what an object will be beside its bytes.
///
/// # Errors
/// S3's.
pub fn describe(headers: &HeaderMap, metadata: Option<&Metadata>, tagging: Option<&str>) -> S3Result<Stored> {
    for (name, what) in [
        ("x-amz-server-side-encryption-customer-algorithm", "encryption with keys of the customer"),
        ("x-amz-object-lock-mode", "object locks"),
        ("x-amz-object-lock-legal-hold", "object locks"),
    ] {
        if headers.contains_key(name) {
            return Err(error::not_served(what));
        }
    }
    let kept = KEPT.into_iter().filter_map(|name| Some((name.to_string(), headers.get(name)?.to_str().ok()?.into())));
    let metadata: BTreeMap<String, String> =
        metadata.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > METADATA_BYTES_MAX {
        let message = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(S3Error::with_message(S3ErrorCode::MetadataTooLarge, message));
    }
    let tags = check_tags(parse_query(tagging.unwrap_or_default()))?;
    Ok(Stored { headers: kept.collect(), metadata, tags, ..Stored::default() })
}

/// Reads which object must be there, or not, for another to be written.
///
/// # Errors
/// `NotImplemented`, as on AWS.
pub fn condition(matches: Option<ETagCondition>, none_match: Option<ETagCondition>) -> S3Result<Condition> {
    match (matches, none_match) {
        (None, None) => Ok(Condition::Always),
        (None, Some(ETagCondition::Any)) => Ok(Condition::Absent),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Condition::Matches(etag.into_value())),
        (Some(_) | None, _) => Err(error::not_served("that condition: If-None-Match takes *, If-Match an ETag")),
    }
}

/// Returns a checksum's type.
pub fn checksum_type(checksum: &Sum) -> ChecksumType {
    ChecksumType::from_static(if checksum.composite { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT })
}

/// Returns the id of a version, if there was a choice.
pub fn shown_id(version: &Version) -> Option<String> {
    Some(version.id.clone()).filter(|id| id != NULL)
}

/// Returns headers of an object as an answer has them.
pub fn answer_headers(object: &Stored, names: &[&str], with_checksum: bool) -> S3Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut insert = |name: &str, value: &str| {
        // They were headers when they came.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    };
    for (name, value) in object.headers.iter().filter(|(name, _)| names.contains(&name.as_str())) {
        insert(name, value);
    }
    if names.contains(&"content-type") && !object.headers.contains_key("content-type") {
        insert("content-type", "binary/octet-stream");
    }
    if let Some(checksum) = object.checksum.as_ref().filter(|_| with_checksum) {
        insert(&format!("x-amz-checksum-{}", checksum.algorithm.name().to_ascii_lowercase()), &checksum.value);
        insert("x-amz-checksum-type", checksum_type(checksum).as_str());
    }
    Ok(headers)
}

/// Reads content that is a document's to be: an object of one piece.
fn whole(described: Stored, Received { held, md5, checksum, .. }: Received) -> (Stored, Vec<Held>) {
    let pieces: Vec<Piece> = vec![held.piece().clone()];
    let object = Stored { size: pieces[0].size, etag: md5, checksum: Some(checksum), pieces, ..described };
    (object, vec![held])
}

/// Writes that an object is not there. Of one that was deleted the answer says so.
fn absent(refusal: Refusal, asked_for_version: bool) -> S3Error {
    match refusal {
        Refusal::IsDeleteMarker(_, id) if asked_for_version => error::delete_marker(
            S3ErrorCode::MethodNotAllowed,
            "The specified method is not allowed against this resource.",
            &id,
        ),
        Refusal::IsDeleteMarker(_, id) => {
            error::delete_marker(S3ErrorCode::NoSuchKey, "The specified key does not exist.", &id)
        }
        other => error::of(other),
    }
}

fn check_tags(tags: Vec<(String, String)>) -> S3Result<BTreeMap<String, String>> {
    let count = tags.len();
    if count > OBJECT_TAGS_MAX {
        let message = format!("Object tags cannot be greater than {OBJECT_TAGS_MAX}");
        return Err(error::custom(StatusCode::BAD_REQUEST, "BadRequest", message));
    }
    let kept: BTreeMap<String, String> = tags.into_iter().collect();
    let fits =
        |(key, value): (&String, &String)| (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256;
    if kept.len() != count || !kept.iter().all(fits) {
        let message =
            "The tag provided was not a valid tag: keys are unique, of 1 to 128 characters, values of at most 256";
        return Err(error::custom(StatusCode::BAD_REQUEST, "InvalidTag", message));
    }
    Ok(kept)
}

fn tag_count(object: &Stored) -> Option<i32> {
    i32::try_from(object.tags.len()).ok().filter(|count| *count > 0)
}

/// Which part of an object is asked for.
struct Chosen {
    range: Range<u64>,
    size: u64,
    partial: bool,
    parts_count: Option<i32>,
}

impl Chosen {
    fn read(object: &Stored, range: Option<&s3s::dto::Range>, part_number: Option<i32>) -> S3Result<Self> {
        let size = object.size;
        let parts = object.etag.rsplit_once('-').and_then(|(_, count)| count.parse::<i32>().ok());
        if range.is_some() && part_number.is_some() {
            let message = "Cannot specify both Range header and partNumber query parameter";
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        let unsatisfiable = || {
            let mut error = S3Error::with_message(S3ErrorCode::InvalidRange, "The requested range is not satisfiable");
            let mut headers = HeaderMap::new();
            headers.insert("content-range", HeaderValue::from_str(&format!("bytes */{size}")).expect("digits"));
            headers.insert("content-type", HeaderValue::from_static("application/xml"));
            error.set_headers(headers);
            error
        };
        if let Some(range) = range {
            let range = range.check(size).map_err(|_| unsatisfiable())?;
            return Ok(Self { range, size, partial: true, parts_count: None });
        }
        let Some(number) = part_number else {
            return Ok(Self { range: 0..size, size, partial: false, parts_count: None });
        };
        let at = usize::try_from(number - 1).ok().filter(|at| *at < object.pieces.len().max(1));
        let at = at.ok_or_else(|| {
            let message = "The requested partnumber is not satisfiable";
            error::custom(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidPartNumber", message)
        })?;
        let begin: u64 = object.pieces[..at.min(object.pieces.len())].iter().map(|piece| piece.size).sum();
        let end = begin + object.pieces.get(at).map_or(0, |piece| piece.size);
        Ok(Self { range: begin..end, size, partial: true, parts_count: parts })
    }

    fn is_all(&self) -> bool {
        self.range == (0..self.size)
    }

    fn length(&self) -> i64 {
        i64::try_from(self.range.end - self.range.start).unwrap_or(i64::MAX)
    }

    fn content_range(&self) -> Option<String> {
        let Range { start, end } = self.range;
        (self.partial && end > start).then(|| format!("bytes {start}-{}/{}", end - 1, self.size))
    }

    fn status(&self) -> StatusCode {
        if self.partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK }
    }
}

/// How an object must be to be of interest.
pub struct Conditions {
    /// It has this `ETag`.
    pub matches: Option<ETagCondition>,
    /// It has another one.
    pub none_match: Option<ETagCondition>,
    /// It is newer.
    pub modified_since: Option<Timestamp>,
    /// It is not newer.
    pub unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// Checks an object.
    ///
    /// # Errors
    /// `PreconditionFailed` or `NotModified`.
    pub fn check(&self, version: &Version, object: &Stored) -> S3Result<()> {
        let is = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == object.etag,
        };
        // Headers know no milliseconds.
        let modified = timestamp(version.modified_millis / 1000 * 1000);
        let met = match (&self.matches, &self.unmodified_since) {
            (Some(condition), _) => is(condition),
            (None, Some(moment)) => modified <= *moment,
            (None, None) => true,
        };
        if !met {
            return Err(error::of(Refusal::PreconditionFailed("If-Match")));
        }
        let known = match (&self.none_match, &self.modified_since) {
            (Some(condition), _) => is(condition),
            (None, Some(moment)) => modified <= *moment,
            (None, None) => false,
        };
        if !known {
            return Ok(());
        }
        let mut error = S3Error::with_message(S3ErrorCode::NotModified, "Not Modified");
        let mut headers = HeaderMap::new();
        if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", object.etag)) {
            headers.insert("etag", etag);
        }
        error.set_headers(headers);
        Err(error)
    }
}

/// What is copied.
pub struct Source<'s> {
    bucket: &'s str,
    key: &'s str,
    version_id: Option<&'s str>,
}

impl<'s> Source<'s> {
    /// Reads the header that names it.
    ///
    /// # Errors
    /// `NotImplemented` of access points.
    pub fn read(source: &'s CopySource) -> S3Result<Self> {
        match source {
            CopySource::Bucket { bucket, key, version_id } => {
                Ok(Self { bucket, key, version_id: version_id.as_deref() })
            }
            CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => Err(error::not_served("access points")),
        }
    }

    /// Finds it, and holds its bytes.
    ///
    /// # Errors
    /// S3's.
    pub async fn open(&self, buckets: &Buckets) -> S3Result<(Version, Stored, Vec<Held>)> {
        loop {
            let found = buckets.objects.find(self.bucket, self.key, self.version_id).await;
            let (version, object) = found.map_err(|error| absent(error, self.version_id.is_some()))?;
            // It may have been replaced since the document was read.
            if let Some(held) = buckets.objects.content().hold_all(&object.pieces) {
                return Ok((version, object, held));
            }
        }
    }
}

fn held_again(buckets: &Buckets, object: &Stored) -> S3Result<Vec<Held>> {
    let held = buckets.objects.content().hold_all(&object.pieces);
    held.ok_or_else(|| S3Error::with_message(S3ErrorCode::NoSuchKey, "The specified key does not exist."))
}

async fn measure(mut reader: Reader, algorithm: Algorithm) -> S3Result<Sum> {
    let measured = tokio::task::spawn_blocking(move || {
        use std::io::Read;
        let (mut hasher, mut buffer) = (Hasher::new(algorithm), vec![0; 64 * 1024]);
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok::<_, std::io::Error>(hasher.finish()),
                length => hasher.update(&buffer[..length]),
            }
        }
    });
    measured.await.expect("reading does not panic").map_err(|error| error::of_disk(&error))
}
