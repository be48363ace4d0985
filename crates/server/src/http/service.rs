//! Which service a request is for, and which of its operations: each service has a folder of its own.

use super::error::Error;
use super::{everstep, lambda, logs};
use crate::limits::{BODY_BYTES_MAX, CODE_BODY_BYTES_MAX};

/// An operation of one of the services that are spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Of AWS Lambda.
    Lambda(lambda::Operation),
    /// Of CloudWatch Logs.
    Logs(logs::Operation),
    /// Of Everstep's own service.
    Everstep(everstep::Operation),
}

impl Operation {
    /// Finds the operation by the service that the request was signed for, its method and path or its
    /// `X-Amz-Target`. Returns the parameters of the path too.
    ///
    /// # Errors
    /// If there is no such service or operation, or it is not served.
    pub fn find(service: &str, method: &str, path: &str, target: &str) -> Result<(Self, Vec<String>), Error> {
        match service {
            "lambda" => match lambda::route(method, path) {
                Ok(lambda::Route { operation, parameters }) => Ok((Self::Lambda(operation), parameters)),
                Err(lambda::NoRoute::NotServed(name)) => {
                    Err(Error::not_served(format!("Everstep does not serve {name} yet.")))
                }
                Err(lambda::NoRoute::Unknown) => {
                    Err(Error::unknown_operation(format!("There is no operation {method} {path}.")))
                }
            },
            "logs" => Ok((Self::Logs(logs::Operation::find(target)?), Vec::new())),
            "everstep" => {
                let (operation, parameters) = everstep::Operation::find(method, path)?;
                Ok((Self::Everstep(operation), parameters))
            }
            _ => Err(Error::not_served(format!(
                "Everstep does not serve `{service}`; of AWS's services it serves `lambda` and `logs`."
            ))),
        }
    }

    /// Returns the name of the operation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lambda(operation) => operation.name(),
            Self::Logs(operation) => operation.name(),
            Self::Everstep(operation) => operation.name(),
        }
    }

    /// Returns how large the body of its requests may be, in bytes.
    pub fn body_bytes_max(self) -> u64 {
        match self {
            Self::Lambda(
                lambda::Operation::CreateFunction
                | lambda::Operation::UpdateFunctionCode
                | lambda::Operation::PublishLayerVersion,
            ) => CODE_BODY_BYTES_MAX,
            Self::Lambda(_) | Self::Logs(_) | Self::Everstep(_) => BODY_BYTES_MAX,
        }
    }
}
