//! What each resource type is: one file for each, or for a tight family.
//!
//! A type translates CloudFormation's properties into the operations of the API, which do the checking and say what
//! is wrong. It neither knows templates nor events; the executor tells it when.

mod cdk;
mod ecr;
mod forwarded;
mod iam;
mod kms;
mod lambda;
mod logs;
mod s3;
mod ssm;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::document::StackId;
use super::names;
use crate::access::Principal;
use crate::forward::Forwards;
use crate::http::Services;
use crate::http::authorize::{self, Need};
use crate::http::error::Error;
use crate::http::on_behalf::Call;

/// What a resource type does. Properties come with every intrinsic function resolved.
#[async_trait]
pub trait ResourceType: Send + Sync + 'static {
    /// AWS's name of it.
    fn name(&self) -> &'static str;

    /// Tells how its property `Tags` is written, if it has tags: the stack's are added to them.
    fn tags(&self) -> Tags {
        Tags::None
    }

    /// Returns the service in which things of this type are made, if it is one that requests are passed on to. Without
    /// it the type is not served.
    fn forwarded_to(&self) -> Option<&'static str> {
        None
    }

    /// Says, in the stack's events, that less stands behind a thing of this type than on AWS.
    fn warning(&self) -> Option<&'static str> {
        None
    }

    /// Draws up what a new thing will be called. Nothing of that name may be there: what comes half made out of a crash
    /// is deleted by that name.
    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error>;

    /// Makes a thing, all of it or nothing.
    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error>;

    /// Changes a thing to other properties, as often as it is asked to.
    async fn update(&self, site: &Site, physical_id: &str, former: &Value, properties: &Value) -> Result<Made, Error>;

    /// Deletes a thing. That it is not there is no error that counts.
    async fn delete(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<(), Error>;
}

/// How a type writes its property `Tags`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tags {
    /// It has none.
    None,
    /// As a list of `Key` and `Value`.
    List,
    /// As a map.
    Map,
}

/// What was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// What it is called, if that is not what was drawn up.
    pub physical_id: Option<String>,
    /// What templates can ask of it.
    pub attributes: BTreeMap<String, Value>,
}

impl Made {
    /// Something with attributes.
    pub fn with<const N: usize>(attributes: [(&str, Value); N]) -> Self {
        let attributes = attributes.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        Self { physical_id: None, attributes }
    }
}

/// Where a resource is made: for which stack, and with whose permissions.
pub struct Site {
    /// Everything that operations work with.
    pub services: Arc<Services>,
    /// The stack.
    pub stack: StackId,
    /// The resource's name in the template.
    pub logical_id: String,
    /// Whose permissions count.
    pub principal: Principal,
}

impl Site {
    /// Carries out an operation with the deployer's permissions.
    ///
    /// # Errors
    /// What it refuses.
    pub async fn call(&self, call: Call) -> Result<Value, Error> {
        self.services.call(&self.principal, call).await
    }

    /// Checks that the deployer may do what no operation is asked for.
    ///
    /// # Errors
    /// AWS's sentence.
    pub fn check_allowed(&self, action: &'static str, resource: String) -> Result<(), Error> {
        let need = Need::new(action, resource);
        authorize::allowed(&self.services, &self.principal, None, &need).map_err(Error::access_denied)
    }

    /// Makes a name that nothing has.
    pub fn generated_name(&self, characters_max: usize) -> String {
        names::generated(&self.stack.name, &self.logical_id, &names::random(), characters_max)
    }

    /// Returns the tags that say where a thing comes from.
    pub fn system_tags(&self) -> [(String, String); 3] {
        let arn = self.services.stacks.arn(&self.stack);
        [
            ("aws:cloudformation:stack-name".into(), self.stack.name.clone()),
            ("aws:cloudformation:stack-id".into(), arn),
            ("aws:cloudformation:logical-id".into(), self.logical_id.clone()),
        ]
    }
}

/// The types that are served.
static SERVED: &[&dyn ResourceType] = &[
    &lambda::function::Function,
    &lambda::version::Version,
    &lambda::alias::Alias,
    &lambda::permission::Permission,
    &lambda::layer_version::LayerVersion,
    &lambda::url::Url,
    &lambda::event_invoke_config::EventInvokeConfig,
    &iam::role::Role,
    &iam::policy::Policy,
    &iam::managed_policy::ManagedPolicy,
    &logs::LogGroup,
    &ssm::Parameter,
    &s3::Bucket,
    &s3::BucketPolicy,
    &cdk::Metadata,
    &ecr::Repository,
    &kms::Key,
    &kms::Alias,
    &forwarded::table::Table,
    &forwarded::queue::Queue,
];

/// Returns a type that is served, if its service is passed on or needs not be.
pub fn find(name: &str, forwards: &Forwards) -> Option<&'static dyn ResourceType> {
    let known = known(name)?;
    known.forwarded_to().is_none_or(|service| forwards.find(service).is_some()).then_some(known)
}

/// Returns a type that is or could be served.
pub fn known(name: &str) -> Option<&'static dyn ResourceType> {
    SERVED.iter().copied().find(|known| known.name() == name)
}

/// Adds the tags of a stack to those of a resource, which win.
pub fn with_tags(resource_type: &dyn ResourceType, mut properties: Value, stack: &BTreeMap<String, String>) -> Value {
    if stack.is_empty() || resource_type.tags() == Tags::None {
        return properties;
    }
    let mut all = stack.clone();
    all.extend(tags(&properties));
    properties["Tags"] = match resource_type.tags() {
        Tags::List => all.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect(),
        Tags::Map => json!(all),
        Tags::None => return properties,
    };
    properties
}

/// Reads tags, whichever way they are written.
fn tags(properties: &Value) -> BTreeMap<String, String> {
    match &properties["Tags"] {
        Value::Array(items) => items
            .iter()
            .filter_map(|item| Some((item["Key"].as_str()?.to_string(), text_of(&item["Value"])?)))
            .collect(),
        Value::Object(members) => {
            members.iter().filter_map(|(key, value)| Some((key.clone(), text_of(value)?))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeMap::new(),
    }
}

/// Returns a property that is a text.
fn text<'a>(properties: &'a Value, name: &str) -> Option<&'a str> {
    properties[name].as_str()
}

/// Returns a property that has to be there.
fn required<'a>(properties: &'a Value, name: &str) -> Result<&'a str, Error> {
    text(properties, name).ok_or_else(|| Error::validation(format!("The property {name} is required")))
}

/// Reads a simple value as the text that it stands for.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns the properties of these names, as the members of a request.
fn members(properties: &Value, names: &[&str]) -> Map<String, Value> {
    let given = |name: &&str| properties.get(*name).map(|value| (name.to_string(), value.clone()));
    names.iter().filter_map(given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_once_and_known_to_templates() {
        for known in SERVED {
            assert!(std::ptr::addr_eq(super::known(known.name()).unwrap(), *known), "{}", known.name());
            assert!(everstep_template::ResourceType::find(known.name()).is_some(), "{}", known.name());
        }
    }

    #[test]
    fn tags_of_the_stack_are_added_and_those_of_the_resource_win() {
        let stack = BTreeMap::from([("a".to_string(), "stack".to_string()), ("b".into(), "stack".into())]);
        let given = json!({"Tags": [{"Key": "b", "Value": "own"}]});
        let all = with_tags(&lambda::function::Function, given.clone(), &stack);
        assert_eq!(all, json!({"Tags": [{"Key": "a", "Value": "stack"}, {"Key": "b", "Value": "own"}]}));
        assert_eq!(with_tags(&cdk::Metadata, given.clone(), &stack), given);
    }
}
