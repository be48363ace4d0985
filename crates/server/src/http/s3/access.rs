//! Who may do what with buckets and objects.

use std::net::IpAddr;
use std::sync::Arc;

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::{CopySource, DeleteObjectsInput, ObjectIdentifier};
use s3s::path::S3Path;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};

use super::error;
use crate::access::Principal;
use crate::http::request::parse_query;
use crate::identities::{Identities, Wish};

/// Knows no key: requests come to the library with their signatures checked and taken off.
pub struct Nobody;

#[async_trait::async_trait]
impl S3Auth for Nobody {
    async fn get_secret_key(&self, _access_key: &str) -> S3Result<SecretKey> {
        Err(S3Error::new(S3ErrorCode::AccessDenied))
    }
}

/// Decides by who the sender was found to be, and what its policies say. Policies of buckets are kept and not asked.
pub struct Access {
    /// Who there is, and what they may do.
    pub identities: Arc<Identities>,
    /// Whether requests come by TLS.
    pub is_secure: bool,
}

/// Who asks, and from where.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Who.
    pub principal: Principal,
    /// From where.
    pub source_ip: Option<IpAddr>,
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let sender = context.extensions_mut().get::<Sender>().cloned();
        let sender = sender.ok_or_else(|| error::denied("Access Denied"))?;
        let query = parse_query(context.uri().query().unwrap_or_default());
        let of_version = query.iter().any(|(name, _)| name == "versionId");
        let header = |name: &str| context.headers().get(name).and_then(|value| value.to_str().ok());
        let needed = match context.s3_op().name() {
            // Which objects is in the body: asked below.
            "DeleteObjects" => return Ok(()),
            "GetObject" | "HeadObject" if of_version => "GetObjectVersion",
            "DeleteObject" if of_version => "DeleteObjectVersion",
            operation => action(operation),
        };
        let prefix = query.iter().find(|(name, _)| name == "prefix").map(|(_, value)| value.as_str());
        self.need(&sender, needed, &resource(context.s3_path()), prefix, header("user-agent"))?;
        let Some(source) = header("x-amz-copy-source").and_then(|source| CopySource::parse(source).ok()) else {
            return Ok(());
        };
        match source {
            CopySource::Bucket { bucket, key, version_id } => {
                let needed = if version_id.is_some() { "GetObjectVersion" } else { "GetObject" };
                self.need(&sender, needed, &format!("arn:aws:s3:::{bucket}/{key}"), None, header("user-agent"))
            }
            // Those are not served.
            CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => Ok(()),
        }
    }

    async fn delete_objects(&self, request: &mut S3Request<DeleteObjectsInput>) -> S3Result<()> {
        let sender = request.extensions.get::<Sender>().cloned();
        let sender = sender.ok_or_else(|| error::denied("Access Denied"))?;
        for ObjectIdentifier { key, version_id, .. } in &request.input.delete.objects {
            let needed = if version_id.is_some() { "DeleteObjectVersion" } else { "DeleteObject" };
            let resource = format!("arn:aws:s3:::{}/{key}", request.input.bucket);
            self.need(&sender, needed, &resource, None, None)?;
        }
        Ok(())
    }
}

impl Access {
    fn need(
        &self,
        sender: &Sender,
        action: &str,
        resource: &str,
        prefix: Option<&str>,
        user_agent: Option<&str>,
    ) -> S3Result<()> {
        if sender.principal == Principal::Operator {
            return Ok(());
        }
        let context = |key: &str| match key {
            "aws:sourceip" => sender.source_ip.map(|address| vec![address.to_string()]),
            "aws:securetransport" => Some(vec![self.is_secure.to_string()]),
            "aws:useragent" => user_agent.map(|value| vec![value.to_string()]),
            "s3:prefix" => prefix.map(|value| vec![value.to_string()]),
            _ => None,
        };
        let action = format!("s3:{action}");
        let wish = Wish { action: &action, resource, resource_policy: None, is_trust: false, context: &context };
        self.identities.decide(&sender.principal, wish).map_err(error::denied)
    }
}

/// Returns the ARN of what a path names.
fn resource(path: &S3Path) -> String {
    match path {
        S3Path::Root => "*".into(),
        S3Path::Bucket { bucket } => format!("arn:aws:s3:::{bucket}"),
        S3Path::Object { bucket, key } => format!("arn:aws:s3:::{bucket}/{key}"),
    }
}

/// Returns the action that policies name for an operation. Source: Service Authorization Reference, Amazon S3.
fn action(operation: &str) -> &str {
    match operation {
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => "ListBucket",
        "ListObjectVersions" => "ListBucketVersions",
        "ListBuckets" => "ListAllMyBuckets",
        "HeadObject" => "GetObject",
        "CopyObject" | "CreateMultipartUpload" | "UploadPart" | "UploadPartCopy" | "CompleteMultipartUpload" => {
            "PutObject"
        }
        "ListMultipartUploads" => "ListBucketMultipartUploads",
        "ListParts" => "ListMultipartUploadParts",
        "DeleteObjects" => "DeleteObject",
        "GetBucketEncryption" => "GetEncryptionConfiguration",
        "PutBucketEncryption" | "DeleteBucketEncryption" => "PutEncryptionConfiguration",
        "GetPublicAccessBlock" => "GetBucketPublicAccessBlock",
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => "PutBucketPublicAccessBlock",
        "GetBucketLifecycleConfiguration" => "GetLifecycleConfiguration",
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => "PutLifecycleConfiguration",
        "DeleteBucketTagging" => "PutBucketTagging",
        "DeleteBucketCors" => "PutBucketCORS",
        "DeleteBucketOwnershipControls" => "PutBucketOwnershipControls",
        other => other,
    }
}
