//! `AWS::DynamoDB::Table`, in a real DynamoDB.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::super::{Made, ResourceType, Site, Tags, members, text};
use super::{Service, ask, check_unchanged};
use crate::http::error::Error;
use crate::limits::{TABLE_ACTIVE_LIMIT, TABLE_NAME_CHARACTERS_MAX};

/// A table.
pub struct Table;

const DYNAMODB: Service = Service { name: "dynamodb", target: "DynamoDB_20120810" };

/// How long to wait before asking again whether a table is active.
const PAUSE: Duration = Duration::from_millis(250);

/// Properties that are members of `CreateTable`.
const MEMBERS: &[&str] = &[
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "TableClass",
    "Tags",
];

/// Properties that are members of `UpdateTable`.
const CHANGEABLE: &[&str] =
    &["BillingMode", "DeletionProtectionEnabled", "OnDemandThroughput", "ProvisionedThroughput", "TableClass"];

/// Properties that are operations of their own, or are written in another way.
const OTHERS: &[&str] =
    &["PointInTimeRecoverySpecification", "StreamSpecification", "TableName", "TimeToLiveSpecification"];

#[async_trait]
impl ResourceType for Table {
    fn name(&self) -> &'static str {
        "AWS::DynamoDB::Table"
    }

    fn tags(&self) -> Tags {
        Tags::List
    }

    fn forwarded_to(&self) -> Option<&'static str> {
        Some(DYNAMODB.name)
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        Ok(match text(properties, "TableName") {
            Some(name) => name.into(),
            None => site.generated_name(TABLE_NAME_CHARACTERS_MAX),
        })
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let known = |name: &str| MEMBERS.contains(&name) || OTHERS.contains(&name);
        if let Some(name) = properties.as_object().and_then(|all| all.keys().find(|name| !known(name.as_str()))) {
            return Err(Error::validation(format!("Everstep does not pass on the property {name} of a table")));
        }
        let mut create = members(properties, MEMBERS);
        create.insert("TableName".into(), physical_id.into());
        if let Some(kind) = properties["StreamSpecification"].get("StreamViewType") {
            create.insert("StreamSpecification".into(), json!({"StreamEnabled": true, "StreamViewType": kind}));
        }
        ask(site, DYNAMODB, "CreateTable", &create.into()).await?;
        let made = active(site, physical_id).await?;
        specify(site, physical_id, &Value::Null, properties).await?;
        Ok(made)
    }

    async fn update(&self, site: &Site, physical_id: &str, former: &Value, properties: &Value) -> Result<Made, Error> {
        let may_change =
            [CHANGEABLE, &["Tags", "PointInTimeRecoverySpecification", "TimeToLiveSpecification"]].concat();
        check_unchanged(former, properties, &may_change)?;
        let mut update = members(properties, CHANGEABLE);
        update.retain(|name, value| former[name.as_str()] != *value);
        if !update.is_empty() {
            update.insert("TableName".into(), physical_id.into());
            ask(site, DYNAMODB, "UpdateTable", &update.into()).await?;
        }
        let made = active(site, physical_id).await?;
        specify(site, physical_id, former, properties).await?;
        Ok(made)
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        ask(site, DYNAMODB, "DeleteTable", &json!({"TableName": physical_id})).await?;
        // Its name is only free when it is gone.
        let gone = async {
            while ask(site, DYNAMODB, "DescribeTable", &json!({"TableName": physical_id})).await.is_ok() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(TABLE_ACTIVE_LIMIT, gone).await.map_err(|_| too_slow(physical_id))
    }
}

/// Waits until a table can be used. Returns what templates can ask of it.
async fn active(site: &Site, name: &str) -> Result<Made, Error> {
    let described = async {
        loop {
            let answer = ask(site, DYNAMODB, "DescribeTable", &json!({"TableName": name})).await?;
            let table = &answer["Table"];
            if table["TableStatus"] == "ACTIVE" {
                let stream = [("StreamArn", &table["LatestStreamArn"])].into_iter().filter(|(_, arn)| arn.is_string());
                let attributes = [("Arn", &table["TableArn"])].into_iter().chain(stream);
                let attributes = attributes.map(|(name, arn)| (name.to_string(), arn.clone())).collect();
                return Ok(Made { attributes, ..Made::default() });
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(TABLE_ACTIVE_LIMIT, described).await.unwrap_or_else(|_| Err(too_slow(name)))
}

fn too_slow(name: &str) -> Error {
    Error::validation(format!("The table {name} did not get ready within {} s", TABLE_ACTIVE_LIMIT.as_secs()))
}

/// Carries out what has operations of its own, as far as it changed.
async fn specify(site: &Site, name: &str, former: &Value, properties: &Value) -> Result<(), Error> {
    for (property, operation) in [
        ("TimeToLiveSpecification", "UpdateTimeToLive"),
        ("PointInTimeRecoverySpecification", "UpdateContinuousBackups"),
    ] {
        if let Some(wanted) = properties.get(property).filter(|wanted| former.get(property) != Some(*wanted)) {
            ask(site, DYNAMODB, operation, &json!({"TableName": name, property: wanted})).await?;
        }
    }
    Ok(())
}
