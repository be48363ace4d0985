//! What a template would make of a stack: reading it, giving it parameters, comparing it with what there is.
//!
//! Nothing is changed here. What is wrong with a template is refused; what may be right another time makes a change
//! set that cannot be used, as on AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use everstep_template::plan::{Detail, Target as Part};
use everstep_template::{
    Action, Change, Deployed, Given, GivenValue, NO_CHANGES, Parameters, Plan, Replacement, Template as Read, document,
    limits, sam,
};
use serde_json::{Value, json};

use super::document::{Parameter, Resource, Settings, Stack, StackId, Template};
use super::status::StackStatus;
use super::{dynamic, target, template_url, types};
use crate::access::Principal;
use crate::http::Services;
use crate::http::authorize::may_read_object;
use crate::http::error::Error;
use crate::http::on_behalf::Call;
use crate::http::request::Request;
use crate::http::ssm;
use crate::objects;

/// The tag by which a stack accepts that resources of types that are not served are only noted down.
pub const ACCEPT_NOT_SERVED: &str = "EverstepAcceptNotServed";

/// Who asks, and how they call this server.
pub struct Sender<'a> {
    /// Whose permissions count.
    pub principal: &'a Principal,
    /// The host of the request, to which a `TemplateURL` may lead.
    pub host: &'a str,
}

impl<'a> Sender<'a> {
    /// Reads who sent a request.
    pub fn of(request: &'a Request) -> Self {
        Self { principal: &request.principal, host: request.header("host").unwrap_or_default() }
    }
}

/// What is asked of a stack.
pub struct Asked {
    /// Where the template is.
    pub source: Source,
    /// Values of parameters by their names.
    pub parameters: BTreeMap<String, GivenValue>,
    /// The rest, without parameters and description.
    pub settings: Settings,
    /// Whether transforms need `CAPABILITY_AUTO_EXPAND`, as they do without a change set.
    pub expands_only_if_told: bool,
}

/// Where a template is.
#[derive(Clone, Debug)]
pub enum Source {
    /// In the request.
    Body(String),
    /// In a bucket of this server.
    Url(String),
    /// It is the one that is deployed.
    Previous,
}

/// What would become of a stack.
#[derive(Debug)]
pub struct Prepared {
    /// What it is asked for.
    pub settings: Settings,
    /// The template.
    pub template: Template,
    /// The exports of other stacks that it uses.
    pub imports: BTreeSet<String>,
    /// What would change, as AWS's `Change`s.
    pub changes: Vec<Value>,
    /// Why it cannot be done, although nothing is wrong with the template.
    pub obstacle: Option<String>,
}

/// Says what would become of a stack.
///
/// # Errors
/// What is wrong with the template or its parameters, in AWS's words.
pub async fn prepare(
    services: &Services,
    sender: &Sender<'_>,
    id: &StackId,
    stack: Option<&Stack>,
    asked: Asked,
) -> Result<Prepared, Error> {
    let Asked { source, parameters, mut settings, expands_only_if_told } = asked;
    let original = text(services, sender, stack, &source).await?;
    let parsed = document::parse(&original).map_err(invalid)?;
    let declared = Parameters::read(&parsed).map_err(invalid)?;
    let known = stack.map(|stack| stack.settings.parameters.as_slice()).unwrap_or_default();
    let previous = known.iter().map(|known| (known.key.clone(), known.value.clone())).collect();
    let mut given = Given { values: parameters, previous, ssm: BTreeMap::new() };
    for name in declared.ssm_names(&given).map_err(invalid)? {
        if let Some(value) = ssm_value(services, sender, &name).await? {
            given.ssm.insert(name, value);
        }
    }
    let parameters = declared.raw(&given).map_err(invalid)?;
    let no_echo: BTreeSet<&str> =
        declared.iter().filter(|(_, parameter)| parameter.no_echo).map(|(name, _)| name).collect();
    settings.parameters = parameters
        .into_iter()
        .map(|(key, value)| Parameter {
            resolved: given.ssm.get(&value).cloned(),
            no_echo: no_echo.contains(key.as_str()),
            key,
            value,
        })
        .collect();
    let transforms = document::transforms(&parsed).map_err(invalid)?;
    if expands_only_if_told && !transforms.is_empty() {
        require("CAPABILITY_AUTO_EXPAND", &settings)?;
    }
    let values = declared.values(&given).map_err(invalid)?;
    let processed = match transform(services, &parsed, &values)? {
        Ok(processed) => processed,
        Err(obstacle) => {
            let template = Template { original, processed: parsed };
            return Ok(Prepared {
                settings,
                template,
                imports: BTreeSet::new(),
                changes: Vec::new(),
                obstacle: Some(obstacle),
            });
        }
    };
    let read = Read::read(&processed).map_err(invalid)?;
    settings.description.clone_from(&read.description);
    if let Some(capability) = read.summary().capability
        && !capability.is_granted(&settings.capabilities)
    {
        return Err(insufficient(capability.name()));
    }
    let bound = target::bind(services, id, &settings, &processed).await?.map_err(invalid)?;
    dynamic::check(&processed, bound.resources().keys())?;
    let (before, resources) = match stack {
        Some(stack) => (target::deployed(services, stack).await?, services.stacks.resources(&stack.id).await?),
        None => (Deployed::default(), BTreeMap::new()),
    };
    let plan = bound.plan(&before, |name| types::find(name, &services.forwards).is_some()).map_err(invalid)?;
    let retags = stack.filter(|stack| stack.settings.tags != settings.tags).map(|_| &before);
    let changes = changes(&plan, &resources, retags);
    let settled =
        stack.is_some_and(|stack| !matches!(stack.status, StackStatus::UpdateFailed | StackStatus::CreateFailed));
    let unchanged =
        plan.is_empty() && changes.is_empty() && settled && stack.is_some_and(|stack| stack.template.is_some());
    let obstacle = match not_served(&plan, &settings) {
        Some(obstacle) => Some(obstacle),
        None => unchanged.then(|| NO_CHANGES.to_string()),
    };
    Ok(Prepared {
        settings,
        template: Template { original, processed },
        imports: bound.imports().clone(),
        changes,
        obstacle,
    })
}

/// What a template takes and needs.
pub struct Summary {
    /// Its words for people.
    pub description: Option<String>,
    /// Its parameters.
    pub parameters: Parameters,
    /// The capabilities that it needs.
    pub capabilities: Vec<&'static str>,
    /// Why.
    pub capabilities_reason: Option<String>,
    /// The types of its resources.
    pub resource_types: Vec<String>,
    /// Its transforms.
    pub transforms: Vec<String>,
    /// Its `Metadata`, as text.
    pub metadata: Option<String>,
}

/// Says what a template takes and needs. Transforms are named and not applied, as on AWS.
///
/// # Errors
/// What is wrong with it.
pub fn summary(_services: &Services, text: &str) -> Result<Summary, Error> {
    let parsed = document::parse(text).map_err(invalid)?;
    let transforms = document::transforms(&parsed).map_err(invalid)?;
    let parameters = Parameters::read(&parsed).map_err(invalid)?;
    let metadata = parsed.get("Metadata").map(Value::to_string);
    let description = parsed["Description"].as_str().map(str::to_string);
    let resources = parsed["Resources"].as_object().into_iter().flatten();
    let types: BTreeSet<&str> = resources.filter_map(|(_, resource)| resource["Type"].as_str()).collect();
    let resource_types = types.into_iter().map(str::to_string).collect();
    if !transforms.is_empty() {
        let capabilities = vec!["CAPABILITY_AUTO_EXPAND"];
        let reason = format!("The following transform(s) require capabilities: [{}]", transforms.join(", "));
        let capabilities_reason = Some(reason);
        return Ok(Summary {
            description,
            parameters,
            capabilities,
            capabilities_reason,
            resource_types,
            transforms,
            metadata,
        });
    }
    let read = Read::read(&parsed).map_err(invalid)?;
    let summary = read.summary();
    Ok(Summary {
        description,
        parameters,
        capabilities: summary.capability.map(|capability| capability.name()).into_iter().collect(),
        capabilities_reason: summary.capabilities_reason,
        resource_types,
        transforms,
        metadata,
    })
}

/// Returns the text of a template.
///
/// # Errors
/// If it is too large, or elsewhere.
pub async fn text(
    services: &Services,
    sender: &Sender<'_>,
    stack: Option<&Stack>,
    source: &Source,
) -> Result<String, Error> {
    match source {
        Source::Body(text) if text.len() > limits::TEMPLATE_BODY_BYTES_MAX => Err(Error::validation(format!(
            "1 validation error detected: Value '…' at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to {}",
            limits::TEMPLATE_BODY_BYTES_MAX
        ))),
        Source::Body(text) => Ok(text.clone()),
        Source::Url(url) => from_bucket(services, sender, url).await,
        Source::Previous => {
            let stack = stack.ok_or_else(|| {
                Error::validation("The stack has no template yet: UsePreviousTemplate cannot be used.")
            })?;
            let missing = || Error::validation(format!("Stack [{}] has no template", stack.id.name));
            let number = stack.template.ok_or_else(missing)?;
            Ok(services.stacks.template(&stack.id, number).await?.ok_or_else(missing)?.original)
        }
    }
}

/// Reads a template from a bucket of this server; nothing is fetched from elsewhere.
async fn from_bucket(services: &Services, sender: &Sender<'_>, url: &str) -> Result<String, Error> {
    let (bucket, key) = template_url::locate(url, sender.host).ok_or_else(|| {
        Error::validation(format!(
            "TemplateURL must be a supported URL: {url} does not lead to a bucket of this server. Put the template into one, or send it as TemplateBody."
        ))
    })?;
    if !may_read_object(services, sender.principal, &bucket, &key) {
        return Err(Error::validation(format!("S3 error: Access Denied. TemplateURL: {url}")));
    }
    let opened = services.objects.open_object(&bucket, &key, None).await;
    let (_, object, mut reader) = opened.map_err(|error| match error {
        objects::Error::Store(error) => error.into(),
        error => Error::validation(format!("S3 error: {error}. TemplateURL: {url}")),
    })?;
    if object.size > limits::TEMPLATE_URL_BYTES_MAX as u64 {
        return Err(Error::validation(format!(
            "Template may not exceed {} bytes in size.",
            limits::TEMPLATE_URL_BYTES_MAX
        )));
    }
    let read = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    let read = read.await.expect("reading does not panic");
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => Error::validation("Template format error: the template is not UTF-8."),
        _ => {
            tracing::error!(%error, bucket, key, "a template could not be read");
            Error::service("The template could not be read; the server's log says why.")
        }
    })
}

/// Returns what the Parameter Store has for a parameter, if the sender may read it.
async fn ssm_value(services: &Services, sender: &Sender<'_>, name: &str) -> Result<Option<String>, Error> {
    let get = Call::new(ssm::Operation::GetParameter, &[]).body(json!({"Name": name}));
    match services.call(sender.principal, get).await {
        Ok(found) => Ok(found["Parameter"]["Value"].as_str().map(str::to_string)),
        Err(error) if error.code == "ParameterNotFound" => Ok(None),
        Err(error) => Err(error),
    }
}

/// Applies the transforms. Says why it cannot, if something of the template is wrong: then there is a change set that
/// says so, as on AWS.
fn transform(
    services: &Services,
    parsed: &Value,
    values: &BTreeMap<String, Value>,
) -> Result<Result<Value, String>, Error> {
    let region = services.stacks.place().region.to_string();
    let place = sam::Place { partition: "aws".into(), region };
    match sam::transform(parsed, values, &place) {
        Ok(processed) => Ok(Ok(processed)),
        Err(problems) => match problems.as_slice() {
            [problem @ sam::Problem::Transform(_)] => Err(Error::validation(problem.to_string())),
            problems => Ok(Err(sam::message(problems))),
        },
    }
}

fn require(capability: &'static str, settings: &Settings) -> Result<(), Error> {
    let granted = settings.capabilities.iter().any(|granted| granted == capability);
    if granted { Ok(()) } else { Err(insufficient(capability)) }
}

fn insufficient(capability: &str) -> Error {
    Error::named(400, "InsufficientCapabilitiesException", format!("Requires capabilities : [{capability}]"))
}

fn invalid(invalid: everstep_template::Invalid) -> Error {
    Error::validation(invalid.to_string())
}

/// Says which types are not served, unless the stack accepts it.
fn not_served(plan: &Plan, settings: &Settings) -> Option<String> {
    let accepted = settings.tags.get(ACCEPT_NOT_SERVED).is_some_and(|value| value == "true");
    if plan.not_served.is_empty() || accepted {
        return None;
    }
    let named: Vec<String> = plan.not_served.iter().map(|(id, name)| format!("{id} ({name})")).collect();
    let forwarded = plan.not_served.iter().find_map(|(_, name)| types::known(name)?.forwarded_to());
    let way_out = forwarded.map_or_else(String::new, |service| {
        format!(" Some of them are served by a real service: name one in a table [forward.{service}] of the configuration file.")
    });
    Some(format!(
        "Everstep does not serve these resources yet: {}.{way_out} To deploy the stack without them, give it the tag {ACCEPT_NOT_SERVED}=true; they are then noted down, and nothing is made for them.",
        named.join(", ")
    ))
}

/// Writes a plan as AWS's `Change`s. Tags of the stack that change are changes of the resources that get them.
fn changes(plan: &Plan, resources: &BTreeMap<String, Resource>, retags: Option<&Deployed>) -> Vec<Value> {
    let mut changes: Vec<Value> = plan.changes.iter().map(|change| shape(change, resources)).collect();
    for (logical_id, planned) in retags.iter().flat_map(|before| &before.resources) {
        let has_tags = types::known(&planned.resource_type).is_some_and(|known| known.tags() != types::Tags::None);
        if !has_tags || plan.changes.iter().any(|change| change.logical_id == *logical_id) {
            continue;
        }
        let detail = json!({
            "Target": {"Attribute": "Tags", "RequiresRecreation": "Never"},
            "Evaluation": "Static",
            "ChangeSource": "DirectModification",
        });
        let mut change = json!({
            "Action": "Modify",
            "LogicalResourceId": logical_id,
            "ResourceType": planned.resource_type,
            "Replacement": "False",
            "Scope": ["Tags"],
            "Details": [detail],
        });
        add_physical_id(&mut change, resources.get(logical_id));
        changes.push(json!({"Type": "Resource", "ResourceChange": change}));
    }
    changes
}

fn shape(change: &Change, resources: &BTreeMap<String, Resource>) -> Value {
    let Change { logical_id, resource_type, action, .. } = change;
    let mut shape = json!({"LogicalResourceId": logical_id, "ResourceType": resource_type, "Scope": [], "Details": []});
    match action {
        Action::Add => shape["Action"] = "Add".into(),
        Action::Remove(policy) => {
            shape["Action"] = "Remove".into();
            let keeps =
                matches!(policy, everstep_template::Policy::Retain | everstep_template::Policy::RetainExceptOnCreate);
            shape["PolicyAction"] = if keeps { "Retain" } else { "Delete" }.into();
        }
        Action::Modify { replacement, details } => {
            shape["Action"] = "Modify".into();
            shape["Replacement"] = match replacement {
                Replacement::False => "False",
                Replacement::Conditional => "Conditional",
                Replacement::True => "True",
            }
            .into();
            let scope: BTreeSet<&str> = details.iter().map(|detail| attribute(&detail.target)).collect();
            shape["Scope"] = json!(scope);
            shape["Details"] = details.iter().map(detail).collect();
        }
    }
    add_physical_id(&mut shape, resources.get(logical_id));
    json!({"Type": "Resource", "ResourceChange": shape})
}

fn add_physical_id(shape: &mut Value, resource: Option<&Resource>) {
    if let Some(thing) = resource.and_then(|resource| resource.thing.as_ref()) {
        shape["PhysicalResourceId"] = thing.physical_id.as_str().into();
    }
}

fn attribute(target: &Part) -> &'static str {
    match target {
        Part::Property(name) if name == "Tags" => "Tags",
        Part::Property(_) => "Properties",
        Part::Metadata => "Metadata",
        Part::DeletionPolicy => "DeletionPolicy",
        Part::UpdateReplacePolicy => "UpdateReplacePolicy",
    }
}

fn detail(detail: &Detail) -> Value {
    let recreation = match detail.recreation {
        Replacement::False => "Never",
        Replacement::Conditional => "Conditionally",
        Replacement::True => "Always",
    };
    let mut target = json!({"Attribute": attribute(&detail.target), "RequiresRecreation": recreation});
    if let Part::Property(name) = &detail.target {
        target["Name"] = name.as_str().into();
    }
    let source = match &detail.cause {
        None => "DirectModification",
        Some(cause) if cause.contains('.') => "ResourceAttribute",
        Some(_) => "ResourceReference",
    };
    let evaluation = if detail.certain { "Static" } else { "Dynamic" };
    let mut shape = json!({"Target": target, "Evaluation": evaluation, "ChangeSource": source});
    if let Some(cause) = &detail.cause {
        shape["CausingEntity"] = cause.as_str().into();
    }
    shape
}
