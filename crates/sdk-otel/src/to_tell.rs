//! Which operations have no span yet and will get none in a later invocation, because the handler does not come back to
//! them: they lost a race, or what they are in has ended. For the view of the execution. Pure.
//!
//! The invocation that sees a context end tells of everything in it: later ones may not know of that, because the service
//! leaves out what is in a context that succeeded.

use std::collections::{HashMap, HashSet};

use everstep::OperationType;
use everstep::plugin::{InvocationInfo, OperationInfo};

/// What is still to be told, as one invocation knows it.
#[derive(Default)]
pub(crate) struct ToTell {
    /// The contexts that had not ended when the invocation began, or began in it.
    contexts: HashSet<String>,
    /// The operations that ended between the last invocation and this one, and of whose end nobody was told.
    ended: HashSet<String>,
}

impl ToTell {
    /// Begins with what is known before the handler runs.
    pub(crate) fn of(invocation: &InvocationInfo<'_>) -> Self {
        let contexts = Tree::of(&invocation.operations).open_contexts();
        let contexts = contexts.into_iter().map(str::to_owned).collect();
        let mut to_tell = Self { contexts, ended: HashSet::new() };
        let ended = invocation.updated_operations.iter().filter(|operation| operation.status.is_terminal());
        to_tell.ended = ended.filter(|operation| to_tell.is_about(operation)).map(|one| one.id.to_owned()).collect();
        to_tell
    }

    /// Tells whether an operation may be told of: what is in a context that ended before was told when that ended.
    pub(crate) fn is_about(&self, operation: &OperationInfo<'_>) -> bool {
        operation.parent_id.is_none_or(|context| self.contexts.contains(context))
    }

    /// An operation begins.
    pub(crate) fn begins(&mut self, operation: &OperationInfo<'_>) {
        if operation.operation_type == OperationType::Context {
            self.contexts.insert(operation.id.to_owned());
        }
    }

    /// The end of an operation is told.
    pub(crate) fn ends(&mut self, operation: &OperationInfo<'_>) {
        self.ended.remove(operation.id);
    }

    /// Returns the operations that ended and that the handler did not ask after.
    pub(crate) fn ended<'a>(&self, invocation: &'a InvocationInfo<'_>) -> Vec<&'a OperationInfo<'a>> {
        invocation.updated_operations.iter().filter(|operation| self.ended.contains(operation.id)).collect()
    }

    /// Returns the operations that did not end and of which no later invocation tells, those inside after those around
    /// them: what is in contexts that have ended; all of them, if the execution is over.
    pub(crate) fn unended<'a>(&self, invocation: &'a InvocationInfo<'_>, is_over: bool) -> Vec<&'a OperationInfo<'a>> {
        let tree = Tree::of(&invocation.operations);
        let open = tree.open_contexts();
        let goes_on = |operation: &OperationInfo<'_>| {
            !is_over && operation.parent_id.is_none_or(|context| open.contains(context))
        };
        let mut unended: Vec<&OperationInfo<'_>> = invocation
            .operations
            .iter()
            .filter(|operation| operation.operation_type != OperationType::Execution)
            .filter(|operation| !operation.status.is_terminal() && self.is_about(operation) && !goes_on(operation))
            .collect();
        unended.sort_by_cached_key(|operation| tree.around(operation).count());
        unended
    }
}

/// The contexts of an execution.
struct Tree<'a>(HashMap<&'a str, &'a OperationInfo<'a>>);

impl<'a> Tree<'a> {
    fn of(operations: &'a [OperationInfo<'_>]) -> Self {
        let contexts = operations.iter().filter(|operation| operation.operation_type == OperationType::Context);
        Self(contexts.map(|context| (context.id, context)).collect())
    }

    /// Returns the contexts around an operation, from the inside.
    fn around(&self, operation: &OperationInfo<'_>) -> impl Iterator<Item = &'a OperationInfo<'a>> {
        let context = |id: Option<&str>| self.0.get(id?).copied();
        std::iter::successors(context(operation.parent_id), move |inner| context(inner.parent_id))
    }

    /// Returns the contexts that have not ended, and none around them either.
    fn open_contexts(&self) -> HashSet<&'a str> {
        let is_open = |context: &&&OperationInfo<'_>| {
            !context.status.is_terminal() && self.around(context).all(|around| !around.status.is_terminal())
        };
        self.0.values().filter(is_open).map(|context| context.id).collect()
    }
}
