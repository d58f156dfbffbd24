//! The one error of the twin's services: what AWS would answer. The protocol layer decides how it looks on the wire.

use std::fmt;

/// An AWS error: HTTP status, code and message, and members that some errors carry besides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AwsError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// Further members of the error body, for example `resourceArn`.
    pub(crate) members: Vec<(&'static str, String)>,
}

impl AwsError {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), members: Vec::new() }
    }

    pub(crate) fn with(mut self, member: &'static str, value: impl Into<String>) -> Self {
        self.members.push((member, value.into()));
        self
    }

    /// IoT's answer to a call above its quota, and that of most services.
    pub(crate) fn throttled() -> Self {
        Self::new(400, "ThrottlingException", "Rate exceeded")
    }

    /// IoT's answer to an operation or path that it does not have.
    pub(crate) fn unknown_operation(what: &str) -> Self {
        Self::new(404, "UnknownOperationException", format!("The twin does not have the operation {what}"))
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.status, self.message)
    }
}

impl std::error::Error for AwsError {}
