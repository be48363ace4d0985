//! Orders, against a shop that runs beside them, and against one that is made up.

use everstep::testing::{Attempt, Run, Test, test};
use everstep::{Error, OperationStatus};
use serde_json::{Value, json};

use crate::order::{self, Order, Outcome, Status};
use crate::shop;

const SHOP: &str = "shop";

fn order() -> Order {
    let items = vec!["tea".to_owned(), "pot".to_owned()];
    Order { id: "o-1".to_owned(), items, card: "4000-0001".to_owned(), address: "here".to_owned() }
}

fn taking() -> Test {
    test(|order, ctx| order::take(order, ctx, SHOP.to_owned()))
}

fn calls(run: &Run) -> Vec<(&str, OperationStatus)> {
    run.operations().iter().map(|call| (call.name().unwrap_or_default(), call.status())).collect()
}

async fn check(order: Order, expected: Status) {
    let run = taking().with_function(SHOP, shop::answer).start(&order).finish().await;
    assert_eq!(run.result::<Outcome>().unwrap(), Outcome { id: order.id, status: expected });
}

#[tokio::test]
async fn an_order_is_shipped_or_undone_as_far_as_it_went() {
    let undone = |calls: &[&str]| Status::Cancelled { undone: calls.iter().map(|call| (*call).to_owned()).collect() };
    check(order(), Status::Shipped { parcel: "t-1".to_owned() }).await;
    check(Order { card: "4000-0000".to_owned(), ..order() }, undone(&["release"])).await;
    check(Order { address: String::new(), ..order() }, undone(&["refund", "release"])).await;
}

#[tokio::test]
async fn a_crash_while_it_is_undone_changes_nothing() {
    use OperationStatus::{Failed, Succeeded};
    let unshippable = Order { address: String::new(), ..order() };
    let run = taking()
        .with_function(SHOP, shop::answer)
        .crash_after("refund", Attempt::Start)
        .start(&unshippable)
        .finish()
        .await;
    let expected = [
        ("reserve", Succeeded),
        ("charge", Succeeded),
        ("ship", Failed),
        ("refund", Succeeded),
        ("release", Succeeded),
    ];
    assert_eq!(calls(&run), expected);
}

#[tokio::test]
async fn what_cannot_be_undone_fails_the_order() {
    let run = taking()
        .stub_invoke(SHOP, |call: Value| match call["action"].as_str() {
            Some("reserve") => Ok(json!({"reservation": "r-1", "amount": 1})),
            _ => Err(Error::new("Closed", "the shop is closed")),
        })
        .start(order())
        .finish()
        .await;
    assert_eq!(run.result::<Outcome>().unwrap_err().error_type(), "Closed");
}
