//! AWS Lambda on the wire: shapes, names and codecs, and nothing that happens.
//!
//! Source of every shape: the Lambda API model `2015-03-31`. Timestamps are epoch seconds with a fraction in the
//! REST API, and integer epoch milliseconds in the event that a handler gets: the SDKs insist on both.

pub mod checkpoint;
pub mod durable;
pub mod envelope;
pub mod function;
pub mod function_url;
pub mod history;
pub mod layer;
pub mod operation;
pub mod permission;
pub mod reference;
pub mod tag;
pub mod timestamp;
pub mod validation;

/// The `DurableConfig` of a function, on the wire and at rest. Source: Lambda API, `DurableConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DurableConfig {
    /// How long an execution may take, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_timeout: Option<i64>,
    /// How long it is remembered once it is over, in days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_period_in_days: Option<i64>,
    /// The key that AWS encrypts payloads with; kept and returned, not used.
    #[serde(default, rename = "KMSKeyArn", skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
}
