//! Uploads in several parts.

use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::bucket::{owner, timestamp};
use super::list::{Encoding, limit};
use super::object::{
    Conditions, ECHOED, Source, answer_headers, checksum_type, condition, describe, set_checksum, shown_id,
};
use super::operations::Answer;
use super::receive::{Received, receive};
use super::{Buckets, error};
use crate::functions::now_millis;
use crate::limits::PART_NUMBER_MAX;
use crate::objects::Error as Refusal;
use crate::objects::checksum::Algorithm;
use crate::objects::content::Reader;
use crate::objects::uploads::{Completion, Named, Part as Stored, Upload};

/// `CreateMultipartUpload`
pub async fn create(
    buckets: &Buckets,
    request: S3Request<CreateMultipartUploadInput>,
) -> Answer<CreateMultipartUploadOutput> {
    let (headers, input) = (request.headers, request.input);
    let object = describe(&headers, input.metadata.as_ref(), input.tagging.as_deref())?;
    let algorithm = input.checksum_algorithm.as_ref().map(|name| {
        let found = Algorithm::find(name.as_str());
        found.ok_or_else(|| error::invalid_argument("Checksum algorithm provided is unsupported."))
    });
    let asked = algorithm.transpose()?;
    let algorithm = asked.unwrap_or(Algorithm::Crc64Nvme);
    let composite = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
        None => algorithm.is_composite_by_default(),
        Some(ChecksumType::COMPOSITE) if algorithm != Algorithm::Crc64Nvme => true,
        Some(ChecksumType::FULL_OBJECT) if algorithm.can_be_of_the_whole() => false,
        Some(name) => {
            let message =
                format!("The {name} checksum type cannot be used with the {} checksum algorithm.", algorithm.name());
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
    };
    let upload = Upload { key: input.key.clone(), begun_millis: now_millis(), object, algorithm: asked, composite };
    let id = buckets.objects.begin_upload(&input.bucket, &upload).await.map_err(error::of)?;
    let output = CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: asked.map(|_| type_of(composite)),
        ..Default::default()
    };
    Ok(S3Response::with_headers(output, answer_headers(&upload.object, &ECHOED, false)?))
}

/// `UploadPart`
pub async fn put_part(buckets: &Buckets, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
    let (extensions, input) = (request.extensions, request.input);
    let number = part_number(input.part_number)?;
    let objects = &buckets.objects;
    // Asked for before the content comes, which may be large.
    let upload = objects.upload(&input.bucket, &input.key, &input.upload_id).await.map_err(error::of)?;
    let kept = upload.kept_algorithm();
    let Received { held, md5, checksum, given } =
        receive(objects.content(), input.body, input.content_length, Some(kept), &extensions).await?;
    if let (Some(asked), Some(given)) = (upload.algorithm, given.as_ref().map(|given| given.algorithm))
        && asked != given
    {
        let message = format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            asked.name().to_lowercase(),
            given.name().to_lowercase()
        );
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    let part = Stored { piece: held.piece().clone(), md5, checksum, modified_millis: now_millis() };
    let put = objects.put_part(&input.bucket, &input.key, &input.upload_id, number, &part, held);
    put.await.map_err(error::of)?;
    let mut output = UploadPartOutput { e_tag: Some(ETag::Strong(part.md5.clone())), ..Default::default() };
    set_checksum!(output, given.as_ref().unwrap_or(&part.checksum));
    Ok(S3Response::with_headers(output, answer_headers(&upload.object, &ECHOED, false)?))
}

/// `UploadPartCopy`
pub async fn copy_part(buckets: &Buckets, request: S3Request<UploadPartCopyInput>) -> Answer<UploadPartCopyOutput> {
    let input = request.input;
    let number = part_number(input.part_number)?;
    let objects = &buckets.objects;
    let upload = objects.upload(&input.bucket, &input.key, &input.upload_id).await.map_err(error::of)?;
    let (version, object, held) = Source::read(&input.copy_source)?.open(buckets).await?;
    let conditions = Conditions {
        matches: input.copy_source_if_match,
        none_match: input.copy_source_if_none_match,
        modified_since: input.copy_source_if_modified_since,
        unmodified_since: input.copy_source_if_unmodified_since,
    };
    conditions.check(&version, &object).map_err(|_| error::of(Refusal::PreconditionFailed("copy source")))?;
    let range = input.copy_source_range.as_deref().map(|text| {
        let range = Range::parse(text).ok().and_then(|range| range.check(object.size).ok());
        range.ok_or_else(|| error::invalid_argument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy"))
    });
    let range = range.transpose()?.unwrap_or(0..object.size);
    let length = i64::try_from(range.end - range.start).ok();
    let body = super::send::send(Reader::new(held), range).map_err(|error| error::of_disk(&error))?;
    let kept = Some(upload.kept_algorithm());
    let Received { held, md5, checksum, .. } =
        receive(objects.content(), Some(body), length, kept, &http::Extensions::new()).await?;
    let part = Stored { piece: held.piece().clone(), md5, checksum, modified_millis: now_millis() };
    let put = objects.put_part(&input.bucket, &input.key, &input.upload_id, number, &part, held);
    put.await.map_err(error::of)?;
    let mut result = CopyPartResult {
        e_tag: Some(ETag::Strong(part.md5.clone())),
        last_modified: Some(timestamp(part.modified_millis)),
        ..Default::default()
    };
    set_checksum!(result, part.checksum);
    let output = UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: shown_id(&version),
        ..Default::default()
    };
    Ok(S3Response::new(output))
}

/// `CompleteMultipartUpload`
pub async fn complete(
    buckets: &Buckets,
    request: S3Request<CompleteMultipartUploadInput>,
) -> Answer<CompleteMultipartUploadOutput> {
    let input = request.input;
    let condition = condition(input.if_match, input.if_none_match)?;
    let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    let named = parts.into_iter().map(|part| {
        Ok(Named {
            number: part_number(part.part_number.unwrap_or_default())?,
            etag: part.e_tag.map(ETag::into_value).unwrap_or_default(),
            checksum: part
                .checksum_crc32
                .or(part.checksum_crc32c)
                .or(part.checksum_crc64nvme)
                .or(part.checksum_sha1)
                .or(part.checksum_sha256),
        })
    });
    let parts: Vec<Named> = named.collect::<S3Result<_>>()?;
    // The request may have a checksum of its own body; this one is the object's, and says its type.
    let checksum = input
        .checksum_crc32
        .or(input.checksum_crc32c)
        .or(input.checksum_crc64nvme)
        .or(input.checksum_sha1)
        .or(input.checksum_sha256);
    let completion = Completion { parts, checksum, condition };
    let objects = &buckets.objects;
    let completed =
        objects.complete_upload(&input.bucket, &input.key, &input.upload_id, &completion, now_millis()).await;
    let version = completed.map_err(error::of)?;
    let object = version.object.as_ref().expect("one was made");
    let mut output = CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        e_tag: Some(ETag::Strong(object.etag.clone())),
        version_id: shown_id(&version),
        bucket: Some(input.bucket),
        key: Some(input.key),
        ..Default::default()
    };
    if let Some(checksum) = &object.checksum {
        set_checksum!(output, checksum);
        output.checksum_type = Some(checksum_type(checksum));
    }
    Ok(S3Response::with_headers(output, answer_headers(object, &ECHOED, false)?))
}

/// `AbortMultipartUpload`
pub async fn abort(
    buckets: &Buckets,
    request: S3Request<AbortMultipartUploadInput>,
) -> Answer<AbortMultipartUploadOutput> {
    let AbortMultipartUploadInput { bucket, key, upload_id, .. } = request.input;
    buckets.objects.abort_upload(&bucket, &key, &upload_id).await.map_err(error::of)?;
    Ok(S3Response::with_status(AbortMultipartUploadOutput::default(), http::StatusCode::NO_CONTENT))
}

/// `ListMultipartUploads`
pub async fn list(
    buckets: &Buckets,
    request: S3Request<ListMultipartUploadsInput>,
) -> Answer<ListMultipartUploadsOutput> {
    let input = request.input;
    if input.delimiter.as_ref().is_some_and(|delimiter| !delimiter.is_empty()) {
        return Err(error::not_served("lists of uploads with a delimiter"));
    }
    let encoding = Encoding::new(input.encoding_type.as_ref());
    let prefix = input.prefix.clone().unwrap_or_default();
    let mut uploads = buckets.objects.uploads(&input.bucket).await.map_err(error::of)?;
    uploads.retain(|(_, upload)| upload.key.starts_with(&prefix));
    if let Some(marker) = input.key_marker.as_ref().filter(|marker| !marker.is_empty()) {
        let known = input.upload_id_marker.as_ref();
        let at = uploads.iter().position(|(id, upload)| upload.key == *marker && Some(id) == known);
        let first = at.map_or_else(|| uploads.partition_point(|(_, upload)| upload.key <= *marker), |at| at + 1);
        uploads.drain(..first);
    }
    let limit = limit(input.max_uploads, "max-uploads")?;
    let truncated = uploads.len() > limit;
    uploads.truncate(limit);
    let last = uploads.last().filter(|_| truncated).cloned();
    let owner = owner(buckets);
    let shapes = uploads.into_iter().map(|(id, upload)| MultipartUpload {
        key: Some(encoding.write(&upload.key)),
        upload_id: Some(id),
        initiated: Some(timestamp(upload.begun_millis)),
        initiator: Some(Initiator { id: owner.id.clone(), display_name: None }),
        owner: Some(owner.clone()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        checksum_algorithm: Some(ChecksumAlgorithm::from_static(upload.kept_algorithm().name())),
        checksum_type: Some(type_of(upload.composite)),
    });
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        key_marker: Some(encoding.write(&input.key_marker.unwrap_or_default())),
        upload_id_marker: input.upload_id_marker,
        next_key_marker: last.as_ref().map(|(_, upload)| encoding.write(&upload.key)),
        next_upload_id_marker: last.map(|(id, _)| id),
        max_uploads: Some(limit as i32),
        is_truncated: Some(truncated),
        prefix: Some(encoding.write(&prefix)),
        uploads: Some(shapes.collect()),
        encoding_type: input.encoding_type,
        ..Default::default()
    }))
}

/// `ListParts`
pub async fn list_parts(buckets: &Buckets, request: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
    let input = request.input;
    let found = buckets.objects.upload(&input.bucket, &input.key, &input.upload_id).await;
    let upload = found.map_err(error::of)?;
    let after = u32::try_from(input.part_number_marker.unwrap_or_default()).unwrap_or_default();
    let mut parts: Vec<(u32, Stored)> =
        buckets.objects.parts(&input.upload_id).await.map_err(error::of)?.split_off(&(after + 1)).into_iter().collect();
    let limit = limit(input.max_parts, "max-parts")?;
    let truncated = parts.len() > limit;
    parts.truncate(limit);
    let next = parts.last().map_or(after, |(number, _)| *number);
    let shapes = parts.into_iter().map(|(number, part)| {
        let mut shape = Part {
            part_number: i32::try_from(number).ok(),
            e_tag: Some(ETag::Strong(part.md5)),
            size: i64::try_from(part.piece.size).ok(),
            last_modified: Some(timestamp(part.modified_millis)),
            ..Default::default()
        };
        set_checksum!(shape, part.checksum);
        shape
    });
    let owner = owner(buckets);
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        part_number_marker: Some(after as i32),
        next_part_number_marker: i32::try_from(next).ok(),
        max_parts: Some(limit as i32),
        is_truncated: Some(truncated),
        parts: Some(shapes.collect()),
        initiator: Some(Initiator { id: owner.id.clone(), display_name: None }),
        owner: Some(owner),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        checksum_algorithm: Some(ChecksumAlgorithm::from_static(upload.kept_algorithm().name())),
        checksum_type: Some(type_of(upload.composite)),
        ..Default::default()
    }))
}

fn type_of(composite: bool) -> ChecksumType {
    ChecksumType::from_static(if composite { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT })
}

fn part_number(asked: i32) -> S3Result<u32> {
    let number = u32::try_from(asked).ok().filter(|number| (1..=PART_NUMBER_MAX).contains(number));
    number.ok_or_else(|| {
        error::invalid_argument(format!("Part number must be an integer between 1 and {PART_NUMBER_MAX}, inclusive"))
    })
}
