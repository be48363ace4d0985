//! The whole API on one page, as a handler would use it. That it compiles is the test.

use std::time::Duration;

use everstep::{Condition, Context, Either, Function, Name, Result, Retry, branch};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Item;

#[derive(Serialize, Deserialize)]
struct Order {
    items: Vec<Item>,
}

#[derive(Serialize, Deserialize)]
struct Parcel;

#[derive(Deserialize)]
struct Invoice;

#[derive(Serialize, Deserialize)]
struct Payment;

#[derive(Deserialize)]
struct Approval;

#[derive(Debug, thiserror::Error)]
#[error("declined")]
struct Declined;

struct Shop;

impl Shop {
    async fn reserve(&self, _items: &[Item]) -> std::io::Result<u32> {
        Ok(1)
    }

    async fn charge(&self, _order: &Order, _key: &str) -> Result<Payment, Declined> {
        Ok(Payment)
    }

    async fn pack(&self, _index: usize, _item: &Item) -> std::io::Result<Parcel> {
        Ok(Parcel)
    }

    async fn ask(&self, _callback_id: &str) -> std::io::Result<()> {
        Ok(())
    }
}

async fn order(event: Order, mut ctx: Context) -> Result<usize> {
    let shop = Shop;
    let stock = ctx.step("reserve", async |_| Ok(shop.reserve(&event.items).await?)).await?;
    let payment = ctx
        .step("charge", async |s| Ok(shop.charge(&event, &s.idempotency_key()).await?))
        .at_most_once()
        .retry(Retry::exponential(5).first(Duration::from_secs(2)).when(|error| !error.is::<Declined>()))
        .await?;
    let (label, ()) =
        tokio::try_join!(ctx.step("label", async |_| Ok(stock + 1)), ctx.wait("cool-off", Duration::from_secs(3600)),)?;
    let parcels: Vec<Parcel> = ctx
        .map("pack", event.items.iter().enumerate(), async |mut c, (index, item)| {
            c.wait("queue", Duration::from_secs(5)).await?;
            Ok(c.step("pack", async |_| Ok(shop.pack(index, item).await?)).await?)
        })
        .max_concurrency(4)
        .await?;
    let (invoice, mailed) = ctx
        .parallel(
            "finish",
            (
                branch("invoice", async |mut c| {
                    let _invoice: Invoice = c.invoke("billing", &payment).await?;
                    Ok(1_u8)
                }),
                branch("mail", async |mut c| Ok(c.step("send", async |_| Ok(label.to_string())).await?)),
            ),
        )
        .await?;
    let batch = ctx.map(Name::NONE, [1, 2, 3], async |_, item| Ok(item * 2)).tolerate(1).await?;
    let level: u32 = ctx
        .wait_until("restock", 0, async |level| {
            Ok(if level >= 3 { Condition::Met(level) } else { Condition::NotYet(level + 1) })
        })
        .every(Duration::from_secs(30))
        .await?;
    let callback = ctx.callback::<u32>("number").timeout(Duration::from_secs(9)).await?;
    let first = ctx.step("first", async |_| Ok(1_u32));
    let second = ctx.wait("second", Duration::from_secs(1));
    match ctx.race("fast", (first, second)).await? {
        Either::Left(_) | Either::Right(()) => {}
    }
    let _number = callback.result().await?;
    let _approval: Approval = ctx
        .wait_for_callback("approve", async |cb| Ok(shop.ask(cb.id()).await?))
        .timeout(Duration::from_secs(86_400))
        .await?;
    let unnamed: usize = ctx.step(None, async |_| Ok(1)).await?;
    let steps: Vec<_> =
        (0..3).map(|n| ctx.step(format!("s{n}"), move |_| async move { Ok(n) }).into_future()).collect();
    let sum: i32 = futures_util::future::try_join_all(steps).await?.into_iter().sum();
    let total = batch.success_count() + parcels.len() + unnamed + mailed.len() + usize::from(invoice);
    Ok(total + sum.unsigned_abs() as usize + level as usize)
}

#[test]
fn a_handler_is_a_function() {
    let _function = Function::new(order);
}
