//! The states of stacks, resources and change sets, by AWS's names.

/// Declares states with AWS's names for them, by which they are stored too.
macro_rules! states {
    ($(#[$attribute:meta])* $type:ident { $($(#[$state_attribute:meta])* $state:ident = $name:literal,)* }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $type {
            $($(#[$state_attribute])* #[serde(rename = $name)] $state,)*
        }

        impl $type {
            /// Every state with AWS's name for it.
            pub const NAMES: &[(&str, Self)] = &[$(($name, Self::$state),)*];

            /// Returns AWS's name for it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$state => $name,)* }
            }
        }
    };
}

states! {
    /// Where a stack is in its life. Source: CloudFormation API, `StackStatus`.
    StackStatus {
        /// A change set was made for it; there is nothing else yet.
        ReviewInProgress = "REVIEW_IN_PROGRESS",
        /// Its resources are being created.
        CreateInProgress = "CREATE_IN_PROGRESS",
        /// A resource could not be created, and nothing was undone.
        CreateFailed = "CREATE_FAILED",
        /// It is there.
        CreateComplete = "CREATE_COMPLETE",
        /// What was created is being deleted, because a resource could not be created.
        RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        /// What was created could not be deleted.
        RollbackFailed = "ROLLBACK_FAILED",
        /// What was created is deleted again.
        RollbackComplete = "ROLLBACK_COMPLETE",
        /// Its resources are being deleted.
        DeleteInProgress = "DELETE_IN_PROGRESS",
        /// A resource could not be deleted.
        DeleteFailed = "DELETE_FAILED",
        /// It is gone.
        DeleteComplete = "DELETE_COMPLETE",
        /// Its resources are being changed.
        UpdateInProgress = "UPDATE_IN_PROGRESS",
        /// Everything is as it was asked for; what is not needed any more is being deleted.
        UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        /// Everything is as it was asked for.
        UpdateComplete = "UPDATE_COMPLETE",
        /// A resource could not be changed, and nothing was undone.
        UpdateFailed = "UPDATE_FAILED",
        /// Its resources are being changed back.
        UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
        /// A resource could not be changed back.
        UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
        /// Everything is as it was before the update; what the update had made is being deleted.
        UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        /// Everything is as it was before the update.
        UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
    }
}

/// What has to be done about a stack next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Bring its resources to what the template asks for.
    Deploy,
    /// Delete what the deployed template does not need any more.
    CleanUp,
    /// Change the resources back to what they were.
    Revert,
    /// Delete everything that the failed creation made.
    Undo,
    /// Delete everything.
    Delete,
    /// Nothing.
    Nothing,
}

impl StackStatus {
    /// Returns what the executor has to do about a stack in this state.
    pub fn work(self) -> Work {
        match self {
            Self::CreateInProgress | Self::UpdateInProgress => Work::Deploy,
            Self::UpdateCompleteCleanupInProgress | Self::UpdateRollbackCompleteCleanupInProgress => Work::CleanUp,
            Self::UpdateRollbackInProgress => Work::Revert,
            Self::RollbackInProgress => Work::Undo,
            Self::DeleteInProgress => Work::Delete,
            Self::ReviewInProgress
            | Self::CreateFailed
            | Self::CreateComplete
            | Self::RollbackFailed
            | Self::RollbackComplete
            | Self::DeleteFailed
            | Self::DeleteComplete
            | Self::UpdateComplete
            | Self::UpdateFailed
            | Self::UpdateRollbackFailed
            | Self::UpdateRollbackComplete => Work::Nothing,
        }
    }

    /// Tells whether a stack in this state can be updated.
    pub fn can_be_updated(self) -> bool {
        match self {
            Self::CreateComplete
            | Self::CreateFailed
            | Self::UpdateComplete
            | Self::UpdateFailed
            | Self::UpdateRollbackComplete => true,
            Self::ReviewInProgress
            | Self::CreateInProgress
            | Self::RollbackInProgress
            | Self::RollbackFailed
            | Self::RollbackComplete
            | Self::DeleteInProgress
            | Self::DeleteFailed
            | Self::DeleteComplete
            | Self::UpdateInProgress
            | Self::UpdateCompleteCleanupInProgress
            | Self::UpdateRollbackInProgress
            | Self::UpdateRollbackFailed
            | Self::UpdateRollbackCompleteCleanupInProgress => false,
        }
    }
}

states! {
    /// Where a resource is in its life. Source: CloudFormation API, `ResourceStatus`.
    ResourceStatus {
        /// It is being created.
        CreateInProgress = "CREATE_IN_PROGRESS",
        /// It could not be created.
        CreateFailed = "CREATE_FAILED",
        /// It is there.
        CreateComplete = "CREATE_COMPLETE",
        /// It is being changed.
        UpdateInProgress = "UPDATE_IN_PROGRESS",
        /// It could not be changed.
        UpdateFailed = "UPDATE_FAILED",
        /// It was changed.
        UpdateComplete = "UPDATE_COMPLETE",
        /// It is being deleted.
        DeleteInProgress = "DELETE_IN_PROGRESS",
        /// It could not be deleted.
        DeleteFailed = "DELETE_FAILED",
        /// It is gone.
        DeleteComplete = "DELETE_COMPLETE",
        /// It stays, although the stack has no use for it any more.
        DeleteSkipped = "DELETE_SKIPPED",
    }
}

states! {
    /// Whether a change set can be used. Source: CloudFormation API, `ChangeSetStatus`.
    ChangeSetStatus {
        /// It can be executed.
        CreateComplete = "CREATE_COMPLETE",
        /// It cannot, and says why.
        Failed = "FAILED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_progress_is_worked_on_but_a_review() {
        for (name, status) in StackStatus::NAMES {
            let works = status.work() != Work::Nothing;
            assert_eq!(works, name.ends_with("IN_PROGRESS") && *status != StackStatus::ReviewInProgress, "{name}");
            assert!(!(works && status.can_be_updated()), "{name}");
        }
    }
}
