//! A role.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::grants::{Grants, Trust};

/// A role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its path, `/` mostly.
    pub path: String,
    /// What tells it from others of that name before and after it.
    pub id: String,
    /// When it was made, in milliseconds since the epoch.
    pub created_at_millis: i64,
    /// Who may assume it.
    pub trust: Trust,
    /// Words for people.
    #[serde(default)]
    pub description: Option<String>,
    /// How long a session may be, in seconds.
    pub max_session_seconds: u32,
    /// The tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What it may do.
    #[serde(flatten)]
    pub grants: Grants,
    /// Whether it was there from the start, and nobody has made one of that name since: `CreateRole` takes its place.
    #[serde(default)]
    pub born: bool,
}
