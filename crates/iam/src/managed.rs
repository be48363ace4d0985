//! AWS's own managed policies, as far as they are known here.
//!
//! Facts of AWS's Managed Policy Reference Guide, as of 2026. `ReadOnlyAccess` only has the actions of services that
//! functions here can reach.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::document::{Kind, Policy};

/// A policy that AWS manages.
#[derive(Debug)]
pub struct ManagedPolicy {
    /// `arn:aws:iam::aws:policy/…`
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its newest version, `v1` say: the only one that is known.
    pub version_id: String,
    /// When it was made, in milliseconds since the epoch.
    pub created_at_millis: i64,
    /// When its newest version was made, in milliseconds since the epoch.
    pub updated_at_millis: i64,
    /// What it says.
    pub document: Value,
    /// The same, ready to be evaluated.
    pub policy: Policy,
}

/// Returns all of them, in the order of the list.
pub fn all() -> &'static [ManagedPolicy] {
    &POLICIES
}

/// Returns the one with an ARN.
pub fn find(arn: &str) -> Option<&'static ManagedPolicy> {
    let rest = arn.strip_prefix(PREFIX)?;
    all().iter().find(|policy| policy.arn[PREFIX.len()..] == *rest)
}

const PREFIX: &str = "arn:aws:iam::aws:policy/";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    path: String,
    policy_name: String,
    default_version_id: String,
    create_date: String,
    update_date: String,
    document: Value,
}

static POLICIES: LazyLock<Vec<ManagedPolicy>> = LazyLock::new(|| {
    let entries: Vec<Entry> = serde_json::from_str(include_str!("managed.json")).expect("a test reads it");
    entries.into_iter().map(ManagedPolicy::from).collect()
});

impl From<Entry> for ManagedPolicy {
    fn from(entry: Entry) -> Self {
        let Entry { path, policy_name, default_version_id, create_date, update_date, document } = entry;
        Self {
            arn: format!("{PREFIX}{}{policy_name}", &path[1..]),
            name: policy_name,
            path,
            version_id: default_version_id,
            created_at_millis: millis(&create_date),
            updated_at_millis: millis(&update_date),
            policy: Policy::of(&document, Kind::Identity).unwrap_or_else(|error| panic!("{error}: {document}")),
            document,
        }
    }
}

fn millis(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().expect("a test reads it").as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_can_be_read_and_found() {
        assert!(all().len() > 30);
        for policy in all() {
            assert_eq!(find(&policy.arn).unwrap().name, policy.name);
        }
        assert!(find("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicDurableExecutionRolePolicy").is_some());
        assert!(find("arn:aws:iam::aws:policy/AWSLambdaBasicDurableExecutionRolePolicy").is_none());
    }
}
