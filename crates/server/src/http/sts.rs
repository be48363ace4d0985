//! The service `sts`: AWS's Security Token Service, which says whose a key is, and makes keys for a while.

mod assume_role;
mod get_access_key_info;
mod get_caller_identity;
mod get_session_token;

use std::time::SystemTime;

use serde_json::{Value, json};

use super::Services;
use super::error::Error;
use super::query::{self, Api};
use super::request::{Request, Response};
use crate::sessions::SessionKey;

const API: Api = Api { namespace: "https://sts.amazonaws.com/doc/2011-06-15/" };

/// An operation of the Security Token Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `AssumeRole`
    AssumeRole,
    /// `GetAccessKeyInfo`
    GetAccessKeyInfo,
    /// `GetCallerIdentity`
    GetCallerIdentity,
    /// `GetSessionToken`
    GetSessionToken,
}

impl Operation {
    /// Every operation that is served.
    pub const ALL: [Self; 4] =
        [Self::AssumeRole, Self::GetAccessKeyInfo, Self::GetCallerIdentity, Self::GetSessionToken];

    /// Returns AWS's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AssumeRole => "AssumeRole",
            Self::GetAccessKeyInfo => "GetAccessKeyInfo",
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::GetSessionToken => "GetSessionToken",
        }
    }

    /// Finds the operation of a name.
    ///
    /// # Errors
    /// If it is none that is served.
    pub fn find(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|operation| operation.name() == name);
        found.ok_or_else(|| {
            let served = Self::ALL.map(Self::name).join(", ");
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
