//! `AWS::Serverless::SimpleTable`: a DynamoDB table with one key.

use serde_json::{Value, json};

use super::Made;
use super::problem::Problem;
use super::property::{Property, Shape, optional};
use super::resource::{Resource, Source, tag_list};

/// The type that this is about.
pub const KIND: &str = "AWS::Serverless::SimpleTable";

/// The properties. Source: `aws-sam-translator`, `SamSimpleTable`.
const PROPERTIES: [Property; 6] = [
    optional("PointInTimeRecoverySpecification", Shape::Any),
    optional("PrimaryKey", Shape::Texts),
    optional("ProvisionedThroughput", Shape::IntegersAndMaps),
    optional("TableName", Shape::TextOrMap),
    optional("Tags", Shape::Map),
    optional("SSESpecification", Shape::Map),
];

/// Types of keys, and what DynamoDB calls them.
const KEY_TYPES: [(&str, &str); 3] = [("String", "S"), ("Number", "N"), ("Binary", "B")];

/// Makes the plain table.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn translate(id: &str, resource: &Value) -> Result<Made, Problem> {
    let source = Source::read(id, resource, KIND, &PROPERTIES)?;
    let (name, kind) = primary_key(&source)?;
    let mut table = Resource::new(id, "AWS::DynamoDB::Table", source.attributes())
        .depending_on(source.depends_on.clone())
        .with("AttributeDefinitions", json!([{ "AttributeName": name, "AttributeType": kind }]))
        .with("KeySchema", json!([{ "AttributeName": name, "KeyType": "HASH" }]));
    for name in ["PointInTimeRecoverySpecification", "ProvisionedThroughput", "SSESpecification", "TableName"] {
        table.set(name, source.given(name).cloned());
    }
    if source.given("ProvisionedThroughput").is_none() {
        table.set("BillingMode", Value::from("PAY_PER_REQUEST"));
    }
    table.set("Tags", source.given("Tags").map(|tags| tag_list(Some(tags)).into()));
    Ok(Made { resources: vec![table], ..Made::default() })
}

fn primary_key(source: &Source) -> Result<(Value, &'static str), Problem> {
    let Some(key) = source.given("PrimaryKey") else { return Ok(("id".into(), "S")) };
    let part = |name: &str| {
        let part = key.get(name).filter(|part| !part.is_null());
        part.ok_or_else(|| source.problem(format!("Property 'PrimaryKey.{name}' is required.")))
    };
    let (name, kind) = (part("Name")?, part("Type")?);
    match KEY_TYPES.into_iter().find(|(known, _)| kind == known) {
        Some((_, kind)) => Ok((name.clone(), kind)),
        None => {
            let kind = kind.as_str().map_or_else(|| kind.to_string(), str::to_owned);
            Err(source.problem(format!("Invalid 'Type' \"{kind}\".")))
        }
    }
}
