//! `GetCallerIdentity`: who signed the request. Everybody may ask.

use serde_json::{Value, json};

use crate::access::Principal;
use crate::http::Services;
use crate::http::request::Request;

/// Returns who asks. The operator is the account itself.
pub fn handle(services: &Services, request: &Request) -> Value {
    let account = &services.functions.place().account;
    let (arn, user_id) = match &request.principal {
        Principal::Operator => (format!("arn:aws:iam::{account}:root"), account.to_string()),
        Principal::Process { function, .. } => (services.process_arn(function), format!("everstep:{function}")),
    };
    json!({"Account": account, "Arn": arn, "UserId": user_id})
}
