//! `AWS::Lambda::EventInvokeConfig`.

use async_trait::async_trait;
use serde_json::Value;

use super::super::{Made, ResourceType, Site, members, required, text};
use super::unqualified;
use crate::http::error::Error;
use crate::http::lambda::Operation;
use crate::http::on_behalf::Call;

/// How asynchronous invocations of a function are treated.
pub struct EventInvokeConfig;

#[async_trait]
impl ResourceType for EventInvokeConfig {
    fn name(&self) -> &'static str {
        "AWS::Lambda::EventInvokeConfig"
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let reference = unqualified(site, required(properties, "FunctionName")?)?;
        let arn = site.services.functions.arn(&reference);
        let qualifier = text(properties, "Qualifier").unwrap_or("$LATEST");
        let get = Call::new(Operation::GetFunctionEventInvokeConfig, &[&arn]).query("Qualifier", Some(qualifier));
        match site.call(get).await {
            Ok(_) => Err(Error::conflict(format!(
                "An EventInvokeConfig exists already for the function {}, qualifier {qualifier}.",
                reference.function
            ))),
            Err(error) if error.status == 404 => Ok(format!("{arn}|{qualifier}")),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let (function, qualifier) = physical_id.split_once('|').unwrap_or((physical_id, ""));
        let put = members(properties, &["DestinationConfig", "MaximumEventAgeInSeconds", "MaximumRetryAttempts"]);
        let call = Call::new(Operation::PutFunctionEventInvokeConfig, &[function]).query("Qualifier", Some(qualifier));
        site.call(call.body(put.into())).await?;
        Ok(Made::default())
    }

    async fn update(&self, site: &Site, physical_id: &str, _former: &Value, properties: &Value) -> Result<Made, Error> {
        self.create(site, physical_id, properties).await
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        let (function, qualifier) = physical_id.split_once('|').unwrap_or((physical_id, ""));
        let call = Call::new(Operation::DeleteFunctionEventInvokeConfig, &[function]);
        site.call(call.query("Qualifier", Some(qualifier))).await.map(drop)
    }
}
