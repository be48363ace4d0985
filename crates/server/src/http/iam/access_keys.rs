//! The keys of users.

use serde::Deserialize;
use serde_json::{Value, json};

use super::entity::{named_user, user};
use super::time;
use crate::access::UserKey;
use crate::functions::now_millis;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::USER_KEYS_MAX;
use everstep_api::validation::Violations;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Given {
    user_name: Option<String>,
    access_key_id: Option<String>,
    status: Option<String>,
}

/// Makes a key. This answer is the only one that has its secret.
pub async fn create(services: &Services, request: &Request) -> Result<Value, Error> {
    let Given { user_name, .. } = request.form()?;
    let name = named_user(request, user_name)?;
    let _changing = services.identities.changing.lock().await;
    user(services, &name)?;
    if services.keys.of_user(&name).len() >= USER_KEYS_MAX {
        return Err(Error::limit_exceeded(format!("Cannot exceed quota for AccessKeysPerUser: {USER_KEYS_MAX}")));
    }
    let key = services.keys.create_for_user(&name, now_millis()).await?;
    Ok(json!({"AccessKey": {
        "UserName": name,
        "AccessKeyId": key.access_key_id,
        "Status": "Active",
        "SecretAccessKey": key.secret_access_key,
        "CreateDate": time(key.created_at_millis.unwrap_or_default()),
    }}))
}

/// Lists the keys of a user, the oldest first, without their secrets.
pub fn list(services: &Services, request: &Request) -> Result<Value, Error> {
    let Given { user_name, .. } = request.form()?;
    let name = named_user(request, user_name)?;
    user(services, &name)?;
    let shape = |UserKey { key, user, active }: &UserKey| {
        json!({
            "UserName": user,
            "AccessKeyId": key.access_key_id,
            "Status": if *active { "Active" } else { "Inactive" },
            "CreateDate": time(key.created_at_millis.unwrap_or_default()),
        })
    };
    let keys: Vec<Value> = services.keys.of_user(&name).iter().map(|key| shape(key)).collect();
    Ok(json!({"AccessKeyMetadata": keys, "IsTruncated": false}))
}

/// Makes a key good or void.
pub async fn update(services: &Services, request: &Request) -> Result<Value, Error> {
    let Given { user_name, access_key_id, status } = request.form()?;
    let name = named_user(request, user_name)?;
    let id = access_key_id.ok_or_else(|| Error::missing("accessKeyId"))?;
    let mut violations = Violations::default();
    let status = status.ok_or_else(|| Error::missing("status"))?;
    let active = violations.one_of(&status, "status", &[("Active", true), ("Inactive", false)]);
    violations.finish().map_err(Error::validation)?;
    let changed = services.keys.users.change(&id, |key| {
        if key.user != name {
            return Err(missing(&id));
        }
        key.active = active.expect("else it would be a violation");
        Ok(())
    });
    changed.await?.map(|_| Value::Null).ok_or_else(|| missing(&id))
}

/// Makes a key void for good.
pub async fn delete(services: &Services, request: &Request) -> Result<Value, Error> {
    let Given { user_name, access_key_id, .. } = request.form()?;
    let name = named_user(request, user_name)?;
    let id = access_key_id.ok_or_else(|| Error::missing("accessKeyId"))?;
    let may = |key: &UserKey| if key.user == name { Ok(()) } else { Err(missing(&id)) };
    let deleted = services.keys.users.delete(&id, may).await?;
    deleted.map(|_| Value::Null).ok_or_else(|| missing(&id))
}

fn missing(id: &str) -> Error {
    Error::no_such_entity(format!("The Access Key with id {id} cannot be found."))
}
