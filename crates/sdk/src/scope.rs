//! A context as the operations in it see it: where it is, whether it is replayed, and whether it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::journal::Journal;
use crate::limits::FLAT_NESTING_MAX;
use crate::replay::id::{OperationId, Path};

/// One run of a context.
pub(crate) struct Scope {
    pub(crate) journal: Arc<Journal>,
    outer: Option<Arc<Scope>>,
    path: Path,
    /// The context that its operations name as their parent: a virtual one leaves that to those around it.
    pub(crate) parent: Option<OperationId>,
    /// It ended in an earlier invocation: its operations are read, and nothing is told.
    pub(crate) sealed: bool,
    minted: AtomicU32,
    replaying: AtomicBool,
    closed: AtomicBool,
    /// The end of the last operation that ended, contexts left aside, in milliseconds since the epoch.
    now: AtomicU64,
}

/// What kind of record a context has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nesting {
    /// One of its own.
    Nested,
    /// None: its operations belong to the context around it.
    Virtual,
}

impl Scope {
    /// Opens the context of the handler.
    pub(crate) fn root(journal: Arc<Journal>) -> Arc<Self> {
        let started_at = journal.invocation.started_at;
        Arc::new(Self::new(journal, None, Path::default(), None, false, millis(started_at)))
    }

    /// Opens the context of the operation at `path`, in which it is `now` at first.
    pub(crate) fn open(
        self: &Arc<Self>,
        path: &Path,
        id: &OperationId,
        nesting: Nesting,
        sealed: bool,
        now: SystemTime,
    ) -> Arc<Self> {
        let parent = match nesting {
            Nesting::Nested => Some(id.clone()),
            Nesting::Virtual => self.parent.clone(),
        };
        let (journal, outer) = (Arc::clone(&self.journal), Some(Arc::clone(self)));
        Arc::new(Self::new(journal, outer, path.clone(), parent, sealed || self.sealed, millis(now)))
    }

    fn new(
        journal: Arc<Journal>,
        outer: Option<Arc<Self>>,
        path: Path,
        parent: Option<OperationId>,
        sealed: bool,
        now: u64,
    ) -> Self {
        let replaying = sealed || is_known(&journal, path.child(1));
        let (minted, closed) = (AtomicU32::new(0), AtomicBool::new(false));
        Self { journal, outer, path, parent, sealed, minted, replaying: replaying.into(), closed, now: now.into() }
    }

    /// Gives the next operation its place.
    pub(crate) fn mint(&self) -> Path {
        self.path.child(self.minted.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Returns the place of the branch `index`, from 0.
    pub(crate) fn claim(&self, index: usize) -> Path {
        let position = u32::try_from(index + 1).expect("a batch has less than 2^32 branches");
        self.minted.fetch_max(position, Ordering::Relaxed);
        self.path.child(position)
    }

    /// Tells whether no operation was called in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.minted.load(Ordering::Relaxed) == 0
    }

    /// Tells whether the code that runs now ran before.
    pub(crate) fn is_replaying(&self) -> bool {
        self.replaying.load(Ordering::Relaxed)
    }

    /// Code runs that did not run before.
    pub(crate) fn goes_live(&self) {
        if !self.sealed {
            self.replaying.store(false, Ordering::Relaxed);
        }
    }

    /// An operation in it ended: it goes on as a replay if the next one is known.
    pub(crate) fn passed(&self, ended_at: Option<SystemTime>) {
        if let Some(at) = ended_at {
            self.now.fetch_max(millis(at), Ordering::Relaxed);
        }
        let next = || self.path.child(self.minted.load(Ordering::Relaxed) + 1);
        if self.is_replaying() && !is_known(&self.journal, next()) {
            self.goes_live();
        }
    }

    /// Ends it: nothing in it is told to the service any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Tells whether it, or a context around it, ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed) || self.outer.as_ref().is_some_and(|outer| outer.is_closed())
    }

    /// Returns the time at which the last of its operations ended, contexts left aside: the same on every replay.
    pub(crate) fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.now.load(Ordering::Relaxed))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Tells whether something is on record of the operation at `path`: of itself, or of the first one in it, because a flat
/// context has no record.
fn is_known(journal: &Journal, mut path: Path) -> bool {
    for _ in 0..=FLAT_NESTING_MAX {
        if journal.record(&path.id()).is_some() {
            return true;
        }
        path = path.child(1);
    }
    false
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
