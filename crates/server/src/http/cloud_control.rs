//! The service `cloudcontrolapi`: as much of Cloud Control as SAM CLI asks for to list endpoints.
//!
//! Requests are AWS's JSON 1.0. It holds nothing: what it tells, another operation has told it, on the sender's behalf.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Services;
use super::authorize::Need;
use super::error::Error;
use super::lambda;
use super::on_behalf::Call;
use super::operation::of_target;
use super::request::{Request, Response};

/// How the header names the API.
const TARGET: &str = "CloudApiService.";

/// An operation of Cloud Control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `GetResource`
    GetResource,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GetResource {
    type_name: String,
    identifier: String,
}

impl Operation {
    /// Every operation that is served.
    pub const ALL: &[Self] = &[Self::GetResource];

    /// Returns AWS's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetResource => "GetResource",
        }
    }

    /// Finds the operation that a target names.
    ///
    /// # Errors
    /// If it is none of this service, or none that is served.
    pub fn find(target: &str) -> Result<Self, Error> {
        let name = of_target(target, TARGET)?;
        let found = Self::ALL.iter().find(|operation| operation.name() == name).copied();
        found.ok_or_else(|| {
            Error::not_served(format!("Everstep does not serve {name}; of Cloud Control it serves GetResource."))
        })
    }

    /// Returns what it takes of its sender, beside what the operations take that it asks.
    pub fn needs(self) -> Vec<Need> {
        match self {
            Self::GetResource => vec![Need::new("cloudformation:GetResource", "*")],
        }
    }
}

/// Carries out an operation.
pub async fn serve(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    match operation {
        Operation::GetResource => get_resource(services, request).await,
    }
}

/// Describes a function URL, which is known by the function's ARN.
async fn get_resource(services: &Services, request: &Request) -> Result<Response, Error> {
    let GetResource { type_name, identifier } = request.json()?;
    if type_name != "AWS::Lambda::Url" {
        return Err(Error::named(
            400,
            "UnsupportedActionException",
            format!("Resource type {type_name} is not served here; of Cloud Control Everstep serves AWS::Lambda::Url."),
        ));
    }
    let call = Call::new(lambda::Operation::GetFunctionUrlConfig, &[&identifier]);
    let url = Box::pin(services.call(&request.principal, call)).await.map_err(|error| match error.code {
        "ResourceNotFoundException" => Error::named(
            400,
            "ResourceNotFoundException",
            format!("Resource of type '{type_name}' with identifier '{identifier}' was not found."),
        ),
        _ => error,
    })?;
    Ok(Response::json(
        200,
        &json!({
            "TypeName": type_name,
            "ResourceDescription": {"Identifier": identifier, "Properties": properties(&url).to_string()},
        }),
    ))
}

/// Writes a function URL as CloudFormation has it.
fn properties(url: &Value) -> Value {
    let mut properties = json!({
        "FunctionArn": url["FunctionArn"],
        "FunctionUrl": url["FunctionUrl"],
        "TargetFunctionArn": url["FunctionArn"],
        "AuthType": url["AuthType"],
        "InvokeMode": url["InvokeMode"],
        "Cors": url["Cors"],
    });
    properties.as_object_mut().expect("it was just made").retain(|_, value| !value.is_null());
    properties
}
