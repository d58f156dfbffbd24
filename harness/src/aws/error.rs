//! What an SDK error means to the harness: is the thing simply not there, and what to tell a person.

use aws_sdk_iot::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

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

/// One line for people: AWS's code and message where there are any, the whole chain otherwise.
pub(crate) fn describe<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match error.as_service_error().map(|e| (e.code(), e.message())) {
        Some((Some(code), message)) => format!("{code}: {}", message.unwrap_or_default()),
        _ => DisplayErrorContext(error).to_string(),
    }
}
