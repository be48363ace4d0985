//! The workflow.

use std::time::Duration;

use everstep::{Condition, Context, Result};
use serde::{Deserialize, Serialize};

const POLLS_OF_AN_EXPORT: u32 = 3;
const DAY: Duration = Duration::from_hours(24);

/// For how long.
#[derive(Serialize, Deserialize)]
pub struct Plan {
    pub days: u32,
}

/// An export that runs somewhere.
#[derive(Serialize, Deserialize)]
struct Export {
    day: u32,
    polls: u32,
    ready: bool,
}

/// Writes a report on each of so many days.
pub async fn write_each_day(Plan { days }: Plan, mut ctx: Context) -> Result<Vec<String>> {
    let mut reports = Vec::new();
    for day in 0..days {
        reports.push(ctx.child(format!("day-{day}"), |ctx| write(ctx, day)).await?);
        ctx.wait(format!("night-{day}"), DAY).await?;
    }
    Ok(reports)
}

/// Writes the report of a day.
async fn write(mut ctx: Context, day: u32) -> Result<String> {
    let started = ctx.step("start_export", async |_| Ok(start_export(day))).await?;
    let export = ctx
        .wait_until("export", started, async |export| {
            let export = look_at(export);
            Ok(if export.ready { Condition::Met(export) } else { Condition::NotYet(export) })
        })
        .delays(Duration::from_mins(1), 1.5, Duration::from_mins(5))
        .await?;
    Ok(ctx.step("write", async |_| Ok(format!("day {day}: ready after {} polls", export.polls))).await?)
}

/// Starts the export of a day. A real one would call a warehouse.
fn start_export(day: u32) -> Export {
    Export { day, polls: 0, ready: false }
}

/// Looks how far the export is.
fn look_at(export: Export) -> Export {
    let polls = export.polls + 1;
    Export { polls, ready: polls >= POLLS_OF_AN_EXPORT, ..export }
}
