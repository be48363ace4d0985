//! Whether the sender of a request may do what it asks for: here, and nowhere else.
//!
//! Each service says in its `needs` which actions on which resources an operation takes; `identities` decides by policies.
//! The operator may do everything.

use std::borrow::Cow;

use everstep_iam::Policy;
use tracing::debug;

use super::Services;
use super::error::Error;
use super::request::Request;
use super::service::Operation;
use crate::access::Principal;
use crate::identities::Wish;

/// Something that the sender of a request must be allowed.
#[derive(Debug)]
pub struct Need {
    /// `lambda:InvokeFunction`, say.
    pub action: Cow<'static, str>,
    /// An ARN, or `*` if it is about no resource in particular.
    pub resource: String,
    /// The policy of the resource.
    pub resource_policy: Option<Policy>,
    /// What conditions may ask for beside what is known of the caller, in lower case.
    pub context: Vec<(&'static str, String)>,
}

impl Need {
    /// An action on a resource that has no policy of its own.
    pub fn new(action: impl Into<Cow<'static, str>>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), resource_policy: None, context: Vec::new() }
    }

    /// Adds what a condition may ask for.
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.context.push((key, value.into()));
        self
    }
}

/// Checks that the sender of a request may do what it asks for.
///
/// # Errors
/// `AccessDenied…`, with AWS's sentence.
pub async fn authorize(services: &Services, operation: Operation, request: &Request) -> Result<(), Error> {
    if request.principal == Principal::Operator {
        return Ok(());
    }
    for need in operation.needs(services, request).await? {
        check(services, request, &need)?;
    }
    Ok(())
}

/// Tells whether somebody may read an object of a bucket.
pub fn may_read_object(services: &Services, principal: &Principal, bucket: &str, key: &str) -> bool {
    let need = Need::new("s3:GetObject", format!("arn:aws:s3:::{bucket}/{key}"));
    allowed(services, principal, None, &need).is_ok()
}

/// Checks one need.
///
/// # Errors
/// As [`authorize`].
pub fn check(services: &Services, request: &Request, need: &Need) -> Result<(), Error> {
    allowed(services, &request.principal, Some(request), need).map_err(Error::access_denied)
}

/// Decides about one need of somebody, with what a request says of the circumstances.
///
/// # Errors
/// AWS's sentence.
pub fn allowed(
    services: &Services,
    principal: &Principal,
    request: Option<&Request>,
    need: &Need,
) -> Result<(), String> {
    let context = |key: &str| {
        let given: Vec<String> =
            need.context.iter().filter(|(name, _)| *name == key).map(|(_, value)| value.clone()).collect();
        if !given.is_empty() {
            return Some(given);
        }
        match key {
            "aws:useragent" => request?.header("user-agent").map(|value| vec![value.to_string()]),
            "aws:sourceip" => request?.source_ip.map(|address| vec![address.to_string()]),
            "aws:securetransport" => Some(vec![services.is_secure.to_string()]),
            _ => None,
        }
    };
    let wish = Wish {
        action: &need.action,
        resource: &need.resource,
        resource_policy: need.resource_policy.as_ref(),
        is_trust: false,
        context: &context,
    };
    let decided = services.identities.decide(principal, wish);
    if let Err(sentence) = &decided {
        debug!(sentence, "denied");
    }
    decided
}
