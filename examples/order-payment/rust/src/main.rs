//! An order and the shop that it calls: two durable functions in one binary.

mod order;
mod shop;
#[cfg(test)]
mod tests;

use everstep::{Functions, RunError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RunError> {
    everstep::log::init().ok();
    let shop = std::env::var("SHOP").unwrap_or_default();
    Functions::new()
        .add("order", move |order, ctx| order::take(order, ctx, shop.clone()))
        .add("shop", shop::answer)
        .run()
        .await
}
