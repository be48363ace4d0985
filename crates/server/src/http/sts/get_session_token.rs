//! `GetSessionToken`: keys for a while, with what the sender may do itself. They end with the key that asked for them.

use std::time::{Duration, SystemTime};

use everstep_api::validation::Violations;
use serde::Deserialize;
use serde_json::{Value, json};

use super::credentials;
use crate::access::Principal;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::http::sigv4::Authorization;
use crate::limits::{SESSION_SECONDS_MAX, SESSION_SECONDS_MIN, SESSION_TOKEN_SECONDS_MAX};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GetSessionToken {
    duration_seconds: Option<i64>,
}

/// Makes keys.
pub fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let GetSessionToken { duration_seconds } = request.form()?;
    let authorization = Authorization::read(&request.headers, &request.query)?;
    match &request.principal {
        Principal::Operator | Principal::User { .. } if authorization.session_token.is_none() => {}
        Principal::Operator | Principal::User { .. } | Principal::Session(_) | Principal::Process { .. } => {
            return Err(Error::access_denied("Cannot call GetSessionToken with session credentials"));
        }
    }
    let seconds = duration_seconds.unwrap_or(SESSION_SECONDS_MAX.into());
    let mut violations = Violations::default();
    let (min, max) = (SESSION_SECONDS_MIN.into(), SESSION_TOKEN_SECONDS_MAX.into());
    violations.range(seconds, "durationSeconds", min, max);
    violations.finish().map_err(Error::validation)?;
    let expires_at = SystemTime::now() + Duration::from_secs(seconds.unsigned_abs());
    let lender = Some(authorization.access_key_id.to_string());
    let key = services.keys.sessions.make(request.principal.clone(), lender, expires_at);
    Ok(json!({"Credentials": credentials(&key, expires_at)}))
}
