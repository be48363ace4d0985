//! A week takes a moment.

use std::time::Duration;

use everstep::testing::{Test, test};

use crate::approval::{Decision, Expense, Outcome, Status, decide};

fn deciding() -> Test {
    test(|expense, ctx| decide(expense, ctx, None))
}

fn expense(amount: f64) -> Expense {
    Expense { id: "e-1".to_owned(), amount }
}

#[tokio::test]
async fn a_small_expense_is_booked_by_the_rules() {
    let run = deciding().start(expense(100.0)).finish().await;
    let status = Status::Booked { by: "the rules".to_owned() };
    assert_eq!(run.result::<Outcome>().unwrap(), Outcome { id: "e-1".to_owned(), status });
    assert_eq!(run.invocations(), 1);
}

#[tokio::test]
async fn a_person_decides() {
    for (approved, expected) in
        [(true, Status::Booked { by: "ada".to_owned() }), (false, Status::Rejected { by: "ada".to_owned() })]
    {
        let running = deciding().start(expense(250.0));
        let callback = running.callback("approval").await;
        running.advance(Duration::from_hours(6 * 24)).await;
        callback.succeed(&Decision { approved, by: "ada".to_owned() }).await;
        let run = running.finish().await;
        assert_eq!(run.result::<Outcome>().unwrap().status, expected);
    }
}

#[tokio::test]
async fn nobody_decides_within_a_week() {
    let running = deciding().start(expense(250.0));
    running.callback("approval").await;
    running.advance(Duration::from_hours(7 * 24)).await;
    let run = running.finish().await;
    assert_eq!(run.result::<Outcome>().unwrap().status, Status::Expired);
    assert_eq!(run.elapsed(), Duration::from_hours(7 * 24));
}
