//! `AWS::SQS::Queue`, in a real SQS.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::super::{Made, ResourceType, Site, Tags, tags, text, text_of};
use super::{Service, ask, check_unchanged};
use crate::http::error::Error;
use crate::limits::QUEUE_NAME_CHARACTERS_MAX;

/// A queue.
pub struct Queue;

const SQS: Service = Service { name: "sqs", target: "AmazonSQS" };

/// What the name of a queue that keeps order ends with.
const FIFO: &str = ".fifo";

/// Properties that are attributes of a queue.
const ATTRIBUTES: &[&str] = &[
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

#[async_trait]
impl ResourceType for Queue {
    fn name(&self) -> &'static str {
        "AWS::SQS::Queue"
    }

    fn tags(&self) -> Tags {
        Tags::List
    }

    fn forwarded_to(&self) -> Option<&'static str> {
        Some(SQS.name)
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let end = if text_of(&properties["FifoQueue"]).as_deref() == Some("true") { FIFO } else { "" };
        Ok(match text(properties, "QueueName") {
            Some(name) => name.into(),
            None => site.generated_name(QUEUE_NAME_CHARACTERS_MAX - end.len()) + end,
        })
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let create = json!({"QueueName": physical_id, "Attributes": attributes(properties), "tags": tags(properties)});
        let url = ask(site, SQS, "CreateQueue", &create).await?["QueueUrl"].clone();
        let made = described(site, &url).await?;
        Ok(Made { physical_id: url.as_str().map(String::from), ..made })
    }

    async fn update(&self, site: &Site, physical_id: &str, former: &Value, properties: &Value) -> Result<Made, Error> {
        check_unchanged(former, properties, &[ATTRIBUTES, &["Tags"]].concat())?;
        let mut wanted = attributes(properties);
        // It cannot be said again.
        wanted.remove("FifoQueue");
        if !wanted.is_empty() {
            ask(site, SQS, "SetQueueAttributes", &json!({"QueueUrl": physical_id, "Attributes": wanted})).await?;
        }
        described(site, &physical_id.into()).await
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        // One that was never finished is known by its name.
        let url = if physical_id.contains("://") {
            physical_id.into()
        } else {
            ask(site, SQS, "GetQueueUrl", &json!({"QueueName": physical_id})).await?["QueueUrl"].clone()
        };
        ask(site, SQS, "DeleteQueue", &json!({"QueueUrl": url})).await.map(drop)
    }
}

fn attributes(properties: &Value) -> Map<String, Value> {
    let given = ATTRIBUTES.iter().filter_map(|name| {
        let value = &properties[*name];
        let text = if value.is_object() { Some(value.to_string()) } else { text_of(value) };
        Some((name.to_string(), text?.into()))
    });
    given.collect()
}

/// Returns what templates can ask of a queue.
async fn described(site: &Site, url: &Value) -> Result<Made, Error> {
    let asked = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
    let arn = ask(site, SQS, "GetQueueAttributes", &asked).await?["Attributes"]["QueueArn"].clone();
    let name = arn.as_str().and_then(|arn| arn.rsplit(':').next()).unwrap_or_default().to_string();
    Ok(Made::with([("Arn", arn), ("QueueName", name.into()), ("QueueUrl", url.clone())]))
}
