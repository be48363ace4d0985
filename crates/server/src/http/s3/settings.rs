//! The settings of a bucket. Versioning is what it says. The others are kept and returned as they were sent, and change
//! nothing here; what AWS has without them is returned without them.

use http::StatusCode;
use s3s::dto::*;
use s3s::xml::{DeserializeContent, Deserializer, SerializeContent, Serializer};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::operations::Answer;
use super::{Buckets, error};
use crate::objects::Versioning;

/// `GetBucketVersioning`
pub async fn versioning(
    buckets: &Buckets,
    request: S3Request<GetBucketVersioningInput>,
) -> Answer<GetBucketVersioningOutput> {
    let bucket = buckets.objects.bucket(&request.input.bucket).await.map_err(error::of)?;
    let status = match bucket.versioning {
        Versioning::Off => None,
        Versioning::Enabled => Some(BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED)),
        Versioning::Suspended => Some(BucketVersioningStatus::from_static(BucketVersioningStatus::SUSPENDED)),
    };
    Ok(S3Response::new(GetBucketVersioningOutput { status, ..Default::default() }))
}

/// `PutBucketVersioning`
pub async fn put_versioning(
    buckets: &Buckets,
    request: S3Request<PutBucketVersioningInput>,
) -> Answer<PutBucketVersioningOutput> {
    let status = request.input.versioning_configuration.status;
    let versioning = match status.as_ref().map(BucketVersioningStatus::as_str) {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        Some(_) | None => {
            let message = "The Versioning element must be specified";
            let code = "IllegalVersioningConfigurationException";
            return Err(error::custom(StatusCode::BAD_REQUEST, code, message));
        }
    };
    let change = |bucket: &mut crate::objects::Bucket| bucket.versioning = versioning;
    buckets.objects.change_bucket(&request.input.bucket, change).await.map_err(error::of)?;
    Ok(S3Response::new(PutBucketVersioningOutput {}))
}

/// `GetBucketEncryption`
pub async fn encryption(
    buckets: &Buckets,
    request: S3Request<GetBucketEncryptionInput>,
) -> Answer<GetBucketEncryptionOutput> {
    let default = || {
        let by_default = ServerSideEncryptionByDefault {
            sse_algorithm: ServerSideEncryption::from_static(ServerSideEncryption::AES256),
            kms_master_key_id: None,
        };
        let rule = ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(by_default),
            bucket_key_enabled: Some(false),
        };
        ServerSideEncryptionConfiguration { rules: vec![rule] }
    };
    let found = read(buckets, &request.input.bucket, "encryption").await?.unwrap_or_else(default);
    Ok(S3Response::new(GetBucketEncryptionOutput { server_side_encryption_configuration: Some(found) }))
}

/// `GetPublicAccessBlock`: everything is blocked unless something else was set.
pub async fn public_access_block(
    buckets: &Buckets,
    request: S3Request<GetPublicAccessBlockInput>,
) -> Answer<GetPublicAccessBlockOutput> {
    let all = PublicAccessBlockConfiguration {
        block_public_acls: Some(true),
        block_public_policy: Some(true),
        ignore_public_acls: Some(true),
        restrict_public_buckets: Some(true),
    };
    let found = read(buckets, &request.input.bucket, "publicAccessBlock").await?.unwrap_or(all);
    Ok(S3Response::new(GetPublicAccessBlockOutput { public_access_block_configuration: Some(found) }))
}

/// `GetBucketOwnershipControls`: the bucket's owner owns what is in it.
pub async fn ownership_controls(
    buckets: &Buckets,
    request: S3Request<GetBucketOwnershipControlsInput>,
) -> Answer<GetBucketOwnershipControlsOutput> {
    let enforced = || {
        let object_ownership = ObjectOwnership::from_static(ObjectOwnership::BUCKET_OWNER_ENFORCED);
        OwnershipControls { rules: vec![OwnershipControlsRule { object_ownership }] }
    };
    let found = read(buckets, &request.input.bucket, "ownershipControls").await?.unwrap_or_else(enforced);
    Ok(S3Response::new(GetBucketOwnershipControlsOutput { ownership_controls: Some(found) }))
}

/// `GetBucketPolicy`
pub async fn policy(buckets: &Buckets, request: S3Request<GetBucketPolicyInput>) -> Answer<GetBucketPolicyOutput> {
    let missing = (S3ErrorCode::NoSuchBucketPolicy, "The bucket policy does not exist");
    let policy = require(buckets, &request.input.bucket, "policy", missing).await?;
    Ok(S3Response::new(GetBucketPolicyOutput { policy: Some(policy) }))
}

/// `PutBucketPolicy`
pub async fn put_policy(buckets: &Buckets, request: S3Request<PutBucketPolicyInput>) -> Answer<PutBucketPolicyOutput> {
    let document = serde_json::from_str::<serde_json::Value>(&request.input.policy);
    if !document.is_ok_and(|document| document.is_object()) {
        let message = "Policies must be valid JSON and the first byte must be '{'";
        return Err(error::custom(StatusCode::BAD_REQUEST, "MalformedPolicy", message));
    }
    write(buckets, &request.input.bucket, "policy", &request.input.policy).await?;
    Ok(S3Response::with_status(PutBucketPolicyOutput {}, StatusCode::NO_CONTENT))
}

/// `GetBucketTagging`
pub async fn tagging(buckets: &Buckets, request: S3Request<GetBucketTaggingInput>) -> Answer<GetBucketTaggingOutput> {
    let missing = (S3ErrorCode::NoSuchTagSet, "The TagSet does not exist");
    let tagging: Tagging = require(buckets, &request.input.bucket, "tagging", missing).await?;
    Ok(S3Response::new(GetBucketTaggingOutput { tag_set: tagging.tag_set }))
}

/// `PutBucketTagging`
pub async fn put_tagging(
    buckets: &Buckets,
    request: S3Request<PutBucketTaggingInput>,
) -> Answer<PutBucketTaggingOutput> {
    write(buckets, &request.input.bucket, "tagging", &request.input.tagging).await?;
    Ok(S3Response::with_status(PutBucketTaggingOutput {}, StatusCode::NO_CONTENT))
}

/// `GetBucketLifecycleConfiguration`
pub async fn lifecycle(
    buckets: &Buckets,
    request: S3Request<GetBucketLifecycleConfigurationInput>,
) -> Answer<GetBucketLifecycleConfigurationOutput> {
    let missing = (S3ErrorCode::NoSuchLifecycleConfiguration, "The lifecycle configuration does not exist");
    let found: BucketLifecycleConfiguration = require(buckets, &request.input.bucket, "lifecycle", missing).await?;
    Ok(S3Response::new(GetBucketLifecycleConfigurationOutput { rules: Some(found.rules), ..Default::default() }))
}

/// `PutBucketLifecycleConfiguration`
pub async fn put_lifecycle(
    buckets: &Buckets,
    request: S3Request<PutBucketLifecycleConfigurationInput>,
) -> Answer<PutBucketLifecycleConfigurationOutput> {
    let configuration = request.input.lifecycle_configuration.ok_or(S3ErrorCode::MalformedXML)?;
    write(buckets, &request.input.bucket, "lifecycle", &configuration).await?;
    Ok(S3Response::new(PutBucketLifecycleConfigurationOutput::default()))
}

/// `GetBucketCors`
pub async fn cors(buckets: &Buckets, request: S3Request<GetBucketCorsInput>) -> Answer<GetBucketCorsOutput> {
    let missing = (S3ErrorCode::NoSuchCORSConfiguration, "The CORS configuration does not exist");
    let found: CORSConfiguration = require(buckets, &request.input.bucket, "cors", missing).await?;
    Ok(S3Response::new(GetBucketCorsOutput { cors_rules: Some(found.cors_rules) }))
}

/// `GetBucketLogging`: nothing is logged.
pub async fn logging(buckets: &Buckets, request: S3Request<GetBucketLoggingInput>) -> Answer<GetBucketLoggingOutput> {
    buckets.objects.bucket(&request.input.bucket).await.map_err(error::of)?;
    Ok(S3Response::new(GetBucketLoggingOutput::default()))
}

/// `GetBucketNotificationConfiguration`: nobody is notified.
pub async fn notification(
    buckets: &Buckets,
    request: S3Request<GetBucketNotificationConfigurationInput>,
) -> Answer<GetBucketNotificationConfigurationOutput> {
    buckets.objects.bucket(&request.input.bucket).await.map_err(error::of)?;
    Ok(S3Response::new(GetBucketNotificationConfigurationOutput::default()))
}

/// Operations that keep a setting as it was sent: their name, their input and the member that is kept, the setting.
macro_rules! put {
    ($($name:ident($input:ident: $member:ident) -> $output:ident = $setting:literal;)*) => {$(
        /// Keeps a setting.
        pub async fn $name(buckets: &Buckets, request: S3Request<$input>) -> Answer<$output> {
            write(buckets, &request.input.bucket, $setting, &request.input.$member).await?;
            Ok(S3Response::new($output::default()))
        }
    )*};
}

/// Operations that forget a setting.
macro_rules! delete {
    ($($name:ident($input:ident) -> $output:ident = $setting:literal;)*) => {$(
        /// Forgets a setting.
        pub async fn $name(buckets: &Buckets, request: S3Request<$input>) -> Answer<$output> {
            let change = |bucket: &mut crate::objects::Bucket| drop(bucket.settings.remove($setting));
            buckets.objects.change_bucket(&request.input.bucket, change).await.map_err(error::of)?;
            Ok(S3Response::with_status($output::default(), StatusCode::NO_CONTENT))
        }
    )*};
}

put! {
    put_encryption(PutBucketEncryptionInput: server_side_encryption_configuration) -> PutBucketEncryptionOutput = "encryption";
    put_public_access_block(PutPublicAccessBlockInput: public_access_block_configuration) -> PutPublicAccessBlockOutput = "publicAccessBlock";
    put_ownership_controls(PutBucketOwnershipControlsInput: ownership_controls) -> PutBucketOwnershipControlsOutput = "ownershipControls";
    put_cors(PutBucketCorsInput: cors_configuration) -> PutBucketCorsOutput = "cors";
}

delete! {
    delete_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput = "encryption";
    delete_public_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput = "publicAccessBlock";
    delete_ownership_controls(DeleteBucketOwnershipControlsInput) -> DeleteBucketOwnershipControlsOutput = "ownershipControls";
    delete_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput = "policy";
    delete_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput = "tagging";
    delete_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput = "lifecycle";
    delete_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput = "cors";
}

async fn read<T: for<'x> DeserializeContent<'x>>(
    buckets: &Buckets,
    bucket: &str,
    setting: &str,
) -> S3Result<Option<T>> {
    let bucket = buckets.objects.bucket(bucket).await.map_err(error::of)?;
    let Some(text) = bucket.settings.get(setting) else { return Ok(None) };
    let found = Deserializer::new(text.as_bytes()).named_element(ELEMENT, |element| element.content());
    found.map(Some).map_err(|error| {
        tracing::error!(%error, setting, "a setting of a bucket cannot be read");
        S3Error::new(S3ErrorCode::InternalError)
    })
}

async fn require<T: for<'x> DeserializeContent<'x>>(
    buckets: &Buckets,
    bucket: &str,
    setting: &str,
    (code, message): (S3ErrorCode, &'static str),
) -> S3Result<T> {
    read(buckets, bucket, setting).await?.ok_or_else(|| S3Error::with_message(code, message))
}

async fn write(buckets: &Buckets, bucket: &str, setting: &str, value: &impl SerializeContent) -> S3Result<()> {
    let text = kept(value);
    let change = |bucket: &mut crate::objects::Bucket| drop(bucket.settings.insert(setting.into(), text.clone()));
    buckets.objects.change_bucket(bucket, change).await.map_err(error::of)
}

/// Writes a setting as it is kept.
pub fn kept(value: &impl SerializeContent) -> String {
    let mut text = Vec::new();
    Serializer::new(&mut text).content(ELEMENT, value).expect("shapes serialise");
    String::from_utf8(text).expect("XML is text")
}

/// The element around a setting that is kept.
const ELEMENT: &str = "Setting";
