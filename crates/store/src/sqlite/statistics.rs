//! Counters of a writer.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a writer did since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Requests to change something, also those that ended as a conflict; by `transactions`, the items of a group.
    pub items: u64,
    /// Transactions that were committed.
    pub transactions: u64,
    /// Times that the disk was asked to make something permanent: at commits, if the file wants that, and at checkpoints.
    pub flushes: u64,
    /// Items of the largest transaction.
    pub group_items_max: u64,
    /// Transactions that failed, after each of which the file was opened anew.
    pub failures: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    items: AtomicU64,
    transactions: AtomicU64,
    flushes: AtomicU64,
    group_items_max: AtomicU64,
    failures: AtomicU64,
}

impl Counters {
    pub(super) fn committed(&self, items: u64, flushes: u64) {
        self.items.fetch_add(items, Ordering::Relaxed);
        self.transactions.fetch_add(1, Ordering::Relaxed);
        self.flushes.fetch_add(flushes, Ordering::Relaxed);
        self.group_items_max.fetch_max(items, Ordering::Relaxed);
    }

    pub(super) fn checkpointed(&self, flushes: u64) {
        self.flushes.fetch_add(flushes, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Statistics {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            items: value(&self.items),
            transactions: value(&self.transactions),
            flushes: value(&self.flushes),
            group_items_max: value(&self.group_items_max),
            failures: value(&self.failures),
        }
    }
}
