//! The two pictures that can be drawn of an execution.

/// What a trace of an execution looks like. In both of them it is one trace, however many invocations there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// The execution as if it ran in one piece: `Workflow` → operations → attempts. An operation is one span, from its
    /// start to its end, whichever invocations these were in, and is linked to the invocation that saw it end.
    Execution,
    /// What each invocation did: `Invocation` → operations → attempts. An operation has a span in each invocation that
    /// worked on it; the later ones are linked to the first, and all of them to the `Workflow`.
    Invocation,
}
