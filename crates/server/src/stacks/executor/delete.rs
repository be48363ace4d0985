//! Deleting what a stack has made: all of it, or what a creation that failed had made so far.

use std::sync::Arc;

use super::super::document::Resource;
use super::super::graph::{self, AfterFailure};
use super::super::now_millis;
use super::super::status::{ResourceStatus, StackStatus};
use super::resource::Because;
use super::{Failure, Job, Step, sort};
use crate::http::error::Error;
use crate::limits::RESOURCES_AT_ONCE;

/// Deletes a stack.
pub async fn step(job: Arc<Job>) -> Result<Step, Error> {
    for output in &job.stack.outputs {
        let Some(name) = &output.export_name else { continue };
        if let Some(importer) = job.stacks().importers(name).await?.first() {
            let reason = format!("Export {name} cannot be deleted as it is in use by {}", importer.name);
            return job.conclude(StackStatus::DeleteFailed, Some(reason), |_| {}).await;
        }
    }
    let failed = match all(&job, Because::Unneeded).await {
        Ok(failed) => failed,
        Err(ended) => return ended,
    };
    if !failed.is_empty() {
        let reason = format!("The following resource(s) failed to delete: [{}]. ", failed.join(", "));
        return job.conclude(StackStatus::DeleteFailed, Some(reason), |_| {}).await;
    }
    for output in &job.stack.outputs {
        if let Some(name) = &output.export_name {
            job.stacks().remove_export(name).await?;
        }
    }
    let now = now_millis();
    job.stacks().remove_change_sets(&job.stack.id).await?;
    let settled = job.operation.number;
    let ended = job.conclude(StackStatus::DeleteComplete, None, |stack| {
        stack.deleted_millis = Some(now);
        stack.imports.clear();
        stack.settled = settled;
    });
    let ended = ended.await?;
    job.stacks().forget_old().await?;
    Ok(ended)
}

/// Undoes a creation.
pub async fn undo(job: Arc<Job>) -> Result<Step, Error> {
    let failed = match all(&job, Because::Undone).await {
        Ok(failed) => failed,
        Err(ended) => return ended,
    };
    if failed.is_empty() {
        let settled = job.operation.number;
        return job.conclude(StackStatus::RollbackComplete, None, |stack| stack.settled = settled).await;
    }
    let reason = format!("The following resource(s) failed to delete: [{}]. ", failed.join(", "));
    job.conclude(StackStatus::RollbackFailed, Some(reason), |_| {}).await
}

/// Deletes every thing there is, those that nobody needs first. Returns what could not be deleted.
async fn all(job: &Arc<Job>, because: Because) -> Result<Vec<String>, Result<Step, Error>> {
    let work = |logical_id: String| {
        let job = job.clone();
        async move { one(&job, &logical_id, because).await }
    };
    let failed = graph::run(graph::reversed(&job.needs()), RESOURCES_AT_ONCE, AfterFailure::GoOn, work).await;
    Ok(sort(failed)?.into_iter().map(|(logical_id, _)| logical_id).collect())
}

async fn one(job: &Job, logical_id: &str, because: Because) -> Result<(), Failure> {
    job.check().await?;
    let resource = job.resource(logical_id).expect("it was just listed");
    // What a replacement has left over goes as well.
    let settled = job.stack.settled;
    for thing in resource.change(settled).into_iter().filter_map(super::clean_up::leftover) {
        job.discard(resource.clone(), &thing, Because::Replaced).await?;
    }
    let status = match &resource.thing {
        Some(thing) => {
            job.discard(resource.clone(), thing, because).await?;
            ResourceStatus::DeleteComplete
        }
        None => return Ok(()),
    };
    let (change, status_reason) = (None, None);
    job.keep(Resource { status, status_reason, updated_millis: now_millis(), thing: None, change, ..resource }).await
}
