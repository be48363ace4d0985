//! Events that Lambda fetches itself, from queues and streams: `SQS`, `Kinesis`, `DynamoDB`.

use serde_json::{Value, json};

use super::{Event, Role};
use crate::sam::function::Target;
use crate::sam::intrinsic::{is_given, is_intrinsic};
use crate::sam::problem::Problem;
use crate::sam::property::{Property, Shape, optional, required, should_be};
use crate::sam::resource::Resource;
use crate::sam::{Context, Made};

/// Where the events are.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A queue.
    Sqs,
    /// A stream of Kinesis.
    Kinesis,
    /// The stream of a table.
    DynamoDb,
}

impl Kind {
    /// Returns the property that names the source.
    fn source(self) -> &'static str {
        match self {
            Kind::Sqs => "Queue",
            Kind::Kinesis | Kind::DynamoDb => "Stream",
        }
    }

    /// Returns the managed policy that the function's role needs.
    fn policy(self) -> &'static str {
        match self {
            Kind::Sqs => "AWSLambdaSQSQueueExecutionRole",
            Kind::Kinesis => "AWSLambdaKinesisExecutionRole",
            Kind::DynamoDb => "AWSLambdaDynamoDBExecutionRole",
        }
    }
}

/// Returns the properties of such an event. Source: `aws-sam-translator`, `PullEventSource`.
pub fn properties(kind: Kind) -> Vec<Property> {
    let starts = match kind {
        Kind::Sqs => optional("StartingPosition", Shape::Any),
        Kind::Kinesis | Kind::DynamoDb => required("StartingPosition", Shape::Any),
    };
    vec![
        optional("BatchSize", Shape::Integer),
        starts,
        optional("StartingPositionTimestamp", Shape::Any),
        optional("Enabled", Shape::Boolean),
        optional("MaximumBatchingWindowInSeconds", Shape::Integer),
        optional("MaximumRetryAttempts", Shape::Integer),
        optional("BisectBatchOnFunctionError", Shape::Boolean),
        optional("MaximumRecordAgeInSeconds", Shape::Integer),
        optional("DestinationConfig", Shape::Map),
        optional("ParallelizationFactor", Shape::Integer),
        optional("Topics", Shape::List),
        optional("Queues", Shape::List),
        optional("SourceAccessConfigurations", Shape::List),
        optional("SecretsManagerKmsKeyId", Shape::Text),
        optional("TumblingWindowInSeconds", Shape::Integer),
        optional("FunctionResponseTypes", Shape::List),
        optional("KafkaBootstrapServers", Shape::List),
        optional("FilterCriteria", Shape::Map),
        optional("KmsKeyArn", Shape::Any),
        optional("ConsumerGroupId", Shape::Text),
        optional("ScalingConfig", Shape::Map),
        optional("ProvisionedPollerConfig", Shape::Map),
        optional("SchemaRegistryConfig", Shape::Map),
        optional("MetricsConfig", Shape::Map),
        optional("LoggingConfig", Shape::Map),
        required(kind.source(), Shape::Any),
    ]
}

/// Properties that the mapping has under the same name.
const PASSED_ON: [&str; 19] = [
    "BatchSize",
    "StartingPosition",
    "StartingPositionTimestamp",
    "Enabled",
    "MaximumBatchingWindowInSeconds",
    "MaximumRetryAttempts",
    "BisectBatchOnFunctionError",
    "MaximumRecordAgeInSeconds",
    "ParallelizationFactor",
    "Topics",
    "Queues",
    "SourceAccessConfigurations",
    "TumblingWindowInSeconds",
    "FunctionResponseTypes",
    "FilterCriteria",
    "KmsKeyArn",
    "ScalingConfig",
    "ProvisionedPollerConfig",
    "MetricsConfig",
];

/// Adds the mapping, and lets the function's role read the source.
///
/// # Errors
/// Its filter or destination is wrong.
pub fn add(
    context: &Context,
    event: &Event,
    kind: Kind,
    target: &Target,
    role: &mut Role,
    made: &mut Made,
) -> Result<(), Problem> {
    check_filter(event)?;
    if event.given("ConsumerGroupId").is_some() {
        let kind = match kind {
            Kind::Sqs => "SQS",
            Kind::Kinesis => "Kinesis",
            Kind::DynamoDb => "DynamoDB",
        };
        let message = format!("Property ConsumerGroupId not defined for resource of type {kind}.");
        return Err(event.problem_by_id(message));
    }
    let mut mapping = Resource::new(&event.id, "AWS::Lambda::EventSourceMapping", event.function.inherited())
        .with("FunctionName", target.reference.clone())
        .with("EventSourceArn", event.get(kind.source()).cloned())
        .with("LoggingConfig", event.get("LoggingConfig").cloned());
    for name in PASSED_ON {
        mapping.set(name, event.get(name).cloned());
    }
    if let Some(servers) = event.given("KafkaBootstrapServers") {
        mapping.set("SelfManagedEventSource", json!({ "Endpoints": { "KafkaBootstrapServers": servers } }));
    }
    role.add_managed(context, kind.policy());
    if let Some(config) = event.given("DestinationConfig") {
        mapping.set("DestinationConfig", destination(event, config, role)?);
    }
    made.resources.push(mapping);
    Ok(())
}

/// Reads where events go that fail: `Type` says what the function's role needs, and is SAM's alone.
fn destination(event: &Event, config: &Value, role: &mut Role) -> Result<Value, Problem> {
    if !config["OnFailure"].is_object() {
        return Err(event.problem_by_id(should_be("DestinationConfig.OnFailure", "map")));
    }
    let mut config = config.clone();
    let arn = config["OnFailure"].get("Destination").cloned();
    let kind = match config["OnFailure"].get("Type") {
        Some(kind) if is_given(kind) => kind.clone(),
        Some(_) | None => return Ok(config),
    };
    let allow = |action: &str, arn: &Value| json!({ "Action": action, "Effect": "Allow", "Resource": arn });
    let arn = arn.unwrap_or_default();
    let (name, statements) = match kind.as_str() {
        Some("SQS") => ("SQS", vec![allow("sqs:SendMessage", &arn)]),
        Some("SNS") => ("SNS", vec![allow("sns:publish", &arn)]),
        Some("S3") => {
            let objects = json!({ "Fn::Join": ["/", [arn, "*"]] });
            ("S3", vec![allow("s3:PutObject", &objects), allow("s3:ListBucket", &arn)])
        }
        Some("Kafka") => ("Kafka", Vec::new()),
        Some(_) | None => {
            return Err(event.problem_by_id("The only valid values for 'Type' are 'SQS', 'SNS', 'S3', and 'Kafka'"));
        }
    };
    if !statements.is_empty() {
        role.add_inline(json!({
            "PolicyName": format!("{}{name}Policy", event.id),
            "PolicyDocument": { "Statement": statements },
        }));
    }
    config["OnFailure"].as_object_mut().map(|on_failure| on_failure.remove("Type"));
    Ok(config)
}

fn check_filter(event: &Event) -> Result<(), Problem> {
    match event.given("FilterCriteria") {
        Some(criteria) if !is_intrinsic(criteria) => {
            let only_filters = criteria.as_object().is_some_and(|members| members.keys().all(|name| name == "Filters"));
            if only_filters { Ok(()) } else { Err(event.problem("FilterCriteria field has a wrong format")) }
        }
        Some(_) | None => Ok(()),
    }
}
