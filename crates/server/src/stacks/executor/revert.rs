//! Changing resources back to what they were before an update that failed.

use std::sync::Arc;

use super::super::document::{Change, Resource};
use super::super::graph::{self, AfterFailure};
use super::super::status::{ResourceStatus, StackStatus};
use super::resource::{Direction, Wanted};
use super::{Failure, Job, Step, sort};
use crate::http::error::Error;
use crate::limits::RESOURCES_AT_ONCE;

/// Changes everything back.
pub async fn step(job: Arc<Job>) -> Result<Step, Error> {
    let work = |logical_id: String| {
        let job = job.clone();
        async move { one(&job, &logical_id).await }
    };
    let failed = graph::run(job.needs(), RESOURCES_AT_ONCE, AfterFailure::GoOn, work).await;
    let failed = match sort(failed) {
        Ok(failed) => failed,
        Err(ended) => return ended,
    };
    if failed.is_empty() {
        let former = job.operation.former.clone();
        let status = StackStatus::UpdateRollbackCompleteCleanupInProgress;
        return job
            .conclude(status, None, |stack| {
                if let Some(former) = &former {
                    stack.settings = former.clone();
                }
            })
            .await;
    }
    let names: Vec<String> = failed.into_iter().map(|(logical_id, _)| logical_id).collect();
    let reason = format!("The following resource(s) failed to update: [{}]. ", names.join(", "));
    job.conclude(StackStatus::UpdateRollbackFailed, Some(reason), |_| {}).await
}

async fn one(job: &Job, logical_id: &str) -> Result<(), Failure> {
    if *job.stop.borrow() {
        return Err(Failure::Interrupted);
    }
    let resource = job.resource(logical_id).expect("it was just listed");
    match resource.change(job.stack.settled).cloned() {
        None | Some(Change::Created | Change::Reverted { .. }) => Ok(()),
        Some(Change::Updated { former }) => {
            let thing = resource.thing.clone().unwrap_or_else(|| former.clone());
            let wanted = Wanted { logical_id: logical_id.into(), thing: former };
            job.alter(wanted, thing, resource.change.clone(), Direction::Back).await?;
            let reverted = job.resource(logical_id).expect("it was just changed");
            job.keep(Resource { change: None, ..reverted }).await
        }
        Some(Change::Replaced { former }) => {
            let change = resource.thing.clone().map(|discarded| Change::Reverted { discarded });
            let resource = Resource { thing: Some(former), change, ..resource };
            job.enter(resource, ResourceStatus::UpdateComplete, None).await
        }
    }
}
