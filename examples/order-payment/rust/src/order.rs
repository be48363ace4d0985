//! Takes an order: reserve, charge, ship. If one of them fails, what was done before is undone, the last thing first.

use everstep::{Context, OperationError, OperationErrorKind, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::shop::{Call, Done, Parcel, Payment, Reservation};

/// What is ordered.
#[derive(Clone, Serialize, Deserialize)]
pub struct Order {
    pub id: String,
    pub items: Vec<String>,
    pub card: String,
    pub address: String,
}

/// What became of an order.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub id: String,
    #[serde(flatten)]
    pub status: Status,
}

/// How it ended.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "UPPERCASE")]
pub enum Status {
    Shipped { parcel: String },
    Cancelled { undone: Vec<String> },
}

/// Takes an order; `shop` is the function to call.
pub async fn take(order: Order, mut ctx: Context, shop: String) -> Result<Outcome> {
    let mut undo = Vec::new();
    let status = match fulfil(&mut ctx, &shop, &order, &mut undo).await {
        Ok(Parcel { parcel }) => Status::Shipped { parcel },
        Err(error) if error.kind() == OperationErrorKind::InvokeFailed => {
            for call in undo.iter().rev() {
                ask::<Done>(&mut ctx, &shop, call).await?;
            }
            tracing::warn!("order {} was cancelled: {}", order.id, error.message());
            Status::Cancelled { undone: undo.iter().rev().map(|call| call.name().to_owned()).collect() }
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Outcome { id: order.id, status })
}

/// Does all of it, and notes how to undo what is done.
async fn fulfil(ctx: &mut Context, shop: &str, order: &Order, undo: &mut Vec<Call>) -> Result<Parcel, OperationError> {
    let Reservation { reservation, amount } = ask(ctx, shop, &Call::Reserve { items: order.items.clone() }).await?;
    undo.push(Call::Release { reservation });
    let Payment { payment } = ask(ctx, shop, &Call::Charge { card: order.card.clone(), amount }).await?;
    undo.push(Call::Refund { payment });
    ask(ctx, shop, &Call::Ship { address: order.address.clone() }).await
}

/// Asks the shop.
async fn ask<T: DeserializeOwned + Send>(ctx: &mut Context, shop: &str, call: &Call) -> Result<T, OperationError> {
    ctx.invoke(shop, call).name(call.name()).await
}
