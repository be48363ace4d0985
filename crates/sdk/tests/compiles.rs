//! What has to compile, beyond the page of `page.rs`: borrowing, helpers, recursion, other people's errors. That it
//! compiles is the test.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use everstep::{
    Context, Error, Function, Json, Name, OperationError, OperationErrorKind, Result, Retry, Serdes, StepContext,
    branch,
};
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt, TryStreamExt, iter};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    id: String,
    items: Vec<String>,
}

/// Bodies borrow from the handler, at every level, and operations that were called do not hold the context.
async fn borrows(order: Order, mut ctx: Context) -> Result<Vec<usize>> {
    let prices = HashMap::from([("tea", 3_usize)]);
    let price = |item: &String| prices.get(item.as_str()).copied().unwrap_or_default();
    let first = ctx.step("first", async |_| Ok(order.id.len()));
    let second = ctx.step("second", async |_| Ok(order.items.len()));
    let (first, second) = (first.await?, second.await?);
    let nested = ctx
        .child("outer", async |mut outer| {
            let inner = outer
                .child("inner", async |mut inner| Ok(inner.step("leaf", async |_| Ok(order.id.len())).await?))
                .await?;
            Ok(inner)
        })
        .await?;
    let prices =
        ctx.map("prices", &order.items, async |mut c, item| Ok(c.step("price", async |_| Ok(price(item))).await?));
    let prices: Vec<usize> = prices.await?;
    let branches = order.items.iter().map(|item| branch(item, async move |_| Ok(item.len()))).collect::<Vec<_>>();
    let lengths: Vec<usize> = ctx.parallel("lengths", branches).await?;
    Ok([vec![first, second, nested], prices, lengths].concat())
}

/// A helper takes the context as a handler has it.
async fn reserve(ctx: &mut Context, order: &Order) -> Result<u32, OperationError> {
    ctx.wait("before", Duration::from_secs(1)).await?;
    ctx.step("reserve", async |_| Ok(order.items.len() as u32)).retry(Retry::none()).await
}

async fn helpers(order: Order, mut ctx: Context) -> Result<u32> {
    let first = reserve(&mut ctx, &order).await?;
    let second = ctx.child("again", async |mut child| Ok(reserve(&mut child, &order).await?)).await?;
    Ok(first + second)
}

/// What calls itself is boxed, as all asynchronous code is.
fn countdown(ctx: &mut Context, from: u32) -> Pin<Box<dyn Future<Output = Result<u32>> + Send + '_>> {
    Box::pin(async move {
        match from {
            0 => Ok(0),
            from => {
                ctx.wait(format!("tick-{from}"), Duration::from_secs(1)).await?;
                Ok(1 + countdown(ctx, from - 1).await?)
            }
        }
    })
}

async fn recursion(from: u32, mut ctx: Context) -> Result<u32> {
    countdown(&mut ctx, from).await
}

/// A context per level of a tree.
fn depth(mut ctx: Context, levels: u32) -> Pin<Box<dyn Future<Output = Result<u32>> + Send>> {
    Box::pin(async move {
        match levels {
            0 => Ok(0),
            levels => Ok(1 + ctx.child("deeper", move |child| depth(child, levels - 1)).await?),
        }
    })
}

async fn anyhow_handler(order: Order, mut ctx: Context) -> anyhow::Result<u32> {
    use anyhow::Context as _;
    let stock: u32 = ctx
        .step("stock", async |_| {
            let text = std::fs::read_to_string(&order.id).context("there is no stock")?;
            Ok(text.trim().parse()?)
        })
        .await
        .with_context(|| format!("cannot take order {}", order.id))?;
    anyhow::ensure!(stock > 0, "nothing is left");
    Ok(stock)
}

#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error("the shop is closed")]
    Closed,
    #[error("an operation failed")]
    Operation(#[from] OperationError),
}

async fn own_errors(order: Order, mut ctx: Context) -> Result<u32, OrderError> {
    let open: bool = ctx.step("open", async |_| Ok(!order.id.is_empty())).await?;
    if !open {
        return Err(OrderError::Closed);
    }
    match ctx.invoke::<u32>("billing", &order).name("bill").await {
        Ok(bill) => Ok(bill),
        Err(error) if error.kind() == OperationErrorKind::InvokeTimedOut => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// A body may fail with any error, and what failed is known to the retry.
#[derive(Debug, thiserror::Error)]
#[error("busy")]
struct Busy;

fn busy() -> Result<u32, Busy> {
    Err(Busy)
}

async fn bodies_fail_with_anything(_: (), mut ctx: Context) -> Result<u32> {
    let retry = Retry::exponential(3).when(|error: &Error| error.is::<Busy>() || error.error_type() == "Odd");
    let value = ctx
        .step("try", async |step: StepContext| match step.attempt() {
            1 => Ok(busy()?),
            2 => Err(Error::new("Odd", "an odd number").with_data("3")),
            3 => Err("text".into()),
            _ => Err(std::io::Error::other("disk"))?,
        })
        .retry(retry)
        .await?;
    Ok(value)
}

/// Operations are futures: whatever joins futures joins them.
async fn combinators(ids: Vec<u32>, mut ctx: Context) -> Result<u32> {
    let operations: Vec<_> = ids.iter().map(|id| ctx.step(format!("step-{id}"), async move |_| Ok(*id))).collect();
    let joined: u32 = join_all(operations.into_iter().map(IntoFuture::into_future))
        .await
        .into_iter()
        .collect::<Result<Vec<u32>, OperationError>>()?
        .into_iter()
        .sum();
    let (left, right) = tokio::join!(ctx.step("left", async |_| Ok(1_u32)), ctx.step("right", async |_| Ok(2_u32)));
    let mut unordered: FuturesUnordered<_> =
        ids.iter().map(|id| ctx.step(Name::NONE, async move |_| Ok(*id)).into_future()).collect();
    let mut sum = joined + left? + right?;
    while let Some(value) = unordered.next().await {
        sum += value?;
    }
    let waits: Vec<_> = (1..4).map(|n| ctx.wait(None, Duration::from_secs(n)).into_future()).collect();
    iter(waits).buffer_unordered(2).try_collect::<Vec<()>>().await?;
    Ok(sum)
}

/// What a handler is generic over, and shares with others.
trait Store: Send + Sync + 'static {
    fn put(&self, text: &str) -> impl Future<Output = Result<usize>> + Send;
}

struct Memory;

impl Store for Memory {
    async fn put(&self, text: &str) -> Result<usize> {
        Ok(text.len())
    }
}

async fn save<S: Store>(store: Arc<S>, text: String, mut ctx: Context) -> Result<usize> {
    Ok(ctx.step("save", async |_| store.put(&text).await).await?)
}

/// A serdes of the user's, for an operation and by reference.
struct Shout;

impl Serdes<String> for Shout {
    fn serialize(&self, value: &String, _: &everstep::SerdesInfo<'_>) -> Result<String> {
        Ok(value.to_uppercase())
    }

    fn deserialize(&self, text: &str, _: &everstep::SerdesInfo<'_>) -> Result<String> {
        Ok(text.to_owned())
    }
}

async fn serdes(name: String, mut ctx: Context) -> Result<String> {
    let shouted = ctx.step("shout", async |_| Ok(name.clone())).serdes(Shout).await?;
    let plain = ctx.child("plain", async |_| Ok(shouted.clone())).serdes(Json).await?;
    Ok(ctx.invoke_with::<String, _, _>("echo", &plain, Shout).serdes(Shout).await?)
}

/// A handler can be run as a task of its own: it is `Send`, and so are operations and their futures.
#[test]
fn handlers_are_functions_and_futures_that_can_be_sent() {
    fn spawnable<E, R, F: Future<Output = R> + Send + 'static>(_: impl Fn(E, Context) -> F) {}
    spawnable(borrows);
    spawnable(helpers);
    spawnable(combinators);
    let store = Arc::new(Memory);
    let _functions = [
        Function::new(borrows),
        Function::new(helpers),
        Function::new(recursion),
        Function::new(|levels, ctx| depth(ctx, levels)),
        Function::new(anyhow_handler),
        Function::new(own_errors),
        Function::new(bodies_fail_with_anything),
        Function::new(combinators),
        Function::new(serdes),
        Function::new(move |text, ctx| save(Arc::clone(&store), text, ctx)),
    ];
}
