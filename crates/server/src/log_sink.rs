//! Takes what functions print to the log store, off the path of whoever printed it.
//!
//! Lines get durable time, like the events of executions, so that both stand side by side when the clock was moved.

use std::sync::Arc;

use everstep_core::Timestamp;
use everstep_engine::Clock;
use everstep_store::{LogEvent, Logs};
use everstep_worker::{LogLine, LogSink};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{error, warn};

use crate::limits::{LOG_BATCHES_MAX, LOG_BYTES_UNSEEN_MAX, LOG_LINES_FORGOTTEN};

type Batch = (String, String, Vec<LogEvent>);

/// Hands lines to the store, in order.
pub struct StoreSink {
    batches: mpsc::Sender<Batch>,
    clock: Arc<Clock>,
}

impl StoreSink {
    /// Starts a sink, and the task that empties it, which ends with the last line once `stop` turns true.
    ///
    /// All lines together are kept below `bytes_max`.
    pub fn start(
        logs: Arc<dyn Logs>,
        clock: Arc<Clock>,
        bytes_max: u64,
        mut stop: watch::Receiver<bool>,
    ) -> (Self, JoinHandle<()>) {
        let (sender, mut receiver) = mpsc::channel::<Batch>(LOG_BATCHES_MAX);
        let task = tokio::spawn(async move {
            // At the first line as well: the last server may have left more.
            let mut unseen = LOG_BYTES_UNSEEN_MAX;
            loop {
                let batch = tokio::select! {
                    batch = receiver.recv() => batch,
                    _ = stop.wait_for(|stop| *stop), if !receiver.is_closed() => {
                        receiver.close();
                        continue;
                    }
                };
                let Some((group, stream, events)) = batch else { return };
                unseen += events.iter().map(|event| event.message.len()).sum::<usize>();
                if unseen >= LOG_BYTES_UNSEEN_MAX {
                    unseen = 0;
                    shrink(&*logs, bytes_max).await;
                }
                if let Err(error) = logs.append(&group, &stream, events).await {
                    error!(log.group = group, error = &error as &dyn std::error::Error, "log lines were lost");
                }
            }
        });
        (Self { batches: sender, clock }, task)
    }
}

/// Forgets lines until there are few enough.
async fn shrink(logs: &dyn Logs, bytes_max: u64) {
    loop {
        match logs.shrink(bytes_max, LOG_LINES_FORGOTTEN).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "old log lines could not be forgotten");
                return;
            }
        }
    }
}

impl LogSink for StoreSink {
    fn append(&self, group: &str, stream: &str, lines: Vec<LogLine>) {
        let ahead = u64::try_from(self.clock.ahead().as_millis()).unwrap_or_default();
        let events = lines
            .into_iter()
            .map(|line| LogEvent { at: Timestamp::from_millis(line.at_ms).plus_millis(ahead), message: line.message })
            .collect();
        if self.batches.try_send((group.into(), stream.into(), events)).is_err() {
            warn!(log.group = group, "log lines were dropped: the log store does not keep up");
        }
    }
}
