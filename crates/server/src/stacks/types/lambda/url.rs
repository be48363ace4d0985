//! `AWS::Lambda::Url`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::super::{Made, ResourceType, Site, members, required, text};
use super::{function_arn, split};
use crate::http::error::Error;
use crate::http::lambda::Operation;
use crate::http::on_behalf::Call;

/// The URL of a function, or of an alias of it. Its physical id is what it leads to.
pub struct Url;

#[async_trait]
impl ResourceType for Url {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Url"
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let arn = function_arn(site, required(properties, "TargetFunctionArn")?)?;
        let arn = match text(properties, "Qualifier") {
            Some(qualifier) => format!("{arn}:{qualifier}"),
            None => arn,
        };
        match site.call(Call::new(Operation::GetFunctionUrlConfig, &[&arn])).await {
            Ok(_) => Err(Error::conflict(format!(
                "Failed to create function url config for [functionArn = {arn}]. Error message:  FunctionUrlConfig exists for this Lambda function"
            ))),
            Err(error) if error.status == 404 => Ok(arn),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let call = Call::new(Operation::CreateFunctionUrlConfig, &[physical_id]).body(request(properties));
        Ok(made(&site.call(call).await?))
    }

    async fn update(&self, site: &Site, physical_id: &str, _former: &Value, properties: &Value) -> Result<Made, Error> {
        let mut update = request(properties);
        for (name, default) in [("Cors", json!({})), ("InvokeMode", json!("BUFFERED"))] {
            if update.get(name).is_none() {
                update[name] = default;
            }
        }
        Ok(made(&site.call(Call::new(Operation::UpdateFunctionUrlConfig, &[physical_id]).body(update)).await?))
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        site.call(Call::new(Operation::DeleteFunctionUrlConfig, &[physical_id])).await.map(drop)
    }
}

fn request(properties: &Value) -> Value {
    members(properties, &["AuthType", "Cors", "InvokeMode"]).into()
}

fn made(config: &Value) -> Made {
    // What it is asked for is the function, also if the URL is an alias's.
    let arn = config["FunctionArn"].as_str().unwrap_or_default();
    let unqualified = if arn.split(':').count() > 7 { split(arn).0 } else { arn };
    Made::with([("FunctionArn", json!(unqualified)), ("FunctionUrl", config["FunctionUrl"].clone())])
}
