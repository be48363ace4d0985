//! Executions and effects in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use everstep_core::id::{ExecutionId, ExecutionName, FunctionName};
use everstep_core::{Digest, Effect, Record, Timestamp};

use super::{Memory, lock};
use crate::error::Error;
use crate::executions::{
    Commit, Committed, Due, EffectId, Executions, Head, ListOrder, ListPosition, ListQuery, Listed, NewExecution,
    StoredEffect,
};

#[derive(Debug, Default)]
pub(super) struct State {
    executions: BTreeMap<ExecutionId, Execution>,
    names: BTreeMap<(FunctionName, ExecutionName), ExecutionId>,
    /// Executions that have a wake-up, by it, then by the order of their creation.
    wake_ups: BTreeSet<(Timestamp, u64, ExecutionId)>,
    effects: BTreeMap<EffectId, OwedEffect>,
    last_number: u64,
    last_effect: i64,
}

#[derive(Debug)]
struct Execution {
    /// Which creation it was.
    number: u64,
    new: NewExecution,
    head: Head,
    records: Vec<Record>,
    payloads: BTreeMap<Digest, Arc<str>>,
}

#[derive(Debug)]
struct OwedEffect {
    execution: Option<ExecutionId>,
    due: Timestamp,
    effect: Effect,
}

impl State {
    /// Takes a commit in that was found to be good.
    fn apply(&mut self, commit: Commit) -> Committed {
        let Commit { execution: id, record, head, payloads, effects } = commit;
        let due = record.at;
        let execution = self.executions.get_mut(&id).expect("the caller looked");
        execution.records.push(record);
        for (digest, text) in payloads {
            execution.payloads.entry(digest).or_insert(text);
        }
        if let Some(head) = head {
            let number = execution.number;
            let before = std::mem::replace(&mut execution.head, head);
            if let Some(wake_up) = before.wake_up {
                self.wake_ups.remove(&(wake_up, number, id));
            }
            if let Some(wake_up) = head.wake_up {
                self.wake_ups.insert((wake_up, number, id));
            }
        }
        Committed { effects: effects.into_iter().map(|effect| self.add_effect(Some(id), due, effect)).collect() }
    }

    fn add_effect(&mut self, execution: Option<ExecutionId>, due: Timestamp, effect: Effect) -> EffectId {
        self.last_effect += 1;
        let id = EffectId(self.last_effect);
        self.effects.insert(id, OwedEffect { execution, due, effect });
        id
    }
}

#[async_trait]
impl Executions for Memory {
    async fn create(&self, execution: NewExecution, commit: Commit) -> Result<Committed, Error> {
        let mut state = lock(&self.executions);
        if commit.record.version != 1 {
            return Err(Error::Conflict);
        }
        let name = (execution.function.clone(), execution.name.clone());
        if let Some(holder) = state.names.get(&name) {
            return Err(Error::NameTaken(*holder));
        }
        if state.executions.contains_key(&commit.execution) {
            return Err(Error::Conflict);
        }
        state.names.insert(name, commit.execution);
        state.last_number += 1;
        let number = state.last_number;
        let created =
            Execution { number, new: execution, head: Head::AT_BIRTH, records: Vec::new(), payloads: BTreeMap::new() };
        state.executions.insert(commit.execution, created);
        let committed = state.apply(commit);
        self.written();
        Ok(committed)
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, Error> {
        let mut state = lock(&self.executions);
        match state.executions.get(&commit.execution) {
            Some(execution) if commit.record.version == execution.records.len() as u64 + 1 => {
                let committed = state.apply(commit);
                self.written();
                Ok(committed)
            }
            Some(_) | None => Err(Error::Conflict),
        }
    }

    async fn load(&self, execution: ExecutionId, version: u64) -> Result<Option<Vec<Record>>, Error> {
        let state = lock(&self.executions);
        let records = state.executions.get(&execution).map(|execution| &execution.records);
        Ok(records.map(|records| records.iter().take_while(|record| record.version <= version).cloned().collect()))
    }

    async fn records(
        &self,
        execution: ExecutionId,
        first: u64,
        last: u64,
        limit: usize,
        newest_first: bool,
    ) -> Result<Vec<Record>, Error> {
        let state = lock(&self.executions);
        let Some(execution) = state.executions.get(&execution) else {
            return Ok(Vec::new());
        };
        let within = execution.records.iter().filter(|record| {
            record.event_ids > 0 && record.first_event_id <= last && record.first_event_id + record.event_ids > first
        });
        Ok(if newest_first {
            within.rev().take(limit).cloned().collect()
        } else {
            within.take(limit).cloned().collect()
        })
    }

    async fn payload(&self, execution: ExecutionId, digest: Digest) -> Result<Option<Arc<str>>, Error> {
        let state = lock(&self.executions);
        Ok(state.executions.get(&execution).and_then(|execution| execution.payloads.get(&digest).cloned()))
    }

    async fn find(&self, function: &FunctionName, name: &ExecutionName) -> Result<Option<ExecutionId>, Error> {
        Ok(lock(&self.executions).names.get(&(function.clone(), name.clone())).copied())
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Listed>, Error> {
        let state = lock(&self.executions);
        let mut found: Vec<(ListPosition, &Execution)> = state
            .executions
            .iter()
            .map(|(id, execution)| (ListPosition { started_at: execution.new.started_at, execution: *id }, execution))
            .filter(|(position, execution)| asks_for(query, position, execution))
            .collect();
        found.sort_by_key(|(position, _)| key(position));
        if query.order == ListOrder::Descending {
            found.reverse();
        }
        let listed = found.into_iter().take(query.limit).map(|(position, execution)| Listed {
            execution: position.execution,
            new: execution.new.clone(),
            status: execution.head.status,
            ended_at: execution.head.ended_at,
        });
        Ok(listed.collect())
    }

    async fn due(&self, until: Timestamp, limit: usize) -> Result<Vec<Due>, Error> {
        let state = lock(&self.executions);
        let due = state.wake_ups.iter().take_while(|(wake_up, ..)| *wake_up <= until);
        Ok(due.take(limit).map(|(wake_up, _, execution)| Due { execution: *execution, wake_up: *wake_up }).collect())
    }

    async fn in_flight(&self) -> Result<Vec<ExecutionId>, Error> {
        let state = lock(&self.executions);
        Ok(state.executions.iter().filter(|(_, execution)| execution.head.in_flight).map(|(id, _)| *id).collect())
    }

    async fn delete(&self, execution: ExecutionId) -> Result<bool, Error> {
        let mut state = lock(&self.executions);
        let Some(deleted) = state.executions.remove(&execution) else {
            return Ok(false);
        };
        state.names.remove(&(deleted.new.function, deleted.new.name));
        if let Some(wake_up) = deleted.head.wake_up {
            state.wake_ups.remove(&(wake_up, deleted.number, execution));
        }
        state.effects.retain(|_, owed| owed.execution != Some(execution));
        self.written();
        Ok(true)
    }

    async fn add_effect(&self, effect: Effect, due: Timestamp) -> Result<EffectId, Error> {
        let id = lock(&self.executions).add_effect(None, due, effect);
        self.written();
        Ok(id)
    }

    async fn effects(&self, until: Timestamp, limit: usize) -> Result<Vec<StoredEffect>, Error> {
        let state = lock(&self.executions);
        let mut due: Vec<(&EffectId, &OwedEffect)> =
            state.effects.iter().filter(|(_, owed)| owed.due <= until).collect();
        due.sort_by_key(|(id, owed)| (owed.due, **id));
        let stored = due.into_iter().take(limit);
        Ok(stored.map(|(id, owed)| StoredEffect { id: *id, due: owed.due, effect: owed.effect.clone() }).collect())
    }

    async fn postpone_effect(&self, id: EffectId, effect: Effect, due: Timestamp) -> Result<(), Error> {
        if let Some(owed) = lock(&self.executions).effects.get_mut(&id) {
            owed.effect = effect;
            owed.due = due;
        }
        self.written();
        Ok(())
    }

    async fn finish_effect(&self, id: EffectId) -> Result<(), Error> {
        lock(&self.executions).effects.remove(&id);
        self.written();
        Ok(())
    }
}

fn asks_for(query: &ListQuery, position: &ListPosition, execution: &Execution) -> bool {
    let NewExecution { function, version, name, started_at } = &execution.new;
    query.function.as_ref().is_none_or(|wanted| wanted == function)
        && query.version.is_none_or(|wanted| wanted == *version)
        && query.name.as_ref().is_none_or(|wanted| wanted == name)
        && query.status.is_none_or(|wanted| wanted == execution.head.status)
        && query.started_after.is_none_or(|after| *started_at > after)
        && query.started_before.is_none_or(|before| *started_at < before)
        && query.after.is_none_or(|after| match query.order {
            ListOrder::Ascending => key(position) > key(&after),
            ListOrder::Descending => key(position) < key(&after),
        })
}

fn key(position: &ListPosition) -> (Timestamp, ExecutionId) {
    (position.started_at, position.execution)
}
