//! The operations of users themselves.

use serde::Deserialize;
use serde_json::{Value, json};

use super::attached_policies::check_attachable;
use super::entity::{add_boundary, check_bare, missing_user, named_user, user};
use super::tags::{Tag, read_tags};
use super::{Paging, check_name, page, path, tag_shapes, time};
use crate::access::{Principal, new_id};
use crate::functions::now_millis;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::identities::{Grants, User};
use crate::limits::USERS_MAX;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct CreateUser {
    user_name: Option<String>,
    path: Option<String>,
    permissions_boundary: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NamedUser {
    user_name: Option<String>,
}

/// Creates a user, who may do nothing yet.
pub async fn create(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: CreateUser = request.form()?;
    let name = given.user_name.ok_or_else(|| Error::missing("userName"))?;
    check_name(&name, "userName")?;
    let _changing = services.identities.changing.lock().await;
    if let Some(boundary) = &given.permissions_boundary {
        check_attachable(services, boundary)?;
    }
    let user = User {
        name: name.clone(),
        path: path(given.path)?,
        id: new_id("AIDA"),
        created_at_millis: now_millis(),
        tags: read_tags(given.tags)?,
        grants: Grants { boundary: given.permissions_boundary, ..Grants::default() },
    };
    let users = &services.identities.users;
    if users.len() >= USERS_MAX && users.get(&name).is_none() {
        return Err(Error::limit_exceeded(format!("Cannot exceed quota for UsersPerAccount: {USERS_MAX}")));
    }
    if !users.create(&name, user.clone()).await? {
        return Err(Error::entity_exists(format!("User with name {name} already exists.")));
    }
    Ok(json!({"User": shape(services, &user)}))
}

/// Returns a user: whoever asks if none is named.
pub fn get(services: &Services, request: &Request) -> Result<Value, Error> {
    let NamedUser { user_name } = request.form()?;
    if user_name.is_none() && request.principal == Principal::Operator {
        let arn = services.identities.principal_arn(&Principal::Operator);
        let id = &services.identities.place().account;
        return Ok(json!({"User": {"Path": "/", "UserId": id, "Arn": arn, "CreateDate": time(0)}}));
    }
    let user = user(services, &named_user(request, user_name)?)?;
    Ok(json!({"User": shape(services, &user)}))
}

/// Lists users.
pub fn list(services: &Services, request: &Request) -> Result<Value, Error> {
    let paging: Paging = request.form()?;
    let prefix = paging.path_prefix.clone().unwrap_or_default();
    let users = services.identities.users.all().into_iter().filter(|user| user.path.starts_with(&prefix));
    page(services, &paging, "Users", users.map(|user| (user.name.clone(), user)), |user| {
        let mut shape = shape(services, user);
        shape.as_object_mut().expect("it is one").remove("Tags");
        shape
    })
}

/// Deletes a user that has neither policies nor keys any more.
pub async fn delete(services: &Services, request: &Request) -> Result<Value, Error> {
    let NamedUser { user_name } = request.form()?;
    let name = user_name.ok_or_else(|| Error::missing("userName"))?;
    let _changing = services.identities.changing.lock().await;
    let may = |user: &User| {
        if !services.keys.of_user(&user.name).is_empty() {
            return Err(Error::delete_conflict("Cannot delete entity, must delete access keys first."));
        }
        check_bare(&user.grants)
    };
    let deleted = services.identities.users.delete(&name, may).await?;
    deleted.map(|_| Value::Null).ok_or_else(|| missing_user(&name))
}

fn shape(services: &Services, user: &User) -> Value {
    let mut shape = json!({
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": services.identities.arn("user", &user.path, &user.name),
        "CreateDate": time(user.created_at_millis),
    });
    if !user.tags.is_empty() {
        shape["Tags"] = tag_shapes(&user.tags);
    }
    add_boundary(&mut shape, &user.grants);
    shape
}
