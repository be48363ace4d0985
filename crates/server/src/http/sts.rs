//! The service `sts`: AWS's Security Token Service, which says whose a key is, and makes keys for a while.

mod assume_role;
mod get_access_key_info;
mod get_caller_identity;
mod get_session_token;

use std::time::SystemTime;

use serde_json::{Value, json};

use super::Services;
use super::error::Error;
use super::operation::declare_operations;
use super::query::{self, Api};
use super::request::{Request, Response};
use crate::sessions::SessionKey;

const API: Api = Api { namespace: "https://sts.amazonaws.com/doc/2011-06-15/" };

declare_operations! {
    "the Security Token Service", "sts":
    AssumeRole
    GetAccessKeyInfo
    GetCallerIdentity
    GetSessionToken
}

impl Operation {
    /// Finds the operation of a name.
    ///
    /// # Errors
    /// If it is none that is served.
    pub fn find(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.iter().find(|operation| operation.name() == name).copied();
        found.ok_or_else(|| {
            let served = Self::ALL.iter().map(|operation| operation.name()).collect::<Vec<_>>().join(", ");
            Error::not_served(format!("Everstep does not serve {name} yet; of STS it serves {served}."))
        })
    }
}

/// Carries out an operation.
pub async fn serve(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    let result = match operation {
        Operation::AssumeRole => assume_role::handle(services, request)?,
        Operation::GetAccessKeyInfo => get_access_key_info::handle(services),
        Operation::GetCallerIdentity => get_caller_identity::handle(services, request),
        Operation::GetSessionToken => get_session_token::handle(services, request)?,
    };
    Ok(query::answer(API, request, &result))
}

/// Writes a key, and until when it is good.
fn credentials(key: &SessionKey, expires_at: SystemTime) -> Value {
    let expiration = jiff::Timestamp::try_from(expires_at).unwrap_or_default();
    json!({
        "AccessKeyId": key.access_key_id,
        "SecretAccessKey": key.secret_access_key,
        "SessionToken": key.session_token,
        "Expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    })
}
