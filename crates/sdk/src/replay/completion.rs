//! When a batch of branches is over.

/// Why a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum CompletionReason {
    /// Every branch ended.
    AllCompleted,
    /// As many branches succeeded as were asked for.
    MinSuccessfulReached,
    /// More branches failed than are tolerated.
    FailureToleranceExceeded,
    /// The batch's own rule was satisfied.
    CustomCompletionSucceeded,
    /// The batch's own rule gave up.
    CustomCompletionFailed,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many branches there are.
    pub total: usize,
    /// How many of them succeeded.
    pub succeeded: usize,
    /// How many of them failed.
    pub failed: usize,
}

/// What is asked of a batch. If nothing is, its first failure ends it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Completion {
    /// Enough successes.
    pub(crate) min_successful: Option<usize>,
    /// Failures beyond which it is given up.
    pub(crate) tolerated_failures: Option<usize>,
    /// Failures, in percent of all branches, beyond which it is given up.
    pub(crate) tolerated_failure_percent: Option<f64>,
}

impl Completion {
    /// Returns why the batch is over, if it is.
    pub(crate) fn verdict(&self, progress: Progress) -> Option<CompletionReason> {
        let nothing_asked = *self == Self::default();
        let tolerated = if nothing_asked { Some(0) } else { self.tolerated_failures };
        let too_many = tolerated.is_some_and(|tolerated| progress.failed > tolerated);
        let too_large_a_part = self.tolerated_failure_percent.is_some_and(|percent| {
            #[expect(clippy::cast_precision_loss, reason = "batches are smaller than 2^52")]
            let (failed, total) = (progress.failed as f64, progress.total as f64);
            failed * 100.0 > percent * total
        });
        if too_many || too_large_a_part {
            return Some(CompletionReason::FailureToleranceExceeded);
        }
        if self.min_successful.is_some_and(|enough| progress.succeeded >= enough && progress.succeeded > 0) {
            return Some(CompletionReason::MinSuccessfulReached);
        }
        let over = progress.succeeded + progress.failed == progress.total;
        over.then_some(CompletionReason::AllCompleted)
    }
}

#[cfg(test)]
mod tests {
    use super::CompletionReason::*;
    use super::*;

    #[test]
    fn what_is_asked_for_decides() {
        let check = |completion: Completion, [total, succeeded, failed]: [usize; 3], expected| {
            let verdict = completion.verdict(Progress { total, succeeded, failed });
            assert_eq!(verdict, expected, "{completion:?} {succeeded}+{failed} of {total}");
        };
        let nothing = Completion::default();
        check(nothing, [0, 0, 0], Some(AllCompleted));
        check(nothing, [2, 1, 0], None);
        check(nothing, [2, 2, 0], Some(AllCompleted));
        check(nothing, [2, 0, 1], Some(FailureToleranceExceeded));
        let two = Completion { min_successful: Some(2), ..nothing };
        check(two, [4, 1, 1], None);
        check(two, [4, 2, 1], Some(MinSuccessfulReached));
        check(two, [3, 1, 2], Some(AllCompleted));
        let one_failure = Completion { tolerated_failures: Some(1), ..nothing };
        check(one_failure, [4, 0, 1], None);
        check(one_failure, [4, 0, 2], Some(FailureToleranceExceeded));
        check(one_failure, [2, 1, 1], Some(AllCompleted));
        let quarter = Completion { tolerated_failure_percent: Some(25.0), ..nothing };
        check(quarter, [4, 0, 1], None);
        check(quarter, [4, 0, 2], Some(FailureToleranceExceeded));
        let both = Completion { min_successful: Some(1), tolerated_failures: Some(0), ..nothing };
        check(both, [4, 1, 1], Some(FailureToleranceExceeded));
    }
}
