//! The errors of CloudFormation as it words them.

use crate::error::AwsError;

/// What CloudFormation answers to nearly everything that it refuses.
pub(crate) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationError", message)
}

pub(super) fn no_stack(name: &str) -> AwsError {
    invalid(format!("Stack with id {name} does not exist"))
}

pub(super) fn no_change_set(name: &str) -> AwsError {
    AwsError::new(404, "ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"))
}

pub(super) fn exists(stack: &str) -> AwsError {
    AwsError::new(400, "AlreadyExistsException", format!("Stack [{stack}] already exists"))
}

pub(super) fn limit(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "LimitExceededException", message)
}
