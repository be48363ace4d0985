//! CONTEXT, Map: the same code for each of many items.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::batch::sealed::{ReadResults, Reader, Run, Task, TaskFuture};
use super::batch::{Branches, Fanout};
use super::{Kind, Operation};
use crate::context::{Context, Name};
use crate::error::{Error, OperationErrorKind, Result};
use crate::serdes::{Json, Serdes, SerdesInfo};
use crate::wire::OperationType;

const MAP: Kind =
    Kind { operation_type: OperationType::Context, sub_type: "Map", failure: OperationErrorKind::ChildFailed };
const MAP_ITERATION: Kind = Kind { sub_type: "MapIteration", ..MAP };

impl Context {
    /// Runs the same code for each item, side by side, each in a context of its own.
    ///
    /// Awaited, it gives the results in the order of the items, or the first failure; see [`Fanout::batch`] for more.
    ///
    /// ```
    /// # use everstep::{Context, Result};
    /// # async fn handler(names: Vec<String>, mut ctx: Context) -> Result<Vec<String>> {
    /// let greetings = ctx
    ///     .map("greet", &names, async |mut ctx, name| {
    ///         Ok(ctx.step("greet", async |_| Ok(format!("Hello, {name}!"))).await?)
    ///     })
    ///     .max_concurrency(10)
    ///     .item_names(|_, name| format!("greet {name}"))
    ///     .await?;
    /// # Ok(greetings) }
    /// ```
    ///
    /// # Errors
    /// [`OperationErrorKind::ChildFailed`] with the error of the first item that failed.
    pub fn map<'a, I, T, F, Fut>(&mut self, name: impl Into<Name>, items: I, body: F) -> Map<'a, I::Item, T, F>
    where
        I: IntoIterator,
        I::Item: Send + 'a,
        F: Fn(Context, I::Item) -> Fut + Send + Sync + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
        T: Serialize + DeserializeOwned + Send + 'a,
    {
        let operation = Operation::call(&self.scope, name.into(), MAP);
        let items: Vec<_> = items.into_iter().collect();
        let names = (0..items.len()).map(|index| Name::from(format!("map-item-{index}"))).collect();
        let items = Items { items, names, body: Arc::new(body), serdes: Arc::new(Json) };
        Fanout::new(operation, MAP_ITERATION, items)
    }
}

/// A map that was called and not yet awaited.
pub type Map<'a, I, T, F, M = super::batch::Values> = Fanout<'a, Items<'a, I, T, F>, M>;

/// The items of a map, and what is done with each.
pub struct Items<'a, I, T, F> {
    items: Vec<I>,
    names: Vec<Name>,
    body: Arc<F>,
    serdes: Arc<dyn Serdes<T> + 'a>,
}

impl<'a, I, T, F, Fut, M> Fanout<'a, Items<'a, I, T, F>, M>
where
    I: Send + 'a,
    F: Fn(Context, I) -> Fut + Send + Sync + 'a,
    Fut: Future<Output = Result<T>> + Send + 'a,
    T: Send + 'a,
{
    /// Names the branch of each item; without it they are `map-item-0` and so on.
    pub fn item_names<N: Into<Name>>(mut self, name: impl Fn(usize, &I) -> N) -> Self {
        let items = &mut self.branches;
        items.names = items.items.iter().enumerate().map(|(index, item)| name(index, item).into()).collect();
        self
    }

    /// Sets how the result of an item becomes text.
    pub fn serdes(mut self, serdes: impl Serdes<T> + 'a) -> Self {
        self.branches.serdes = Arc::new(serdes);
        self
    }
}

impl<'a, I, T, F, Fut> Branches<'a> for Items<'a, I, T, F>
where
    I: Send + 'a,
    F: Fn(Context, I) -> Fut + Send + Sync + 'a,
    Fut: Future<Output = Result<T>> + Send + 'a,
    T: Send + 'a,
{
    type Values = Vec<T>;
    type Item = T;
}

impl<'a, I, T, F, Fut> Run<'a, Vec<T>, T> for Items<'a, I, T, F>
where
    I: Send + 'a,
    F: Fn(Context, I) -> Fut + Send + Sync + 'a,
    Fut: Future<Output = Result<T>> + Send + 'a,
    T: Send + 'a,
{
    fn split(self) -> (Vec<Task<'a>>, Reader<'a, Vec<T>, T>) {
        let Self { items, names, body, serdes } = self;
        let tasks = items.into_iter().zip(names).map(|(item, name)| {
            let (body, serdes) = (Arc::clone(&body), Arc::clone(&serdes));
            let run = move |context: Context, operation: Arc<Operation>| {
                let running = body(context, item);
                let encoded = async move {
                    let value = running.await?;
                    operation.encode(serdes.as_ref(), &value).map_err(Error::from_object)
                };
                Box::pin(encoded) as TaskFuture<'a>
            };
            Task { name, run: Box::new(run) }
        });
        (tasks.collect(), Box::new(Results(serdes)))
    }
}

/// The results of items are read alike.
struct Results<'a, T>(Arc<dyn Serdes<T> + 'a>);

impl<T> ReadResults<Vec<T>, T> for Results<'_, T> {
    fn values(&self, texts: &[String], info: &SerdesInfo<'_>) -> Result<Vec<T>> {
        texts.iter().map(|text| self.0.deserialize(text, info)).collect()
    }

    fn item(&self, _index: usize, text: &str, info: &SerdesInfo<'_>) -> Result<T> {
        self.0.deserialize(text, info)
    }
}
