//! Which service a request is for, and which of its operations: each service has a folder of its own.

use http::HeaderMap;

use super::authorize::Need;
use super::error::Error;
use super::request::Request;
use super::request::Response;
use super::{Services, cloud_control, cloudformation, ecr, everstep, iam, kms, lambda, logs, query, ssm, sts};
use crate::limits::{BODY_BYTES_MAX, CODE_BODY_BYTES_MAX};

/// AWS's services that are spoken here, by the names that requests are signed for.
pub const HOSTED: [&str; 4] = ["lambda", "logs", "s3", "sts"];

/// An operation of one of the services that are spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Of CloudFormation.
    Cloudformation(cloudformation::Operation),
    /// Of Cloud Control.
    CloudControl(cloud_control::Operation),
    /// Of AWS Lambda.
    Lambda(lambda::Operation),
    /// Of CloudWatch Logs.
    Logs(logs::Operation),
    /// Of IAM.
    Iam(iam::Operation),
    /// Of the Parameter Store.
    Ssm(ssm::Operation),
    /// Of the Security Token Service.
    Sts(sts::Operation),
    /// Of the registry of images.
    Ecr(ecr::Operation),
    /// Of the Key Management Service.
    Kms(kms::Operation),
    /// Of Everstep's own service.
    Everstep(everstep::Operation),
}

impl From<ecr::Operation> for Operation {
    fn from(operation: ecr::Operation) -> Self {
        Self::Ecr(operation)
    }
}

impl From<kms::Operation> for Operation {
    fn from(operation: kms::Operation) -> Self {
        Self::Kms(operation)
    }
}

impl From<iam::Operation> for Operation {
    fn from(operation: iam::Operation) -> Self {
        Self::Iam(operation)
    }
}

impl From<logs::Operation> for Operation {
    fn from(operation: logs::Operation) -> Self {
        Self::Logs(operation)
    }
}

impl From<ssm::Operation> for Operation {
    fn from(operation: ssm::Operation) -> Self {
        Self::Ssm(operation)
    }
}

impl From<lambda::Operation> for Operation {
    fn from(operation: lambda::Operation) -> Self {
        Self::Lambda(operation)
    }
}

/// What the head of a request says of the operation it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// All, with the parameters of the path.
    Operation(Operation, Vec<String>),
    /// The service; the operation is in the body.
    InForm(FormService),
}

/// A service whose requests are forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormService {
    /// CloudFormation.
    Cloudformation,
    /// IAM.
    Iam,
    /// The Security Token Service.
    Sts,
}

impl Asked {
    /// Finds what is asked for by the service that the request was signed for, its method and path or its `X-Amz-Target`.
    ///
    /// # Errors
    /// If there is no such service or operation, or it is not served.
    pub fn find(service: &str, method: &str, path: &str, target: &str) -> Result<Self, Error> {
        let (operation, parameters) = match service {
            "lambda" => match lambda::route(method, path) {
                Ok(lambda::Route { operation, parameters }) => (Operation::Lambda(operation), parameters),
                Err(lambda::NoRoute::NotServed(name)) => {
                    return Err(Error::not_served(format!("Everstep does not serve {name} yet.")));
                }
                Err(lambda::NoRoute::Unknown) => {
                    return Err(Error::unknown_operation(format!("There is no operation {method} {path}.")));
                }
            },
            "logs" => (Operation::Logs(logs::Operation::find(target)?), Vec::new()),
            "cloudformation" => return Ok(Self::InForm(FormService::Cloudformation)),
            "cloudcontrolapi" => (Operation::CloudControl(cloud_control::Operation::find(target)?), Vec::new()),
            "ssm" => (Operation::Ssm(ssm::Operation::find(target)?), Vec::new()),
            "iam" => return Ok(Self::InForm(FormService::Iam)),
            "sts" => return Ok(Self::InForm(FormService::Sts)),
            "everstep" => {
                let (operation, parameters) = everstep::Operation::find(method, path)?;
                (Operation::Everstep(operation), parameters)
            }
            "ecr" => (Operation::Ecr(ecr::Operation::find(target)?), Vec::new()),
            "kms" => (Operation::Kms(kms::Operation::find(target)?), Vec::new()),
            _ => {
                return Err(Error::not_served(format!(
                    "Everstep does not serve the service `{service}`: pass it on to a real one by a table [forward.{service}] in the configuration file."
                )));
            }
        };
        Ok(Self::Operation(operation, parameters))
    }

    /// Returns how large the body of the request may be, in bytes.
    pub fn body_bytes_max(&self) -> u64 {
        match self {
            Self::Operation(
                Operation::Lambda(
                    lambda::Operation::CreateFunction
                    | lambda::Operation::UpdateFunctionCode
                    | lambda::Operation::PublishLayerVersion,
                ),
                _,
            ) => CODE_BODY_BYTES_MAX,
            Self::Operation(_, _) | Self::InForm(_) => BODY_BYTES_MAX,
        }
    }

    /// Returns the operation, with the parameters of the path, now that the body is there.
    ///
    /// # Errors
    /// If a form names no operation, or none that is served.
    pub fn operation(self, body: &[u8]) -> Result<(Operation, Vec<String>), Error> {
        match self {
            Self::Operation(operation, parameters) => Ok((operation, parameters)),
            Self::InForm(service) => {
                let action = query::action(body)?;
                let operation = match service {
                    FormService::Cloudformation => Operation::Cloudformation(cloudformation::Operation::find(&action)?),
                    FormService::Iam => Operation::Iam(iam::Operation::find(&action)?),
                    FormService::Sts => Operation::Sts(sts::Operation::find(&action)?),
                };
                Ok((operation, Vec::new()))
            }
        }
    }
}

impl Operation {
    /// Tells whether it ends when its sender goes away: nobody waits for a function in vain.
    pub fn is_for_its_sender(self) -> bool {
        matches!(self, Self::Lambda(lambda::Operation::Invoke | lambda::Operation::InvokeWithResponseStream))
    }

    /// Returns what the sender of a request must be allowed.
    ///
    /// # Errors
    /// If what it is about cannot be told, or if nobody but the operator may ask for it.
    pub async fn needs(self, services: &Services, request: &Request) -> Result<Vec<Need>, Error> {
        match self {
            Self::CloudControl(operation) => Ok(operation.needs()),
            Self::Cloudformation(operation) => Ok(operation.needs(services, request)),
            Self::Lambda(operation) => lambda::needs(services, operation, request).await,
            Self::Logs(operation) => Ok(operation.needs(services, request)),
            Self::Iam(operation) => Ok(iam::needs(services, operation, request)),
            Self::Ssm(operation) => Ok(operation.needs(services, request)),
            Self::Ecr(operation) => Ok(operation.needs(services, request)),
            Self::Kms(operation) => Ok(operation.needs(services, request)),
            // Whose a key is may be known by who has it; a role says itself who may assume it.
            Self::Sts(_) => Ok(Vec::new()),
            Self::Everstep(operation) => {
                Err(services.denied(&request.principal, &format!("everstep:{}", operation.name()), "*"))
            }
        }
    }

    /// Returns the name of the operation.
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudControl(operation) => operation.name(),
            Self::Cloudformation(operation) => operation.name(),
            Self::Lambda(operation) => operation.name(),
            Self::Logs(operation) => operation.name(),
            Self::Iam(operation) => operation.name(),
            Self::Ssm(operation) => operation.name(),
            Self::Sts(operation) => operation.name(),
            Self::Ecr(operation) => operation.name(),
            Self::Kms(operation) => operation.name(),
            Self::Everstep(operation) => operation.name(),
        }
    }
}

/// How a request is put, and so how its answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Method and path say which operation, bodies are JSON: `lambda`, `everstep`.
    RestJson,
    /// The header `X-Amz-Target` says which operation, bodies are JSON: `logs`, `ssm`.
    Json,
    /// A form comes in, XML goes out: `cloudformation`, `iam`, `sts`.
    Query,
}

impl Protocol {
    /// Tells by the headers, so that whoever asks for what is not served can read that.
    pub fn of(headers: &HeaderMap) -> Self {
        let starts = |name, with: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.starts_with(with))
        };
        if starts("x-amz-target", "") {
            Self::Json
        } else if starts("content-type", "application/x-www-form-urlencoded") {
            Self::Query
        } else {
            Self::RestJson
        }
    }

    /// Returns the type of bodies that do not say theirs.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::RestJson => "application/json",
            Self::Json => "application/x-amz-json-1.1",
            Self::Query => "text/xml",
        }
    }

    /// Writes an error.
    pub fn error(self, error: &Error, request_id: &str) -> Response {
        let json = |body| Response::json(error.status, &body).with_header("x-amzn-errortype", error.code);
        match self {
            Self::RestJson => json(error.body()),
            Self::Json => {
                let mut body = error.body();
                body["__type"] = error.code.into();
                json(body)
            }
            Self::Query => query::error(error, request_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A new operation is denied to who has no policy for it: `tests/http/permitted.rs` sends each of that list. Those of STS
    /// take no permission, or decide for themselves.
    #[test]
    fn every_operation_is_in_the_list_of_those_that_are_denied() {
        let list = include_str!("../../tests/http/operations.txt").lines().filter(|line| !line.starts_with('#'));
        let listed: BTreeSet<(String, String)> = list
            .map(|line| {
                let mut words = line.split(' ').map(String::from);
                (words.next().unwrap_or_default(), words.next().unwrap_or_default())
            })
            .collect();
        let served = lambda::Operation::ALL
            .iter()
            .map(|operation| ("lambda", operation.name()))
            .chain(cloud_control::Operation::ALL.iter().map(|operation| ("cloudcontrolapi", operation.name())))
            .chain(logs::Operation::ALL.iter().map(|operation| ("logs", operation.name())))
            .chain(iam::Operation::ALL.iter().map(|operation| ("iam", operation.name())))
            .chain(ssm::Operation::ALL.iter().map(|operation| ("ssm", operation.name())))
            .chain(ecr::Operation::ALL.iter().map(|operation| ("ecr", operation.name())))
            .chain(kms::Operation::ALL.iter().map(|operation| ("kms", operation.name())))
            .chain(cloudformation::Operation::ALL.iter().map(|operation| ("cloudformation", operation.name())))
            .chain(everstep::Operation::ALL.iter().map(|operation| ("everstep", operation.name())));
        for (service, name) in served {
            assert!(listed.contains(&(service.into(), name.into())), "{service} {name} is not in operations.txt");
        }
    }
}
