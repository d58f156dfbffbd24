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
                let said = |said: Option<&str>| said.unwrap_or_default().to_owned();
                let answer = error.as_service_error();
                let (code, message) = answer
                    .map_or_else(Default::default, |answer| (said(answer.code()), said(answer.message())));
                let missing = code.contains("NotFound") || code.starts_with("NoSuch");
                if missing {
                    return Ok(None);
                }
                let error = anyhow::anyhow!(describe(&error));
                Err(if holds(&code, &message) { error.context(Held) } else { error })
            }
        }
    }
}

/// That something cannot be deleted yet: AWS lets go what was detached only after a while.
#[derive(Debug, thiserror::Error)]
#[error("it is held")]
pub(crate) struct Held;

/// Whether something could not be deleted yet.
pub(crate) fn is_held(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Held>().is_some()
}

fn holds(code: &str, message: &str) -> bool {
    match code {
        "DeleteConflictException" | "CertificateStateException" => true,
        // Of a thing, of which there is no code of its own.
        "InvalidRequestException" => message.contains("attached"),
        _ => false,
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

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_attached_is_held_and_what_is_not_there_is_missing() {
        let site = crate::pool::site::Site::start().await;
        let iot = &site.aws.primary.iot;
        let delete = async || iot.delete_thing().thing_name("lamp").send().await.missing_ok();
        assert!(delete().await.is_ok());
        let key = crate::identity::KeyKind::P256.generate().unwrap();
        let pem = crate::identity::named("lamp").unwrap().self_signed(&key).unwrap().pem();
        site.bring(&site.aws.primary, "lamp", None, &pem).await;
        let error = anyhow::Context::context(delete().await, "a step").unwrap_err();
        assert!(is_held(&error), "{error:#}");
        let refused = site.refuse("DeleteThing");
        let error = delete().await.unwrap_err();
        assert!(!is_held(&error), "{error:#}");
        drop(refused);
    }
}
