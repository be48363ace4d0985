//! `GetAccessKeyInfo`: to which account a key belongs. There is one.

use serde_json::{Value, json};

use crate::http::Services;

/// Returns the account.
pub fn handle(services: &Services) -> Value {
    json!({"Account": services.identities.place().account})
}
