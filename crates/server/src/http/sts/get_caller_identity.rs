//! `GetCallerIdentity`: who signed the request. Everybody may ask.

use serde_json::{Value, json};

use crate::http::Services;
use crate::http::request::Request;

/// Returns who asks. The operator is the account itself.
pub fn handle(services: &Services, request: &Request) -> Value {
    let identities = &services.identities;
    json!({
        "Account": identities.place().account,
        "Arn": identities.principal_arn(&request.principal),
        "UserId": identities.user_id(&request.principal),
    })
}
