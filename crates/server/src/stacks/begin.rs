//! Beginning something with a stack: what is to be done is committed, then the executor is woken. All that is left to do is the
//! executor's, so that nothing can fail between the two.
//!
//! Whoever calls this holds the stacks' turn.

use std::collections::BTreeSet;

use super::document::{OnFailure, Operation, Settings, Stack, StackId, Template};
use super::status::{StackStatus, Work};
use super::{Stacks, Tell, now_millis};
use crate::access::Principal;
use crate::http::error::Error;

/// Makes a stack of which there is nothing yet. It need not be told if it is deployed at once.
///
/// # Errors
/// The store's.
pub async fn create(stacks: &Stacks, id: StackId, settings: Settings, tell: Tell) -> Result<Stack, Error> {
    let stack = Stack {
        id,
        status: StackStatus::ReviewInProgress,
        status_reason: Some("User Initiated".into()),
        created_millis: now_millis(),
        updated_millis: None,
        deleted_millis: None,
        settings,
        template: None,
        change_set: None,
        outputs: Vec::new(),
        imports: BTreeSet::new(),
        termination_protection: false,
        operation: None,
        operations: 0,
        settled: 0,
    };
    stacks.create(&stack, tell).await?;
    Ok(stack)
}

/// What is to be deployed.
pub struct Deployment {
    /// What is asked for.
    pub settings: Settings,
    /// The template.
    pub template: Template,
    /// What happens if a resource cannot be made.
    pub on_failure: OnFailure,
    /// Who asks.
    pub deployer: Principal,
    /// What the sender calls it.
    pub client_request_token: Option<String>,
    /// The ARN of the change set that is executed.
    pub change_set: Option<String>,
}

/// Begins to deploy a template, if the stack is still as it was when that was decided.
///
/// # Errors
/// If it is not, or the store's.
pub async fn deploy(stacks: &Stacks, stack: &Stack, deployment: Deployment) -> Result<(), Error> {
    let Deployment { settings, template, on_failure, deployer, client_request_token, change_set } = deployment;
    let number = stack.operations + 1;
    stacks.put_template(&stack.id, number, &template).await?;
    let creates = stack.status == StackStatus::ReviewInProgress;
    let operation = Operation {
        number,
        template: Some(number),
        former_template: stack.template,
        former: (!creates).then(|| stack.settings.clone()),
        on_failure,
        deployer,
        client_request_token: client_request_token.clone(),
        cancelled: false,
        retained: BTreeSet::new(),
    };
    commit(stacks, &stack.id, client_request_token, |now| {
        if (now.status, now.operations) != (stack.status, stack.operations) {
            return Err(Error::validation(format!(
                "Another operation was begun with stack [{}] meanwhile: it is in {} state. Look at it and try again.",
                now.id.name,
                now.status.as_str()
            )));
        }
        now.status = if creates { StackStatus::CreateInProgress } else { StackStatus::UpdateInProgress };
        now.updated_millis = (!creates).then(now_millis);
        now.settings = settings.clone();
        now.operation = Some(operation.clone());
        now.operations = number;
        now.change_set.clone_from(&change_set);
        Ok(())
    })
    .await
}

/// Begins to delete a stack. If that was begun already, it is only looked at again.
///
/// # Errors
/// If the stack may not be deleted, or the store's.
pub async fn delete(
    stacks: &Stacks,
    stack: &Stack,
    deployer: Principal,
    retained: BTreeSet<String>,
    client_request_token: Option<String>,
) -> Result<(), Error> {
    if stack.status == StackStatus::DeleteInProgress {
        stacks.wake(&stack.id);
        return Ok(());
    }
    commit(stacks, &stack.id, client_request_token.clone(), |stack| {
        check_deletable(stacks, stack, &retained)?;
        stack.status = StackStatus::DeleteInProgress;
        stack.operations += 1;
        stack.operation = Some(Operation {
            number: stack.operations,
            template: None,
            former_template: stack.template,
            former: None,
            on_failure: OnFailure::Rollback,
            deployer: deployer.clone(),
            client_request_token: client_request_token.clone(),
            cancelled: false,
            retained: retained.clone(),
        });
        Ok(())
    })
    .await
}

/// Begins to change a stack back to what it was before an update, after that has failed.
///
/// # Errors
/// If it has not, or the store's.
pub async fn continue_rollback(
    stacks: &Stacks,
    id: &StackId,
    client_request_token: Option<String>,
) -> Result<(), Error> {
    commit(stacks, id, client_request_token, |stack| {
        if stack.status != StackStatus::UpdateRollbackFailed {
            return Err(Error::validation(format!(
                "Stack:{} is in {} state and can not continue update rollback.",
                stacks.arn(&stack.id),
                stack.status.as_str()
            )));
        }
        stack.status = StackStatus::UpdateRollbackInProgress;
        Ok(())
    })
    .await
}

/// Tells whether an operation with this token was begun already: then it is not begun again, only looked at again.
pub fn repeat(stacks: &Stacks, stack: &Stack, client_request_token: Option<&str>) -> bool {
    let last = stack.operation.as_ref().and_then(|operation| operation.client_request_token.as_deref());
    let repeats = client_request_token.is_some() && last == client_request_token;
    if repeats {
        stacks.wake(&stack.id);
    }
    repeats
}

/// Commits that there is something to be done about a stack, and wakes the executor.
async fn commit(
    stacks: &Stacks,
    id: &StackId,
    client_request_token: Option<String>,
    mut change: impl FnMut(&mut Stack) -> Result<(), Error>,
) -> Result<(), Error> {
    let committed = stacks.change(id, Tell::State { client_request_token }, |stack| {
        change(stack)?;
        stack.status_reason = Some("User Initiated".into());
        Ok(())
    });
    let committed = committed.await;
    // Whatever came of it: it may have been written although the store could not say so.
    stacks.wake(id);
    committed.map(drop)
}

fn check_deletable(stacks: &Stacks, stack: &Stack, retained: &BTreeSet<String>) -> Result<(), Error> {
    if stack.termination_protection {
        return Err(Error::validation(format!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack.id.name
        )));
    }
    if !retained.is_empty() && stack.status != StackStatus::DeleteFailed {
        return Err(Error::validation(format!(
            "Invalid operation on stack [{}]. RetainResources can only be specified when the stack is in the DELETE_FAILED state.",
            stacks.arn(&stack.id)
        )));
    }
    if stack.status.work() != Work::Nothing {
        return Err(Error::validation(format!(
            "Stack [{}] cannot be deleted while in status {}",
            stacks.arn(&stack.id),
            stack.status.as_str()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use everstep_core::id::Place;
    use everstep_store::Kind;
    use serde_json::json;
    use tokio::sync::mpsc;

    use super::super::faulty::Faulty;
    use super::*;

    /// Stacks of a catalog that can fail, with one that is there.
    struct Scene {
        catalog: Arc<Faulty>,
        stacks: Stacks,
        woken: mpsc::UnboundedReceiver<StackId>,
        stack: Stack,
    }

    impl Scene {
        async fn new(status: StackStatus) -> Self {
            let catalog = Arc::new(Faulty::default());
            let place = Place { region: "us-east-1".into(), account: "123456789012".into() };
            let (stacks, woken) = Stacks::open(catalog.clone(), place);
            let id = StackId { name: "s".into(), unique: "1".into() };
            let tell = Tell::State { client_request_token: None };
            let stack = create(&stacks, id, Settings::default(), tell).await.unwrap();
            let mut scene = Self { catalog, stacks, woken, stack };
            scene.stack = scene.change(|stack| stack.status = status).await;
            scene
        }

        async fn change(&self, change: impl Fn(&mut Stack)) -> Stack {
            let changed = self.stacks.change(&self.stack.id, Tell::Nothing, |stack| {
                change(stack);
                Ok(())
            });
            changed.await.unwrap()
        }

        /// Begins something with the stack as it was at first.
        async fn begin(&self, begun: Begun) -> Result<(), Error> {
            let Self { stacks, stack, .. } = self;
            let token = || Some("token".to_string());
            match begun {
                Begun::Deploy => deploy(stacks, stack, deployment(token())).await,
                Begun::Delete => delete(stacks, stack, Principal::Operator, BTreeSet::new(), token()).await,
                Begun::ContinueRollback => continue_rollback(stacks, &stack.id, token()).await,
            }
        }

        async fn now(&self) -> Stack {
            self.stacks.load(&self.stack.id).await.unwrap().unwrap()
        }

        /// Returns whether the executor was woken, once for all wakes so far.
        fn is_woken(&mut self) -> bool {
            std::iter::from_fn(|| self.woken.try_recv().ok()).last() == Some(self.stack.id.clone())
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Begun {
        Deploy,
        Delete,
        ContinueRollback,
    }

    use Begun::{ContinueRollback, Delete, Deploy};
    use StackStatus::{
        CreateComplete, CreateInProgress, DeleteInProgress, ReviewInProgress, UpdateComplete, UpdateInProgress,
        UpdateRollbackFailed, UpdateRollbackInProgress,
    };

    fn deployment(client_request_token: Option<String>) -> Deployment {
        Deployment {
            settings: Settings::default(),
            template: Template { original: String::new(), processed: json!({}) },
            on_failure: OnFailure::Rollback,
            deployer: Principal::Operator,
            client_request_token,
            change_set: None,
        }
    }

    async fn check_begun(begun: Begun, before: StackStatus, after: StackStatus) {
        for (answer, kind) in [(false, None), (true, None), (true, Some(Kind::ChangeSet))] {
            let mut scene = Scene::new(before).await;
            scene.catalog.loses_answer.store(!answer, Ordering::Relaxed);
            *scene.catalog.cannot_list.lock().unwrap() = kind;
            let answered = scene.begin(begun).await;
            assert_eq!(answered.is_ok(), answer, "{begun:?}: {answered:?}");
            assert_eq!(scene.now().await.status, after, "{begun:?}");
            assert!(scene.is_woken(), "{begun:?} {answer}");
        }
    }

    #[tokio::test]
    async fn whatever_is_begun_wakes_the_executor_also_if_nobody_knows_that_it_is() {
        check_begun(Deploy, ReviewInProgress, CreateInProgress).await;
        check_begun(Deploy, CreateComplete, UpdateInProgress).await;
        check_begun(Delete, CreateComplete, DeleteInProgress).await;
        check_begun(ContinueRollback, UpdateRollbackFailed, UpdateRollbackInProgress).await;
    }

    async fn check_refused(begun: Begun, before: StackStatus, meanwhile: impl Fn(&mut Stack), expected: &str) {
        let scene = Scene::new(before).await;
        let other = scene.change(meanwhile).await;
        let refused = scene.begin(begun).await.unwrap_err();
        assert!(refused.message.contains(expected), "{begun:?}: {refused:?}");
        assert_eq!(scene.now().await, other, "{begun:?}");
    }

    #[tokio::test]
    async fn what_was_begun_meanwhile_goes_on() {
        let update = |stack: &mut Stack| (stack.status, stack.operations) = (UpdateInProgress, 1);
        let updated = |stack: &mut Stack| (stack.status, stack.operations) = (UpdateComplete, 1);
        let protect = |stack: &mut Stack| stack.termination_protection = true;
        let go_back = |stack: &mut Stack| stack.status = UpdateRollbackInProgress;
        check_refused(Deploy, CreateComplete, update, "in UPDATE_IN_PROGRESS state").await;
        check_refused(Deploy, UpdateComplete, updated, "Another operation was begun with stack [s] meanwhile").await;
        check_refused(Delete, CreateComplete, update, "cannot be deleted while in status UPDATE_IN_PROGRESS").await;
        check_refused(Delete, CreateComplete, protect, "TerminationProtection is enabled").await;
        check_refused(ContinueRollback, UpdateRollbackFailed, go_back, "is in UPDATE_ROLLBACK_IN_PROGRESS state").await;
    }

    #[tokio::test]
    async fn whoever_asks_again_wakes_the_executor_and_begins_nothing() {
        let mut scene = Scene::new(CreateComplete).await;
        scene.begin(Deploy).await.unwrap();
        scene.stack = scene.now().await;
        assert!(scene.is_woken());
        for (token, repeats) in [(None, false), (Some("other"), false), (Some("token"), true)] {
            assert_eq!(repeat(&scene.stacks, &scene.stack, token), repeats, "{token:?}");
            assert_eq!(scene.is_woken(), repeats, "{token:?}");
        }
        scene.stack = scene.change(|stack| stack.status = DeleteInProgress).await;
        scene.begin(Delete).await.unwrap();
        assert!(scene.is_woken());
        assert_eq!(scene.now().await, scene.stack);
    }
}
