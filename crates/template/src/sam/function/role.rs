//! The role of a function: made unless the function names one.

use serde_json::{Value, json};

use super::{DEAD_LETTER_ACTIONS, is_traced, tags};
use crate::sam::intrinsic::{self, attribute, is_no_value};
use crate::sam::policies::{Policy, managed, map_branches};
use crate::sam::problem::Problem;
use crate::sam::resource::{Resource, Source};
use crate::sam::{Context, Made};

/// A role in the making.
pub struct Role {
    resource: Resource,
    managed: Vec<Value>,
    inline: Vec<Value>,
}

impl Role {
    /// Begins one: with what every function may do, with its `Policies`, and with what its destinations need.
    pub fn new(
        context: &Context,
        source: &Source,
        policies: Vec<Policy>,
        destinations: Vec<Value>,
    ) -> Result<Role, Problem> {
        let resource = Resource::new(format!("{}Role", source.id), "AWS::IAM::Role", source.inherited())
            .with("AssumeRolePolicyDocument", source.get("AssumeRolePolicyDocument").cloned().or_else(|| Some(trust())))
            .with("Path", source.get("RolePath").cloned())
            .with("PermissionsBoundary", source.get("PermissionsBoundary").cloned())
            .with("Tags", tags(source)?);
        let mut role = Role { resource, managed: Vec::new(), inline: Vec::new() };
        let durable = source.given("DurableConfig").is_some();
        role.add_managed(
            context,
            if durable { "AWSLambdaBasicDurableExecutionRolePolicy" } else { "AWSLambdaBasicExecutionRole" },
        );
        if is_traced(context, source) {
            // Other partitions have only the newer policy.
            let aws = context.place.partition == "aws";
            let name = if aws { "AWSXrayWriteOnlyAccess" } else { "AWSXRayDaemonWriteAccess" };
            role.add_managed(context, name);
        }
        if source.given("VpcConfig").is_some() {
            role.add_managed(context, "AWSLambdaVPCAccessExecutionRole");
        }
        if let Some(queue) = source.given("DeadLetterQueue") {
            let action = DEAD_LETTER_ACTIONS.iter().find(|(kind, _)| queue["Type"] == *kind).map(|(_, action)| action);
            role.inline.push(json!({
                "PolicyName": "DeadLetterQueuePolicy",
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{ "Action": action, "Resource": queue["TargetArn"], "Effect": "Allow" }],
                },
            }));
        }
        role.inline.extend(destinations);
        for (index, policy) in policies.into_iter().enumerate() {
            role.add(context, source, index, policy)?;
        }
        Ok(role)
    }

    /// Adds one of AWS's managed policies by its name, unless the role has it.
    pub fn add_managed(&mut self, context: &Context, name: &str) {
        self.push_managed(managed::arn(&context.place.partition, name).into());
    }

    /// Adds a policy of the role's own, unless the role has one that says the same.
    pub fn add_inline(&mut self, policy: Value) {
        if self.inline.iter().all(|inline| inline["PolicyDocument"] != policy["PolicyDocument"]) {
            self.inline.push(policy);
        }
    }

    /// Gives the role to the function, as far as the function does not have one. `Role` may be an `Fn::If` with
    /// `AWS::NoValue`: then the role is made under that condition.
    pub fn attach(
        self,
        context: &Context,
        source: &Source,
        function: &mut Resource,
        made: &mut Made,
    ) -> Result<(), Problem> {
        let arn = attribute(&self.resource.id, "Arn");
        let Some(own) = source.get("Role") else {
            function.set("Role", arn);
            made.resources.push(self.finished(None));
            return Ok(());
        };
        if intrinsic::condition(own).is_none() {
            return Ok(());
        }
        let own = context.parameters.resolve(own);
        let (condition, then, otherwise) = intrinsic::branches(&own["Fn::If"])
            .map_err(|message| source.problem(format!("Malformed 'Role' property: {message}.")))?;
        let (role, under) = match (is_no_value(then), is_no_value(otherwise)) {
            (false, false) => (own.clone(), None),
            (true, true) => (arn, Some(None)),
            (true, false) => (intrinsic::conditional(condition, &arn, otherwise), Some(Some(condition.clone()))),
            (false, true) => (
                intrinsic::conditional(condition, then, &arn),
                Some(Some(made.negated(condition, &format!("NOT{}", condition.as_str().unwrap_or_default())))),
            ),
        };
        function.set("Role", role);
        if let Some(condition) = under {
            made.resources.push(self.finished(condition));
        }
        Ok(())
    }

    fn add(&mut self, context: &Context, source: &Source, index: usize, policy: Policy) -> Result<(), Problem> {
        match policy {
            Policy::Managed(policy) => self.push_managed(map_branches(&policy, |policy| match policy {
                Value::String(name) => managed::arn(&context.place.partition, name).into(),
                other => other.clone(),
            })),
            Policy::Document(document) => {
                let name = format!("{}Policy{index}", self.resource.id);
                let named = |document: &Value| json!({ "PolicyName": name, "PolicyDocument": document });
                self.inline.push(map_branches(&document, named));
            }
            Policy::Unknown => {
                return Err(source.problem(format!("Policy at index {index} in the 'Policies' property is not valid")));
            }
        }
        Ok(())
    }

    fn push_managed(&mut self, arn: Value) {
        if !self.managed.contains(&arn) {
            self.managed.push(arn);
        }
    }

    fn finished(mut self, condition: Option<Value>) -> Resource {
        if let Some(condition) = condition {
            self.resource.attributes.insert("Condition".to_owned(), condition);
        }
        let inline = (!self.inline.is_empty()).then(|| self.inline.into());
        self.resource.with("ManagedPolicyArns", Value::Array(self.managed)).with("Policies", inline)
    }
}

/// Says that Lambda may take on the role.
fn trust() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": { "Service": ["lambda.amazonaws.com"] } }],
    })
}
