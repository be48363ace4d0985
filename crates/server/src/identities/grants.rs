//! What roles and users have in common: policies of their own, policies that are attached, a boundary.

use std::collections::{BTreeMap, BTreeSet};

use everstep_iam::{Kind, Malformed, Policy};
use serde::{Deserialize, Serialize};

/// What a role or a user is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grants {
    /// The policies of its own, by name.
    #[serde(default)]
    pub inline: BTreeMap<String, Document>,
    /// The ARNs of policies that are attached.
    #[serde(default)]
    pub attached: BTreeSet<String>,
    /// The ARN of the policy that limits what the others give.
    #[serde(default)]
    pub boundary: Option<String>,
}

/// A document of policy, as it was written, and ready to be evaluated.
macro_rules! document {
    ($(#[$doc:meta])* $name:ident $kind:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name {
            text: String,
            policy: Policy,
        }

        impl $name {
            /// Returns it as it was written.
            pub fn text(&self) -> &str {
                &self.text
            }

            /// Returns what it says.
            pub fn policy(&self) -> &Policy {
                &self.policy
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }

        impl Eq for $name {}

        impl TryFrom<String> for $name {
            type Error = Malformed;

            fn try_from(text: String) -> Result<Self, Malformed> {
                Policy::read(&text, $kind).map(|policy| Self { text, policy })
            }
        }

        impl From<$name> for String {
            fn from(document: $name) -> Self {
                document.text
            }
        }
    };
}

document! {
    /// What somebody may do.
    Document Kind::Identity
}

document! {
    /// Who may assume a role.
    Trust Kind::Trust
}
