//! The decision: whether policies allow a request of a caller of the same account.
//!
//! Source: IAM User Guide, policy evaluation logic.

use std::fmt;

use crate::document::Policy;
use crate::principal::{Caller, Meant};

/// Looks up a condition key, which is asked for in lower case; `None` if the request has none.
pub(crate) type Context<'a> = &'a dyn Fn(&str) -> Option<Vec<String>>;

/// What somebody wants to do.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who.
    pub caller: &'a Caller,
    /// What: `lambda:InvokeFunction`, say.
    pub action: &'a str,
    /// On what: an ARN, or `*` if it is about no resource in particular.
    pub resource: &'a str,
    /// Looks up a condition key, which is asked for in lower case; `None` if the request has none.
    pub context: &'a dyn Fn(&str) -> Option<Vec<String>>,
}

/// The policies that have a say.
#[derive(Clone, Copy, Default)]
pub struct Policies<'a> {
    /// Those of the caller's role or user.
    pub identity: &'a [&'a Policy],
    /// The permissions boundary of the role or user.
    pub boundary: Option<&'a Policy>,
    /// Those that were passed when the session began, if there were any.
    pub session: Option<&'a [&'a Policy]>,
    /// The policy of the resource.
    pub resource: Option<&'a Policy>,
    /// Whether the resource is a role to be assumed, whose policy must allow it in any case.
    pub is_trust: bool,
}

/// Why a request is not allowed. Its text is the end of AWS's sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Whether a statement denies it, or none allows it.
    pub explicit: bool,
    /// Which policies are to blame.
    pub why: Why,
    action: String,
}

/// Which policies are to blame for a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Those of the caller's role or user.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// Those of the session.
    Session,
    /// The policy of the resource.
    Resource,
    /// The trust policy of the role to be assumed.
    Trust,
}

impl Policies<'_> {
    /// Decides about a request.
    ///
    /// # Errors
    /// [`Denied`] if it is not allowed.
    pub fn decide(&self, request: &Request<'_>) -> Result<(), Denied> {
        let denied = |explicit: bool, why: Why| Denied { explicit, why, action: request.action.into() };
        let denies = |policies: &[&Policy]| policies.iter().any(|policy| policy.denies(request));
        let allows = |policies: &[&Policy]| policies.iter().any(|policy| policy.allows(request) != Meant::No);
        let of_resource = if self.is_trust { Why::Trust } else { Why::Resource };

        if denies(self.identity) {
            return Err(denied(true, Why::Identity));
        }
        if self.resource.is_some_and(|policy| policy.denies(request)) {
            return Err(denied(true, of_resource));
        }
        if self.boundary.is_some_and(|policy| policy.denies(request)) {
            return Err(denied(true, Why::Boundary));
        }
        if self.session.is_some_and(denies) {
            return Err(denied(true, Why::Session));
        }

        let meant = self.resource.map_or(Meant::No, |policy| policy.allows(request));
        if self.is_trust && meant == Meant::No {
            return Err(denied(false, Why::Trust));
        }
        let by_identity = match meant {
            // Boundary and session policies limit what the caller's own policies give, not this.
            Meant::Itself => return Ok(()),
            Meant::AsRole => true,
            Meant::AsAccount | Meant::No => allows(self.identity),
        };
        if !by_identity {
            return Err(denied(false, Why::Identity));
        }
        if self.boundary.is_some_and(|policy| policy.allows(request) == Meant::No) {
            return Err(denied(false, Why::Boundary));
        }
        if self.session.is_some_and(|policies| !allows(policies)) {
            return Err(denied(false, Why::Session));
        }
        Ok(())
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { explicit, why, action } = self;
        let (article, name) = match why {
            Why::Identity => ("an", "identity-based policy"),
            Why::Boundary => ("a", "permissions boundary"),
            Why::Session => ("a", "session policy"),
            Why::Resource => ("a", "resource-based policy"),
            Why::Trust => ("the", "role trust policy"),
        };
        match explicit {
            true => write!(formatter, "with an explicit deny in {article} {name}"),
            false => write!(formatter, "because no {name} allows the {action} action"),
        }
    }
}

impl std::error::Error for Denied {}
