//! `AWS::Logs::LogGroup`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Made, ResourceType, Site, Tags, tags, text};
use crate::http::error::Error;
use crate::http::logs::Operation;
use crate::http::on_behalf::Call;
use crate::limits::LOG_GROUP_NAME_CHARACTERS_MAX;

/// A log group. Its physical id is its name.
pub struct LogGroup;

#[async_trait]
impl ResourceType for LogGroup {
    fn name(&self) -> &'static str {
        "AWS::Logs::LogGroup"
    }

    fn tags(&self) -> Tags {
        Tags::List
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let Some(name) = text(properties, "LogGroupName") else {
            return Ok(site.generated_name(LOG_GROUP_NAME_CHARACTERS_MAX));
        };
        // A group that was made for a function becomes the template's, if nothing was printed to it.
        if site.services.log_groups.is_taken(name).await? {
            return Err(Error::conflict(format!("{name} already exists")));
        }
        Ok(name.into())
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let body = json!({"logGroupName": physical_id, "tags": tags(properties)});
        site.call(Call::new(Operation::CreateLogGroup, &[]).body(body)).await?;
        if let Err(error) = set_retention(site, physical_id, &Value::Null, properties).await {
            self.delete(site, physical_id, properties).await?;
            return Err(error);
        }
        Ok(made(site, physical_id))
    }

    async fn update(&self, site: &Site, physical_id: &str, former: &Value, properties: &Value) -> Result<Made, Error> {
        set_retention(site, physical_id, former, properties).await?;
        let tags = tags(properties);
        if tags != super::tags(former) {
            site.check_allowed("logs:TagResource", arn(site, physical_id))?;
            let now = site.services.engine.clock().now();
            site.services.log_groups.change(physical_id, now, |group| group.tags = tags.clone()).await?;
        }
        Ok(made(site, physical_id))
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        let call = Call::new(Operation::DeleteLogGroup, &[]).body(json!({"logGroupName": physical_id}));
        match site.call(call).await {
            Err(error) if error.code != MISSING => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// How CloudWatch Logs says that there is no such group.
const MISSING: &str = "ResourceNotFoundException";

async fn set_retention(site: &Site, name: &str, former: &Value, properties: &Value) -> Result<(), Error> {
    let (before, days) = (&former["RetentionInDays"], &properties["RetentionInDays"]);
    if before == days {
        return Ok(());
    }
    let call = if days.is_null() {
        Call::new(Operation::DeleteRetentionPolicy, &[]).body(json!({"logGroupName": name}))
    } else {
        let body = json!({"logGroupName": name, "retentionInDays": days});
        Call::new(Operation::PutRetentionPolicy, &[]).body(body)
    };
    site.call(call).await.map(drop)
}

fn arn(site: &Site, name: &str) -> String {
    let place = site.services.stacks.place();
    format!("arn:aws:logs:{}:{}:log-group:{name}:*", place.region, place.account)
}

fn made(site: &Site, name: &str) -> Made {
    Made::with([("Arn", arn(site, name).into())])
}
