//! Brings the world to what stacks ask for, one step after the other, and goes on after a restart where it was.
//!
//! What has to be done next is said by a stack's status alone ([`StackStatus::work`]); each step ends with another
//! status. A step can be done twice: it looks at what there is.

mod clean_up;
mod delete;
mod deploy;
mod resource;
mod revert;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tracing::{error, info};

use super::document::{Operation, Resource, Stack, StackId};
use super::status::{StackStatus, Work};
use super::types::Site;
use super::{Stacks, Tell};
use crate::access::Principal;
use crate::http::Services;
use crate::http::error::Error;

/// Carries out what is begun, until the server stops.
pub async fn run(services: Arc<Services>, mut queue: mpsc::UnboundedReceiver<StackId>, stop: watch::Receiver<bool>) {
    let mut stopped = stop.clone();
    let mut running = JoinSet::new();
    let mut under_way: HashMap<Id, StackId> = HashMap::new();
    match services.stacks.all().await {
        Ok(stacks) => {
            for stack in stacks.iter().filter(|stack| stack.status.work() != Work::Nothing) {
                info!(stack.name = stack.id.name, status = stack.status.as_str(), "a stack is gone on with");
                services.stacks.wake(&stack.id);
            }
        }
        Err(error) => error!(%error, "the stacks could not be read: what was begun is not gone on with"),
    }
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            Some(ended) = running.join_next_with_id() => {
                let id = match &ended { Ok((id, ())) => *id, Err(error) => error.id() };
                under_way.remove(&id);
                if let Err(error) = ended {
                    error!(%error, "work on a stack ended in a panic");
                }
            }
            Some(id) = queue.recv() => {
                // Whoever works on a stack looks at its status again before it ends.
                if !under_way.values().any(|known| *known == id) {
                    let handle = running.spawn(drive(services.clone(), id.clone(), stop.clone()));
                    under_way.insert(handle.id(), id);
                }
            }
        }
    }
    while running.join_next().await.is_some() {}
}

/// Does what a stack's status says, and again until there is nothing to do.
async fn drive(services: Arc<Services>, id: StackId, stop: watch::Receiver<bool>) {
    loop {
        let step = async {
            let Some(stack) = services.stacks.load(&id).await? else { return Ok(Step::Nothing) };
            let work = stack.status.work();
            let job = || Job::open(services.clone(), stack.clone(), stop.clone());
            match work {
                Work::Nothing => Ok(Step::Nothing),
                Work::Deploy => deploy::step(job().await?).await,
                Work::CleanUp => clean_up::step(job().await?).await,
                Work::Revert => revert::step(job().await?).await,
                Work::Undo => delete::undo(job().await?).await,
                Work::Delete => delete::step(job().await?).await,
            }
        };
        match step.await {
            Ok(Step::Done) => {}
            Ok(Step::Nothing | Step::Interrupted) => return,
            Err::<_, Error>(error) => {
                error!(stack.name = id.name, %error, "work on a stack failed; it is gone on with at the next start");
                return;
            }
        }
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
