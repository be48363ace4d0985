//! A policy of this account, which roles and users share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::grants::Document;

/// A policy of this account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// Its name.
    pub name: String,
    /// Its path, `/` mostly.
    pub path: String,
    /// What tells it from others of that name before and after it.
    pub id: String,
    /// When it was made, in milliseconds since the epoch.
    pub created_at_millis: i64,
    /// When its newest version was made, in milliseconds since the epoch.
    pub updated_at_millis: i64,
    /// Words for people.
    #[serde(default)]
    pub description: Option<String>,
    /// The tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Its versions by number.
    pub versions: BTreeMap<u32, PolicyVersion>,
    /// The version that counts.
    pub default_version: u32,
    /// The number that the next version gets; numbers are never used again.
    pub next_version: u32,
}

/// A version of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// What it says.
    pub document: Document,
    /// When it was made, in milliseconds since the epoch.
    pub created_at_millis: i64,
}

impl ManagedPolicy {
    /// Returns the version that counts.
    pub fn default(&self) -> &PolicyVersion {
        &self.versions[&self.default_version]
    }
}
