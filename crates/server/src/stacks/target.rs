//! What a stack is to become: its template with parameters, and what its resources answer to each other.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use everstep_template::{Bound, Deployed, Given, GivenValue, Invalid, Lookup, Pseudo, Template};
use serde_json::Value;

use super::document::{Output, Resource, Settings, Stack, StackId, Thing};
use super::dynamic::{Dynamic, Reference};
use super::types;
use crate::http::Services;
use crate::http::error::Error;

/// A template that is to be deployed.
pub struct Target {
    bound: Bound,
    tags: BTreeMap<String, String>,
    /// Values of dynamic references.
    pub dynamic: Dynamic,
}

/// Why it is not known yet what a resource or an output is to be.
pub enum Unresolved {
    /// The value of this dynamic reference has to be read first.
    Reference(Reference),
    /// It needs what nothing has.
    Invalid(String),
}

impl Target {
    /// Reads a template of a stack again, with what was asked for. Says why it cannot be deployed any more, if so.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(
        services: &Services,
        stack: &Stack,
        template: Option<u64>,
    ) -> Result<Result<Self, String>, Error> {
        let Some(number) = template else { return Ok(Err("There is no template. ".into())) };
        let Some(template) = services.stacks.template(&stack.id, number).await? else {
            return Ok(Err("There is no template. ".into()));
        };
        let bound = bind(services, &stack.id, &stack.settings, &template.processed).await?;
        let tags = stack.settings.tags.clone();
        let dynamic = Dynamic::default();
        Ok(bound.map(|bound| Self { bound, tags, dynamic }).map_err(|invalid| format!("{invalid} ")))
    }

    /// Returns the names of the resources of the template that is deployed.
    ///
    /// # Errors
    /// The store's.
    pub async fn names(services: &Services, stack: &Stack) -> Result<BTreeSet<String>, Error> {
        let target = Self::open(services, stack, stack.template).await?;
        Ok(target.map(|target| target.bound.resources().keys().cloned().collect()).unwrap_or_default())
    }

    /// Returns each resource with those that have to be there before it.
    pub fn needs(&self) -> BTreeMap<String, BTreeSet<String>> {
        let resources = self.bound.resources().iter();
        resources.map(|(logical_id, resource)| (logical_id.clone(), resource.dependencies.clone())).collect()
    }

    /// Returns the exports that it uses.
    pub fn imports(&self) -> BTreeSet<String> {
        self.bound.imports().clone()
    }

    /// Returns the type of a resource.
    pub fn resource_type(&self, logical_id: &str) -> &str {
        &self.bound.resources()[logical_id].resource_type
    }

    /// Returns the thing that a resource is to be, without what it will be called.
    ///
    /// # Errors
    /// Says what its properties need and nothing has.
    pub fn thing(&self, logical_id: &str, resources: &BTreeMap<String, Resource>) -> Result<Thing, Unresolved> {
        let resource = &self.bound.resources()[logical_id];
        let known = Known::new(resources, &self.dynamic);
        let properties = self.bound.properties(logical_id, &known).expect("it is one of the template's");
        let properties = Value::Object(properties.map_err(|invalid| known.unresolved(&invalid))?);
        let properties = match types::known(&resource.resource_type) {
            Some(resource_type) => types::with_tags(resource_type, properties, &self.tags),
            None => properties,
        };
        Ok(Thing {
            resource_type: resource.resource_type.clone(),
            physical_id: String::new(),
            properties,
            attributes: BTreeMap::new(),
            needs: resource.dependencies.clone(),
            deletion_policy: resource.deletion_policy,
            replace_policy: resource.update_replace_policy,
            not_served: false,
        })
    }

    /// Returns the outputs.
    ///
    /// # Errors
    /// Says what they need and nothing has.
    pub fn outputs(&self, resources: &BTreeMap<String, Resource>) -> Result<Vec<Output>, Unresolved> {
        let known = Known::new(resources, &self.dynamic);
        let outputs = self.bound.outputs(&known).map_err(|invalid| known.unresolved(&invalid))?;
        let output = |output: everstep_template::OutputValue| Output {
            key: output.key,
            value: output.value,
            description: output.description,
            export_name: output.export_name,
        };
        Ok(outputs.into_iter().map(output).collect())
    }
}

/// Returns what a stack is, for the plan of what it is to become.
///
/// # Errors
/// The store's.
pub async fn deployed(services: &Services, stack: &Stack) -> Result<Deployed, Error> {
    let target = Target::open(services, stack, stack.template).await?;
    Ok(target.map(|target| target.bound.deployed()).unwrap_or_default())
}

/// Gives the parameters of a template their values. Says what is wrong with them, if so.
///
/// # Errors
/// The store's.
pub async fn bind(
    services: &Services,
    id: &StackId,
    settings: &Settings,
    processed: &Value,
) -> Result<Result<Bound, Invalid>, Error> {
    let exports = services.stacks.exports().await?;
    let exports = exports.into_iter().map(|(name, export)| (name, export.value)).collect();
    let pseudo = pseudo(services, id, settings);
    let bind = || Template::read(processed)?.bind(&given(settings), &pseudo, &exports);
    Ok(bind())
}

/// Returns what every template may refer to.
pub fn pseudo(services: &Services, id: &StackId, settings: &Settings) -> Pseudo {
    let place = services.stacks.place();
    Pseudo {
        account_id: place.account.to_string(),
        region: place.region.to_string(),
        partition: "aws".into(),
        url_suffix: "amazonaws.com".into(),
        stack_id: services.stacks.arn(id),
        stack_name: id.name.clone(),
        notification_arns: settings.notification_arns.clone(),
    }
}

fn given(settings: &Settings) -> Given {
    let parameters = settings.parameters.iter();
    let values = parameters.clone().map(|known| (known.key.clone(), GivenValue::Value(known.value.clone()))).collect();
    let resolved = parameters.filter_map(|known| Some((known.value.clone(), known.resolved.clone()?)));
    Given { values, previous: BTreeMap::new(), ssm: resolved.collect() }
}

/// What the resources that are there answer.
struct Known<'a> {
    resources: &'a BTreeMap<String, Resource>,
    dynamic: &'a Dynamic,
    /// The dynamic reference that was asked for and is not known.
    missing: RefCell<Option<Reference>>,
}

impl<'a> Known<'a> {
    fn new(resources: &'a BTreeMap<String, Resource>, dynamic: &'a Dynamic) -> Self {
        Self { resources, dynamic, missing: RefCell::default() }
    }

    /// Says what was missing when something turned out to be invalid.
    fn unresolved(&self, invalid: &Invalid) -> Unresolved {
        match self.missing.take() {
            Some(reference) => Unresolved::Reference(reference),
            None => Unresolved::Invalid(invalid.to_string()),
        }
    }
}

impl Lookup for Known<'_> {
    fn reference(&self, logical_id: &str) -> Option<Value> {
        let thing = self.resources.get(logical_id)?.thing.as_ref()?;
        Some(thing.physical_id.as_str().into())
    }

    fn attribute(&self, logical_id: &str, name: &str) -> Option<Value> {
        let thing = self.resources.get(logical_id)?.thing.as_ref()?;
        // Something that is only noted down answers something, so that the rest of the stack can be made.
        // What is called an ARN looks like one: the API is asked to take it, for a permission say.
        let noted = || match name.ends_with("Arn") {
            true => Value::from(format!("arn:aws:everstep:::{}", thing.physical_id)),
            false => Value::from(format!("{}.{name}", thing.physical_id)),
        };
        thing.attributes.get(name).cloned().or_else(|| thing.not_served.then(noted))
    }

    fn dynamic(&self, service: &str, key: &str) -> Option<String> {
        let reference = (service.to_string(), key.to_string());
        let found = self.dynamic.find(&reference);
        if found.is_none() {
            self.missing.replace(Some(reference));
        }
        found
    }
}
