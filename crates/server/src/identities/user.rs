//! A user: somebody whose keys may do what its policies say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::grants::Grants;

/// A user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its path, `/` mostly.
    pub path: String,
    /// What tells it from others of that name before and after it.
    pub id: String,
    /// When it was made, in milliseconds since the epoch.
    pub created_at_millis: i64,
    /// The tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What it may do.
    #[serde(flatten)]
    pub grants: Grants,
}
