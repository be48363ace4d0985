//! Who may use which process: the bookkeeping of all processes and of those who wait for one.
//!
//! Pure: it neither starts nor stops anything but returns [`Action`]s for its caller to carry out. Waiting is first
//! come, first served over all functions: the first waiter gets the next process of its function, or the next place
//! that becomes free, for which an idle process of another function is ended if need be.

use std::collections::{BTreeMap, VecDeque};

/// Names a process for as long as the supervisor lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProcessId(u64);

/// Names someone who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// What the caller gets at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lease {
    /// This idle process is yours.
    Warm(ProcessId),
    /// Start this process; it is yours.
    Cold(ProcessId),
    /// Wait for the ticket to be called.
    Wait(Ticket),
    /// Nothing is lent any more.
    Closed,
}

/// What the caller must do now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// End the process.
    Stop(ProcessId),
    /// Hand a running process to the waiter.
    Lend(ProcessId, Ticket),
    /// Start a process and hand it to the waiter.
    Start(ProcessId, Ticket),
}

/// All processes and waiters.
pub(crate) struct Pool {
    processes_max: usize,
    processes: BTreeMap<ProcessId, Entry>,
    /// Longest idle first.
    idle: VecDeque<ProcessId>,
    waiting: VecDeque<(Ticket, String)>,
    stopping: usize,
    next: u64,
    closed: bool,
}

struct Entry {
    key: String,
    usage: Usage,
    retired: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Usage {
    Lent,
    Idle,
    Stopping,
}

impl Pool {
    /// Returns an empty pool of this many places, at least one.
    pub(crate) fn new(processes_max: usize) -> Self {
        Self {
            processes_max: processes_max.max(1),
            processes: BTreeMap::new(),
            idle: VecDeque::new(),
            waiting: VecDeque::new(),
            stopping: 0,
            next: 0,
            closed: false,
        }
    }

    /// Returns the number of processes that are not gone.
    pub(crate) fn len(&self) -> usize {
        self.processes.len()
    }

    /// Lends a process of this key: the one that was used last, a new one, or the right to wait.
    pub(crate) fn lend(&mut self, key: &str) -> (Lease, Vec<Action>) {
        if self.closed {
            return (Lease::Closed, Vec::new());
        }
        if let Some(position) = self.idle.iter().rposition(|id| self.processes[id].key == key) {
            let id = self.idle.remove(position).expect("rposition found it");
            self.entry(id).usage = Usage::Lent;
            return (Lease::Warm(id), Vec::new());
        }
        if self.waiting.is_empty() && self.processes.len() < self.processes_max {
            return (Lease::Cold(self.start(key.to_owned())), Vec::new());
        }
        let ticket = Ticket(self.number());
        self.waiting.push_back((ticket, key.to_owned()));
        let mut actions = Vec::new();
        if self.waiting.len() > self.stopping
            && let Some(id) = self.idle.pop_front()
        {
            actions.push(self.stop(id));
        }
        (Lease::Wait(ticket), actions)
    }

    /// Takes a process back that is ready for another invocation.
    pub(crate) fn give_back(&mut self, id: ProcessId) -> Vec<Action> {
        let Some(entry) = self.processes.get(&id) else { return Vec::new() };
        if entry.usage != Usage::Lent {
            return Vec::new();
        }
        if entry.retired || self.closed {
            return vec![self.stop(id)];
        }
        // Each stopping process is a place to come for one waiter; only those beyond need this one.
        let first = self.waiting.front().filter(|_| self.waiting.len() > self.stopping);
        if first.is_some_and(|(_, key)| *key != entry.key) {
            return vec![self.stop(id)];
        }
        if let Some(position) = self.waiting.iter().position(|(_, key)| *key == entry.key) {
            let (ticket, _) = self.waiting.remove(position).expect("position found it");
            return vec![Action::Lend(id, ticket)];
        }
        self.entry(id).usage = Usage::Idle;
        self.idle.push_back(id);
        Vec::new()
    }

    /// Takes an idle process out; returns `false` if someone holds it.
    pub(crate) fn withdraw(&mut self, id: ProcessId) -> bool {
        let Some(position) = self.idle.iter().position(|idle| *idle == id) else { return false };
        self.idle.remove(position);
        self.stop(id);
        true
    }

    /// Never lends this process again; returns `true` if nobody holds it.
    pub(crate) fn discard(&mut self, id: ProcessId) -> bool {
        if let Some(entry) = self.processes.get_mut(&id) {
            entry.retired = true;
        }
        self.withdraw(id)
    }

    /// Forgets a process that has ended, and gives its place to the first waiter.
    pub(crate) fn gone(&mut self, id: ProcessId) -> Vec<Action> {
        self.idle.retain(|idle| *idle != id);
        if self.processes.remove(&id).is_some_and(|entry| entry.usage == Usage::Stopping) {
            self.stopping -= 1;
        }
        let mut actions = Vec::new();
        while self.processes.len() < self.processes_max
            && let Some((ticket, key)) = self.waiting.pop_front()
        {
            actions.push(Action::Start(self.start(key), ticket));
        }
        actions
    }

    /// Forgets a waiter who gave up.
    pub(crate) fn cancel(&mut self, ticket: Ticket) {
        self.waiting.retain(|(waiting, _)| *waiting != ticket);
    }

    /// Ends every process of this key: idle ones now, others when they are given back.
    pub(crate) fn retire(&mut self, key: &str) -> Vec<Action> {
        for entry in self.processes.values_mut().filter(|entry| entry.key == key) {
            entry.retired = true;
        }
        let (ended, kept) = self.idle.drain(..).partition(|id| self.processes[id].retired);
        self.idle = kept;
        let ended: VecDeque<ProcessId> = ended;
        ended.into_iter().map(|id| self.stop(id)).collect()
    }

    /// Ends every process and lends nothing any more.
    pub(crate) fn close(&mut self) -> Vec<Action> {
        self.closed = true;
        self.waiting.clear();
        self.idle.clear();
        let ids: Vec<ProcessId> = self.processes.keys().copied().collect();
        ids.into_iter().map(|id| self.stop(id)).collect()
    }

    fn start(&mut self, key: String) -> ProcessId {
        let id = ProcessId(self.number());
        self.processes.insert(id, Entry { key, usage: Usage::Lent, retired: false });
        id
    }

    fn stop(&mut self, id: ProcessId) -> Action {
        let entry = self.entry(id);
        let before = std::mem::replace(&mut entry.usage, Usage::Stopping);
        self.stopping += usize::from(before != Usage::Stopping);
        Action::Stop(id)
    }

    fn entry(&mut self, id: ProcessId) -> &mut Entry {
        self.processes.get_mut(&id).expect("ids on the lists are processes not gone")
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cold(pool: &mut Pool, key: &str) -> ProcessId {
        match pool.lend(key) {
            (Lease::Cold(id), actions) if actions.is_empty() => id,
            other => panic!("expected a cold start: {other:?}"),
        }
    }

    fn wait(pool: &mut Pool, key: &str) -> (Ticket, Vec<Action>) {
        match pool.lend(key) {
            (Lease::Wait(ticket), actions) => (ticket, actions),
            other => panic!("expected to wait: {other:?}"),
        }
    }

    #[test]
    fn returned_process_is_lent_again_last_used_first() {
        let mut pool = Pool::new(4);
        let (first, second) = (cold(&mut pool, "a"), cold(&mut pool, "a"));
        assert_eq!(pool.give_back(first), []);
        assert_eq!(pool.give_back(second), []);
        assert_eq!(pool.lend("a"), (Lease::Warm(second), vec![]));
        assert_eq!(pool.lend("a"), (Lease::Warm(first), vec![]));
    }

    #[test]
    fn waiters_are_served_in_order() {
        let mut pool = Pool::new(1);
        let only = cold(&mut pool, "a");
        let (first, actions) = wait(&mut pool, "a");
        assert_eq!(actions, []);
        let (second, _) = wait(&mut pool, "a");
        assert_eq!(pool.give_back(only), [Action::Lend(only, first)]);
        assert_eq!(pool.give_back(only), [Action::Lend(only, second)]);
        assert_eq!(pool.give_back(only), []);
    }

    #[test]
    fn waiter_evicts_the_longest_idle_process_of_another_function() {
        let mut pool = Pool::new(2);
        let (old, new) = (cold(&mut pool, "a"), cold(&mut pool, "b"));
        pool.give_back(old);
        pool.give_back(new);
        let (ticket, actions) = wait(&mut pool, "c");
        assert_eq!(actions, [Action::Stop(old)]);
        assert_eq!(pool.len(), 2, "the place is taken until the process is gone");
        let actions = pool.gone(old);
        assert!(matches!(actions[..], [Action::Start(_, for_whom)] if for_whom == ticket), "{actions:?}");
        assert_eq!(pool.lend("b"), (Lease::Warm(new), vec![]), "one eviction was enough");
    }

    #[test]
    fn first_waiter_is_not_overtaken_by_a_better_match() {
        let mut pool = Pool::new(1);
        let only = cold(&mut pool, "a");
        let (first, _) = wait(&mut pool, "b");
        let (second, _) = wait(&mut pool, "a");
        assert_eq!(pool.give_back(only), [Action::Stop(only)]);
        let actions = pool.gone(only);
        let [Action::Start(started, for_whom)] = actions[..] else { panic!("{actions:?}") };
        assert_eq!(for_whom, first);
        assert_eq!(pool.give_back(started), [Action::Stop(started)], "the second wants another function");
        let actions = pool.gone(started);
        assert!(matches!(actions[..], [Action::Start(_, for_whom)] if for_whom == second), "{actions:?}");
    }

    #[test]
    fn waiter_who_gave_up_is_skipped() {
        let mut pool = Pool::new(1);
        let only = cold(&mut pool, "a");
        let (first, _) = wait(&mut pool, "a");
        let (second, _) = wait(&mut pool, "a");
        pool.cancel(first);
        assert_eq!(pool.give_back(only), [Action::Lend(only, second)]);
    }

    #[test]
    fn retired_processes_end_when_idle() {
        let mut pool = Pool::new(4);
        let (idle, busy, other) = (cold(&mut pool, "a"), cold(&mut pool, "a"), cold(&mut pool, "b"));
        pool.give_back(idle);
        pool.give_back(other);
        assert_eq!(pool.retire("a"), [Action::Stop(idle)]);
        assert!(matches!(pool.lend("a"), (Lease::Cold(_), _)));
        assert_eq!(pool.give_back(busy), [Action::Stop(busy)]);
        assert_eq!(pool.lend("b"), (Lease::Warm(other), vec![]));
    }

    #[test]
    fn only_an_idle_process_can_be_withdrawn() {
        let mut pool = Pool::new(1);
        let only = cold(&mut pool, "a");
        assert!(!pool.withdraw(only));
        pool.give_back(only);
        assert!(pool.withdraw(only));
        assert!(!pool.withdraw(only));
        assert_eq!(pool.give_back(only), []);
        pool.gone(only);
        assert_eq!(pool.gone(only), [], "twice is harmless");
        assert_eq!(pool.len(), 0);
    }

    #[test]
    fn closed_pool_stops_all_and_lends_nothing() {
        let mut pool = Pool::new(1);
        let only = cold(&mut pool, "a");
        wait(&mut pool, "a");
        assert_eq!(pool.close(), [Action::Stop(only)]);
        assert_eq!(pool.lend("a"), (Lease::Closed, vec![]));
        assert_eq!(pool.gone(only), []);
    }

    /// A long random walk: places are never exceeded, and once everyone gives back nobody is left waiting.
    #[test]
    fn no_waiter_starves() {
        let mut seed = 1_u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let mut pool = Pool::new(3);
        let mut lent: Vec<ProcessId> = Vec::new();
        let mut stopping: Vec<ProcessId> = Vec::new();
        for round in 0..20_000 {
            let draining = round > 19_000;
            let actions = match random(3) {
                0 if !draining => {
                    let (lease, actions) = pool.lend(["a", "b", "c", "d"][random(4)]);
                    match lease {
                        Lease::Warm(id) | Lease::Cold(id) => lent.push(id),
                        Lease::Wait(_) => {}
                        Lease::Closed => unreachable!("never closed"),
                    }
                    actions
                }
                1 if !lent.is_empty() => {
                    let id = lent.swap_remove(random(lent.len()));
                    pool.give_back(id)
                }
                2 if !stopping.is_empty() => {
                    let id = stopping.swap_remove(random(stopping.len()));
                    pool.gone(id)
                }
                _ => Vec::new(),
            };
            for action in actions {
                match action {
                    Action::Stop(id) => stopping.push(id),
                    Action::Lend(id, _) | Action::Start(id, _) => lent.push(id),
                }
            }
            assert!(pool.len() <= 3);
        }
        while let Some(id) = lent.pop().or_else(|| stopping.pop()) {
            let actions = if pool.processes[&id].usage == Usage::Stopping { pool.gone(id) } else { pool.give_back(id) };
            for action in actions {
                match action {
                    Action::Stop(id) => stopping.push(id),
                    Action::Lend(id, _) | Action::Start(id, _) => lent.push(id),
                }
            }
        }
        assert_eq!(pool.waiting.len(), 0);
    }
}
