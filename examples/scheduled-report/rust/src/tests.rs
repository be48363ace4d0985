//! Weeks take moments.

use std::time::Duration;

use everstep::testing::{Attempt, test};

use crate::report::{Plan, write_each_day};

#[tokio::test]
async fn a_report_is_written_each_day() {
    let run = test(write_each_day).start(Plan { days: 28 }).finish().await;
    let reports: Vec<String> = run.result().unwrap();
    assert_eq!((reports.len(), reports[27].as_str()), (28, "day 27: ready after 3 polls"));
    assert!(run.elapsed() >= Duration::from_hours(28 * 24));
}

#[tokio::test]
async fn an_export_is_started_once_whatever_crashes() {
    let run = test(write_each_day).crash_after("start_export", Attempt::Start).start(Plan { days: 1 }).finish().await;
    assert_eq!(run.result::<Vec<String>>().unwrap(), ["day 0: ready after 3 polls"]);
    assert_eq!(run.operation("start_export").attempts(), 1);
    run.assert_steps(["start_export", "export", "write"]);
}
