//! Operations that the server carries out on somebody's behalf: a stack's resources are made by the same operations,
//! with the same checks, permissions and words, as if its deployer had asked for each by HTTP.

use bytes::Bytes;
use everstep_engine::new_request_id;
use http::HeaderMap;
use http_body_util::BodyExt;
use serde_json::Value;

use super::error::Error;
use super::request::Request;
use super::service::Operation;
use super::{Services, perform};
use crate::access::Principal;

/// An operation, as somebody could ask for it by HTTP.
#[derive(Debug)]
pub struct Call {
    operation: Operation,
    parameters: Vec<String>,
    query: Vec<(String, String)>,
    body: Value,
}

impl Call {
    /// Asks for an operation, with the parameters of its path.
    pub fn new(operation: impl Into<Operation>, parameters: &[&str]) -> Self {
        let parameters = parameters.iter().map(ToString::to_string).collect();
        Self { operation: operation.into(), parameters, query: Vec::new(), body: Value::Null }
    }

    /// Adds a parameter of the query, if there is one.
    pub fn query(mut self, name: &str, value: Option<&str>) -> Self {
        self.query.extend(value.map(|value| (name.to_string(), value.to_string())));
        self
    }

    /// Adds a body.
    pub fn body(self, body: Value) -> Self {
        Self { body, ..self }
    }
}

impl Services {
    /// Carries out an operation on somebody's behalf. Returns what it answers.
    ///
    /// # Errors
    /// What the operation refuses.
    pub async fn call(&self, principal: &Principal, call: Call) -> Result<Value, Error> {
        let Call { operation, parameters, query, body } = call;
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let request = Request {
            id: new_request_id(),
            operation: operation.name(),
            parameters,
            principal: principal.clone(),
            on_behalf: true,
            source_ip: None,
            query,
            headers: HeaderMap::new(),
            body,
        };
        let answer = perform(self, operation, &request).await?;
        let body = answer.body.collect().await.map_err(|error| {
            tracing::error!(%error, operation = operation.name(), "an answer could not be read");
            Error::service("The answer could not be read; the server's log says why.")
        })?;
        Ok(serde_json::from_slice(&body.to_bytes()).unwrap_or_default())
    }
}
