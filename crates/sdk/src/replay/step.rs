//! What to do about a step, by what is recorded about it.

use crate::wire::{ErrorObject, OperationStatus, Record};

/// What a step does if an invocation ends while its body runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Semantics {
    /// The body runs again.
    #[default]
    AtLeastOnce,
    /// The body does not run again: the attempt counts as failed.
    AtMostOnce,
}

/// What comes next. Attempts count from 1.
#[derive(Debug, PartialEq)]
pub(crate) enum Next<'a> {
    /// Tell the service that an attempt begins, and run the body.
    Begin { attempt: u32 },
    /// Run the body of an attempt that the service knows of.
    Resume { attempt: u32 },
    /// The attempt was begun, and must not be run again.
    Interrupted { attempt: u32 },
    /// The next attempt is not due.
    Park,
    /// It is done.
    Succeeded(Option<&'a str>),
    /// It failed for good.
    Failed(ErrorObject),
}

/// Decides what comes next.
pub(crate) fn next(record: Option<&Record>, semantics: Semantics) -> Next<'_> {
    let Some(record) = record else { return Next::Begin { attempt: 1 } };
    // Only attempts that ended are counted.
    let attempt = record.attempts() + 1;
    match record.status {
        OperationStatus::Ready => Next::Begin { attempt },
        OperationStatus::Started => match semantics {
            Semantics::AtLeastOnce => Next::Resume { attempt },
            Semantics::AtMostOnce => Next::Interrupted { attempt },
        },
        OperationStatus::Pending => Next::Park,
        OperationStatus::Succeeded => Next::Succeeded(record.result()),
        OperationStatus::Failed | OperationStatus::Cancelled | OperationStatus::TimedOut | OperationStatus::Stopped => {
            Next::Failed(record.error().cloned().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_what_comes_next() {
        let record = |status: &str, attempt: u32| -> Record {
            let json = format!(
                r#"{{"Id":"a","Type":"STEP","Status":"{status}","StepDetails":{{"Attempt":{attempt},"Result":"1"}}}}"#
            );
            serde_json::from_str(&json).unwrap()
        };
        let check = |status: &str, attempts, semantics, expected: Next<'_>| {
            assert_eq!(next(Some(&record(status, attempts)), semantics), expected, "{status} {attempts} {semantics:?}");
        };
        use Semantics::{AtLeastOnce, AtMostOnce};
        assert_eq!(next(None, AtLeastOnce), Next::Begin { attempt: 1 });
        check("READY", 1, AtLeastOnce, Next::Begin { attempt: 2 });
        check("STARTED", 0, AtLeastOnce, Next::Resume { attempt: 1 });
        check("STARTED", 1, AtMostOnce, Next::Interrupted { attempt: 2 });
        check("PENDING", 1, AtMostOnce, Next::Park);
        check("SUCCEEDED", 1, AtMostOnce, Next::Succeeded(Some("1")));
        check("FAILED", 1, AtLeastOnce, Next::Failed(ErrorObject::default()));
    }
}
