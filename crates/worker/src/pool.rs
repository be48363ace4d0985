//! Who may use which process: the bookkeeping of all processes and of those who wait for one.
//!
//! Pure: it neither starts nor stops anything but returns [`Action`]s for its caller to carry out. Two questions are
//! kept apart. *Whether* a function may have one more process lent is a matter of concurrency: a function with reserved
//! concurrency has that much and no more; all others share what is left, and the one that has the fewest comes next. So
//! one with a thousand waiters does not hold up its neighbours, and functions that both have enough to do do not take
//! processes from each other. *Which* process it is, is a matter of places: an idle one of the same function, version and
//! tenant, else a new one, for which an idle one of another is ended if need be. Who may have a process gets one before
//! long, because whatever is idle can be ended; who may not waits in a backlog, which is bounded, or is refused.

use std::collections::{BTreeMap, VecDeque};

/// Names a process for as long as the supervisor lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProcessId(u64);

impl ProcessId {
    /// Returns a number that no other process has.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// Names someone who waits. Whose turn began first comes first, however often they had to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket {
    turn: u64,
    number: u64,
}

/// Someone's turn to get a process. It outlives a wait for nothing: for what is retired meanwhile, or a process that dies.
#[derive(Debug)]
pub(crate) struct Turn {
    patience: Patience,
    /// When the wanted was looked up at the earliest: what is retired since may be just that.
    since: u64,
    /// When they began to wait, if they ever had to.
    began: Option<u64>,
}

/// What kind of process someone wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The function, over all of its versions: concurrency is counted by it.
    pub(crate) function: String,
    /// What the process runs; it changes with code and configuration.
    pub(crate) key: String,
    /// The one tenant whom the process may serve, of a function that keeps tenants apart.
    pub(crate) tenant: Option<String>,
}

/// How much someone is ready to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Until a process comes free, as long as there is room in the backlog.
    Any,
    /// The same, but not while the function's reserved concurrency is used up.
    UnlessReserved,
}

/// Why nobody may wait any more. Source: Lambda API, `TooManyRequestsException`, `Reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttle {
    /// The function's reserved concurrency is used up.
    Reserved,
    /// What functions without reserved concurrency share is used up, and so is the backlog.
    Unreserved,
}

/// What the caller gets at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lease {
    /// This idle process is yours.
    Warm(ProcessId),
    /// Start this process; it is yours.
    Cold(ProcessId),
    /// Wait for the ticket to be called.
    Wait(Ticket),
    /// What you want may be retired: look it up again, and come again in the same turn.
    Retired,
    /// Come again later.
    Throttled(Throttle),
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
    /// Send the waiter away.
    Throttle(Ticket),
    /// Send the waiter to look up what is wanted again.
    Recall(Ticket),
}

/// What a pool may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Processes at once; at least one.
    pub(crate) processes: usize,
    /// Waiters at once.
    pub(crate) backlog: usize,
    /// Waiters of one function at once.
    pub(crate) backlog_per_function: usize,
}

/// All processes and waiters.
pub(crate) struct Pool {
    limits: Limits,
    processes: BTreeMap<ProcessId, Entry>,
    /// Longest idle first.
    idle: VecDeque<ProcessId>,
    /// Functions that have something lent, waiters or reserved concurrency.
    functions: BTreeMap<String, Function>,
    /// Waiters who may have a process and for whom there is no place yet, first come first served.
    admitted: BTreeMap<Ticket, Wanted>,
    stopping: usize,
    next: u64,
    /// When something was retired last.
    retired: u64,
    closed: bool,
}

struct Entry {
    wanted: Wanted,
    usage: Usage,
    retired: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Usage {
    Lent,
    Idle,
    Stopping,
}

#[derive(Default)]
struct Function {
    reserved: Option<usize>,
    /// Processes that are lent, and waiters who are admitted.
    used: usize,
    /// The backlog: whom concurrency holds up, first come first served.
    waiting: BTreeMap<Ticket, Wanted>,
    /// When it was its turn last: a number that grows.
    turn: u64,
}

impl Pool {
    /// Returns an empty pool.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits: Limits { processes: limits.processes.max(1), ..limits },
            processes: BTreeMap::new(),
            idle: VecDeque::new(),
            functions: BTreeMap::new(),
            admitted: BTreeMap::new(),
            stopping: 0,
            next: 0,
            retired: 0,
            closed: false,
        }
    }

    /// Returns the number of processes that are not gone.
    pub(crate) fn len(&self) -> usize {
        self.processes.len()
    }

    /// Sets how much concurrency a function has for itself, or that it shares with all others. With none at all nobody
    /// waits for it any more.
    pub(crate) fn reserve(&mut self, function: &str, reserved: Option<usize>) -> Vec<Action> {
        let entry = self.function(function);
        entry.reserved = reserved;
        let refused = if reserved == Some(0) { std::mem::take(&mut entry.waiting) } else { BTreeMap::new() };
        self.forget_unless_used(function);
        let mut actions: Vec<Action> = refused.into_keys().map(Action::Throttle).collect();
        actions.extend(self.settle());
        actions
    }

    /// Begins someone's turn, who looks up what is wanted from now on.
    pub(crate) fn turn(&self, patience: Patience) -> Turn {
        Turn { patience, since: self.next, began: None }
    }

    /// Lends a process of this kind: the one that was used last, a new one, or the right to wait.
    pub(crate) fn lend(&mut self, wanted: Wanted, turn: &mut Turn) -> (Lease, Vec<Action>) {
        if self.closed {
            return (Lease::Closed, Vec::new());
        }
        if turn.since < self.retired {
            turn.since = self.next;
            return (Lease::Retired, Vec::new());
        }
        if !self.may_use_more(&wanted.function) {
            if let Some(throttle) = self.throttle(&wanted.function, turn) {
                return (Lease::Throttled(throttle), Vec::new());
            }
            let ticket = self.ticket(turn);
            self.function(&wanted.function).waiting.insert(ticket, wanted);
            return (Lease::Wait(ticket), Vec::new());
        }
        self.use_more(&wanted.function);
        if let Some(id) = self.take_idle(&wanted) {
            return (Lease::Warm(id), Vec::new());
        }
        if self.processes.len() < self.limits.processes {
            return (Lease::Cold(self.start(wanted)), Vec::new());
        }
        let ticket = self.ticket(turn);
        self.admitted.insert(ticket, wanted);
        (Lease::Wait(ticket), self.settle())
    }

    /// Takes a process back that is ready for another invocation.
    pub(crate) fn give_back(&mut self, id: ProcessId) -> Vec<Action> {
        let closed = self.closed;
        let Some(entry) = self.processes.get_mut(&id).filter(|entry| entry.usage == Usage::Lent) else {
            return Vec::new();
        };
        let mut actions = Vec::new();
        if entry.retired || closed {
            actions.push(self.stop(id));
        } else {
            entry.usage = Usage::Idle;
            let function = entry.wanted.function.clone();
            self.idle.push_back(id);
            self.release(&function);
        }
        actions.extend(self.settle());
        actions
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

    /// Forgets a process that has ended, and gives its place to whom it is due.
    pub(crate) fn gone(&mut self, id: ProcessId) -> Vec<Action> {
        let Some(entry) = self.processes.remove(&id) else { return Vec::new() };
        match entry.usage {
            Usage::Lent => self.release(&entry.wanted.function),
            Usage::Idle => self.idle.retain(|idle| *idle != id),
            Usage::Stopping => self.stopping -= 1,
        }
        self.settle()
    }

    /// Forgets a waiter who gave up.
    pub(crate) fn cancel(&mut self, ticket: Ticket) -> Vec<Action> {
        if let Some(wanted) = self.admitted.remove(&ticket) {
            self.release(&wanted.function);
            return self.settle();
        }
        let found = self.functions.iter().find(|(_, function)| function.waiting.contains_key(&ticket));
        if let Some(name) = found.map(|(name, _)| name.clone()) {
            self.function(&name).waiting.remove(&ticket);
            self.forget_unless_used(&name);
        }
        Vec::new()
    }

    /// Ends every process of this key: idle ones now, others when they are given back. Nobody waits for it any more.
    pub(crate) fn retire(&mut self, key: &str) -> Vec<Action> {
        self.retired = self.number();
        for entry in self.processes.values_mut().filter(|entry| entry.wanted.key == key) {
            entry.retired = true;
        }
        let (ended, kept) = self.idle.drain(..).partition(|id| self.processes[id].retired);
        self.idle = kept;
        let ended: VecDeque<ProcessId> = ended;
        let mut actions: Vec<Action> = ended.into_iter().map(|id| self.stop(id)).collect();
        actions.extend(self.recall(key));
        actions.extend(self.settle());
        actions
    }

    /// Takes everybody out who waits for a process of this key.
    fn recall(&mut self, key: &str) -> Vec<Action> {
        let mut recalled = Vec::new();
        let admitted: Vec<_> = self.admitted.extract_if(.., |_, wanted| wanted.key == key).collect();
        for (ticket, wanted) in admitted {
            self.release(&wanted.function);
            recalled.push(Action::Recall(ticket));
        }
        let names: Vec<String> = self.functions.keys().cloned().collect();
        for name in names {
            let waiting = &mut self.function(&name).waiting;
            recalled.extend(
                waiting.extract_if(.., |_, wanted| wanted.key == key).map(|(ticket, _)| Action::Recall(ticket)),
            );
            self.forget_unless_used(&name);
        }
        recalled
    }

    /// Ends every process and lends nothing any more.
    pub(crate) fn close(&mut self) -> Vec<Action> {
        self.closed = true;
        self.admitted.clear();
        self.functions.clear();
        self.idle.clear();
        let ids: Vec<ProcessId> = self.processes.keys().copied().collect();
        ids.into_iter().map(|id| self.stop(id)).collect()
    }

    /// Gives whoever may have a process the right to it, and whoever has the right a process, as far as there are any.
    fn settle(&mut self) -> Vec<Action> {
        while let Some(name) = self.next_function() {
            self.use_more(&name);
            let first = self.function(&name).waiting.pop_first();
            let (ticket, wanted) = first.expect("a function whose turn it is has waiters");
            self.admitted.insert(ticket, wanted);
        }
        let mut actions = Vec::new();
        let tickets: Vec<Ticket> = self.admitted.keys().copied().collect();
        for ticket in tickets {
            if let Some(id) = self.take_idle(&self.admitted[&ticket].clone()) {
                self.admitted.remove(&ticket);
                actions.push(Action::Lend(id, ticket));
            } else if self.processes.len() < self.limits.processes {
                let wanted = self.admitted.remove(&ticket).expect("it was just there");
                actions.push(Action::Start(self.start(wanted), ticket));
            }
        }
        // Each stopping process is a place to come for one of the admitted.
        while self.admitted.len() > self.stopping
            && let Some(id) = self.idle.pop_front()
        {
            actions.push(self.stop(id));
        }
        actions
    }

    /// Returns the function whose waiter comes next: the one with the fewest processes. Among equals one that has none
    /// must not wait for another's process to be kept busy, so it goes by turns; else a process that is idle stays with
    /// its function, because to change its owner costs a cold start.
    fn next_function(&self) -> Option<String> {
        let waiting = self.functions.iter().filter(|(_, function)| !function.waiting.is_empty());
        let shared_is_left = self.shared_is_left();
        let may_go = waiting.filter(|(_, function)| match function.reserved {
            Some(reserved) => function.used < reserved,
            None => shared_is_left,
        });
        let rank = |(name, function): &(&String, &Function)| {
            let has_idle = self.idle.iter().any(|id| self.processes[id].wanted.function == **name);
            (function.used, function.used > 0 && !has_idle, function.turn)
        };
        may_go.min_by_key(rank).map(|(name, _)| name.clone())
    }

    /// Tells whether a function may have one more process lent.
    fn may_use_more(&self, name: &str) -> bool {
        match self.functions.get(name) {
            Some(Function { reserved: Some(reserved), used, .. }) => used < reserved,
            Some(Function { reserved: None, .. }) | None => self.shared_is_left(),
        }
    }

    /// Tells whether any of the concurrency is left that functions without reserved concurrency share. They share
    /// what is not reserved, and at least one process, whatever was reserved when the pool was larger.
    fn shared_is_left(&self) -> bool {
        let (mut reserved, mut used) = (0, 0);
        for function in self.functions.values() {
            match function.reserved {
                Some(concurrency) => reserved += concurrency,
                None => used += function.used,
            }
        }
        used < self.limits.processes.saturating_sub(reserved).max(1)
    }

    /// Returns why nobody may wait for more of this function's concurrency. Who has waited already may go on.
    fn throttle(&self, name: &str, turn: &Turn) -> Option<Throttle> {
        let function = self.functions.get(name);
        let waiting = function.map_or(0, |function| function.waiting.len());
        let all_waiting: usize = self.functions.values().map(|function| function.waiting.len()).sum();
        let is_full = waiting >= self.limits.backlog_per_function || all_waiting >= self.limits.backlog;
        let is_new = turn.began.is_none();
        match function.and_then(|function| function.reserved) {
            Some(0) => Some(Throttle::Reserved),
            Some(_) if is_new && (is_full || turn.patience == Patience::UnlessReserved) => Some(Throttle::Reserved),
            None if is_new && is_full => Some(Throttle::Unreserved),
            Some(_) | None => None,
        }
    }

    fn take_idle(&mut self, wanted: &Wanted) -> Option<ProcessId> {
        let position = self.idle.iter().rposition(|id| self.processes[id].wanted == *wanted)?;
        let id = self.idle.remove(position).expect("rposition found it");
        self.entry(id).usage = Usage::Lent;
        Some(id)
    }

    fn start(&mut self, wanted: Wanted) -> ProcessId {
        let id = ProcessId(self.number());
        self.processes.insert(id, Entry { wanted, usage: Usage::Lent, retired: false });
        id
    }

    fn stop(&mut self, id: ProcessId) -> Action {
        let entry = self.entry(id);
        let before = std::mem::replace(&mut entry.usage, Usage::Stopping);
        let function = entry.wanted.function.clone();
        self.stopping += usize::from(before != Usage::Stopping);
        if before == Usage::Lent {
            self.release(&function);
        }
        Action::Stop(id)
    }

    fn use_more(&mut self, name: &str) {
        let turn = self.number();
        let function = self.function(name);
        function.used += 1;
        function.turn = turn;
    }

    /// Takes back what a function used. A closed pool has forgotten.
    fn release(&mut self, name: &str) {
        if let Some(function) = self.functions.get_mut(name) {
            function.used -= 1;
        }
        self.forget_unless_used(name);
    }

    fn forget_unless_used(&mut self, name: &str) {
        let unused =
            |function: &Function| function.used == 0 && function.waiting.is_empty() && function.reserved.is_none();
        if self.functions.get(name).is_some_and(unused) {
            self.functions.remove(name);
        }
    }

    fn function(&mut self, name: &str) -> &mut Function {
        // Who is new comes after those who have waited for their turn since before.
        let turn = self.next;
        self.functions.entry(name.to_owned()).or_insert_with(|| Function { turn, ..Function::default() })
    }

    fn entry(&mut self, id: ProcessId) -> &mut Entry {
        self.processes.get_mut(&id).expect("ids on the lists are processes not gone")
    }

    fn ticket(&mut self, turn: &mut Turn) -> Ticket {
        let number = self.number();
        Ticket { turn: *turn.began.get_or_insert(number), number }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wants a process of function `a`, of its version in `a:2`, of its tenant in `a@t`.
    fn wanted(text: &str) -> Wanted {
        let (key, tenant) = text.split_once('@').map_or((text, None), |(key, tenant)| (key, Some(tenant)));
        let function = key.split(':').next().unwrap();
        Wanted { function: function.into(), key: key.into(), tenant: tenant.map(Into::into) }
    }

    fn pool(processes: usize) -> Pool {
        Pool::new(Limits { processes, backlog: 9_999, backlog_per_function: 9_999 })
    }

    /// Lends to someone who comes for the first time.
    fn lend(pool: &mut Pool, key: &str, patience: Patience) -> (Lease, Vec<Action>) {
        let mut turn = pool.turn(patience);
        pool.lend(wanted(key), &mut turn)
    }

    fn cold(pool: &mut Pool, key: &str) -> ProcessId {
        match lend(pool, key, Patience::Any) {
            (Lease::Cold(id), actions) if actions.is_empty() => id,
            other => panic!("expected a cold start: {other:?}"),
        }
    }

    fn wait(pool: &mut Pool, key: &str) -> (Ticket, Vec<Action>) {
        match lend(pool, key, Patience::Any) {
            (Lease::Wait(ticket), actions) => (ticket, actions),
            other => panic!("expected to wait: {other:?}"),
        }
    }

    #[track_caller]
    fn check_lease(pool: &mut Pool, key: &str, patience: Patience, expected: Lease) {
        assert_eq!(lend(pool, key, patience), (expected, vec![]), "{key}");
    }

    /// Ends a process that was told to stop. Returns the one that is started in its place, and for whom.
    #[track_caller]
    fn replaced(pool: &mut Pool, stopped: ProcessId) -> (ProcessId, Ticket) {
        match pool.gone(stopped)[..] {
            [Action::Start(started, ticket)] => (started, ticket),
            ref actions => panic!("expected a start: {actions:?}"),
        }
    }

    #[test]
    fn returned_process_is_lent_again_last_used_first() {
        let mut pool = pool(4);
        let (first, second) = (cold(&mut pool, "a"), cold(&mut pool, "a"));
        assert_eq!(pool.give_back(first), []);
        assert_eq!(pool.give_back(second), []);
        check_lease(&mut pool, "a", Patience::Any, Lease::Warm(second));
        check_lease(&mut pool, "a", Patience::Any, Lease::Warm(first));
    }

    #[test]
    fn process_serves_one_version_and_one_tenant() {
        let mut pool = pool(9);
        for key in ["a", "a:1", "a@t", "a@u", "a:1@t"] {
            let id = cold(&mut pool, key);
            pool.give_back(id);
        }
        let id = cold(&mut pool, "b@t");
        pool.give_back(id);
        assert_eq!(pool.retire("a").len(), 3, "whatever their tenants");
    }

    #[test]
    fn waiters_of_a_function_are_served_in_order() {
        let mut pool = pool(1);
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
        let mut pool = pool(2);
        let (old, new) = (cold(&mut pool, "a"), cold(&mut pool, "b"));
        pool.give_back(old);
        pool.give_back(new);
        let (ticket, actions) = wait(&mut pool, "c");
        assert_eq!(actions, [Action::Stop(old)]);
        assert_eq!(pool.len(), 2, "the place is taken until the process is gone");
        assert_eq!(replaced(&mut pool, old).1, ticket);
        check_lease(&mut pool, "b", Patience::Any, Lease::Warm(new));
    }

    #[test]
    fn functions_take_turns_where_there_is_one_place() {
        let mut pool = pool(1);
        let mut running = cold(&mut pool, "a");
        let tickets = ["a", "a", "b", "b", "c"].map(|key| wait(&mut pool, key).0);
        let mut served = Vec::new();
        for _ in tickets {
            let ticket = match pool.give_back(running)[..] {
                [Action::Lend(_, ticket)] => ticket,
                [Action::Stop(id)] => {
                    let (started, ticket) = replaced(&mut pool, id);
                    running = started;
                    ticket
                }
                ref actions => panic!("{actions:?}"),
            };
            served.push(tickets.iter().position(|known| *known == ticket).unwrap());
        }
        assert_eq!(served, [0, 2, 4, 1, 3], "a, b, c, a, b");
    }

    #[test]
    fn function_with_many_waiters_does_not_starve_its_neighbour() {
        let mut pool = pool(2);
        let (first, second) = (cold(&mut pool, "a"), cold(&mut pool, "a"));
        for _ in 0..1_000 {
            lend(&mut pool, "a", Patience::Any);
        }
        let (neighbour, _) = wait(&mut pool, "b");
        assert_eq!(pool.give_back(first), [Action::Stop(first)]);
        let (started, ticket) = replaced(&mut pool, first);
        assert_eq!(ticket, neighbour);
        assert!(matches!(pool.give_back(second)[..], [Action::Lend(id, _)] if id == second));
        assert!(matches!(pool.give_back(started)[..], [Action::Stop(id)] if id == started), "b wants no more");
    }

    #[test]
    fn functions_that_are_both_busy_keep_their_processes() {
        let mut pool = pool(3);
        let processes = [cold(&mut pool, "a"), cold(&mut pool, "a"), cold(&mut pool, "b")];
        for key in ["a", "b"].repeat(10) {
            wait(&mut pool, key);
        }
        for _ in 0..3 {
            for id in processes {
                assert!(matches!(pool.give_back(id)[..], [Action::Lend(lent, _)] if lent == id), "no cold start");
            }
        }
    }

    #[test]
    fn waiter_who_gave_up_is_skipped() {
        let mut pool = pool(1);
        let only = cold(&mut pool, "a");
        let (first, _) = wait(&mut pool, "a");
        let (second, _) = wait(&mut pool, "a");
        assert_eq!(pool.cancel(first), []);
        assert_eq!(pool.give_back(only), [Action::Lend(only, second)]);
        pool.give_back(only);
        // One who was admitted and waits for the place only lets go of both.
        let (third, actions) = wait(&mut pool, "b");
        assert_eq!(actions, [Action::Stop(only)]);
        assert_eq!(pool.cancel(third), []);
        assert_eq!(pool.gone(only), []);
        cold(&mut pool, "c");
        assert_eq!(pool.functions.len(), 1, "who is through is forgotten");
    }

    #[test]
    fn reserved_concurrency_is_a_limit_over_all_versions_and_tenants() {
        let mut pool = pool(9);
        assert_eq!(pool.reserve("a", Some(2)), []);
        let first = cold(&mut pool, "a");
        cold(&mut pool, "a:1@t");
        let throttled = || Lease::Throttled(Throttle::Reserved);
        check_lease(&mut pool, "a", Patience::UnlessReserved, throttled());
        let (ticket, _) = wait(&mut pool, "a");
        assert_eq!(pool.give_back(first), [Action::Lend(first, ticket)]);
        cold(&mut pool, "b");
        pool.give_back(first);
        check_lease(&mut pool, "a", Patience::UnlessReserved, Lease::Warm(first));

        let (waiting, _) = wait(&mut pool, "a");
        assert!(matches!(pool.reserve("a", Some(3))[..], [Action::Start(_, ticket)] if ticket == waiting));
        let (waiting, _) = wait(&mut pool, "a");
        assert!(matches!(pool.reserve("a", None)[..], [Action::Start(_, ticket)] if ticket == waiting));
    }

    #[test]
    fn function_without_concurrency_is_throttled_whoever_asks() {
        let mut pool = pool(9);
        pool.reserve("a", Some(1));
        cold(&mut pool, "a");
        let (waiting, _) = wait(&mut pool, "a");
        assert_eq!(pool.reserve("a", Some(0)), [Action::Throttle(waiting)]);
        for patience in [Patience::Any, Patience::UnlessReserved] {
            check_lease(&mut pool, "a", patience, Lease::Throttled(Throttle::Reserved));
        }
        pool.reserve("a", None);
        cold(&mut pool, "a");
    }

    #[test]
    fn what_others_reserved_is_set_aside() {
        let mut pool = pool(3);
        pool.reserve("a", Some(2));
        let shared = cold(&mut pool, "b");
        let (ticket, actions) = wait(&mut pool, "c");
        assert_eq!(actions, [], "there are places, but they are reserved");
        cold(&mut pool, "a");
        cold(&mut pool, "a");
        assert_eq!(pool.give_back(shared), [Action::Stop(shared)]);
        assert_eq!(replaced(&mut pool, shared).1, ticket);
    }

    #[test]
    fn reserved_concurrency_finds_places_that_are_idle_elsewhere() {
        let mut pool = pool(2);
        let idle = [cold(&mut pool, "b"), cold(&mut pool, "b")];
        for id in idle {
            pool.give_back(id);
        }
        pool.reserve("a", Some(1));
        let (ticket, actions) = wait(&mut pool, "a");
        assert_eq!(actions, [Action::Stop(idle[0])]);
        assert_eq!(replaced(&mut pool, idle[0]).1, ticket);
    }

    #[test]
    fn more_reserved_than_there_is_leaves_one_process_to_share() {
        let mut pool = pool(2);
        pool.reserve("a", Some(5));
        let shared = cold(&mut pool, "b");
        let (ticket, _) = wait(&mut pool, "b");
        assert_eq!(pool.give_back(shared), [Action::Lend(shared, ticket)]);
    }

    #[test]
    fn backlog_at_the_limit_waits_and_one_past_it_is_throttled() {
        let mut pool = Pool::new(Limits { processes: 1, backlog: 3, backlog_per_function: 2 });
        let only = cold(&mut pool, "a");
        let unreserved = || Lease::Throttled(Throttle::Unreserved);
        wait(&mut pool, "a");
        let (second, _) = wait(&mut pool, "a");
        check_lease(&mut pool, "a", Patience::Any, unreserved());
        wait(&mut pool, "b");
        check_lease(&mut pool, "b", Patience::Any, unreserved());
        check_lease(&mut pool, "c", Patience::Any, unreserved());
        assert!(!pool.functions.contains_key("c"), "who was refused is forgotten");
        pool.cancel(second);
        wait(&mut pool, "a");
        pool.give_back(only);
        wait(&mut pool, "c");
    }

    #[test]
    fn retired_processes_end_when_idle() {
        let mut pool = pool(4);
        let (idle, busy, other) = (cold(&mut pool, "a"), cold(&mut pool, "a"), cold(&mut pool, "b"));
        pool.give_back(idle);
        pool.give_back(other);
        assert_eq!(pool.retire("a"), [Action::Stop(idle)]);
        cold(&mut pool, "a");
        assert_eq!(pool.give_back(busy), [Action::Stop(busy)]);
        check_lease(&mut pool, "b", Patience::Any, Lease::Warm(other));
    }

    #[test]
    fn who_waits_for_what_is_retired_comes_back_and_keeps_the_turn() {
        let mut pool = Pool::new(Limits { processes: 1, backlog: 3, backlog_per_function: 3 });
        let only = cold(&mut pool, "a");
        let [mut first, mut second, mut newcomer] = [(); 3].map(|()| pool.turn(Patience::UnlessReserved));
        let ask = |pool: &mut Pool, key: &str, turn: &mut Turn| match pool.lend(wanted(key), turn) {
            (Lease::Wait(ticket), actions) if actions.is_empty() => Some(ticket),
            (Lease::Retired, actions) if actions.is_empty() => None,
            other => panic!("{other:?}"),
        };
        let recalled = [&mut first, &mut second].map(|turn| ask(&mut pool, "a", turn).unwrap());
        let (neighbour, _) = wait(&mut pool, "b");
        assert_eq!(pool.retire("a"), recalled.map(Action::Recall));

        // They may have looked it up before it was retired, so they must do so again.
        for turn in [&mut newcomer, &mut second, &mut first] {
            assert_eq!(ask(&mut pool, "a", turn), None);
        }
        let newcomer = ask(&mut pool, "a:1", &mut newcomer).unwrap();
        let [other, full] = ["b"; 2].map(|key| lend(&mut pool, key, Patience::Any).0);
        assert!(
            matches!((&other, &full), (Lease::Wait(_), Lease::Throttled(Throttle::Unreserved))),
            "{other:?} {full:?}"
        );
        // The backlog is full, but they have been in it before.
        let second = ask(&mut pool, "a:1", &mut second).unwrap();
        let first = ask(&mut pool, "a:1", &mut first).unwrap();
        assert!(first < second && second < newcomer && recalled[0] != first);

        assert_eq!(pool.give_back(only), [Action::Stop(only)]);
        let mut served = Vec::new();
        let (mut running, ticket) = replaced(&mut pool, only);
        served.push(ticket);
        while served.len() < 5 {
            match pool.give_back(running)[..] {
                [Action::Lend(_, ticket)] => served.push(ticket),
                [Action::Stop(id)] => {
                    let (started, ticket) = replaced(&mut pool, id);
                    running = started;
                    served.push(ticket);
                }
                ref actions => panic!("{actions:?}"),
            }
        }
        let Lease::Wait(other) = other else { unreachable!("it was looked at") };
        let of_a: Vec<_> = served.iter().filter(|ticket| ![neighbour, other].contains(ticket)).collect();
        assert_eq!(of_a, [&first, &second, &newcomer]);
    }

    #[test]
    fn admitted_waiter_for_what_is_retired_leaves_the_place_to_others() {
        let mut pool = pool(1);
        let only = cold(&mut pool, "b");
        pool.give_back(only);
        let (recalled, actions) = wait(&mut pool, "a");
        assert_eq!(actions, [Action::Stop(only)]);
        let (neighbour, _) = wait(&mut pool, "c");
        assert_eq!(pool.retire("a"), [Action::Recall(recalled)]);
        assert_eq!(replaced(&mut pool, only).1, neighbour);
        assert!(!pool.functions.contains_key("a"), "who is recalled is forgotten");
    }

    #[test]
    fn function_without_concurrency_is_throttled_even_for_who_has_waited() {
        let mut pool = pool(1);
        cold(&mut pool, "a");
        let mut turn = pool.turn(Patience::Any);
        assert!(matches!(pool.lend(wanted("a"), &mut turn), (Lease::Wait(_), _)));
        pool.reserve("a", Some(0));
        assert_eq!(pool.lend(wanted("a"), &mut turn), (Lease::Throttled(Throttle::Reserved), vec![]));
    }

    #[test]
    fn only_an_idle_process_can_be_withdrawn() {
        let mut pool = pool(1);
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
        let mut pool = pool(1);
        let only = cold(&mut pool, "a");
        let (ticket, _) = wait(&mut pool, "a");
        assert_eq!(pool.close(), [Action::Stop(only)]);
        check_lease(&mut pool, "a", Patience::Any, Lease::Closed);
        assert_eq!(pool.cancel(ticket), []);
        assert_eq!(pool.gone(only), []);
    }

    /// A long random walk: neither places nor reserved concurrency are ever exceeded, who holds a process and may have
    /// one are counted right, and once everyone gives back nobody is left waiting.
    #[test]
    fn no_waiter_starves() {
        const KEYS: [&str; 6] = ["a", "a:1", "b@t", "b", "c", "d"];
        let mut seed = 1_u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let mut pool = pool(4);
        pool.reserve("d", Some(2));
        let mut lent: Vec<ProcessId> = Vec::new();
        let mut stopping: Vec<ProcessId> = Vec::new();
        let mut waiting: Vec<Ticket> = Vec::new();
        for round in 0..20_000 {
            let draining = round > 19_000;
            let actions = match random(6) {
                0 | 1 if !draining => {
                    let (lease, actions) = lend(&mut pool, KEYS[random(6)], Patience::Any);
                    match lease {
                        Lease::Warm(id) | Lease::Cold(id) => lent.push(id),
                        Lease::Wait(ticket) => waiting.push(ticket),
                        Lease::Throttled(_) => {}
                        Lease::Retired | Lease::Closed => unreachable!("the turn just began, and nobody closes"),
                    }
                    actions
                }
                2 if !lent.is_empty() => {
                    let id = lent.swap_remove(random(lent.len()));
                    // Some die instead.
                    if random(8) == 0 { pool.gone(id) } else { pool.give_back(id) }
                }
                3 if !stopping.is_empty() => {
                    let id = stopping.swap_remove(random(stopping.len()));
                    pool.gone(id)
                }
                4 if !waiting.is_empty() && random(8) == 0 => {
                    let ticket = waiting.swap_remove(random(waiting.len()));
                    pool.cancel(ticket)
                }
                5 if random(8) == 0 => pool.retire(KEYS[random(6)]),
                _ => Vec::new(),
            };
            follow(actions, &mut lent, &mut stopping, &mut waiting);
            assert!(pool.len() <= 4);
            let lent_to = |name: &str| lent.iter().filter(|id| pool.processes[id].wanted.function == name).count();
            assert!(lent_to("d") <= 2);
            assert!(lent.len() - lent_to("d") <= 2, "the rest is reserved for d");
            let used: usize = pool.functions.values().map(|function| function.used).sum();
            assert_eq!(used, lent.len() + pool.admitted.len());
            assert!(pool.admitted.len() <= pool.stopping, "a place is on its way for everyone admitted");
        }
        while let Some(id) = lent.pop().or_else(|| stopping.pop()) {
            let actions = if pool.processes[&id].usage == Usage::Stopping { pool.gone(id) } else { pool.give_back(id) };
            follow(actions, &mut lent, &mut stopping, &mut waiting);
        }
        assert_eq!((waiting.len(), pool.admitted.len()), (0, 0));
        assert_eq!(pool.functions.keys().collect::<Vec<_>>(), ["d"]);
    }

    fn follow(
        actions: Vec<Action>,
        lent: &mut Vec<ProcessId>,
        stopping: &mut Vec<ProcessId>,
        waiting: &mut Vec<Ticket>,
    ) {
        for action in actions {
            match action {
                Action::Stop(id) => stopping.push(id),
                Action::Lend(id, ticket) | Action::Start(id, ticket) => {
                    lent.push(id);
                    waiting.retain(|waiting| *waiting != ticket);
                }
                Action::Throttle(ticket) | Action::Recall(ticket) => waiting.retain(|waiting| *waiting != ticket),
            }
        }
    }
}
