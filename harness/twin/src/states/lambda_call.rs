//! A task's call of a function, and what Step Functions calls the errors that come of it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value as Json;

use super::{history::Failure, retry::RUNTIME};
use crate::{error::AwsError, lambda::InvokeOutput, world::World};

/// An error of which Lambda says nothing that Step Functions knows.
const UNKNOWN: &str = "Lambda.Unknown";
/// Error types that Lambda makes, not the function: Step Functions' name for them is `Lambda.Unknown`. The function's
/// own time-out is among them: to Step Functions it is no `States.Timeout`, which is the task's.
const OF_LAMBDA: [&str; 4] =
    ["Runtime.ExitError", "Runtime.InvalidEntrypoint", "Runtime.Unavailable", "Sandbox.Timedout"];

/// Calls a function, by name or ARN, and waits for its answer.
pub(crate) async fn call(
    world: &Arc<World>,
    region: &str,
    function: &str,
    payload: &Json,
) -> Result<Json, Failure> {
    if let Some(other) = other_region(function, region) {
        let why = format!("Functions from '{other}' are not reachable in this region ('{region}')");
        return Err(refused(&AwsError::new(404, "ResourceNotFoundException", why)));
    }
    let payload = Bytes::from(payload.to_string());
    match world.lambda.invoke(world, region, function, payload).await {
        Ok(output) => answer(&output),
        Err(error) => Err(refused(&error)),
    }
}

/// The Region of an ARN, if it is another one.
fn other_region<'a>(function: &'a str, region: &str) -> Option<&'a str> {
    let mut parts = function.split(':');
    (parts.next() == Some("arn")).then(|| parts.nth(2)).flatten().filter(|r| *r != region)
}

/// Lambda has not run the function: throttled, not there, or out of order.
fn refused(error: &AwsError) -> Failure {
    let cause = format!(
        "{} (Service: AWSLambda; Status Code: {}; Error Code: {})",
        error.message, error.status, error.code
    );
    Failure::new(&format!("Lambda.{}", error.code), cause)
}

fn answer(output: &InvokeOutput) -> Result<Json, Failure> {
    let text = String::from_utf8_lossy(&output.payload);
    let payload = serde_json::from_str::<Json>(&text);
    if output.function_error.is_none() {
        return payload.map_err(|e| Failure::new(RUNTIME, format!("The function's answer is not JSON: {e}")));
    }
    let kind = payload.ok().and_then(|p| p["errorType"].as_str().map(str::to_owned));
    if let Some(kind) = kind.filter(|kind| !kind.is_empty() && !OF_LAMBDA.contains(&kind.as_str())) {
        return Err(Failure::new(&kind, text));
    }
    let why = "The cause could not be determined because Lambda did not return an error type.";
    Err(Failure::new(UNKNOWN, format!("{why} Returned payload: {text}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error_of(payload: &'static str) -> Failure {
        let output = InvokeOutput {
            payload: Bytes::from_static(payload.as_bytes()),
            function_error: Some("Unhandled".to_owned()),
        };
        answer(&output).unwrap_err()
    }

    #[test]
    fn errors_have_the_names_that_retriers_know() {
        for (payload, name) in [
            (r#"{"errorType":"ThingCrudException","errorMessage":"no"}"#, "ThingCrudException"),
            (r#"{"errorType":"Runtime.ExitError","errorMessage":"x"}"#, "Lambda.Unknown"),
            (r#"{"errorType":"Sandbox.Timedout","errorMessage":"x"}"#, "Lambda.Unknown"),
            (r#"{"errorMessage":"x"}"#, "Lambda.Unknown"),
            ("gibberish", "Lambda.Unknown"),
        ] {
            assert_eq!(error_of(payload).name(), name, "{payload}");
        }
        let cause = error_of(r#"{"errorType":"Mine","errorMessage":"no"}"#).cause.unwrap();
        assert_eq!(cause, r#"{"errorType":"Mine","errorMessage":"no"}"#);
        for (status, code, name) in [
            (429, "TooManyRequestsException", "Lambda.TooManyRequestsException"),
            (503, "ServiceException", "Lambda.ServiceException"),
            (404, "ResourceNotFoundException", "Lambda.ResourceNotFoundException"),
        ] {
            assert_eq!(refused(&AwsError::new(status, code, "")).name(), name);
        }
    }

    #[test]
    fn an_answer_is_json() {
        let output = |payload| InvokeOutput { payload: Bytes::from_static(payload), function_error: None };
        assert_eq!(answer(&output(b"{\"a\":1}")), Ok(json!({"a": 1})));
        assert_eq!(answer(&output(b"no")).unwrap_err().name(), RUNTIME);
    }

    #[test]
    fn a_function_of_another_region_is_out_of_reach() {
        let arn = "arn:aws:lambda:us-west-2:123456789012:function:f";
        assert_eq!(other_region(arn, "us-east-1"), Some("us-west-2"));
        assert_eq!(other_region(arn, "us-west-2"), None);
        assert_eq!(other_region("f:$LATEST", "us-west-2"), None);
    }
}
