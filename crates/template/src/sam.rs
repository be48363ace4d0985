//! The SAM transform: turns a template of the Serverless Application Model into a plain CloudFormation template.
//!
//! Its rules are those of AWS's own translator, `aws-sam-translator`, with which tests compare it. Functions, layers
//! and simple tables become plain resources, a file per type. Everything else of SAM stays in the template as it is
//! (`AWS::Serverless::HttpApi`, say), or becomes a resource of a type that begins with [`NOT_SERVED`], so that
//! whoever plans can name it. Conditions are not evaluated, and short tags must be in long form already.
//!
//! On purpose unlike AWS: tags are in order of their keys; the name of a managed policy that AWS does not have becomes
//! an ARN all the same; `Fn::GetAtt` as a text follows a new logical id too.

mod code;
mod event;
mod fingerprint;
mod function;
mod globals;
mod implicit;
mod intrinsic;
mod layer;
mod parameters;
mod policies;
mod problem;
mod property;
mod reference;
mod resource;
mod simple_table;
mod transforms;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use problem::{Problem, message};

use parameters::Parameters;
use reference::References;
use resource::{Resource, Source};

/// The name of the transform.
pub const TRANSFORM: &str = "AWS::Serverless-2016-10-31";

/// How types of the Serverless Application Model begin.
pub const PREFIX: &str = "AWS::Serverless::";

/// How the types of resources begin that stand for what is not served and would be no resource of its own: an event
/// `Api` of a function, say, is a resource of type `Everstep::NotServed::Api`.
pub const NOT_SERVED: &str = "Everstep::NotServed::";

/// The types of SAM that the transform leaves in a template, without [`PREFIX`].
pub(crate) const LEFT: [&str; 11] = [
    "Api",
    "Application",
    "CapacityProvider",
    "Connector",
    "GraphQLApi",
    "HttpApi",
    "MicrovmImage",
    "NetworkConnector",
    "StateMachine",
    "WebFunction",
    "WebSocketApi",
];

/// Where a stack is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The partition: `aws`.
    pub partition: String,
    /// The region: `us-east-1`.
    pub region: String,
}

/// Transforms a template, if it says so. `parameters` are the values that are given, by name; defaults are read from
/// the template.
///
/// # Errors
/// Everything that is wrong with it; [`message`] says it as CloudFormation does.
pub fn transform(template: &Value, parameters: &BTreeMap<String, Value>, place: &Place) -> Result<Value, Vec<Problem>> {
    let is_sam = transforms::include_sam(template).map_err(|problem| vec![problem])?;
    let Value::Object(members) = template else { return Ok(template.clone()) };
    let mut template = members.clone();
    template.remove("Transform");
    if !is_sam {
        return Ok(template.into());
    }
    check_structure(&template).map_err(|problem| vec![problem])?;
    implicit::add(&mut template);
    globals::spread(&mut template).map_err(|problem| vec![problem])?;
    let mut problems = embedded_connectors(&mut template);

    let mut resources = template.get("Resources").and_then(Value::as_object).cloned().unwrap_or_default();
    let template = Value::Object(template);
    let context = Context {
        parameters: Parameters::new(&template, parameters, place),
        place,
        resources: &template["Resources"],
        mappings: &template["Mappings"],
    };
    let mut references = References::default();
    let mut conditions = Map::new();
    for (id, kind) in in_order(&resources) {
        match kind.translate(&context, &id, &resources[&id]) {
            Ok(made) => {
                problems.extend(made.put(&id, &mut resources, &mut conditions, &mut references, context.resources))
            }
            Err(problem) => problems.push(problem),
        }
    }
    references.kept = resources
        .iter()
        .filter(|(_, resource)| kind_of(resource).starts_with(PREFIX))
        .map(|(id, _)| id.clone())
        .collect();
    problems.dedup();
    if !problems.is_empty() {
        return Err(problems);
    }
    let Value::Object(mut template) = template else { unreachable!("it was made of members") };
    template.insert("Resources".to_owned(), resources.into());
    if !conditions.is_empty() {
        let all = template.entry("Conditions").or_insert_with(|| json!({}));
        if let Some(all) = all.as_object_mut() {
            all.extend(conditions);
        }
    }
    let mut template = template.into();
    references.rewrite(&mut template);
    Ok(template)
}

/// Tells whether a type is one that the transform gives back because it is not served.
pub fn is_not_served(kind: &str) -> bool {
    kind.starts_with(NOT_SERVED) || kind.strip_prefix(PREFIX).is_some_and(|kind| LEFT.contains(&kind))
}

/// What a resource is translated by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Function,
    LayerVersion,
    SimpleTable,
}

/// What translations look at besides the resource.
struct Context<'a> {
    parameters: Parameters,
    place: &'a Place,
    /// The resources before they are translated, with what is common to them in each.
    resources: &'a Value,
    mappings: &'a Value,
}

/// What a translation makes.
#[derive(Default)]
struct Made {
    resources: Vec<Resource>,
    conditions: Map<String, Value>,
    /// Logical ids by the names that the SAM resource has for them.
    named: BTreeMap<&'static str, String>,
    /// The logical id that the SAM resource has now, if it is another one.
    new_id: Option<String>,
}

impl Kind {
    fn of(resource: &Value) -> Option<Kind> {
        match kind_of(resource) {
            function::KIND => Some(Kind::Function),
            layer::KIND => Some(Kind::LayerVersion),
            simple_table::KIND => Some(Kind::SimpleTable),
            _ => None,
        }
    }

    fn translate(self, context: &Context, id: &str, resource: &Value) -> Result<Made, Problem> {
        match self {
            Kind::Function => function::translate(context, id, resource),
            Kind::LayerVersion => layer::translate(context, id, resource),
            Kind::SimpleTable => simple_table::translate(id, resource),
        }
    }
}

impl Context<'_> {
    /// Resolves parameters, and then what is in the template's mappings.
    fn resolve_with_mappings(&self, value: &Value) -> Value {
        let value = self.parameters.resolve(value);
        let path = value.get("Fn::FindInMap").and_then(Value::as_array).map(Vec::as_slice);
        if let Some([Value::String(map), Value::String(first), Value::String(second)]) = path
            && let Some(found) = self.mappings.get(map).and_then(|map| map.get(first)?.get(second))
        {
            return found.clone();
        }
        value
    }
}

impl Made {
    /// Lets the SAM resource's name for a resource refer to it.
    fn named(&mut self, name: &'static str, id: &str) {
        self.named.insert(name, id.to_owned());
    }

    /// Adds the condition that holds when another one does not. Returns its name.
    fn negated(&mut self, condition: &Value, name: &str) -> Value {
        self.conditions.insert(name.to_owned(), json!({ "Fn::Not": [{ "Condition": condition }] }));
        name.into()
    }

    /// Adds a resource for something of a function that is not served.
    fn not_served(&mut self, function: &Source, name: &str, kind: &str, properties: Map<String, Value>) {
        let mut resource =
            Resource::new(function.id.clone() + name, format!("{NOT_SERVED}{kind}"), function.inherited());
        resource.properties = properties;
        self.resources.push(resource);
    }

    /// Puts everything where it belongs. Returns a problem for each resource that cannot be there.
    fn put(
        self,
        id: &str,
        resources: &mut Map<String, Value>,
        conditions: &mut Map<String, Value>,
        references: &mut References,
        originals: &Value,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        resources.remove(id);
        for resource in self.resources {
            match originals.get(&resource.id) {
                Some(original) if !may_replace(&resource.kind, kind_of(original)) => problems.push(Problem::Taken {
                    id: id.to_owned(),
                    taken: resource.id,
                    kind: resource.kind.into_owned(),
                }),
                Some(_) | None => {
                    resources.insert(resource.id.clone(), resource.into_json());
                }
            }
        }
        conditions.extend(self.conditions);
        references.named.extend(self.named.into_iter().map(|(name, named)| (format!("{id}.{name}"), named)));
        if let Some(new_id) = self.new_id {
            references.renamed.insert(id.to_owned(), new_id);
        }
        problems
    }
}

/// Lists the resources that are translated: functions first, because a layer is still in its place for them then.
fn in_order(resources: &Map<String, Value>) -> Vec<(String, Kind)> {
    let mut list: Vec<_> =
        resources.iter().filter_map(|(id, resource)| Some((id.clone(), Kind::of(resource)?))).collect();
    list.sort_by_key(|(_, kind)| *kind != Kind::Function);
    list
}

/// Tells whether a resource may have the logical id of one that was in the template.
fn may_replace(kind: &str, original: &str) -> bool {
    const PAIRS: [(&str, &str); 4] = [
        ("AWS::Lambda::Function", function::KIND),
        ("AWS::Lambda::LayerVersion", layer::KIND),
        ("AWS::DynamoDB::Table", simple_table::KIND),
        ("AWS::SNS::Topic", "AWS::SNS::Topic"),
    ];
    PAIRS.contains(&(kind, original))
}

fn kind_of(resource: &Value) -> &str {
    resource["Type"].as_str().unwrap_or_default()
}

fn check_structure(template: &Map<String, Value>) -> Result<(), Problem> {
    let wrong = |message: &str| Err(Problem::Structure(message.to_owned()));
    let resources = match template.get("Resources").and_then(Value::as_object) {
        Some(resources) if !resources.is_empty() => resources,
        Some(_) | None => return wrong("'Resources' section is required"),
    };
    if !resources.values().all(Value::is_object) {
        return wrong("All 'Resources' must be Objects. If you're using YAML, this may be an indentation issue.");
    }
    for (id, resource) in resources {
        if !resource["Condition"].is_string() && intrinsic::is_given(&resource["Condition"]) {
            return wrong("Every Condition member must be a string.");
        }
        let is_sam = kind_of(resource).starts_with(PREFIX);
        if is_sam && resource.get("Properties").is_some_and(|properties| !properties.is_object()) {
            return Err(Problem::resource(id, "Attribute 'Properties' should be a map."));
        }
    }
    Ok(())
}

/// Makes resources of the connectors that are written into other resources.
fn embedded_connectors(template: &mut Map<String, Value>) -> Vec<Problem> {
    let Some(resources) = template.get_mut("Resources").and_then(Value::as_object_mut) else { return Vec::new() };
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for (id, resource) in resources.iter_mut() {
        match resource.as_object_mut().and_then(|resource| resource.remove("Connectors")) {
            None => {}
            Some(Value::Object(connectors)) => {
                found.extend(connectors.into_iter().map(|(name, connector)| (id.clone(), name, connector)));
            }
            Some(_) => problems.push(Problem::resource(id, format!("Attribute '{id}.Connectors' should be a map."))),
        }
    }
    for (source, name, connector) in found {
        let id = source.clone() + &name;
        let mut properties = connector["Properties"].as_object().cloned().unwrap_or_default();
        let mut from = json!({ "Id": source });
        if let (Some(from), Some(Value::Object(more))) = (from.as_object_mut(), properties.remove("SourceReference")) {
            from.extend(more);
        }
        properties.insert("Source".to_owned(), from);
        if resources.contains_key(&id) {
            problems.push(Problem::Taken { id: source, taken: id, kind: format!("{PREFIX}Connector") });
        } else {
            resources.insert(id, json!({ "Type": format!("{PREFIX}Connector"), "Properties": properties }));
        }
    }
    problems
}
