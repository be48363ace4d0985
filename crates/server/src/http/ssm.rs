//! The service `ssm`: the Parameter Store of Systems Manager.
//!
//! Requests are AWS's JSON 1.1. What is kept is in `parameters`.

mod delete_parameters;
mod describe_parameters;
mod get_parameter_history;
mod get_parameters;
mod get_parameters_by_path;
mod labels;
mod put_parameter;
mod tags;

use everstep_api::timestamp::seconds;
use everstep_core::Timestamp;
use serde_json::{Value, json};

use super::authorize::Need;
use super::error::Error;
use super::operation::{declare_operations, of_target};
use super::request::{Request, Response};
use super::{Services, marker};
use crate::parameters::{Parameter, ParameterVersion};

/// How the header names the API.
const TARGET: &str = "AmazonSSM.";

macro_rules! operations {
    ($($name:ident on $target:ident;)*) => {
        declare_operations! { "the Parameter Store", "ssm": $($name)* }

        impl Operation {
            fn target(self) -> Target {
                match self { $(Self::$name => Target::$target,)* }
            }
        }
    };
}

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Nothing in particular.
    Everything,
    /// The parameter that `Name` names.
    Name,
    /// The parameters that `Names` names.
    Names,
    /// What is below `Path`.
    Path,
    /// The parameter that `ResourceId` names.
    ResourceId,
}

operations! {
    PutParameter on Name;
    GetParameter on Name;
    GetParameters on Names;
    GetParametersByPath on Path;
    GetParameterHistory on Name;
    DescribeParameters on Everything;
    DeleteParameter on Name;
    DeleteParameters on Names;
    LabelParameterVersion on Name;
    UnlabelParameterVersion on Name;
    AddTagsToResource on ResourceId;
    RemoveTagsFromResource on ResourceId;
    ListTagsForResource on ResourceId;
}

impl Operation {
    /// Finds the operation that a target names.
    ///
    /// # Errors
    /// If it is none of this service, or none that is served.
    pub fn find(target: &str) -> Result<Self, Error> {
        let name = of_target(target, TARGET)?;
        let found = Self::ALL.iter().find(|operation| operation.name() == name).copied();
        found.ok_or_else(|| {
            Error::not_served(format!("Everstep does not serve {name}; of Systems Manager it serves parameters."))
        })
    }

    /// Returns what it takes of its sender.
    pub fn needs(self, services: &Services, request: &Request) -> Vec<Need> {
        let parameters = &services.parameters;
        // The selector of a version does not belong to the resource.
        let resource = |text: &str| {
            let name = parameters.name_of(text);
            parameters.arn(name.split(':').next().unwrap_or_default())
        };
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let named = |member: &str| body[member].as_str().unwrap_or_default().to_string();
        let resources = match self.target() {
            Target::Everything => vec!["*".into()],
            Target::Name => vec![resource(&named("Name"))],
            Target::Path => vec![resource(&named("Path"))],
            Target::ResourceId => vec![resource(&named("ResourceId"))],
            Target::Names => {
                let names = body["Names"].as_array().cloned().unwrap_or_default();
                let resources: Vec<String> = names.iter().filter_map(Value::as_str).map(resource).collect();
                if resources.is_empty() { vec!["*".into()] } else { resources }
            }
        };
        resources.into_iter().map(|resource| Need::new(self.action(), resource)).collect()
    }
}

/// Carries out an operation.
pub async fn serve(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    let answer = match operation {
        Operation::PutParameter => put_parameter::handle(services, request).await,
        Operation::GetParameter => get_parameters::one(services, request).await,
        Operation::GetParameters => get_parameters::several(services, request).await,
        Operation::GetParametersByPath => get_parameters_by_path::handle(services, request).await,
        Operation::GetParameterHistory => get_parameter_history::handle(services, request).await,
        Operation::DescribeParameters => describe_parameters::handle(services, request).await,
        Operation::DeleteParameter => delete_parameters::one(services, request).await,
        Operation::DeleteParameters => delete_parameters::several(services, request).await,
        Operation::LabelParameterVersion => labels::add(services, request).await,
        Operation::UnlabelParameterVersion => labels::remove(services, request).await,
        Operation::AddTagsToResource => tags::add(services, request).await,
        Operation::RemoveTagsFromResource => tags::remove(services, request).await,
        Operation::ListTagsForResource => tags::list(services, request).await,
    };
    Ok(Response::json(200, &answer?))
}

/// What is shown of a secret to who does not ask for it.
const HIDDEN: &str = "(a SecureString: ask with WithDecryption)";

/// Writes a version with its value.
fn shape(services: &Services, parameter: &Parameter, version: &ParameterVersion, decrypt: bool) -> Value {
    let hidden = version.kind == "SecureString" && !decrypt;
    json!({
        "Name": parameter.name,
        "Type": version.kind,
        "Value": if hidden { HIDDEN } else { &version.value },
        "Version": version.number,
        "LastModifiedDate": seconds(Timestamp::from_millis(version.modified_at_millis)),
        "ARN": services.parameters.arn(&parameter.name),
        "DataType": parameter.data_type,
    })
}

/// Splits a name from the version or label that is asked for.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((name, selector)) => (name, Some(selector)),
        None => (text, None),
    }
}

/// Says that there is no such parameter.
fn missing() -> Error {
    Error::named(400, "ParameterNotFound", "Parameter not found.")
}

/// Returns how many items a page may have.
fn limit(asked: Option<i64>, max: usize, default: usize) -> Result<usize, Error> {
    let limit = asked.unwrap_or(default as i64);
    let mut violations = everstep_api::validation::Violations::default();
    violations.range(limit, "maxResults", 1, max as i64);
    violations.finish().map_err(Error::validation)?;
    Ok(limit as usize)
}

/// Reads a token that says where a list goes on.
fn open(services: &Services, token: Option<&str>) -> Result<Option<String>, Error> {
    let opened = token.map(|token| marker::open(token, services.engine.clock().now())).transpose();
    opened.map_err(|_| Error::named(400, "InvalidNextToken", "The specified token isn't valid."))
}

/// Writes such a token.
fn seal(services: &Services, position: &str) -> Value {
    marker::seal(position, services.engine.clock().now()).into()
}
