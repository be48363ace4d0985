//! The first of several operations to end. Which one it was is remembered, so that replay does not ask again.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use super::child::{CHILD, Produced, run_context};
use super::{Operation, OperationFuture};
use crate::context::{Context, Name};
use crate::error::{Error, OperationError, Result};
use crate::scope::Nesting;

impl Context {
    /// Waits for the first of several operations to end, well or not, and drops the others.
    ///
    /// The operations are called before, on the same context. Two give an [`Either`], three a [`OneOf3`], a `Vec` the index
    /// and the value. A plain `select!` is not durable: on replay another one may be first.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use everstep::{Context, Either, Result};
    /// # async fn handler(order: String, mut ctx: Context) -> Result<Option<u32>> {
    /// let parcel = ctx.invoke::<u32>("warehouse", &order);
    /// let patience = ctx.wait("patience", Duration::from_secs(60));
    /// let parcel = match ctx.race("first", (parcel, patience)).await? {
    ///     Either::Left(parcel) => Some(parcel),
    ///     Either::Right(()) => None,
    /// };
    /// # Ok(parcel) }
    /// ```
    ///
    /// # Errors
    /// The error of the operation that ended first.
    pub fn race<'a, O: Operations<'a>>(&mut self, name: impl Into<Name>, operations: O) -> Race<'a, O> {
        let operation = Operation::call(&self.scope, name.into(), CHILD);
        Race { operation, racers: operations.racers() }
    }
}

/// Operations that were called and not yet awaited.
pub trait Operations<'a> {
    /// What the first of them gives.
    type First: Send + 'a;

    /// Makes futures of them.
    fn racers(self) -> Vec<OperationFuture<'a, Self::First>>;
}

/// A race that was called and not yet awaited.
#[must_use = "operations do nothing until awaited"]
pub struct Race<'a, O: Operations<'a>> {
    operation: Operation,
    racers: Vec<OperationFuture<'a, O::First>>,
}

impl<'a, O: Operations<'a>> IntoFuture for Race<'a, O> {
    type Output = Result<O::First, OperationError>;
    type IntoFuture = OperationFuture<'a, O::First>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { operation, mut racers } = self;
        Box::pin(async move {
            let empty = racers.is_empty().then(|| "a race needs an operation".to_owned());
            operation.check(empty)?;
            let mut first = None;
            let text = run_context(&operation, Nesting::Nested, |_, _| async {
                let (index, result) = poll_fn(|context| poll_first(&mut racers, context)).await;
                first = Some(result);
                Ok(Produced { text: index.to_string(), summary: String::new(), by_chance: true })
            })
            .await?;
            if let Some(result) = first {
                return result;
            }
            let index = text.as_deref().unwrap_or_default().parse::<usize>().map_err(Error::from);
            let index = operation.readable(index).await;
            let out_of_range = || Error::from(format!("there is no operation {index} in the race"));
            let known = if index < racers.len() { Ok(racers.swap_remove(index)) } else { Err(out_of_range()) };
            operation.readable(known).await.await
        })
    }
}

impl<'a, O: Operations<'a>> fmt::Debug for Race<'a, O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Race({})", self.operation.label())
    }
}

/// Polls all of them in order, until one has ended.
fn poll_first<T>(
    racers: &mut [Pin<Box<dyn Future<Output = T> + Send + '_>>],
    context: &mut TaskContext<'_>,
) -> Poll<(usize, T)> {
    for (index, racer) in racers.iter_mut().enumerate() {
        if let Poll::Ready(result) = racer.as_mut().poll(context) {
            return Poll::Ready((index, result));
        }
    }
    Poll::Pending
}

/// The first of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first one.
    Left(A),
    /// The second one.
    Right(B),
}

/// The first of three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OneOf3<A, B, C> {
    /// The first one.
    First(A),
    /// The second one.
    Second(B),
    /// The third one.
    Third(C),
}

fn racer<'a, T, F>(
    operation: impl IntoFuture<Output = Result<T, OperationError>, IntoFuture: Send + 'a>,
    first: impl FnOnce(T) -> F + Send + 'a,
) -> OperationFuture<'a, F> {
    let running = operation.into_future();
    Box::pin(async move { running.await.map(first) })
}

impl<'a, A, B, T, U> Operations<'a> for (A, B)
where
    A: IntoFuture<Output = Result<T, OperationError>, IntoFuture: Send + 'a> + 'a,
    B: IntoFuture<Output = Result<U, OperationError>, IntoFuture: Send + 'a> + 'a,
    T: Send + 'a,
    U: Send + 'a,
{
    type First = Either<T, U>;

    fn racers(self) -> Vec<OperationFuture<'a, Self::First>> {
        vec![racer(self.0, Either::Left), racer(self.1, Either::Right)]
    }
}

impl<'a, A, B, C, T, U, V> Operations<'a> for (A, B, C)
where
    A: IntoFuture<Output = Result<T, OperationError>, IntoFuture: Send + 'a> + 'a,
    B: IntoFuture<Output = Result<U, OperationError>, IntoFuture: Send + 'a> + 'a,
    C: IntoFuture<Output = Result<V, OperationError>, IntoFuture: Send + 'a> + 'a,
    T: Send + 'a,
    U: Send + 'a,
    V: Send + 'a,
{
    type First = OneOf3<T, U, V>;

    fn racers(self) -> Vec<OperationFuture<'a, Self::First>> {
        vec![racer(self.0, OneOf3::First), racer(self.1, OneOf3::Second), racer(self.2, OneOf3::Third)]
    }
}

impl<'a, A, T> Operations<'a> for Vec<A>
where
    A: IntoFuture<Output = Result<T, OperationError>, IntoFuture: Send + 'a> + 'a,
    T: Send + 'a,
{
    type First = (usize, T);

    fn racers(self) -> Vec<OperationFuture<'a, Self::First>> {
        let indexed = self.into_iter().enumerate();
        indexed.map(|(index, operation)| racer(operation, move |value| (index, value))).collect()
    }
}
