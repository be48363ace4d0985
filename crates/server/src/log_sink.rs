//! Takes what functions print to the log store, off the path of whoever printed it.

use std::sync::Arc;

use everstep_core::Timestamp;
use everstep_store::{LogEvent, Logs};
use everstep_worker::{LogLine, LogSink};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{error, warn};

/// Batches of lines that may wait for the store; more are dropped with a warning.
const BATCHES_MAX: usize = 4_096;

type Batch = (String, String, Vec<LogEvent>);

/// Hands lines to the store, in order.
pub struct StoreSink(mpsc::Sender<Batch>);

impl StoreSink {
    /// Starts a sink, and the task that empties it, which ends with the last line once `stop` turns true.
    pub fn start(logs: Arc<dyn Logs>, mut stop: watch::Receiver<bool>) -> (Self, JoinHandle<()>) {
        let (sender, mut receiver) = mpsc::channel::<Batch>(BATCHES_MAX);
        let task = tokio::spawn(async move {
            loop {
                let batch = tokio::select! {
                    batch = receiver.recv() => batch,
                    _ = stop.wait_for(|stop| *stop), if !receiver.is_closed() => {
                        receiver.close();
                        continue;
                    }
                };
                let Some((group, stream, events)) = batch else { return };
                if let Err(error) = logs.append(&group, &stream, events).await {
                    error!(log.group = group, error = &error as &dyn std::error::Error, "log lines were lost");
                }
            }
        });
        (Self(sender), task)
    }
}

impl LogSink for StoreSink {
    fn append(&self, group: &str, stream: &str, lines: Vec<LogLine>) {
        let events = lines
            .into_iter()
            .map(|line| LogEvent { at: Timestamp::from_millis(line.at_ms), message: line.message })
            .collect();
        if self.0.try_send((group.into(), stream.into(), events)).is_err() {
            warn!(log.group = group, "log lines were dropped: the log store does not keep up");
        }
    }
}
