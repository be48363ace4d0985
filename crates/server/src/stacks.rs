//! Stacks: what CloudFormation makes of templates, kept in the catalog and carried out by the executor.
//!
//! Start with [`document`], which is all there is of a stack; `http/cloudformation` is how it is asked for;
//! `prepare` says what a template would change; [`executor`] brings the world there; `types` knows what each
//! resource type is.
//!
//! The invariant of the house holds here as well: what a resource will be called is committed before it is made,
//! so that a server that is killed goes on where it was, and leaves nothing behind that nobody knows.

pub mod begin;
pub mod document;
pub mod events;
pub mod executor;
pub mod prepare;
pub mod status;

mod dynamic;
#[cfg(test)]
mod faulty;
mod graph;
mod names;
mod target;
mod template_url;
mod types;

use std::collections::BTreeMap;
use std::sync::Arc;

use everstep_core::id::Place;
use everstep_store::{Catalog, Error as StoreError, Kind, Put, Revision};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, MutexGuard, mpsc};

use crate::http::error::Error;
use crate::limits::{CHANGE_SETS_KEPT, DELETED_STACKS_KEPT, EVENTS_KEPT};
use document::{ChangeSet, Export, Resource, Stack, StackId, Template};
use events::{Events, Happening};
use status::StackStatus;

/// What is told of a change of a stack, in the commit that makes it.
#[derive(Clone, Debug)]
pub enum Tell {
    /// Nothing: it does not show in the stack's state.
    Nothing,
    /// The state that it has then, and why.
    State {
        /// What the sender of the operation calls it.
        client_request_token: Option<String>,
    },
}

/// Documents that are read at a time.
const PAGE: usize = 200;

/// The stacks of this server.
pub struct Stacks {
    catalog: Arc<dyn Catalog>,
    place: Place,
    /// What happened to them.
    pub events: Events,
    /// Held by who begins something, so that two do not begin something with one stack.
    turn: Mutex<()>,
    work: mpsc::UnboundedSender<StackId>,
}

impl Stacks {
    /// Opens the stacks of a catalog. Whoever holds the other end carries out what is begun.
    pub fn open(catalog: Arc<dyn Catalog>, place: Place) -> (Self, mpsc::UnboundedReceiver<StackId>) {
        let (work, queue) = mpsc::unbounded_channel();
        (Self { events: Events::new(catalog.clone()), catalog, place, turn: Mutex::default(), work }, queue)
    }

    /// Returns Region and account.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the ARN of a stack.
    pub fn arn(&self, id: &StackId) -> String {
        let Place { region, account } = &self.place;
        format!("arn:aws:cloudformation:{region}:{account}:stack/{}/{}", id.name, id.unique)
    }

    /// Returns the ARN of a change set.
    pub fn change_set_arn(&self, change_set: &ChangeSet) -> String {
        let Place { region, account } = &self.place;
        format!("arn:aws:cloudformation:{region}:{account}:changeSet/{}/{}", change_set.name, change_set.unique)
    }

    /// Waits until nobody else begins something.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Has the executor look at a stack.
    pub fn wake(&self, id: &StackId) {
        // Nobody listens while the server stops: the next start looks at every stack.
        let _ = self.work.send(id.clone());
    }

    /// Finds a stack by its name or its ARN. By name only one that is there; by ARN also one that is deleted.
    ///
    /// # Errors
    /// `ValidationError`, in the words that AWS's tools look for.
    pub async fn find(&self, text: &str) -> Result<Stack, Error> {
        self.lookup(text).await?.ok_or_else(|| Error::validation(format!("Stack with id {text} does not exist")))
    }

    /// Returns a stack by its name or its ARN, if there is one.
    ///
    /// # Errors
    /// The store's.
    pub async fn lookup(&self, text: &str) -> Result<Option<Stack>, Error> {
        if let Some(id) = self.parse_arn(text) {
            return self.load(&id).await;
        }
        let named = self.with_prefix::<Stack>(Kind::Stack, &format!("{text}/")).await?;
        Ok(named.into_iter().map(|(_, stack)| stack).find(|stack| stack.status != StackStatus::DeleteComplete))
    }

    fn parse_arn(&self, text: &str) -> Option<StackId> {
        let Place { region, account } = &self.place;
        let rest = text.strip_prefix(&format!("arn:aws:cloudformation:{region}:{account}:stack/"))?;
        let (name, unique) = rest.split_once('/')?;
        Some(StackId { name: name.into(), unique: unique.into() })
    }

    /// Returns a stack.
    ///
    /// # Errors
    /// The store's.
    pub async fn load(&self, id: &StackId) -> Result<Option<Stack>, Error> {
        self.get(Kind::Stack, &id.key()).await
    }

    /// Returns every stack, also those that are deleted.
    ///
    /// # Errors
    /// The store's.
    pub async fn all(&self) -> Result<Vec<Stack>, Error> {
        let all = self.with_prefix(Kind::Stack, "").await?;
        Ok(all.into_iter().map(|(_, stack)| stack).collect())
    }

    /// Writes a stack that was not there before.
    ///
    /// # Errors
    /// The store's.
    pub async fn create(&self, stack: &Stack, tell: Tell) -> Result<(), Error> {
        Ok(self.catalog.put_all(self.told(stack, None, tell).await?).await?)
    }

    /// Changes a stack, and tries again if somebody else changed it meanwhile. Returns it as it is now.
    ///
    /// # Errors
    /// What `change` refuses.
    pub async fn change(
        &self,
        id: &StackId,
        tell: Tell,
        mut change: impl FnMut(&mut Stack) -> Result<(), Error>,
    ) -> Result<Stack, Error> {
        let key = id.key();
        loop {
            let document = self.catalog.get(Kind::Stack, &key).await?;
            let document = document.ok_or_else(|| Error::validation(format!("Stack [{}] does not exist", id.name)))?;
            let mut stack: Stack = read(&key, &document.body)?;
            change(&mut stack)?;
            match self.catalog.put_all(self.told(&stack, Some(document.revision), tell.clone()).await?).await {
                Ok(()) => return Ok(stack),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Returns what is to be written of a stack: itself and, in the same commit, its state as what happened.
    async fn told(&self, stack: &Stack, seen: Option<Revision>, tell: Tell) -> Result<Vec<Put>, Error> {
        let mut puts = vec![Put { kind: Kind::Stack, key: stack.id.key(), seen, body: write(stack) }];
        match tell {
            Tell::Nothing => {}
            Tell::State { client_request_token } => {
                let arn = self.arn(&stack.id);
                let happening = Happening::of_stack(&stack.id, &arn, stack.status).because(stack.status_reason.clone());
                puts.push(self.events.draw(&stack.id, Happening { client_request_token, ..happening }).await?);
            }
        }
        Ok(puts)
    }

    /// Removes a stack and everything that is kept of it.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget(&self, id: &StackId) -> Result<(), Error> {
        let prefix = format!("{}/", id.key());
        for kind in [Kind::StackResource, Kind::StackTemplate, Kind::ChangeSet, Kind::StackEvent] {
            self.remove_with_prefix(kind, &prefix).await?;
        }
        self.events.forget(id);
        self.remove(Kind::Stack, &id.key()).await
    }

    /// Forgets the stacks that were deleted longest ago, so that deploying and deleting takes no more and more room.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget_old(&self) -> Result<(), Error> {
        let mut deleted = self.all().await?;
        deleted.retain(|stack| stack.status == StackStatus::DeleteComplete);
        deleted.sort_by_key(|stack| std::cmp::Reverse(stack.deleted_millis));
        for stack in deleted.iter().skip(DELETED_STACKS_KEPT) {
            self.forget(&stack.id).await?;
        }
        Ok(())
    }

    /// Returns the resources of a stack by their logical ids.
    ///
    /// # Errors
    /// The store's.
    pub async fn resources(&self, id: &StackId) -> Result<BTreeMap<String, Resource>, Error> {
        let found = self.with_prefix::<Resource>(Kind::StackResource, &format!("{}/", id.key())).await?;
        Ok(found.into_iter().map(|(_, resource)| (resource.logical_id.clone(), resource)).collect())
    }

    /// Returns the stack that a thing in the world belongs to.
    ///
    /// # Errors
    /// The store's.
    pub async fn of_resource(&self, physical_id: &str) -> Result<Option<Stack>, Error> {
        let all = self.with_prefix::<Resource>(Kind::StackResource, "").await?;
        let has = |resource: &Resource| resource.thing.as_ref().is_some_and(|thing| thing.physical_id == physical_id);
        let Some((key, _)) = all.into_iter().find(|(_, resource)| has(resource)) else { return Ok(None) };
        let mut parts = key.split('/');
        let (Some(name), Some(unique)) = (parts.next(), parts.next()) else { return Ok(None) };
        self.load(&StackId { name: name.into(), unique: unique.into() }).await
    }

    /// Writes a resource over what it was.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_resource(&self, id: &StackId, resource: &Resource) -> Result<(), Error> {
        self.put(Kind::StackResource, &format!("{}/{}", id.key(), resource.logical_id), resource).await
    }

    /// Forgets a resource.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove_resource(&self, id: &StackId, logical_id: &str) -> Result<(), Error> {
        self.remove(Kind::StackResource, &format!("{}/{logical_id}", id.key())).await
    }

    /// Returns a template of a stack.
    ///
    /// # Errors
    /// The store's.
    pub async fn template(&self, id: &StackId, number: u64) -> Result<Option<Template>, Error> {
        self.get(Kind::StackTemplate, &format!("{}/{number}", id.key())).await
    }

    /// Returns the template that a stack shows: the one that is deployed, else the one that was to be. A stack that is only
    /// reviewed has none.
    ///
    /// # Errors
    /// The store's.
    pub async fn shown_template(&self, stack: &Stack) -> Result<Option<Template>, Error> {
        let tried = stack.operation.as_ref().and_then(|operation| operation.template.or(operation.former_template));
        match stack.template.or(tried) {
            Some(number) => self.template(&stack.id, number).await,
            None => Ok(None),
        }
    }

    /// Writes a template of a stack.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_template(&self, id: &StackId, number: u64, template: &Template) -> Result<(), Error> {
        self.put(Kind::StackTemplate, &format!("{}/{number}", id.key()), template).await
    }

    /// Forgets a template.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove_template(&self, id: &StackId, number: u64) -> Result<(), Error> {
        self.remove(Kind::StackTemplate, &format!("{}/{number}", id.key())).await
    }

    /// Returns the change sets of a stack, by their names.
    ///
    /// # Errors
    /// The store's.
    pub async fn change_sets(&self, id: &StackId) -> Result<Vec<ChangeSet>, Error> {
        let found = self.with_prefix(Kind::ChangeSet, &format!("{}/", id.key())).await?;
        Ok(found.into_iter().map(|(_, change_set)| change_set).collect())
    }

    /// Writes a change set. The oldest ones make room if there are too many.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_change_set(&self, change_set: &ChangeSet) -> Result<(), Error> {
        let mut known = self.change_sets(&change_set.stack).await?;
        known.sort_by_key(|known| std::cmp::Reverse(known.created_millis));
        for old in known.iter().skip(CHANGE_SETS_KEPT - 1) {
            self.remove_change_set(old).await?;
        }
        self.put(Kind::ChangeSet, &change_set_key(change_set), change_set).await
    }

    /// Forgets a change set.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove_change_set(&self, change_set: &ChangeSet) -> Result<(), Error> {
        self.remove(Kind::ChangeSet, &change_set_key(change_set)).await
    }

    /// Forgets all change sets of a stack.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove_change_sets(&self, id: &StackId) -> Result<(), Error> {
        self.remove_with_prefix(Kind::ChangeSet, &format!("{}/", id.key())).await
    }

    /// Finds a change set by its ARN, or by its name and its stack.
    ///
    /// # Errors
    /// `ChangeSetNotFound`.
    pub async fn find_change_set(&self, text: &str, stack: Option<&str>) -> Result<ChangeSet, Error> {
        let missing = || Error::named(404, "ChangeSetNotFound", format!("ChangeSet [{text}] does not exist"));
        let Place { region, account } = &self.place;
        let arn = text.strip_prefix(&format!("arn:aws:cloudformation:{region}:{account}:changeSet/"));
        let Some((name, unique)) = arn.and_then(|rest| rest.split_once('/')) else {
            let stack = stack.ok_or_else(|| {
                Error::validation("StackName must be specified if ChangeSetName is not specified as an ARN.")
            })?;
            let stack = self.find(stack).await?;
            let known = self.change_sets(&stack.id).await?;
            return known.into_iter().find(|known| known.name == text).ok_or_else(missing);
        };
        let all = match stack {
            Some(stack) => match self.lookup(stack).await? {
                Some(stack) => self.change_sets(&stack.id).await?,
                None => Vec::new(),
            },
            None => self.with_prefix(Kind::ChangeSet, "").await?.into_iter().map(|(_, known)| known).collect(),
        };
        all.into_iter().find(|known| known.name == name && known.unique == unique).ok_or_else(missing)
    }

    /// Returns the exports by their names.
    ///
    /// # Errors
    /// The store's.
    pub async fn exports(&self) -> Result<BTreeMap<String, Export>, Error> {
        let found = self.with_prefix(Kind::StackExport, "").await?;
        Ok(found.into_iter().collect())
    }

    /// Writes an export.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_export(&self, name: &str, export: &Export) -> Result<(), Error> {
        self.put(Kind::StackExport, name, export).await
    }

    /// Forgets an export.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove_export(&self, name: &str) -> Result<(), Error> {
        self.remove(Kind::StackExport, name).await
    }

    /// Returns the stacks that use an export.
    ///
    /// # Errors
    /// The store's.
    pub async fn importers(&self, export: &str) -> Result<Vec<StackId>, Error> {
        let mut stacks = self.all().await?;
        stacks.retain(|stack| stack.status != StackStatus::DeleteComplete && stack.imports.contains(export));
        Ok(stacks.into_iter().map(|stack| stack.id).collect())
    }

    /// Forgets the oldest events of a stack.
    ///
    /// # Errors
    /// The store's.
    pub async fn trim_events(&self, id: &StackId) -> Result<(), Error> {
        let prefix = format!("{}/", id.key());
        let events = self.with_prefix::<document::Event>(Kind::StackEvent, &prefix).await?;
        for (key, _) in events.iter().skip(EVENTS_KEPT) {
            self.remove(Kind::StackEvent, key).await?;
        }
        Ok(())
    }

    async fn get<T: DeserializeOwned>(&self, kind: Kind, key: &str) -> Result<Option<T>, Error> {
        let document = self.catalog.get(kind, key).await?;
        document.map(|document| read(key, &document.body)).transpose()
    }

    /// Writes a document over what it was. Only for those that one at a time writes.
    async fn put(&self, kind: Kind, key: &str, document: &impl Serialize) -> Result<(), Error> {
        let body = write(document);
        loop {
            let seen = self.catalog.get(kind, key).await?.map(|document| document.revision);
            match self.catalog.put(kind, key, seen, body.clone()).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn remove(&self, kind: Kind, key: &str) -> Result<(), Error> {
        while let Some(document) = self.catalog.get(kind, key).await? {
            match self.catalog.delete(kind, key, document.revision).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn with_prefix<T: DeserializeOwned>(&self, kind: Kind, prefix: &str) -> Result<Vec<(String, T)>, Error> {
        let mut found = Vec::new();
        let mut after = Some(prefix.to_string());
        loop {
            let page = self.catalog.list(kind, after.as_deref(), PAGE).await?;
            let last = page.len() < PAGE;
            after = page.last().map(|(key, _)| key.clone());
            for (key, document) in page {
                if !key.starts_with(prefix) {
                    return Ok(found);
                }
                let read = read(&key, &document.body)?;
                found.push((key, read));
            }
            if last {
                return Ok(found);
            }
        }
    }

    async fn remove_with_prefix(&self, kind: Kind, prefix: &str) -> Result<(), Error> {
        for (key, _) in self.with_prefix::<serde_json::Value>(kind, prefix).await? {
            self.remove(kind, &key).await?;
        }
        Ok(())
    }
}

/// Returns wall time in milliseconds, which is what stacks go by.
pub fn now_millis() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Writes a time as CloudFormation does.
pub fn iso(millis: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{at:.3}")
}

fn change_set_key(change_set: &ChangeSet) -> String {
    format!("{}/{}", change_set.stack.key(), change_set.name)
}

fn read<T: DeserializeOwned>(key: &str, body: &str) -> Result<T, Error> {
    serde_json::from_str(body).map_err(|error| {
        tracing::error!(key, %error, "a document of a stack cannot be read");
        Error::service("A document of the stack cannot be read; the server's log says why.")
    })
}

fn write(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("documents serialise")
}

#[cfg(test)]
mod tests {
    use everstep_store::memory::Memory;
    use serde_json::json;

    use super::*;
    use document::Settings;
    use status::{ChangeSetStatus, ResourceStatus};

    fn stacks() -> Stacks {
        let place = Place { region: "us-east-1".into(), account: "123456789012".into() };
        Stacks::open(Arc::new(Memory::new()), place).0
    }

    async fn stack(stacks: &Stacks, name: &str, status: StackStatus, deleted_millis: Option<i64>) -> Stack {
        let id = StackId { name: name.into(), unique: uuid::Uuid::new_v4().to_string() };
        let stack = begin::create(stacks, id, Settings::default(), Tell::Nothing).await.unwrap();
        let changed = stacks.change(&stack.id, Tell::Nothing, |stack| {
            (stack.status, stack.deleted_millis) = (status, deleted_millis);
            Ok(())
        });
        changed.await.unwrap()
    }

    #[tokio::test]
    async fn stacks_are_found_by_name_while_they_are_there_and_by_arn_for_longer() {
        let stacks = stacks();
        let gone = stack(&stacks, "s", StackStatus::DeleteComplete, Some(1)).await;
        let found = stacks.find("s").await.unwrap_err();
        assert_eq!((found.status, found.message.as_str()), (400, "Stack with id s does not exist"));
        let there = stack(&stacks, "s", StackStatus::CreateComplete, None).await;
        stack(&stacks, "s-2", StackStatus::CreateComplete, None).await;
        assert_eq!(stacks.find("s").await.unwrap(), there);
        assert_eq!(stacks.find(&stacks.arn(&there.id)).await.unwrap(), there);
        assert_eq!(stacks.find(&stacks.arn(&gone.id)).await.unwrap(), gone);
    }

    #[tokio::test]
    async fn states_are_told_with_what_makes_them_and_refusals_tell_nothing() {
        let stacks = stacks();
        let stack = stack(&stacks, "s", StackStatus::CreateComplete, None).await;
        let tell = || Tell::State { client_request_token: Some("t".into()) };
        let changed = stacks.change(&stack.id, tell(), |stack| {
            (stack.status, stack.status_reason) = (StackStatus::DeleteInProgress, Some("because".into()));
            Ok(())
        });
        changed.await.unwrap();
        let refused = stacks.change(&stack.id, tell(), |_| Err(Error::validation("no")));
        refused.await.unwrap_err();
        let told = stacks.events.list(&stack.id, None, 9).await.unwrap();
        let [(_, event)] = &told[..] else { panic!("{told:?}") };
        assert_eq!((event.status.as_str(), event.reason.as_deref()), ("DELETE_IN_PROGRESS", Some("because")));
        assert_eq!((event.client_request_token.as_deref(), event.logical_id.as_str()), (Some("t"), "s"));
    }

    #[tokio::test]
    async fn the_stacks_that_were_deleted_first_are_forgotten_with_all_that_is_theirs() {
        let stacks = stacks();
        let mut deleted = Vec::new();
        for number in 0..=DELETED_STACKS_KEPT {
            deleted.push(stack(&stacks, "s", StackStatus::DeleteComplete, Some(number as i64)).await);
        }
        let there = stack(&stacks, "s", StackStatus::CreateComplete, None).await;
        let happening = || Happening::of_resource("R", "T", None, ResourceStatus::CreateComplete);
        for stack in [&deleted[0], &deleted[1]] {
            stacks.events.record(&stack.id, happening()).await.unwrap();
        }
        stacks.forget_old().await.unwrap();
        assert!(stacks.load(&deleted[0].id).await.unwrap().is_none());
        assert!(stacks.events.list(&deleted[0].id, None, 9).await.unwrap().is_empty());
        assert!(stacks.load(&deleted[1].id).await.unwrap().is_some());
        assert_eq!(stacks.events.list(&deleted[1].id, None, 9).await.unwrap().len(), 1);
        assert!(stacks.load(&there.id).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn the_oldest_change_sets_make_room() {
        let stacks = stacks();
        let stack = stack(&stacks, "s", StackStatus::CreateComplete, None).await;
        for number in 0..=CHANGE_SETS_KEPT {
            let change_set = ChangeSet {
                name: format!("c{number}"),
                unique: number.to_string(),
                stack: stack.id.clone(),
                status: ChangeSetStatus::Failed,
                status_reason: None,
                created_millis: number as i64,
                description: None,
                client_token: None,
                settings: Settings::default(),
                template: Template { original: String::new(), processed: json!({}) },
                imports: std::collections::BTreeSet::new(),
                changes: Vec::new(),
                on_failure: None,
                creates: false,
            };
            stacks.put_change_set(&change_set).await.unwrap();
        }
        assert_eq!(stacks.change_sets(&stack.id).await.unwrap().len(), CHANGE_SETS_KEPT);
        assert_eq!(stacks.find_change_set("c0", Some("s")).await.unwrap_err().code, "ChangeSetNotFound");
        let known = stacks.find_change_set("c1", Some("s")).await.unwrap();
        assert_eq!(stacks.find_change_set(&stacks.change_set_arn(&known), None).await.unwrap(), known);
    }

    #[tokio::test]
    async fn the_oldest_events_are_forgotten() {
        let stacks = stacks();
        let stack = stack(&stacks, "s", StackStatus::CreateComplete, None).await;
        for number in 0..=EVENTS_KEPT {
            let name = number.to_string();
            let happening = Happening::of_resource(&name, "T", None, ResourceStatus::CreateComplete);
            stacks.events.record(&stack.id, happening).await.unwrap();
        }
        stacks.trim_events(&stack.id).await.unwrap();
        let left = stacks.events.list(&stack.id, None, EVENTS_KEPT + 9).await.unwrap();
        assert_eq!(left.len(), EVENTS_KEPT);
        assert_eq!(left.last().unwrap().1.logical_id, "1");
    }
}
