//! Bringing the resources of a stack to what its template asks for.

use std::sync::Arc;

use super::super::document::{Change, Export, OnFailure, Output, Stack};
use super::super::graph::{self, AfterFailure};
use super::super::status::{ResourceStatus, StackStatus};
use super::super::target::{Target, Unresolved};
use super::resource::{Direction, Wanted, is_as_wanted, must_be_replaced};
use super::{Failure, Job, Step, sort};
use crate::http::error::Error;
use crate::limits::RESOURCES_AT_ONCE;

/// Creates or updates a stack.
pub async fn step(job: Arc<Job>) -> Result<Step, Error> {
    // They say what would change of a stack that is another one by now.
    job.stacks().remove_change_sets(&job.stack.id).await?;
    let target = match Target::open(&job.services, &job.stack, job.operation.template).await? {
        Ok(target) => Arc::new(target),
        Err(reason) => return fail(&job, reason).await,
    };
    let work = |logical_id: String| {
        let (job, target) = (job.clone(), target.clone());
        async move { one(&job, &target, &logical_id).await }
    };
    let failed = graph::run(target.needs(), RESOURCES_AT_ONCE, AfterFailure::Stop, work).await;
    let failed = match sort(failed) {
        Ok(failed) => failed,
        Err(ended) => return ended,
    };
    if !failed.is_empty() {
        return fail(&job, because(&job, &failed)).await;
    }
    let outputs = match resolved(&job, &target, || target.outputs(&job.resources())).await {
        Ok(outputs) => outputs,
        Err(reason) => return fail(&job, format!("{reason} ")).await,
    };
    if let Err(reason) = export(&job, &outputs).await? {
        return fail(&job, reason).await;
    }
    succeed(&job, &target, outputs).await
}

async fn one(job: &Job, target: &Target, logical_id: &str) -> Result<(), Failure> {
    job.check().await?;
    let known = job.resource(logical_id);
    let wanted = match resolved(job, target, || target.thing(logical_id, &job.resources())).await {
        Ok(thing) => thing,
        Err(unresolved) => return job.refuse(logical_id, target.resource_type(logical_id), known, unresolved).await,
    };
    let change = known.as_ref().and_then(|resource| resource.change(job.stack.settled)).cloned();
    let status = known.as_ref().map(|resource| resource.status);
    let half_made = matches!(status, Some(ResourceStatus::CreateInProgress | ResourceStatus::CreateFailed))
        || matches!(change, Some(Change::Replaced { .. })) && status != Some(ResourceStatus::UpdateComplete);
    let wanted = Wanted { logical_id: logical_id.into(), thing: wanted };
    let Some((mut resource, thing)) = known.and_then(|known| known.thing.clone().map(|thing| (known, thing))) else {
        return job.make(wanted, change.unwrap_or(Change::Created)).await;
    };
    if half_made {
        // It was called so and nothing needs it yet: whatever there is of it was made by us.
        return job.make_anew(resource, &thing, wanted, change.unwrap_or(Change::Created)).await;
    }
    let failed = status == Some(ResourceStatus::UpdateFailed) || status == Some(ResourceStatus::UpdateInProgress);
    if is_as_wanted(&thing, &wanted.thing) && !failed {
        let (needs, policies) = (&wanted.thing.needs, (wanted.thing.deletion_policy, wanted.thing.replace_policy));
        if thing.needs != *needs || (thing.deletion_policy, thing.replace_policy) != policies {
            let wanted = wanted.thing;
            let (physical_id, attributes, not_served) = (thing.physical_id, thing.attributes, thing.not_served);
            resource.thing = Some(super::super::document::Thing { physical_id, attributes, not_served, ..wanted });
            job.keep(resource).await?;
        }
        return Ok(());
    }
    if !must_be_replaced(&thing, &wanted.thing) {
        // After a restart or a failure it may be anything between the two: it is altered from what it was.
        let former = match &change {
            Some(Change::Updated { former }) => former.clone(),
            Some(Change::Created | Change::Replaced { .. } | Change::Reverted { .. }) | None => thing.clone(),
        };
        let change = change.unwrap_or(Change::Updated { former: thing });
        return job.alter(wanted, former, Some(change), Direction::Forward).await;
    }
    match change {
        None => job.make(wanted, Change::Replaced { former: thing }).await,
        Some(Change::Updated { former }) => job.make(wanted, Change::Replaced { former }).await,
        // What an update that failed and was not undone had made itself: it goes at once.
        Some(change @ (Change::Created | Change::Replaced { .. } | Change::Reverted { .. })) => {
            job.make_anew(resource, &thing, wanted, change).await
        }
    }
}

/// Reads the dynamic references that something needs, until it is known what it is. Says why that cannot be known.
async fn resolved<T>(job: &Job, target: &Target, find: impl Fn() -> Result<T, Unresolved>) -> Result<T, String> {
    loop {
        let found = find();
        let reference = match found {
            Ok(found) => return Ok(found),
            Err(Unresolved::Invalid(reason)) => return Err(reason),
            Err(Unresolved::Reference(reference)) => reference,
        };
        target.dynamic.read(reference, &job.services, &job.principal()).await?;
    }
}

async fn succeed(job: &Job, target: &Target, outputs: Vec<Output>) -> Result<Step, Error> {
    let status = match job.stack.status {
        StackStatus::CreateInProgress => StackStatus::CreateComplete,
        _ => StackStatus::UpdateCompleteCleanupInProgress,
    };
    let (number, template, imports) = (job.operation.number, job.operation.template, target.imports());
    let deployed = |stack: &mut Stack| {
        stack.template = template;
        stack.outputs.clone_from(&outputs);
        stack.imports.clone_from(&imports);
        if status == StackStatus::CreateComplete {
            stack.settled = number;
        }
    };
    job.conclude(status, None, deployed).await
}

async fn fail(job: &Job, reason: String) -> Result<Step, Error> {
    let creates = job.stack.status == StackStatus::CreateInProgress;
    let (status, reason) = match (creates, job.operation.on_failure) {
        (true, OnFailure::Rollback) => {
            (StackStatus::RollbackInProgress, format!("{reason}Rollback requested by user."))
        }
        (true, OnFailure::Delete) => (StackStatus::DeleteInProgress, format!("{reason}Delete requested by user.")),
        (true, OnFailure::DoNothing) => (StackStatus::CreateFailed, reason),
        (false, OnFailure::DoNothing) => (StackStatus::UpdateFailed, reason),
        (false, OnFailure::Rollback | OnFailure::Delete) => (StackStatus::UpdateRollbackInProgress, reason),
    };
    job.conclude(status, Some(reason), |_| {}).await
}

/// Says which resources failed.
fn because(job: &Job, failed: &[(String, Failure)]) -> String {
    if failed.iter().any(|(_, failure)| matches!(failure, Failure::Cancelled)) {
        return "User Initiated".into();
    }
    let resources = job.resources();
    let with = |status: ResourceStatus, verb: &str| {
        let names: Vec<&str> = failed
            .iter()
            .map(|(logical_id, _)| logical_id.as_str())
            .filter(|logical_id| resources.get(*logical_id).is_some_and(|resource| resource.status == status))
            .collect();
        if names.is_empty() {
            return String::new();
        }
        format!("The following resource(s) failed to {verb}: [{}]. ", names.join(", "))
    };
    with(ResourceStatus::CreateFailed, "create") + &with(ResourceStatus::UpdateFailed, "update")
}

/// Exports outputs, and takes back what is not exported any more. Says why it cannot.
async fn export(job: &Job, outputs: &[Output]) -> Result<Result<(), String>, Error> {
    let stacks = job.stacks();
    let id = &job.stack.id;
    // One at a time: two stacks must not export the same name.
    let _turn = stacks.turn().await;
    let known = stacks.exports().await?;
    let wanted = |name: &str| outputs.iter().find(|output| output.export_name.as_deref() == Some(name));
    for output in outputs {
        let Some(name) = &output.export_name else { continue };
        let Some(taken) = known.get(name) else { continue };
        if taken.stack != *id {
            return Ok(Err(format!("Export with name {name} is already exported by stack {}. ", taken.stack.name)));
        }
        if taken.value != output.value
            && let Some(importer) = stacks.importers(name).await?.first()
        {
            return Ok(Err(format!("Cannot update export {name} as it is in use by {}. ", importer.name)));
        }
    }
    let own = known.iter().filter(|(_, export)| export.stack == *id).map(|(name, _)| name);
    let gone: Vec<&String> = own.filter(|name| wanted(name).is_none()).collect();
    for name in &gone {
        if let Some(importer) = stacks.importers(name).await?.first() {
            return Ok(Err(format!("Cannot delete export {name} as it is in use by {}. ", importer.name)));
        }
    }
    for output in outputs {
        if let Some(name) = &output.export_name {
            stacks.put_export(name, &Export { stack: id.clone(), value: output.value.clone() }).await?;
        }
    }
    for name in gone {
        stacks.remove_export(name).await?;
    }
    Ok(Ok(()))
}
