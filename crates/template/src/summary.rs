//! What a template needs and has, for those who look at it before they deploy it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::expression::Expression;
use crate::template::Template;

/// A capability that whoever deploys a template must grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// `CAPABILITY_IAM`: it makes roles and policies.
    Iam,
    /// `CAPABILITY_NAMED_IAM`: and gives them names.
    NamedIam,
}

/// What a template needs and has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The one that is enough, if one is needed.
    pub capability: Option<Capability>,
    /// AWS's words for why.
    pub capabilities_reason: Option<String>,
    /// The types of its resources, sorted, each once.
    pub resource_types: Vec<String>,
}

impl Capability {
    /// AWS's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Iam => "CAPABILITY_IAM",
            Self::NamedIam => "CAPABILITY_NAMED_IAM",
        }
    }

    /// Tells whether a list of granted capabilities has it, or the greater one.
    pub fn is_granted(self, granted: &[String]) -> bool {
        let has = |name: &str| granted.iter().any(|granted| granted == name);
        match self {
            Self::Iam => has("CAPABILITY_IAM") || has("CAPABILITY_NAMED_IAM"),
            Self::NamedIam => has("CAPABILITY_NAMED_IAM"),
        }
    }
}

impl Template {
    /// Summarizes the template.
    pub fn summary(&self) -> Summary {
        let mut capability = None;
        let mut needing = BTreeSet::new();
        for resource in self.resources.values() {
            let needed = capability_of(&resource.resource_type, |name| match resource.properties.get(name) {
                None | Some(Expression::NoValue | Expression::Value(Value::Null)) => false,
                Some(_) => true,
            });
            if needed.is_some() {
                needing.insert(resource.resource_type.as_str());
            }
            capability = capability.max(needed);
        }
        let needing: Vec<&str> = needing.into_iter().collect();
        let reason = || format!("The following resource(s) require capabilities: [{}]", needing.join(", "));
        let types: BTreeSet<&String> = self.resources.values().map(|resource| &resource.resource_type).collect();
        Summary {
            capability,
            capabilities_reason: capability.map(|_| reason()),
            resource_types: types.into_iter().cloned().collect(),
        }
    }
}

/// What a resource needs. Source: CloudFormation API, `Capabilities`.
fn capability_of(resource_type: &str, has: impl Fn(&str) -> bool) -> Option<Capability> {
    let name = match resource_type {
        "AWS::IAM::Group" => "GroupName",
        "AWS::IAM::ManagedPolicy" => "ManagedPolicyName",
        "AWS::IAM::Role" => "RoleName",
        "AWS::IAM::User" => "UserName",
        "AWS::IAM::InstanceProfile" => "InstanceProfileName",
        "AWS::IAM::AccessKey" | "AWS::IAM::Policy" | "AWS::IAM::UserToGroupAddition" | "AWS::CloudFormation::Stack" => {
            return Some(Capability::Iam);
        }
        _ => return None,
    };
    Some(if has(name) { Capability::NamedIam } else { Capability::Iam })
}
