//! Takes what functions print to the log store, off the path of whoever printed it.
//!
//! Lines get durable time, like the events of executions, so that both stand side by side when the clock was moved.

use std::sync::Arc;

use everstep_core::Timestamp;
use everstep_engine::Clock;
use everstep_store::{LogEvent, Logs};
use everstep_worker::{LogLine, LogSink};
use futures_util::future::join_all;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tracing::{error, warn};

use crate::limits::{LOG_BATCHES_MAX, LOG_BYTES_UNSEEN_MAX, LOG_LINES_FORGOTTEN, LOG_PAUSE};

/// A group, and a stream of it.
type Stream = (String, String);

type Batch = (Stream, Vec<LogEvent>);

enum Item {
    Lines(Batch),
    /// Somebody who wants to read what came before.
    Settle(oneshot::Sender<()>),
}

/// Hands lines to the store, in order.
pub struct StoreSink {
    items: mpsc::Sender<Item>,
    /// Told when somebody does not want to wait.
    hurry: Arc<Notify>,
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
        let (items, mut receiver) = mpsc::channel(LOG_BATCHES_MAX);
        let hurry = Arc::new(Notify::new());
        let sink = Self { items, hurry: Arc::clone(&hurry), clock };
        let task = tokio::spawn(async move {
            // At the first line as well: the last server may have left more.
            let mut unseen = LOG_BYTES_UNSEEN_MAX;
            loop {
                let first = tokio::select! {
                    item = receiver.recv() => item,
                    _ = stop.wait_for(|stop| *stop), if !receiver.is_closed() => {
                        receiver.close();
                        continue;
                    }
                };
                let Some(first) = first else { return };
                // Lines of one moment share a transaction.
                if matches!(first, Item::Lines(..)) && !receiver.is_closed() {
                    tokio::select! {
                        () = tokio::time::sleep(LOG_PAUSE) => {}
                        () = hurry.notified() => {}
                        _ = stop.wait_for(|stop| *stop) => {}
                    }
                }
                let waiting = std::iter::from_fn(|| receiver.try_recv().ok()).take(LOG_BATCHES_MAX);
                let (batches, settled) = gather(std::iter::once(first).chain(waiting));
                unseen += batches.iter().flat_map(|(_, events)| events).map(|event| event.message.len()).sum::<usize>();
                if unseen >= LOG_BYTES_UNSEEN_MAX {
                    unseen = 0;
                    shrink(&*logs, bytes_max).await;
                }
                // In this order, and mostly in one transaction: the store takes them as they are asked of it.
                join_all(batches.into_iter().map(|batch| write(&*logs, batch))).await;
                for settled in settled {
                    // Whoever asked may have gone.
                    let _ = settled.send(());
                }
            }
        });
        (sink, task)
    }

    /// Waits until what was printed before can be read.
    pub async fn settle(&self) {
        let (settled, answer) = oneshot::channel();
        if self.items.send(Item::Settle(settled)).await.is_ok() {
            self.hurry.notify_one();
            let _ = answer.await;
        }
    }
}

/// Puts together what follows each other in a stream, and leaves everything in the order in which it came.
fn gather(items: impl Iterator<Item = Item>) -> (Vec<Batch>, Vec<oneshot::Sender<()>>) {
    let (mut batches, mut settled) = (Vec::<Batch>::new(), Vec::new());
    for item in items {
        match item {
            Item::Lines((stream, mut events)) => match batches.last_mut() {
                Some((last, before)) if *last == stream => before.append(&mut events),
                Some(_) | None => batches.push((stream, events)),
            },
            Item::Settle(waiting) => settled.push(waiting),
        }
    }
    (batches, settled)
}

async fn write(logs: &dyn Logs, ((group, stream), events): Batch) {
    if let Err(error) = logs.append(&group, &stream, events).await {
        error!(log.group = group, error = &error as &dyn std::error::Error, "log lines were lost");
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
        if self.items.try_send(Item::Lines(((group.into(), stream.into()), events))).is_err() {
            warn!(log.group = group, "log lines were dropped: the log store does not keep up");
        }
    }
}

#[cfg(test)]
mod tests {
    use everstep_store::LogQuery;
    use everstep_store::memory::Memory;

    use super::*;

    fn start() -> (Arc<Memory>, StoreSink, watch::Sender<bool>, JoinHandle<()>) {
        let (store, (stop, stopped)) = (Arc::new(Memory::new()), watch::channel(false));
        let (sink, task) = StoreSink::start(store.clone(), Arc::new(Clock::system()), u64::MAX, stopped);
        (store, sink, stop, task)
    }

    fn print(sink: &StoreSink, stream: &str, message: &str) {
        sink.append("group", stream, vec![LogLine { at_ms: 1, message: message.into() }]);
    }

    async fn check(store: &Memory, expected: &[&str]) {
        let events = store.read(&LogQuery::all("group", 10)).await.unwrap();
        let messages: Vec<String> = events.into_iter().map(|event| event.event.message).collect();
        assert_eq!(messages, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn lines_are_in_the_order_in_which_they_were_printed_once_somebody_waits_for_them() {
        let (store, sink, _stop, _task) = start();
        let begin = tokio::time::Instant::now();
        for (stream, message) in [("a", "1"), ("b", "2"), ("b", "3"), ("a", "4")] {
            print(&sink, stream, message);
        }
        sink.settle().await;
        check(&store, &["1", "2", "3", "4"]).await;
        assert!(begin.elapsed() < LOG_PAUSE, "whoever reads does not wait");
    }

    #[tokio::test]
    async fn nothing_is_lost_at_the_end_and_nobody_waits_after_it() {
        let (store, sink, stop, task) = start();
        print(&sink, "a", "last");
        stop.send_replace(true);
        task.await.unwrap();
        check(&store, &["last"]).await;
        sink.settle().await;
    }
}
