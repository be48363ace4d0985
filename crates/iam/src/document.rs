//! Policy documents: reading them, and refusing those that say nothing clear, in AWS's words.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::decide::Request;
use crate::principal::Meant;
use crate::statement::{Effect, Statement};

/// A policy, ready to be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// What a policy belongs to, which decides what must and must not be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A role, a user or a session, or it is a boundary: it says on what, and not who.
    Identity,
    /// A resource: it says who.
    Resource,
    /// A role: it says who may assume it.
    Trust,
}

/// A document that is no policy: `MalformedPolicyDocument`, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl Malformed {
    pub(crate) fn new(message: &str) -> Self {
        Self(message.into())
    }

    pub(crate) fn syntax() -> Self {
        Self::new("Syntax errors in policy.")
    }
}

/// The version whose policies have variables.
const VERSION: &str = "2012-10-17";

impl Policy {
    /// Reads a document.
    ///
    /// # Errors
    /// [`Malformed`], in AWS's words.
    pub fn read(document: &str, kind: Kind) -> Result<Self, Malformed> {
        let value: Value = serde_json::from_str(document).map_err(|_| Malformed::syntax())?;
        Self::of(&value, kind)
    }

    /// Reads a document that is JSON already.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of(document: &Value, kind: Kind) -> Result<Self, Malformed> {
        let members = document.as_object().ok_or_else(Malformed::syntax)?;
        if members.keys().any(|name| !["Version", "Id", "Statement"].contains(&name.as_str())) {
            return Err(Malformed::syntax());
        }
        let version = match members.get("Version").map(Value::as_str) {
            // What AWS takes a document without a version for.
            None => "2008-10-17",
            Some(Some(version @ ("2008-10-17" | VERSION))) => version,
            Some(_) => return Err(Malformed::syntax()),
        };
        let statements = match members.get("Statement") {
            Some(Value::Array(statements)) => &statements[..],
            Some(one) => std::slice::from_ref(one),
            None => return Err(Malformed::syntax()),
        };
        if statements.is_empty() {
            return Err(Malformed::syntax());
        }
        let mut ids = BTreeSet::new();
        let mut read = Vec::new();
        for value in statements {
            let (statement, id) = Statement::read(value, kind, version == VERSION)?;
            if let Some(id) = id
                && !id.is_empty()
                && !ids.insert(id)
            {
                return Err(Malformed::new("Statement IDs (SID) in a single policy must be unique."));
            }
            read.push(statement);
        }
        Ok(Self { statements: read })
    }

    /// Checks that a document says the version that managed policies must have; inline ones may go without.
    ///
    /// # Errors
    /// [`Malformed`], in AWS's words.
    pub fn check_version(document: &str) -> Result<(), Malformed> {
        let document: Value = serde_json::from_str(document).map_err(|_| Malformed::syntax())?;
        if document["Version"] != VERSION {
            return Err(Malformed(format!("Policy document must be version {VERSION} or greater.")));
        }
        Ok(())
    }

    /// Tells whether a statement denies the request.
    pub(crate) fn denies(&self, request: &Request<'_>) -> bool {
        self.applying(request, Effect::Deny) != Meant::No
    }

    /// Tells how the request is allowed, if it is.
    pub(crate) fn allows(&self, request: &Request<'_>) -> Meant {
        self.applying(request, Effect::Allow)
    }

    fn applying(&self, request: &Request<'_>, effect: Effect) -> Meant {
        let mut meant = Meant::No;
        for statement in self.statements.iter().filter(|statement| statement.effect == effect) {
            meant = meant.max(statement.applies(request));
            if meant == Meant::Itself {
                break;
            }
        }
        meant
    }
}
