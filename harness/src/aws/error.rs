//! What an SDK error means to the harness: is the thing simply not there, and what to tell a person.

use std::error::Error;

use aws_sdk_iot::error::{ProvideErrorMetadata, SdkError};

/// A result in which "not there" counts as done, for deletions.
pub(crate) trait Missing<T> {
    /// `Ok(None)` when the thing is not there.
    fn missing_ok(self) -> anyhow::Result<Option<T>>;
}

impl<T, E, R> Missing<T> for Result<T, SdkError<E, R>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    fn missing_ok(self) -> anyhow::Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
                let missing = code.contains("NotFound") || code.starts_with("NoSuch");
                if missing { Ok(None) } else { Err(anyhow::anyhow!(describe(&error))) }
            }
        }
    }
}

/// One line for people: AWS's code and message where there are any, otherwise what went wrong beneath.
pub(crate) fn describe<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match error.as_service_error().map(|e| (e.code(), e.message())) {
        Some((Some(code), message)) => format!("{code}: {}", message.unwrap_or_default()),
        _ => chain(error),
    }
}

/// An error and its causes.
fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some say their cause themselves.
        if !said.ends_with(&next) {
            said = format!("{said}: {next}");
        }
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use aws_sdk_iot::operation::describe_endpoint::DescribeEndpointError;

    use super::*;

    #[test]
    fn an_error_that_aws_did_not_send_says_its_causes_and_no_more() {
        let error: SdkError<DescribeEndpointError, ()> =
            SdkError::timeout_error(anyhow::anyhow!("no answer").context("a call"));
        assert_eq!(describe(&error), "request has timed out: a call: no answer");
    }
}
