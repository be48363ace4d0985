//! Pseudo parameters: what every template may refer to.

use std::collections::BTreeMap;

use serde_json::Value;

/// The stack that a template is for, and where it is.
#[derive(Clone, Debug, Default)]
pub struct Pseudo {
    /// Twelve digits.
    pub account_id: String,
    /// `us-east-1`, say.
    pub region: String,
    /// `aws`, mostly.
    pub partition: String,
    /// `amazonaws.com`, mostly.
    pub url_suffix: String,
    /// The stack's ARN.
    pub stack_id: String,
    /// The stack's name.
    pub stack_name: String,
    /// Whom the stack notifies.
    pub notification_arns: Vec<String>,
}

impl Pseudo {
    pub(crate) fn values(&self) -> BTreeMap<String, Value> {
        let text = |value: &String| Value::from(value.as_str());
        let values = [
            ("AWS::AccountId", text(&self.account_id)),
            ("AWS::NotificationARNs", self.notification_arns.iter().map(text).collect()),
            ("AWS::Partition", text(&self.partition)),
            ("AWS::Region", text(&self.region)),
            ("AWS::StackId", text(&self.stack_id)),
            ("AWS::StackName", text(&self.stack_name)),
            ("AWS::URLSuffix", text(&self.url_suffix)),
        ];
        values.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

/// Tells whether a name is a pseudo parameter's that has a value.
pub(crate) fn is_pseudo(name: &str) -> bool {
    let names = ["AccountId", "NotificationARNs", "Partition", "Region", "StackId", "StackName", "URLSuffix"];
    name.strip_prefix("AWS::").is_some_and(|name| names.contains(&name))
}
