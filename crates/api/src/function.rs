//! Functions, versions and aliases on the wire: what callers ask for.
//!
//! Source: Lambda API, the requests of the same names. Members that Everstep does not serve yet are left out, so
//! that they show up as ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::DurableConfig;

/// `CreateFunction`, without its [`Settings`], which stand beside these members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateFunction {
    /// Its name, or its ARN.
    pub function_name: Option<String>,
    /// Where its code is.
    pub code: Option<Code>,
    /// Whether to publish version 1 at once.
    pub publish: Option<bool>,
}

/// What `CreateFunction` and `UpdateFunctionConfiguration` both take.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Settings {
    /// Words for people.
    pub description: Option<String>,
    /// The runtime's id.
    pub runtime: Option<String>,
    /// Where the handler is, in the runtime's notation.
    pub handler: Option<String>,
    /// The role it runs as.
    pub role: Option<String>,
    /// How long an invocation may take, in seconds.
    pub timeout: Option<i64>,
    /// How much memory it gets, in MB.
    pub memory_size: Option<i64>,
    /// Its environment variables.
    pub environment: Option<Environment>,
    /// What makes it durable.
    pub durable_config: Option<DurableConfig>,
    /// How it logs.
    pub logging_config: Option<LoggingConfig>,
    /// Whether it is traced.
    pub tracing_config: Option<Value>,
    /// Whether tenants are kept apart.
    pub tenancy_config: Option<TenancyConfig>,
    /// `x86_64` or `arm64`; kept and returned.
    pub architectures: Option<Vec<String>>,
    /// The size of `/tmp`.
    pub ephemeral_storage: Option<EphemeralStorage>,
    /// `Zip` or `Image`.
    pub package_type: Option<String>,
    /// Where events go that failed; kept and returned.
    pub dead_letter_config: Option<DeadLetterConfig>,
    /// The layers it uses, by the ARNs of their versions.
    pub layers: Option<Vec<String>>,
    /// Tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// Go on only if this is still the revision.
    pub revision_id: Option<String>,
}

/// The environment variables of a function.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Environment {
    /// By name.
    pub variables: Option<BTreeMap<String, String>>,
}

/// How a function logs, on the wire and at rest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LoggingConfig {
    /// `Text` or `JSON`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_format: Option<String>,
    /// The least level of the function's own lines that is kept, in JSON format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_log_level: Option<String>,
    /// The least level of the platform's lines that is kept, in JSON format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_log_level: Option<String>,
    /// The log group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
}

/// Where the code of a function or the content of a layer is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Code {
    /// The zip itself, in base64.
    pub zip_file: Option<String>,
    /// The bucket that it is in.
    pub s3_bucket: Option<String>,
    /// Its key there.
    pub s3_key: Option<String>,
    /// Which version of it, if not the newest one.
    pub s3_object_version: Option<String>,
    /// An image, which is refused.
    pub image_uri: Option<String>,
}

/// `UpdateFunctionCode`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateFunctionCode {
    /// The zip itself, in base64.
    pub zip_file: Option<String>,
    /// The bucket that it is in.
    pub s3_bucket: Option<String>,
    /// Its key there.
    pub s3_key: Option<String>,
    /// Which version of it, if not the newest one.
    pub s3_object_version: Option<String>,
    /// An image, which is refused.
    pub image_uri: Option<String>,
    /// Whether to publish a version at once.
    pub publish: Option<bool>,
    /// Whether to check only.
    pub dry_run: Option<bool>,
    /// `x86_64` or `arm64`.
    pub architectures: Option<Vec<String>>,
    /// Go on only if this is still the revision.
    pub revision_id: Option<String>,
}

/// `PublishVersion`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PublishVersion {
    /// Words for people.
    pub description: Option<String>,
    /// Go on only if this is still the code.
    pub code_sha256: Option<String>,
    /// Go on only if this is still the revision.
    pub revision_id: Option<String>,
}

/// `PutFunctionConcurrency`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PutFunctionConcurrency {
    /// How much the function has for itself.
    pub reserved_concurrent_executions: Option<i64>,
}

/// Whether the tenants of a function are kept apart, on the wire and at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TenancyConfig {
    /// `PER_TENANT`.
    pub tenant_isolation_mode: Option<String>,
}

/// Which other version of an alias gets a share of its invocations.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoutingConfig {
    /// By version: the share, from 0 to 1.
    pub additional_version_weights: Option<BTreeMap<String, f64>>,
}

/// `CreateAlias` and `UpdateAlias`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AliasRequest {
    /// Its name; only when it is created.
    pub name: Option<String>,
    /// The version it points to.
    pub function_version: Option<String>,
    /// Words for people.
    pub description: Option<String>,
    /// Which other version gets a share of the invocations.
    pub routing_config: Option<RoutingConfig>,
    /// Go on only if this is still the revision.
    pub revision_id: Option<String>,
}

/// Where events go that failed asynchronously, on the wire and at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeadLetterConfig {
    /// The ARN of a queue or a topic; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_arn: Option<String>,
}

/// `PutFunctionEventInvokeConfig` and `UpdateFunctionEventInvokeConfig`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventInvokeConfigRequest {
    /// How often an invocation that failed is tried again.
    pub maximum_retry_attempts: Option<i64>,
    /// How long after it was accepted an invocation may still begin, in seconds.
    pub maximum_event_age_in_seconds: Option<i64>,
    /// Who is told how it ended.
    pub destination_config: Option<DestinationConfig>,
}

/// Who is told how an asynchronous invocation ended.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DestinationConfig {
    /// Of one that succeeded.
    pub on_success: Option<Destination>,
    /// Of one that failed for good.
    pub on_failure: Option<Destination>,
}

/// A destination.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Destination {
    /// Its ARN; empty for none.
    pub destination: Option<String>,
}

impl Destination {
    /// Returns the ARN, if there is one.
    pub fn arn(&self) -> Option<&str> {
        self.destination.as_deref().filter(|arn| !arn.is_empty())
    }
}

/// The size of `/tmp`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EphemeralStorage {
    /// In MB.
    pub size: i64,
}
