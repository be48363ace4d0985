//! Deleting what is not needed any more after an update, or after one that was undone. What cannot be deleted is told
//! of and left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::document::{Change, Resource, Thing};
use super::super::graph::{self, AfterFailure};
use super::super::status::StackStatus;
use super::super::target::Target;
use super::resource::Because;
use super::{Failure, Job, Step, sort};
use crate::http::error::Error;
use crate::limits::RESOURCES_AT_ONCE;

/// Cleans up.
pub async fn step(job: Arc<Job>) -> Result<Step, Error> {
    let undone = job.stack.status == StackStatus::UpdateRollbackCompleteCleanupInProgress;
    let wanted = Target::names(&job.services, &job.stack).await?;
    let needs: BTreeMap<String, BTreeSet<String>> = job
        .resources()
        .iter()
        .map(|(logical_id, resource)| {
            let leftover = resource.change(job.stack.settled).and_then(leftover);
            let things = resource.thing.iter().chain(&leftover);
            (logical_id.clone(), things.flat_map(|thing| thing.needs.clone()).collect())
        })
        .collect();
    let wanted = Arc::new(wanted);
    let work = |logical_id: String| {
        let (job, wanted) = (job.clone(), wanted.clone());
        async move { one(&job, &logical_id, wanted.contains(&logical_id), undone).await }
    };
    let failed = graph::run(graph::reversed(&needs), RESOURCES_AT_ONCE, AfterFailure::GoOn, work).await;
    match sort(failed) {
        Ok(_) => {}
        Err(ended) => return ended,
    }
    let number = job.operation.number;
    let unused = if undone { job.operation.template } else { job.operation.former_template };
    if let Some(template) = unused {
        job.stacks().remove_template(&job.stack.id, template).await?;
    }
    let status = if undone { StackStatus::UpdateRollbackComplete } else { StackStatus::UpdateComplete };
    job.conclude(status, None, |stack| stack.settled = number).await
}

async fn one(job: &Job, logical_id: &str, wanted: bool, undone: bool) -> Result<(), Failure> {
    if *job.stop.borrow() {
        return Err(Failure::Interrupted);
    }
    let resource = job.resource(logical_id).expect("it was just listed");
    let change = resource.change(job.stack.settled).cloned();
    if let Some(thing) = change.as_ref().and_then(leftover) {
        let because = if undone { Because::Undone } else { Because::Replaced };
        forgive(job.discard(resource.clone(), &thing, because).await)?;
        job.keep(Resource { change: None, ..resource.clone() }).await?;
    }
    if wanted {
        return Ok(());
    }
    if let Some(thing) = &resource.thing {
        let because = if change == Some(Change::Created) { Because::Undone } else { Because::Unneeded };
        forgive(job.discard(resource.clone(), thing, because).await)?;
    }
    job.stacks().remove_resource(&job.stack.id, logical_id).await?;
    job.resources().remove(logical_id);
    Ok(())
}

/// Returns the thing that a change has left over.
pub fn leftover(change: &Change) -> Option<Thing> {
    match change {
        Change::Replaced { former } => Some(former.clone()),
        Change::Reverted { discarded } => Some(discarded.clone()),
        Change::Created | Change::Updated { .. } => None,
    }
}

fn forgive(result: Result<(), Failure>) -> Result<(), Failure> {
    match result {
        Err(Failure::Failed) | Ok(()) => Ok(()),
        Err(failure @ (Failure::Cancelled | Failure::Interrupted | Failure::Store(_))) => Err(failure),
    }
}
