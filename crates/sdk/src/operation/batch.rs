//! What map and parallel have in common: branches that run side by side, and when that is over.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::child::{Produced, run_context};
use super::{Kind, Operation, OperationFuture};
use crate::context::{Context, Name};
use crate::error::{Error, OperationError, OperationErrorKind, Result, error_type};
use crate::replay::batch::{Item, Outcome, Outcomes, Summary};
use crate::replay::completion::{Completion, CompletionReason, Progress};
use crate::scope::{Nesting, Scope};
use crate::serdes::{Serdes, SerdesInfo};
use crate::wire::ErrorObject;

/// Branches, and what their results make. Items of a map, a `Vec` of [`branch`](crate::branch)es, or a tuple of them.
pub trait Branches<'a>: sealed::Run<'a, Self::Values, Self::Item> + Send + 'a {
    /// What awaiting them gives.
    type Values: Send + 'a;
    /// What a [`Batch`] of them has of each.
    type Item: Send + 'a;
}

pub(super) mod sealed {
    use super::*;

    /// How branches run, and how their results are read.
    pub trait Run<'a, V, T> {
        /// Returns the branches to run, and what reads their results.
        fn split(self) -> (Vec<Task<'a>>, Reader<'a, V, T>);
    }

    /// Reads the results of branches.
    pub trait ReadResults<V, T>: Send + Sync {
        /// Reads the results of all of them.
        fn values(&self, texts: &[String], info: &SerdesInfo<'_>) -> Result<V>;

        /// Reads the result of the branch `index`.
        fn item(&self, index: usize, text: &str, info: &SerdesInfo<'_>) -> Result<T>;
    }

    pub(crate) type Reader<'a, V, T> = Box<dyn ReadResults<V, T> + 'a>;

    /// A branch to run, to the text of its result.
    pub struct Task<'a> {
        pub(crate) name: Name,
        pub(crate) run: TaskBody<'a>,
    }

    pub(crate) type TaskBody<'a> = Box<dyn FnOnce(Context, Arc<Operation>) -> TaskFuture<'a> + Send + 'a>;
    pub(crate) type TaskFuture<'a> = Pin<Box<dyn Future<Output = Result<String>> + Send + 'a>>;
}
use sealed::{ReadResults, Task};

/// Branches that were called and not yet awaited. `M` says what awaiting them gives: [`Values`], or the [`Whole`] batch.
#[must_use = "operations do nothing until awaited"]
pub struct Fanout<'a, B: Branches<'a>, M = Values> {
    operation: Operation,
    branch: Kind,
    pub(super) branches: B,
    rules: Rules<'a>,
    serdes: Option<Box<dyn Serdes<Batch<B::Item>> + 'a>>,
    mode: PhantomData<M>,
}

/// Awaiting gives the values, or the first failure by index; the first failure ends the rest.
#[derive(Clone, Copy, Debug)]
pub struct Values;

/// Awaiting gives a [`Batch`].
#[derive(Clone, Copy, Debug)]
pub struct Whole;

struct Rules<'a> {
    max_concurrency: Option<usize>,
    completion: Completion,
    until: Option<Box<Until<'a>>>,
    nesting: Nesting,
}

type Until<'a> = dyn Fn(&Progress) -> Option<bool> + Send + Sync + 'a;

impl<'a, B: Branches<'a>> Fanout<'a, B> {
    pub(super) fn new(operation: Operation, branch: Kind, branches: B) -> Self {
        let (completion, nesting) = (Completion::default(), Nesting::Nested);
        let rules = Rules { max_concurrency: None, completion, until: None, nesting };
        Self { operation, branch, branches, rules, serdes: None, mode: PhantomData }
    }
}

impl<'a, B: Branches<'a>, M> Fanout<'a, B, M> {
    /// Sets how many branches run at the same time; one that waits counts.
    pub fn max_concurrency(mut self, branches: usize) -> Self {
        self.rules.max_concurrency = Some(branches);
        self
    }

    /// Keeps no record of the branches: their operations belong to the batch.
    pub fn flat(mut self) -> Self {
        self.rules.nesting = Nesting::Virtual;
        self
    }

    /// Gives the [`Batch`]: what became of each branch. A failure is not an error then.
    pub fn batch(self) -> Fanout<'a, B, Whole> {
        let Self { operation, branch, branches, rules, serdes, mode: _ } = self;
        Fanout { operation, branch, branches, rules, serdes, mode: PhantomData }
    }

    /// Ends the batch once so many branches succeeded. Failures are tolerated then, unless a limit is set too.
    pub fn min_successful(mut self, branches: usize) -> Fanout<'a, B, Whole> {
        self.rules.completion.min_successful = Some(branches);
        self.batch()
    }

    /// Ends the batch once more branches than that failed.
    pub fn tolerate(mut self, failures: usize) -> Fanout<'a, B, Whole> {
        self.rules.completion.tolerated_failures = Some(failures);
        self.batch()
    }

    /// Ends the batch once more than so many percent of all branches failed.
    pub fn tolerate_percent(mut self, percent: f64) -> Fanout<'a, B, Whole> {
        self.rules.completion.tolerated_failure_percent = Some(percent);
        self.batch()
    }

    /// Ends the batch when `decide`, asked after each branch, says so: well (`true`) or not. It alone decides, until all
    /// branches ended.
    pub fn until(mut self, decide: impl Fn(&Progress) -> Option<bool> + Send + Sync + 'a) -> Fanout<'a, B, Whole> {
        self.rules.until = Some(Box::new(decide));
        self.batch()
    }

    /// Sets how the batch becomes text.
    pub fn batch_serdes(mut self, serdes: impl Serdes<Batch<B::Item>> + 'a) -> Fanout<'a, B, Whole> {
        self.serdes = Some(Box::new(serdes));
        self.batch()
    }
}

impl<'a, B: Branches<'a>> IntoFuture for Fanout<'a, B> {
    type Output = Result<B::Values, OperationError>;
    type IntoFuture = OperationFuture<'a, B::Values>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { operation, branch, branches, rules, .. } = self;
            let (tasks, reader) = branches.split();
            let names = names(&tasks);
            let write = |outcomes: &Outcomes| Ok(outcomes.whole());
            let outcomes = match run(&operation, branch, tasks, &rules, write).await? {
                Settled::Made(outcomes) => outcomes,
                Settled::Read(text) => operation.readable(Outcomes::read(&text).map_err(Error::from)).await,
            };
            let mut texts = Vec::with_capacity(outcomes.items.len());
            for item in outcomes.items {
                match item.outcome {
                    Outcome::Succeeded(text) => texts.push(text),
                    Outcome::Failed(error) => return Err(branch_error(&names, item.index, error)),
                    Outcome::Started => {}
                }
            }
            Ok(operation.readable(reader.values(&texts, &operation.info())).await)
        })
    }
}

impl<'a, B: Branches<'a>> IntoFuture for Fanout<'a, B, Whole> {
    type Output = Result<Batch<B::Item>, OperationError>;
    type IntoFuture = OperationFuture<'a, Batch<B::Item>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { operation, branch, branches, rules, serdes, .. } = self;
            let (tasks, reader) = branches.split();
            let names = names(&tasks);
            let batch = |outcomes: &Outcomes| Batch::read(outcomes, reader.as_ref(), &names, &operation.info());
            let write = |outcomes: &Outcomes| match &serdes {
                Some(serdes) => serdes.serialize(&batch(outcomes)?, &operation.info()),
                None => Ok(outcomes.whole()),
            };
            let settled = run(&operation, branch, tasks, &rules, write).await?;
            let value = match (&settled, &serdes) {
                (Settled::Made(outcomes), None) => batch(outcomes),
                // What is seen live is what is seen on replay.
                (Settled::Made(outcomes), Some(serdes)) => {
                    write(outcomes).and_then(|text| serdes.deserialize(&text, &operation.info()))
                }
                (Settled::Read(text), None) => {
                    Outcomes::read(text).map_err(Error::from).and_then(|outcomes| batch(&outcomes))
                }
                (Settled::Read(text), Some(serdes)) => serdes.deserialize(text, &operation.info()),
            };
            Ok(operation.readable(value).await)
        })
    }
}

impl<'a, B: Branches<'a>, M> fmt::Debug for Fanout<'a, B, M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}({})", self.operation.kind.sub_type, self.operation.label())
    }
}

/// How a batch came to its end.
enum Settled {
    /// Its branches ran, or were made anew.
    Made(Outcomes),
    /// It ended before, as this text.
    Read(String),
}

/// Runs the branches in a context of their own.
async fn run<'a>(
    operation: &Operation,
    branch: Kind,
    tasks: Vec<Task<'a>>,
    rules: &Rules<'a>,
    write: impl Fn(&Outcomes) -> Result<String>,
) -> Result<Settled, OperationError> {
    let impossible = (rules.max_concurrency == Some(0)).then(|| "max_concurrency must be at least 1".to_owned());
    operation.check(impossible)?;
    let mut made = None;
    let text = run_context(operation, Nesting::Nested, |scope, summary| {
        let made = &mut made;
        let write = &write;
        async move {
            let outcomes = match summary {
                Some(summary) => remake(&scope, branch, tasks, rules, &summary).await?,
                None => run_branches(&scope, branch, tasks, rules).await,
            };
            let by_chance = outcomes.reason != CompletionReason::AllCompleted;
            let summary = outcomes.summary(operation.kind.sub_type);
            let produced = Produced { text: write(&outcomes)?, summary, by_chance };
            *made = Some(outcomes);
            Ok(produced)
        }
    })
    .await?;
    Ok(match made {
        Some(outcomes) => Settled::Made(outcomes),
        None => Settled::Read(text.unwrap_or_default()),
    })
}

/// Starts branches in order, as many at a time as may run, until the batch is over.
async fn run_branches<'a>(scope: &Arc<Scope>, branch: Kind, tasks: Vec<Task<'a>>, rules: &Rules<'a>) -> Outcomes {
    let total = tasks.len();
    let mut progress = Progress { total, succeeded: 0, failed: 0 };
    let mut waiting = tasks.into_iter().enumerate();
    let mut items: Vec<Item> = Vec::new();
    let mut running = FuturesUnordered::new();
    let reason = loop {
        if let Some(reason) = rules.verdict(progress) {
            break reason;
        }
        while running.len() < rules.max_concurrency.unwrap_or(usize::MAX) {
            let Some((index, task)) = waiting.next() else { break };
            items.push(Item { index, outcome: Outcome::Started });
            running.push(run_branch(scope, branch, index, task, rules.nesting));
        }
        let Some((index, outcome)) = running.next().await else {
            unreachable!("a batch without branches that run or wait is over");
        };
        match &outcome {
            Outcome::Succeeded(_) => progress.succeeded += 1,
            Outcome::Failed(_) => progress.failed += 1,
            Outcome::Started => {}
        }
        items[index].outcome = outcome;
    };
    Outcomes { items, reason }
}

/// Makes the outcomes anew of those branches that had ended, as the summary says.
async fn remake<'a>(
    scope: &Arc<Scope>,
    branch: Kind,
    tasks: Vec<Task<'a>>,
    rules: &Rules<'a>,
    summary: &str,
) -> Result<Outcomes> {
    let summary: Summary = serde_json::from_str(summary)?;
    let mut items: Vec<Item> = (0..summary.started()).map(|index| Item { index, outcome: Outcome::Started }).collect();
    let mut tasks: Vec<Option<Task<'a>>> = tasks.into_iter().map(Some).collect();
    let mut running = FuturesUnordered::new();
    for index in summary.ended() {
        let Some(task) = tasks.get_mut(index).and_then(Option::take) else {
            let message = format!("{} branches were started, and there are {} now", summary.started(), tasks.len());
            return Err(Error::new(error_type::NON_DETERMINISTIC, message));
        };
        running.push(run_branch(scope, branch, index, task, rules.nesting));
    }
    while let Some((index, outcome)) = running.next().await {
        items[index].outcome = outcome;
    }
    Ok(Outcomes { items, reason: summary.reason() })
}

async fn run_branch(
    scope: &Arc<Scope>,
    kind: Kind,
    index: usize,
    task: Task<'_>,
    nesting: Nesting,
) -> (usize, Outcome) {
    let operation = Arc::new(Operation::at(scope, index, task.name, kind));
    if let Err(error) = operation.check(None) {
        return (index, Outcome::Failed(error.object().clone()));
    }
    let text = run_context(&operation, nesting, |scope, _| {
        let branch = (task.run)(Context::new(scope), Arc::clone(&operation));
        async move { Ok(Produced { text: branch.await?, summary: String::new(), by_chance: false }) }
    });
    match text.await {
        Ok(text) => (index, Outcome::Succeeded(text.unwrap_or_else(|| "null".to_owned()))),
        Err(error) => (index, Outcome::Failed(error.object().clone())),
    }
}

impl Rules<'_> {
    fn verdict(&self, progress: Progress) -> Option<CompletionReason> {
        let ended = progress.succeeded + progress.failed;
        match &self.until {
            None => self.completion.verdict(progress),
            Some(decide) => match Some(&progress).filter(|_| ended > 0).and_then(decide) {
                Some(true) => Some(CompletionReason::CustomCompletionSucceeded),
                Some(false) => Some(CompletionReason::CustomCompletionFailed),
                None => (ended == progress.total).then_some(CompletionReason::AllCompleted),
            },
        }
    }
}

fn names(tasks: &[Task<'_>]) -> Vec<Name> {
    tasks.iter().map(|task| task.name.clone()).collect()
}

fn branch_error(names: &[Name], index: usize, error: ErrorObject) -> OperationError {
    let name = names.get(index).and_then(Name::as_str).map_or_else(|| index.to_string(), str::to_owned);
    OperationError::new(OperationErrorKind::ChildFailed, name, error)
}

/// What became of branches.
///
/// ```
/// # use everstep::{CompletionReason, Context, Result};
/// # async fn check(url: &str) -> std::io::Result<u16> { Ok(200) }
/// # async fn handler(urls: Vec<String>, mut ctx: Context) -> Result<usize> {
/// let batch = ctx
///     .map("check", &urls, async |mut ctx, url| Ok(ctx.step("check", async |_| Ok(check(url).await?)).await?))
///     .tolerate_percent(10.0)
///     .await?;
/// for error in batch.errors() {
///     tracing::warn!(%error, "not reached");
/// }
/// if batch.completion_reason() == CompletionReason::FailureToleranceExceeded {
///     batch.throw_if_error()?;
/// }
/// # Ok(batch.success_count()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<T> {
    items: Vec<BatchItem<T>>,
    completion_reason: CompletionReason,
}

/// What became of one branch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchItem<T> {
    /// Which branch, from 0.
    pub index: usize,
    /// What became of it.
    pub outcome: BatchOutcome<T>,
}

/// What became of a branch.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchOutcome<T> {
    /// It gave this value.
    Succeeded(T),
    /// It failed.
    Failed(OperationError),
    /// It was not over when the batch was.
    Started,
}

/// As what a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchStatus {
    /// No branch failed.
    Succeeded,
    /// A branch failed.
    Failed,
}

impl BatchStatus {
    /// Returns it in the words of AWS's SDKs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
        }
    }
}

impl<T> Batch<T> {
    /// Makes a batch, as a [`Serdes`] of batches has to.
    pub fn new(items: Vec<BatchItem<T>>, completion_reason: CompletionReason) -> Self {
        Self { items, completion_reason }
    }

    /// Returns every branch that was started, by index.
    pub fn all(&self) -> &[BatchItem<T>] {
        &self.items
    }

    /// Returns the values of the branches that succeeded, by index.
    pub fn succeeded(&self) -> impl Iterator<Item = &T> {
        self.items.iter().filter_map(|item| match &item.outcome {
            BatchOutcome::Succeeded(value) => Some(value),
            BatchOutcome::Failed(_) | BatchOutcome::Started => None,
        })
    }

    /// Returns the values of the branches that succeeded, by index.
    pub fn into_succeeded(self) -> Vec<T> {
        let values = self.items.into_iter().filter_map(|item| match item.outcome {
            BatchOutcome::Succeeded(value) => Some(value),
            BatchOutcome::Failed(_) | BatchOutcome::Started => None,
        });
        values.collect()
    }

    /// Returns the errors of the branches that failed, by index.
    pub fn errors(&self) -> impl Iterator<Item = &OperationError> {
        self.items.iter().filter_map(|item| match &item.outcome {
            BatchOutcome::Failed(error) => Some(error),
            BatchOutcome::Succeeded(_) | BatchOutcome::Started => None,
        })
    }

    /// Returns how many branches succeeded.
    pub fn success_count(&self) -> usize {
        self.succeeded().count()
    }

    /// Returns how many branches failed.
    pub fn failure_count(&self) -> usize {
        self.errors().count()
    }

    /// Returns how many branches were not over when the batch was.
    pub fn started_count(&self) -> usize {
        self.total_count() - self.success_count() - self.failure_count()
    }

    /// Returns how many branches were started.
    pub fn total_count(&self) -> usize {
        self.items.len()
    }

    /// Returns why the batch ended.
    pub fn completion_reason(&self) -> CompletionReason {
        self.completion_reason
    }

    /// Returns whether a branch failed.
    pub fn status(&self) -> BatchStatus {
        if self.errors().next().is_some() { BatchStatus::Failed } else { BatchStatus::Succeeded }
    }

    /// Returns the first failure by index.
    ///
    /// # Errors
    /// That failure.
    pub fn throw_if_error(&self) -> Result<(), OperationError> {
        self.errors().next().map_or(Ok(()), |error| Err(error.clone()))
    }

    fn read<V>(
        outcomes: &Outcomes,
        reader: &dyn ReadResults<V, T>,
        names: &[Name],
        info: &SerdesInfo<'_>,
    ) -> Result<Self> {
        let items = outcomes.items.iter().map(|item| {
            let outcome = match &item.outcome {
                Outcome::Succeeded(text) => BatchOutcome::Succeeded(reader.item(item.index, text, info)?),
                Outcome::Failed(error) => BatchOutcome::Failed(branch_error(names, item.index, error.clone())),
                Outcome::Started => BatchOutcome::Started,
            };
            Ok(BatchItem { index: item.index, outcome })
        });
        Ok(Self { items: items.collect::<Result<_>>()?, completion_reason: outcomes.reason })
    }
}
