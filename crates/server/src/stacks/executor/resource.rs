//! One resource: making, changing and deleting the thing that it stands for, with its states and events.

use everstep_template::{Difference, Policy, ResourceType as Known};
use serde_json::Value;

use super::super::document::{Change, Resource, Thing};
use super::super::events::Happening;
use super::super::status::ResourceStatus;
use super::super::types::{self, Made};
use super::{Failure, Job};
use crate::http::error::Error;

/// What a resource is to become.
pub struct Wanted {
    pub logical_id: String,
    /// The thing, without what it will be called.
    pub thing: Thing,
}

/// Why something is deleted, which decides whether it may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// It is not needed any more.
    Unneeded,
    /// Another one has taken its place.
    Replaced,
    /// What had made it failed.
    Undone,
}

/// Whether an update is carried out or undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Back,
}

impl Because {
    fn keeps(self, thing: &Thing) -> bool {
        let policy = match self {
            Self::Unneeded | Self::Undone => thing.deletion_policy,
            Self::Replaced => thing.replace_policy,
        };
        match policy {
            // What is served has nothing that a snapshot could be made of.
            Policy::Delete | Policy::Snapshot => false,
            Policy::Retain => true,
            Policy::RetainExceptOnCreate => self != Self::Undone,
        }
    }
}

/// The states of a resource that is being made.
struct Names {
    in_progress: ResourceStatus,
    complete: ResourceStatus,
    failed: ResourceStatus,
}

const CREATES: Names = Names {
    in_progress: ResourceStatus::CreateInProgress,
    complete: ResourceStatus::CreateComplete,
    failed: ResourceStatus::CreateFailed,
};

const UPDATES: Names = Names {
    in_progress: ResourceStatus::UpdateInProgress,
    complete: ResourceStatus::UpdateComplete,
    failed: ResourceStatus::UpdateFailed,
};

impl Names {
    fn of(change: &Change) -> Self {
        match change {
            Change::Created => CREATES,
            Change::Updated { .. } | Change::Replaced { .. } | Change::Reverted { .. } => UPDATES,
        }
    }
}

impl Job {
    /// Makes a thing for a resource that has none, or another in place of the one it has.
    pub(super) async fn make(&self, wanted: Wanted, change: Change) -> Result<(), Failure> {
        let Wanted { logical_id, mut thing } = wanted;
        let names = Names::of(&change);
        let site = self.site(&logical_id);
        let resource = Resource {
            logical_id: logical_id.clone(),
            resource_type: thing.resource_type.clone(),
            status: names.in_progress,
            status_reason: None,
            updated_millis: 0,
            thing: None,
            change: Some(change),
            changed_by: self.operation.number,
        };
        let Some(resource_type) = types::find(&thing.resource_type, &site.services.forwards) else {
            thing.physical_id = site.generated_name(crate::limits::GENERATED_NAME_CHARACTERS_MAX);
            thing.not_served = true;
            let reason = format!(
                "WARNING: Everstep does not serve {} yet. It is noted down because the stack accepts that; nothing was made.",
                thing.resource_type
            );
            let resource = Resource { thing: Some(thing), ..resource };
            return self.enter(resource, names.complete, Some(reason)).await;
        };
        let begun = match names.in_progress {
            ResourceStatus::UpdateInProgress => Some(
                "Requested update requires the creation of a new physical resource; hence creating one.".to_string(),
            ),
            _ => None,
        };
        // The event alone: the document comes with what it will be called.
        self.tell(&resource, names.in_progress, begun).await?;
        let identified = resource_type.identify(&site, &thing.properties).await;
        let physical_id = match identified {
            Ok(physical_id) => physical_id,
            Err(error) => return self.give_up(resource, names.failed, error).await,
        };
        if let Some(Change::Replaced { former }) = &resource.change
            && former.physical_id == physical_id
        {
            let error = Error::validation(format!(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {physical_id} and update the stack again."
            ));
            return self.give_up(resource, names.failed, error).await;
        }
        thing.physical_id = physical_id;
        let resource = Resource { thing: Some(thing.clone()), ..resource };
        self.enter(resource.clone(), names.in_progress, Some("Resource creation Initiated".into())).await?;
        match resource_type.create(&site, &thing.physical_id, &thing.properties).await {
            Ok(made) => {
                let resource = Resource { thing: Some(with(thing, made)), ..resource };
                if self.has_failed() {
                    let reason = Some("Resource creation cancelled".into());
                    self.enter(resource, names.failed, reason).await?;
                    return Err(Failure::Failed);
                }
                self.enter(resource, names.complete, resource_type.warning().map(String::from)).await
            }
            Err(error) => self.give_up(Resource { thing: None, ..resource }, names.failed, error).await,
        }
    }

    /// Deletes the thing of a resource, which nothing needs, and makes another one.
    pub(super) async fn make_anew(
        &self,
        resource: Resource,
        thing: &Thing,
        wanted: Wanted,
        change: Change,
    ) -> Result<(), Failure> {
        match self.remove(&wanted.logical_id, thing).await {
            Ok(()) => self.make(wanted, change).await,
            Err(error) => self.give_up(resource, Names::of(&change).failed, error).await,
        }
    }

    /// Changes the thing of a resource to other properties. Until that is done it is noted down as what the update wants
    /// or wanted: an update is undone from there, also after a failure or a restart.
    pub(super) async fn alter(
        &self,
        wanted: Wanted,
        former: Thing,
        change: Option<Change>,
        direction: Direction,
    ) -> Result<(), Failure> {
        let Wanted { logical_id, mut thing } = wanted;
        thing.physical_id.clone_from(&former.physical_id);
        let noted = match direction {
            Direction::Forward => thing.clone(),
            Direction::Back => former.clone(),
        };
        let site = self.site(&logical_id);
        let resource = Resource {
            logical_id,
            resource_type: thing.resource_type.clone(),
            status: UPDATES.in_progress,
            status_reason: None,
            updated_millis: 0,
            thing: Some(noted),
            change,
            changed_by: self.operation.number,
        };
        self.enter(resource.clone(), UPDATES.in_progress, None).await?;
        let Some(resource_type) = types::find(&thing.resource_type, &site.services.forwards) else {
            let thing = Some(Thing { not_served: true, ..thing });
            return self.enter(Resource { thing, ..resource }, UPDATES.complete, None).await;
        };
        match resource_type.update(&site, &thing.physical_id, &former.properties, &thing.properties).await {
            Ok(made) => {
                self.enter(Resource { thing: Some(with(thing, made)), ..resource }, UPDATES.complete, None).await
            }
            Err(error) => self.give_up(resource, UPDATES.failed, error).await,
        }
    }

    /// Deletes a thing of a resource, unless it is to stay. Returns whether it is gone or left alone.
    pub(super) async fn discard(&self, resource: Resource, thing: &Thing, because: Because) -> Result<(), Failure> {
        let physical_id = &thing.physical_id;
        let tell = |status, reason| {
            let happening =
                Happening::of_resource(&resource.logical_id, &thing.resource_type, Some(physical_id), status);
            self.record(happening.because(reason))
        };
        if because.keeps(thing) || self.operation.retained.contains(&resource.logical_id) {
            tell(ResourceStatus::DeleteSkipped, None).await?;
            return Ok(());
        }
        tell(ResourceStatus::DeleteInProgress, None).await?;
        if let Err(error) = self.remove(&resource.logical_id, thing).await {
            let reason = reason(&thing.resource_type, &error);
            tell(ResourceStatus::DeleteFailed, Some(reason.clone())).await?;
            let failed = Resource {
                status: ResourceStatus::DeleteFailed,
                status_reason: Some(reason),
                updated_millis: super::super::now_millis(),
                ..resource
            };
            self.keep(failed).await?;
            return Err(Failure::Failed);
        }
        tell(ResourceStatus::DeleteComplete, None).await?;
        Ok(())
    }

    /// Deletes a thing in the world. That it is gone already is as good.
    pub(super) async fn remove(&self, logical_id: &str, thing: &Thing) -> Result<(), Error> {
        let Some(resource_type) = types::known(&thing.resource_type).filter(|_| !thing.not_served) else {
            return Ok(());
        };
        let deleted = resource_type.delete(&self.site(logical_id), &thing.physical_id, &thing.properties).await;
        match deleted {
            Err(error) if !is_missing(&error) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Writes a resource and tells of its new state.
    pub(super) async fn enter(
        &self,
        resource: Resource,
        status: ResourceStatus,
        reason: Option<String>,
    ) -> Result<(), Failure> {
        let status_reason = reason.clone();
        let resource = Resource { status, status_reason, updated_millis: super::super::now_millis(), ..resource };
        let (kept, told) = tokio::join!(self.keep(resource.clone()), self.tell(&resource, status, reason));
        kept?;
        told
    }

    /// Writes a resource.
    pub(super) async fn keep(&self, resource: Resource) -> Result<(), Failure> {
        self.stacks().put_resource(&self.stack.id, &resource).await?;
        self.resources().insert(resource.logical_id.clone(), resource);
        Ok(())
    }

    async fn tell(&self, resource: &Resource, status: ResourceStatus, reason: Option<String>) -> Result<(), Failure> {
        let physical_id = resource.thing.as_ref().map(|thing| thing.physical_id.as_str());
        let happening = Happening::of_resource(&resource.logical_id, &resource.resource_type, physical_id, status);
        self.record(happening.because(reason)).await
    }

    pub(super) async fn record(&self, mut happening: Happening<'_>) -> Result<(), Failure> {
        happening.client_request_token.clone_from(&self.operation.client_request_token);
        Ok(self.stacks().events.record(&self.stack.id, happening).await?)
    }

    /// Notes that a resource cannot be what it should be, before anything was done about it.
    pub(super) async fn refuse(
        &self,
        logical_id: &str,
        resource_type: &str,
        known: Option<Resource>,
        reason: String,
    ) -> Result<(), Failure> {
        self.fail();
        let names = if known.as_ref().is_some_and(|known| known.thing.is_some()) { UPDATES } else { CREATES };
        let resource = known.unwrap_or_else(|| Resource {
            logical_id: logical_id.into(),
            resource_type: resource_type.into(),
            status: names.failed,
            status_reason: None,
            updated_millis: 0,
            thing: None,
            change: Some(Change::Created),
            changed_by: self.operation.number,
        });
        self.enter(resource, names.failed, Some(reason)).await?;
        Err(Failure::Failed)
    }

    async fn give_up(&self, resource: Resource, status: ResourceStatus, error: Error) -> Result<(), Failure> {
        self.fail();
        let reason = reason(&resource.resource_type, &error);
        self.enter(resource, status, Some(reason)).await?;
        Err(Failure::Failed)
    }
}

fn with(thing: Thing, made: Made) -> Thing {
    let Made { physical_id, attributes } = made;
    Thing { physical_id: physical_id.unwrap_or(thing.physical_id), attributes, ..thing }
}

fn is_missing(error: &Error) -> bool {
    error.status == 404 || error.code.starts_with("NoSuch") || error.code == "ResourceNotFoundException"
}

/// Writes why an operation was refused, as AWS's stacks do.
fn reason(resource_type: &str, error: &Error) -> String {
    let service = resource_type.split("::").nth(1).unwrap_or_default();
    let handler_error = match error.status {
        404 => "NotFound",
        409 => "AlreadyExists",
        403 => "AccessDenied",
        429 => "Throttling",
        500.. => "GeneralServiceException",
        _ => "InvalidRequest",
    };
    format!(
        "Resource handler returned message: \"{} (Service: {service}, Status Code: {})\" (RequestToken: {}, HandlerErrorCode: {handler_error})",
        error.message,
        error.status,
        uuid::Uuid::new_v4()
    )
}

/// Tells whether a thing is what is wanted already.
pub fn is_as_wanted(thing: &Thing, wanted: &Thing) -> bool {
    thing.resource_type == wanted.resource_type && thing.properties == wanted.properties
}

/// Tells whether a thing cannot become what is wanted.
pub fn must_be_replaced(thing: &Thing, wanted: &Thing) -> bool {
    let (Value::Object(before), Value::Object(after)) = (&thing.properties, &wanted.properties) else { return true };
    let difference = Known::find(&wanted.resource_type).map(|known| known.difference(before, after));
    thing.resource_type != wanted.resource_type || difference == Some(Difference::Replace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(because: Because, deletion_policy: Policy, replace_policy: Policy, expected: bool) {
        let thing = Thing {
            resource_type: "T".into(),
            physical_id: "p".into(),
            properties: Value::Null,
            attributes: std::collections::BTreeMap::new(),
            needs: std::collections::BTreeSet::new(),
            deletion_policy,
            replace_policy,
            not_served: false,
        };
        assert_eq!(because.keeps(&thing), expected, "{because:?} {deletion_policy:?} {replace_policy:?}");
    }

    #[test]
    fn policies_say_what_stays() {
        use Policy::{Delete, Retain, RetainExceptOnCreate};
        check(Because::Unneeded, Delete, Retain, false);
        check(Because::Unneeded, Retain, Delete, true);
        check(Because::Unneeded, RetainExceptOnCreate, Delete, true);
        check(Because::Undone, Delete, Delete, false);
        check(Because::Undone, Retain, Delete, true);
        check(Because::Undone, RetainExceptOnCreate, Delete, false);
        check(Because::Replaced, Retain, Delete, false);
        check(Because::Replaced, Delete, Retain, true);
    }

    #[test]
    fn reasons_are_in_aws_s_words() {
        let reason = reason("AWS::Lambda::Function", &Error::conflict("Function already exist: f"));
        let expected = "Resource handler returned message: \"Function already exist: f (Service: Lambda, Status Code: 409)\" (RequestToken: ";
        assert!(reason.starts_with(expected), "{reason}");
        assert!(reason.ends_with(", HandlerErrorCode: AlreadyExists)"), "{reason}");
    }
}
