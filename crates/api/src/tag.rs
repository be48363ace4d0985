//! Tags on the wire. Source: Lambda API, `TagResource`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `TagResource`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagResource {
    /// The tags to add or to change.
    pub tags: Option<BTreeMap<String, String>>,
}
