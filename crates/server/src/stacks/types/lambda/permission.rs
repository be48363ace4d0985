//! `AWS::Lambda::Permission`.

use async_trait::async_trait;
use serde_json::Value;

use super::super::{Made, ResourceType, Site, members, required};
use crate::http::error::Error;
use crate::http::lambda::Operation;
use crate::http::on_behalf::Call;
use crate::limits::STATEMENT_ID_CHARACTERS_MAX;

/// A statement in a function's policy.
pub struct Permission;

/// Properties that are members of `AddPermission`.
const MEMBERS: &[&str] = &[
    "Action",
    "EventSourceToken",
    "FunctionUrlAuthType",
    "InvokedViaFunctionUrl",
    "Principal",
    "PrincipalOrgID",
    "SourceAccount",
    "SourceArn",
];

#[async_trait]
impl ResourceType for Permission {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Permission"
    }

    async fn identify(&self, site: &Site, _properties: &Value) -> Result<String, Error> {
        Ok(site.generated_name(STATEMENT_ID_CHARACTERS_MAX))
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let function = required(properties, "FunctionName")?;
        let mut add = members(properties, MEMBERS);
        add.insert("StatementId".into(), physical_id.into());
        site.call(Call::new(Operation::AddPermission, &[function]).body(add.into())).await?;
        Ok(Made::with([("Id", physical_id.into())]))
    }

    async fn update(
        &self,
        _site: &Site,
        physical_id: &str,
        _former: &Value,
        _properties: &Value,
    ) -> Result<Made, Error> {
        Ok(Made::with([("Id", physical_id.into())]))
    }

    async fn delete(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<(), Error> {
        let function = required(properties, "FunctionName")?;
        site.call(Call::new(Operation::RemovePermission, &[function, physical_id])).await.map(drop)
    }
}
