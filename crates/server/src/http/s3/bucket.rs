//! Buckets: to create, list and delete them.

use s3s::dto::*;
use s3s::{S3Request, S3Response};

use super::operations::Answer;
use super::{Buckets, error};
use crate::functions::now_millis;
use crate::objects::Error;

/// `CreateBucket`. In us-east-1 it may be there already, as on AWS.
pub async fn create(buckets: &Buckets, request: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
    let name = request.input.bucket;
    match buckets.objects.create_bucket(&name, now_millis()).await {
        Err(Error::BucketExists(_)) if buckets.place.region.as_ref() == "us-east-1" => {}
        created => created.map_err(error::of)?,
    }
    Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{name}")) }))
}

/// `HeadBucket`
pub async fn head(buckets: &Buckets, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
    buckets.objects.bucket(&request.input.bucket).await.map_err(error::of)?;
    let region = buckets.place.region.to_string();
    Ok(S3Response::new(HeadBucketOutput { bucket_region: Some(region), ..Default::default() }))
}

/// `ListBuckets`
pub async fn list(buckets: &Buckets, request: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
    let ListBucketsInput { prefix, continuation_token, max_buckets, .. } = request.input;
    let mut found = buckets.objects.buckets().await.map_err(error::of)?;
    found.retain(|(name, _)| {
        name.starts_with(prefix.as_deref().unwrap_or_default())
            && continuation_token.as_ref().is_none_or(|after| name > after)
    });
    let limit = max_buckets.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(name, _)| name.clone());
    let shapes = found.into_iter().map(|(name, bucket)| Bucket {
        name: Some(name),
        creation_date: Some(timestamp(bucket.created_millis)),
        bucket_region: Some(buckets.place.region.to_string()),
    });
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(shapes.collect()),
        owner: Some(owner(buckets)),
        continuation_token: next,
        prefix,
    }))
}

/// `DeleteBucket`
pub async fn delete(buckets: &Buckets, request: S3Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> {
    buckets.objects.delete_bucket(&request.input.bucket).await.map_err(error::of)?;
    Ok(S3Response::with_status(DeleteBucketOutput {}, http::StatusCode::NO_CONTENT))
}

/// `GetBucketLocation`. Of us-east-1 there is none, as on AWS.
pub async fn location(
    buckets: &Buckets,
    request: S3Request<GetBucketLocationInput>,
) -> Answer<GetBucketLocationOutput> {
    buckets.objects.bucket(&request.input.bucket).await.map_err(error::of)?;
    let region = buckets.place.region.to_string();
    let location_constraint = (region != "us-east-1").then(|| BucketLocationConstraint::from(region));
    Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
}

/// `GetBucketAcl`: everything belongs to its owner, as of any bucket that forbids access control lists.
pub async fn acl(buckets: &Buckets, request: S3Request<GetBucketAclInput>) -> Answer<GetBucketAclOutput> {
    buckets.objects.bucket(&request.input.bucket).await.map_err(error::of)?;
    let owner = owner(buckets);
    let grantee = Grantee {
        id: owner.id.clone(),
        display_name: None,
        email_address: None,
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    };
    let grant = Grant { grantee: Some(grantee), permission: Some(Permission::from_static(Permission::FULL_CONTROL)) };
    Ok(S3Response::new(GetBucketAclOutput { grants: Some(vec![grant]), owner: Some(owner) }))
}

/// Returns who owns everything: the account.
pub fn owner(buckets: &Buckets) -> Owner {
    Owner { display_name: None, id: Some(format!("{:0>64}", buckets.place.account)) }
}

/// Writes a time.
pub fn timestamp(millis: i64) -> Timestamp {
    let since = std::time::Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    (std::time::UNIX_EPOCH + since).into()
}
