//! Stands in for the services of a shop.

use everstep::{Context, Result};
use serde::{Deserialize, Serialize};

const PRICE: u32 = 25;

/// What the shop is asked to do.
#[derive(Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Call {
    Reserve { items: Vec<String> },
    Charge { card: String, amount: u32 },
    Ship { address: String },
    Release { reservation: String },
    Refund { payment: String },
}

/// Items that are put aside.
#[derive(Serialize, Deserialize)]
pub struct Reservation {
    pub reservation: String,
    pub amount: u32,
}

/// Money that was taken.
#[derive(Serialize, Deserialize)]
pub struct Payment {
    pub payment: String,
}

/// A parcel that is under way.
#[derive(Serialize, Deserialize)]
pub struct Parcel {
    pub parcel: String,
}

/// Nothing more to say.
#[derive(Serialize, Deserialize)]
pub struct Done {}

/// What the shop says.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    Reservation(Reservation),
    Payment(Payment),
    Parcel(Parcel),
    Done(Done),
}

impl Call {
    /// Returns what is to be done, in a word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Reserve { .. } => "reserve",
            Self::Charge { .. } => "charge",
            Self::Ship { .. } => "ship",
            Self::Release { .. } => "release",
            Self::Refund { .. } => "refund",
        }
    }
}

/// Does what it is asked to do, once: what it refuses, it refuses.
pub async fn answer(call: Call, mut ctx: Context) -> Result<Answer> {
    Ok(ctx.step(call.name(), async |_| serve(&call)).no_retry().await?)
}

fn serve(call: &Call) -> Result<Answer> {
    Ok(match call {
        Call::Reserve { items } => {
            let amount = PRICE * u32::try_from(items.len())?;
            Answer::Reservation(Reservation { reservation: "r-1".to_owned(), amount })
        }
        Call::Charge { card, amount } if card.ends_with("0000") => {
            return Err(format!("the card was declined for {amount}").into());
        }
        Call::Charge { .. } => Answer::Payment(Payment { payment: "p-1".to_owned() }),
        Call::Ship { address } if address.is_empty() => return Err("there is no address".into()),
        Call::Ship { .. } => Answer::Parcel(Parcel { parcel: "t-1".to_owned() }),
        Call::Release { .. } | Call::Refund { .. } => Answer::Done(Done {}),
    })
}
