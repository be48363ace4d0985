//! Reading executions: nothing here changes one.

use std::sync::Arc;

use everstep_core::id::ExecutionId;
use everstep_core::{Execution, Payload, Record, Rejection, Texts, Timestamp, view};
use everstep_store::{Due, ListQuery, Listed};

use crate::{Engine, Error, NewTexts};

/// How many wake-ups are read at first when the next one is looked for.
const WAKE_UPS_READ: usize = 100;

/// What time will bring next.
#[derive(Clone, Debug)]
pub enum NextWakeUp {
    /// This execution is awake, or something else is done: what comes next is not known before it is over.
    AtWork(Option<ExecutionId>),
    /// An execution sleeps until then, or something is tried again then, and nothing comes before.
    At {
        /// When.
        at: Timestamp,
        /// The execution.
        execution: Option<Box<Execution>>,
    },
    /// Nothing sleeps.
    Nothing,
}

impl NextWakeUp {
    /// Returns what comes first of what time brings to two engines that go by one clock.
    #[must_use]
    pub fn or_sooner(self, other: Self) -> Self {
        match (self, other) {
            (work @ Self::AtWork(_), _) | (_, work @ Self::AtWork(_)) => work,
            (Self::Nothing, one) | (one, Self::Nothing) => one,
            (Self::At { at: first, execution }, Self::At { at: second, .. }) if first <= second => {
                Self::At { at: first, execution }
            }
            (Self::At { .. }, second @ Self::At { .. }) => second,
        }
    }
}

/// A page of an execution's history.
#[derive(Debug)]
pub struct HistoryPage {
    /// The execution, which has the names.
    pub execution: Execution,
    /// Records that hold the page's events, in the order asked for.
    pub records: Vec<Record>,
    /// The texts of the payloads shown; empty if they were not asked for.
    pub texts: Texts,
}

impl Engine {
    /// Returns an execution as it stands, or `None` if there is no such one.
    ///
    /// # Errors
    /// The store's.
    pub async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, Error> {
        self.look(id, Clone::clone).await
    }

    /// Looks at an execution as it stands. It does not change meanwhile. Returns `None` if there is no such one.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn look<T>(
        &self,
        id: ExecutionId,
        look: impl FnOnce(&Execution) -> T,
    ) -> Result<Option<T>, Error> {
        let cell = self.cache.cell(id);
        let mut state = cell.state.lock().await;
        let execution = match state.take() {
            Some(execution) => execution,
            None => match self.load(id, u64::MAX).await {
                Ok(execution) => execution,
                Err(Error::Rejected(_)) => {
                    drop(state);
                    self.cache.forget(id);
                    return Ok(None);
                }
                Err(error) => return Err(error),
            },
        };
        let seen = look(&execution);
        self.cache.settle(id, &cell, &execution);
        *state = Some(execution);
        Ok(Some(seen))
    }

    /// Returns an execution as the store has it, whatever is cached.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn reload(&self, id: ExecutionId) -> Result<Option<Execution>, Error> {
        *self.cache.cell(id).state.lock().await = None;
        self.execution(id).await
    }

    /// Returns the texts of `payloads` of an execution; those in `known` need not be read.
    ///
    /// # Errors
    /// The store's, also if it has lost one.
    pub async fn texts(&self, id: ExecutionId, payloads: &[&Payload], known: &NewTexts) -> Result<Texts, Error> {
        let mut texts = Texts::default();
        for (digest, text) in known {
            texts.insert(*digest, Arc::clone(text));
        }
        for payload in payloads {
            if let Payload::Stored { digest, .. } = payload
                && !texts.has(payload)
            {
                let text = self.store.payload(id, *digest).await?;
                let lost = || everstep_store::Error::Failed {
                    context: format!("payload {digest} of execution {id} is not in the store"),
                    source: None,
                };
                texts.insert(*digest, text.ok_or_else(lost)?);
            }
        }
        Ok(texts)
    }

    /// Returns the records that hold the events with ids from `first` to `last`, with their texts if asked for.
    ///
    /// # Errors
    /// [`Error::Rejected`] if there is no such execution.
    pub async fn history(
        &self,
        id: ExecutionId,
        first: u64,
        last: u64,
        limit: usize,
        newest_first: bool,
        with_texts: bool,
    ) -> Result<HistoryPage, Error> {
        let execution = self.execution(id).await?.ok_or_else(Rejection::execution_not_found)?;
        let records = self.store.records(id, first, last, limit, newest_first).await?;
        let texts = if with_texts {
            let events = records.iter().flat_map(|record| &record.events);
            let shown: Vec<_> = events.filter_map(view::event_payload).collect();
            self.texts(id, &shown, &Vec::new()).await?
        } else {
            Texts::default()
        };
        Ok(HistoryPage { execution, records, texts })
    }

    /// Looks for the next thing that time will bring: for whoever moves the clock there.
    ///
    /// # Errors
    /// The store's.
    pub async fn next_wake_up(&self) -> Result<NextWakeUp, Error> {
        let now = self.clock.now();
        if let Some(id) = self.store.in_flight().await?.into_iter().next() {
            return Ok(NextWakeUp::AtWork(Some(id)));
        }
        let forever = Timestamp::from_millis(i64::MAX);
        // What executions owe to others is work as well, such as a plain function that one of them waits for. What it
        // leads to is seen below.
        if self.next_effect_at(forever).await?.is_some_and(|at| at <= now) {
            return Ok(NextWakeUp::AtWork(None));
        }
        let sleeper = self.next_sleeper(forever).await?;
        // What was due at the first look may be under way by now, and then only its deadline is known.
        if let Some(id) = self.store.in_flight().await?.into_iter().next() {
            return Ok(NextWakeUp::AtWork(Some(id)));
        }
        // And it may be over, and have left something to be done.
        let effect_at = self.next_effect_at(forever).await?;
        if effect_at.is_some_and(|at| at <= now) {
            return Ok(NextWakeUp::AtWork(None));
        }
        Ok(match sleeper {
            Some((at, execution))
                if at <= now || execution.wake_up() != Some(at) || execution.in_flight().is_some() =>
            {
                NextWakeUp::AtWork(Some(execution.start_facts().id))
            }
            Some((at, execution)) if effect_at.is_none_or(|effect_at| at <= effect_at) => {
                NextWakeUp::At { at, execution: Some(Box::new(execution)) }
            }
            Some(_) | None => match effect_at {
                Some(at) => NextWakeUp::At { at, execution: None },
                None => NextWakeUp::Nothing,
            },
        })
    }

    /// Returns when the first of what executions owe to others is due.
    async fn next_effect_at(&self, until: Timestamp) -> Result<Option<Timestamp>, Error> {
        Ok(self.store.effects(until, 1).await?.first().map(|effect| effect.due))
    }

    /// Returns the execution that wakes first, and when. What is over only waits to be forgotten, which does not count.
    async fn next_sleeper(&self, until: Timestamp) -> Result<Option<(Timestamp, Execution)>, Error> {
        let mut limit = WAKE_UPS_READ;
        loop {
            let due = self.store.due(until, limit).await?;
            for Due { execution: id, wake_up } in &due {
                if let Some(execution) = self.execution(*id).await?
                    && execution.ended_at().is_none()
                {
                    return Ok(Some((*wake_up, execution)));
                }
            }
            if due.len() < limit {
                return Ok(None);
            }
            limit *= 10;
        }
    }

    /// Returns a page of executions.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, query: &ListQuery) -> Result<Vec<Listed>, Error> {
        Ok(self.store.list(query).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_engines_work_comes_first_and_then_what_is_sooner() {
        let at = |millis| NextWakeUp::At { at: Timestamp::from_millis(millis), execution: None };
        let (work, nothing) = (|| NextWakeUp::AtWork(None), || NextWakeUp::Nothing);
        for (one, other, expected) in [
            (nothing(), nothing(), nothing()),
            (nothing(), at(1), at(1)),
            (at(1), at(2), at(1)),
            (work(), at(1), work()),
            (work(), nothing(), work()),
        ] {
            let expected = format!("{expected:?}");
            assert_eq!(format!("{:?}", one.clone().or_sooner(other.clone())), expected);
            assert_eq!(format!("{:?}", other.or_sooner(one)), expected);
        }
    }
}
