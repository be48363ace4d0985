//! Who asks, and whom a statement means.

use serde_json::Value;

use crate::document::Malformed;

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody who is known.
    Anonymous,
    /// A service of AWS, such as `lambda.amazonaws.com`.
    Service(String),
    /// The account itself.
    Root {
        /// Its id.
        account: String,
    },
    /// A user.
    User {
        /// `arn:aws:iam::ACCOUNT:user/NAME`
        arn: String,
        /// Its account's id.
        account: String,
    },
    /// A session of a role.
    Session {
        /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`
        arn: String,
        /// `arn:aws:iam::ACCOUNT:role/ROLE`
        role_arn: String,
        /// Its account's id.
        account: String,
    },
}

impl Caller {
    /// Returns the ARN of a user or a session.
    pub fn arn(&self) -> Option<&str> {
        match self {
            Self::User { arn, .. } | Self::Session { arn, .. } => Some(arn),
            Self::Anonymous | Self::Service(_) | Self::Root { .. } => None,
        }
    }
}

/// How a statement means a caller, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meant {
    /// Not at all.
    No,
    /// As one of its account: whether it may is left to its own policies.
    AsAccount,
    /// As everybody, or as whoever has the role: its boundary and session policies hold nevertheless.
    AsRole,
    /// Itself.
    Itself,
}

/// Whom a statement means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Principals {
    /// `*`
    Everybody,
    /// These.
    These(Vec<Principal>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Principal {
    Account(Box<str>),
    Arn(Box<str>),
    Service(Box<str>),
    /// Federated and canonical users, whom nobody here can be.
    Other,
}

impl Principals {
    /// Reads the element `Principal` or `NotPrincipal`.
    pub(crate) fn read(value: &Value) -> Result<Self, Malformed> {
        let kinds = match value {
            Value::String(text) if text == "*" => return Ok(Self::Everybody),
            Value::Object(kinds) if !kinds.is_empty() => kinds,
            other => return Err(invalid("AWS", other)),
        };
        let mut these = Vec::new();
        for (kind, values) in kinds {
            let values = match values {
                Value::Array(values) => &values[..],
                one => std::slice::from_ref(one),
            };
            for value in values {
                let text = value.as_str().ok_or_else(|| invalid(kind, value))?;
                if kind == "AWS" && text == "*" {
                    return Ok(Self::Everybody);
                }
                these.push(Principal::read(kind, text).ok_or_else(|| invalid(kind, value))?);
            }
        }
        Ok(Self::These(these))
    }

    /// Tells how a caller is meant.
    pub(crate) fn mean(&self, caller: &Caller) -> Meant {
        match self {
            Self::Everybody => Meant::AsRole,
            Self::These(these) => these.iter().map(|one| one.means(caller)).max().unwrap_or(Meant::No),
        }
    }
}

impl Principal {
    fn read(kind: &str, text: &str) -> Option<Self> {
        let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        match kind {
            "AWS" if is_account(text) => Some(Self::Account(text.into())),
            "AWS" => {
                let parts: Vec<&str> = text.splitn(6, ':').collect();
                match parts[..] {
                    ["arn", _, "iam" | "sts", "", account, "root"] if is_account(account) => {
                        Some(Self::Account(account.into()))
                    }
                    ["arn", _, "iam" | "sts", "", account, name] if is_account(account) && !name.contains('*') => {
                        Some(Self::Arn(text.into()))
                    }
                    // The id of a principal that was deleted is kept, and is nobody's any more.
                    _ if text.starts_with("AROA") || text.starts_with("AIDA") => Some(Self::Other),
                    _ => None,
                }
            }
            "Service" => text.contains('.').then(|| Self::Service(text.into())),
            "Federated" | "CanonicalUser" => Some(Self::Other),
            _ => None,
        }
    }

    fn means(&self, caller: &Caller) -> Meant {
        match (self, caller) {
            (Self::Service(name), Caller::Service(service)) if **name == **service => Meant::Itself,
            (Self::Account(id), Caller::Root { account }) if **id == **account => Meant::Itself,
            (Self::Account(id), Caller::User { account, .. } | Caller::Session { account, .. })
                if **id == **account =>
            {
                Meant::AsAccount
            }
            (Self::Arn(named), Caller::User { arn, .. } | Caller::Session { arn, .. }) if **named == **arn => {
                Meant::Itself
            }
            (Self::Arn(named), Caller::Session { role_arn, .. }) if **named == **role_arn => Meant::AsRole,
            (Self::Account(_) | Self::Arn(_) | Self::Service(_) | Self::Other, _) => Meant::No,
        }
    }
}

fn invalid(kind: &str, value: &Value) -> Malformed {
    Malformed(format!("Invalid principal in policy: \"{kind}\":{value}"))
}
