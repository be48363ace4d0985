//! The types of S3: `AWS::S3::Bucket` and `AWS::S3::BucketPolicy`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::super::now_millis;
use super::{Made, ResourceType, Site, required, text};
use crate::http::error::Error;
use crate::limits::BUCKET_NAME_CHARACTERS_MAX;
use crate::objects::{self, Bucket as Kept, Versioning};

/// A bucket. Of its properties versioning is what it says; the others change nothing here.
pub struct Bucket;

#[async_trait]
impl ResourceType for Bucket {
    fn name(&self) -> &'static str {
        "AWS::S3::Bucket"
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let Some(name) = text(properties, "BucketName") else {
            return Ok(site.generated_name(BUCKET_NAME_CHARACTERS_MAX).to_lowercase());
        };
        match site.services.objects.bucket(name).await {
            // What the server was born with gives way.
            Ok(bucket) if bucket.born => Ok(name.into()),
            Ok(_) => Err(Error::conflict(format!("{name} already exists"))),
            Err(objects::Error::NoSuchBucket(_)) => Ok(name.into()),
            Err(error) => Err(refused(error)),
        }
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        site.check_allowed("s3:CreateBucket", arn(physical_id))?;
        site.services.objects.create_bucket(physical_id, now_millis()).await.map_err(refused)?;
        set(site, physical_id, properties).await?;
        Ok(made(site, physical_id))
    }

    async fn update(&self, site: &Site, physical_id: &str, _former: &Value, properties: &Value) -> Result<Made, Error> {
        set(site, physical_id, properties).await?;
        Ok(made(site, physical_id))
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        site.check_allowed("s3:DeleteBucket", arn(physical_id))?;
        site.services.objects.delete_bucket(physical_id).await.map_err(refused)
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
}

fn made(site: &Site, name: &str) -> Made {
    let region = &site.services.stacks.place().region;
    Made::with([
        ("Arn", json!(arn(name))),
        ("DomainName", json!(format!("{name}.s3.amazonaws.com"))),
        ("DualStackDomainName", json!(format!("{name}.s3.dualstack.{region}.amazonaws.com"))),
        ("RegionalDomainName", json!(format!("{name}.s3.{region}.amazonaws.com"))),
        ("WebsiteURL", json!(format!("http://{name}.s3-website-{region}.amazonaws.com"))),
    ])
}

async fn set(site: &Site, name: &str, properties: &Value) -> Result<(), Error> {
    let wanted = text(&properties["VersioningConfiguration"], "Status").map(str::to_string);
    if wanted.is_some() {
        site.check_allowed("s3:PutBucketVersioning", arn(name))?;
    }
    let change = |bucket: &mut Kept| {
        bucket.versioning = match (wanted.as_deref(), bucket.versioning) {
            (Some("Enabled"), _) => Versioning::Enabled,
            (Some(_), _) | (None, Versioning::Enabled | Versioning::Suspended) => Versioning::Suspended,
            (None, Versioning::Off) => Versioning::Off,
        };
    };
    site.services.objects.change_bucket(name, change).await.map_err(refused)
}

/// The policy of a bucket: kept and returned.
pub struct BucketPolicy;

#[async_trait]
impl ResourceType for BucketPolicy {
    fn name(&self) -> &'static str {
        "AWS::S3::BucketPolicy"
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let name = required(properties, "Bucket")?;
        let bucket = site.services.objects.bucket(name).await.map_err(refused)?;
        if bucket.settings.contains_key(POLICY) {
            return Err(Error::conflict(format!("The bucket policy already exists on bucket {name}.")));
        }
        Ok(name.into())
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        site.check_allowed("s3:PutBucketPolicy", arn(physical_id))?;
        let policy = properties["PolicyDocument"].to_string();
        let text = crate::http::s3::setting(&policy);
        let change = |bucket: &mut Kept| drop(bucket.settings.insert(POLICY.into(), text.clone()));
        site.services.objects.change_bucket(physical_id, change).await.map_err(refused)?;
        Ok(Made::default())
    }

    async fn update(&self, site: &Site, physical_id: &str, _former: &Value, properties: &Value) -> Result<Made, Error> {
        self.create(site, physical_id, properties).await
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        site.check_allowed("s3:DeleteBucketPolicy", arn(physical_id))?;
        let change = |bucket: &mut Kept| drop(bucket.settings.remove(POLICY));
        site.services.objects.change_bucket(physical_id, change).await.map_err(refused)
    }
}

/// The setting of a bucket that is its policy.
const POLICY: &str = "policy";

/// Says why S3 refuses something, in its words.
fn refused(error: objects::Error) -> Error {
    match error {
        objects::Error::NoSuchBucket(_) => Error::named(404, "NoSuchBucket", "The specified bucket does not exist"),
        objects::Error::BucketExists(name) => Error::conflict(format!("{name} already exists")),
        objects::Error::BucketNotEmpty(_) => {
            Error::named(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
        }
        objects::Error::Store(error) => error.into(),
        error => Error::validation(error.to_string()),
    }
}
