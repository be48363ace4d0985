//! Brings the world to what stacks ask for, one step after the other, and goes on after a restart where it was.
//!
//! What has to be done next is said by a stack's status alone ([`StackStatus::work`]); each step ends with another
//! status. A step can be done twice: it looks at what there is.

mod clean_up;
mod delete;
mod deploy;
mod resource;
mod revert;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use tracing::{error, info};

use super::document::{Operation, Resource, Stack, StackId};
use super::status::{StackStatus, Work};
use super::types::Site;
use super::{Stacks, Tell};
use crate::access::Principal;
use crate::http::Services;
use crate::http::error::Error;

/// Carries out what is begun, until the server stops.
pub async fn run(services: Arc<Services>, queue: mpsc::UnboundedReceiver<StackId>, stop: watch::Receiver<bool>) {
    let step = {
        let (services, stop) = (services.clone(), stop.clone());
        move |id| step(services.clone(), id, stop.clone())
    };
    tokio::join!(wake_begun(&services.stacks, stop.clone()), schedule::run(queue, stop, step));
}

/// Wakes every stack that a former server left something to do about.
async fn wake_begun(stacks: &Stacks, mut stop: watch::Receiver<bool>) {
    let all = loop {
        match stacks.all().await {
            Ok(all) => break all,
            Err(error) => error!(%error, "the stacks could not be read: trying again"),
        }
        if schedule::pause(&mut stop).await {
            return;
        }
    };
    for stack in all.iter().filter(|stack| stack.status.work() != Work::Nothing) {
        info!(stack.name = stack.id.name, status = stack.status.as_str(), "a stack is gone on with");
        stacks.wake(&stack.id);
    }
}

/// Does what a stack's status says.
async fn step(services: Arc<Services>, id: StackId, stop: watch::Receiver<bool>) -> Result<Step, Error> {
    let Some(stack) = services.stacks.load(&id).await? else { return Ok(Step::Nothing) };
    let work = stack.status.work();
    let job = || Job::open(services.clone(), stack, stop);
    match work {
        Work::Nothing => Ok(Step::Nothing),
        Work::Deploy => deploy::step(job().await?).await,
        Work::CleanUp => clean_up::step(job().await?).await,
        Work::Revert => revert::step(job().await?).await,
        Work::Undo => delete::undo(job().await?).await,
        Work::Delete => delete::step(job().await?).await,
    }
}

/// How a step ended.
enum Step {
    /// The stack has another status.
    Done,
    /// There was nothing to do.
    Nothing,
    /// The server stops.
    Interrupted,
}

/// Why a resource is not what it should be.
#[derive(Debug)]
enum Failure {
    /// It could not be made so, and its state says why.
    Failed,
    /// Somebody asked to go back.
    Cancelled,
    /// The server stops.
    Interrupted,
    /// The store's fault.
    Store(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// Work on a stack, shared by those who work on its resources.
struct Job {
    services: Arc<Services>,
    stack: Stack,
    operation: Operation,
    resources: Mutex<BTreeMap<String, Resource>>,
    /// Whether a resource failed already.
    failed: AtomicBool,
    stop: watch::Receiver<bool>,
}

impl Job {
    async fn open(services: Arc<Services>, stack: Stack, stop: watch::Receiver<bool>) -> Result<Arc<Self>, Error> {
        let resources = Mutex::new(services.stacks.resources(&stack.id).await?);
        let operation = stack.operation.clone().expect("a stack that is worked on has an operation");
        let failed = AtomicBool::new(false);
        Ok(Arc::new(Self { services, stack, operation, resources, failed, stop }))
    }

    fn stacks(&self) -> &Stacks {
        &self.services.stacks
    }

    fn resources(&self) -> MutexGuard<'_, BTreeMap<String, Resource>> {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns which resources each needs, by what there is now.
    fn needs(&self) -> BTreeMap<String, BTreeSet<String>> {
        let needs = |resource: &Resource| resource.thing.iter().flat_map(|thing| thing.needs.clone()).collect();
        self.resources().iter().map(|(logical_id, resource)| (logical_id.clone(), needs(resource))).collect()
    }

    fn resource(&self, logical_id: &str) -> Option<Resource> {
        self.resources().get(logical_id).cloned()
    }

    fn site(&self, logical_id: &str) -> Site {
        Site {
            services: self.services.clone(),
            stack: self.stack.id.clone(),
            logical_id: logical_id.into(),
            principal: self.principal(),
        }
    }

    /// Whose permissions resources are made with: the stack's role, or the deployer.
    fn principal(&self) -> Principal {
        match &self.stack.settings.role_arn {
            Some(arn) => self.services.identities.session_of_service(arn, "AWSCloudFormation"),
            None => self.operation.deployer.clone(),
        }
    }

    fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Ends the work on a resource before it begins, if the server stops or, of an update, somebody asked to go back.
    async fn check(&self) -> Result<(), Failure> {
        if *self.stop.borrow() {
            return Err(Failure::Interrupted);
        }
        if self.stack.status == StackStatus::UpdateInProgress {
            let stack = self.stacks().load(&self.stack.id).await?;
            if stack.and_then(|stack| stack.operation).is_some_and(|operation| operation.cancelled) {
                return Err(Failure::Cancelled);
            }
        }
        Ok(())
    }

    /// Gives the stack another status, and whatever else changes with it.
    async fn conclude(
        &self,
        status: StackStatus,
        reason: Option<String>,
        mut change: impl FnMut(&mut Stack),
    ) -> Result<Step, Error> {
        let id = &self.stack.id;
        let tell = Tell::State { client_request_token: self.operation.client_request_token.clone() };
        let changed = self.stacks().change(id, tell, |stack| {
            stack.status = status;
            stack.status_reason.clone_from(&reason);
            change(stack);
            Ok(())
        });
        changed.await?;
        if status.work() == Work::Nothing {
            self.stacks().trim_events(id).await?;
            info!(stack.name = id.name, status = status.as_str(), "work on a stack has ended");
        }
        Ok(Step::Done)
    }
}

/// Sorts failures: the store's and interruptions end the step, the rest is the resources' own.
fn sort(failures: Vec<(String, Failure)>) -> Result<Vec<(String, Failure)>, Result<Step, Error>> {
    let mut own = Vec::new();
    for (logical_id, failure) in failures {
        match failure {
            Failure::Store(error) => return Err(Err(error)),
            Failure::Interrupted => return Err(Ok(Step::Interrupted)),
            Failure::Failed | Failure::Cancelled => own.push((logical_id, failure)),
        }
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use everstep_core::id::Place;
    use everstep_store::Kind;

    use super::super::begin;
    use super::super::document::Settings;
    use super::super::faulty::Faulty;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_a_former_server_began_is_gone_on_with_also_if_it_cannot_be_read_at_once() {
        let catalog = Arc::new(Faulty::default());
        let place = Place { region: "us-east-1".into(), account: "123456789012".into() };
        let (stacks, mut woken) = Stacks::open(catalog.clone(), place);
        for (name, status) in [("a", StackStatus::CreateComplete), ("b", StackStatus::UpdateInProgress)] {
            let id = StackId { name: name.into(), unique: "1".into() };
            begin::create(&stacks, id.clone(), Settings::default(), Tell::Nothing).await.unwrap();
            let begun = stacks.change(&id, Tell::Nothing, |stack| {
                stack.status = status;
                Ok(())
            });
            begun.await.unwrap();
        }
        for unreadable in [None, Some(Kind::Stack)] {
            *catalog.cannot_list.lock().unwrap() = unreadable;
            let (_stop, stopped) = watch::channel(false);
            wake_begun(&stacks, stopped).await;
            assert_eq!(woken.try_recv().map(|id| id.name).as_deref(), Ok("b"), "{unreadable:?}");
            assert!(woken.try_recv().is_err(), "{unreadable:?}");
        }
        *catalog.cannot_list.lock().unwrap() = Some(Kind::Stack);
        let (_stop, stopped) = watch::channel(true);
        wake_begun(&stacks, stopped).await;
        assert!(woken.try_recv().is_err(), "the server stops");
    }
}
