//! How data goes through a state: `InputPath`, `Parameters`, `ResultSelector`, `ResultPath`, and the failures of each.

use serde_json::{Value as Json, json};

use super::Run;
use crate::states::{
    execution::{DATA_BYTES_MAX, DATA_DEPTH_MAX, Visit},
    history::Failure,
    machine::Selection,
    path::{Path, Reference, Scope},
    retry::{DATA_LIMIT, RUNTIME, SECONDS_MAX},
    template::Template,
};

impl Run<'_> {
    /// What `InputPath` or `OutputPath` leaves of a value.
    pub(super) fn select(&self, selection: &Selection, visit: &Visit, value: &Json) -> Result<Json, Failure> {
        match selection {
            Selection::Whole => Ok(value.clone()),
            Selection::Nothing => Ok(json!({})),
            Selection::Path(path) => self.read(path, visit, value),
        }
    }

    /// What stands at a path.
    pub(super) fn read(&self, path: &Path, visit: &Visit, input: &Json) -> Result<Json, Failure> {
        let context = self.execution.context();
        path.read(Scope { input, context: &context }).ok_or_else(|| {
            failure(visit, RUNTIME, &format!("Invalid path '{path}' : No results for path: {path}"))
        })
    }

    /// `Parameters` or `ResultSelector` filled in; the value itself where there is no such field.
    pub(super) fn fill(
        &self,
        template: Option<&Template>,
        visit: &Visit,
        value: Json,
    ) -> Result<Json, Failure> {
        let Some(template) = template else { return Ok(value) };
        let context = self.execution.context();
        template.fill(Scope { input: &value, context: &context }).map_err(|missing| {
            let why = format!(
                "The JSONPath '{}' specified for the field '{}' could not be found in the input '{value}'",
                missing.path, missing.field
            );
            failure(visit, "States.ParameterPathFailure", &why)
        })
    }
}

/// A failure of the state itself, in AWS's words.
pub(super) fn failure(visit: &Visit, error: &str, why: &str) -> Failure {
    let (name, event) = (&visit.name, visit.event);
    let cause = format!(
        "An error occurred while executing the state '{name}' (entered at the event id #{event}). {why}"
    );
    Failure::new(error, cause)
}

/// `ResultPath`: the state's input with the result put into it.
pub(super) fn place(visit: &Visit, path: Option<&Reference>, result: Json) -> Result<Json, Failure> {
    let Some(path) = path else { return Ok(visit.input.clone()) };
    path.write(visit.input.clone(), result).map_err(|()| {
        let why = format!("Unable to apply step to input: no result can be put at '{path}'");
        failure(visit, "States.ResultPathMatchFailure", &why)
    })
}

pub(super) fn too_large(whose: &str) -> Failure {
    let cause = format!(
        "The state/task '{whose}' returned a result with a size exceeding the maximum number of bytes service limit."
    );
    Failure::new(DATA_LIMIT, cause)
}

pub(super) fn too_deep(whose: &str) -> Failure {
    let cause =
        format!("The state/task '{whose}' returned a result that nests deeper than {DATA_DEPTH_MAX} levels.");
    Failure::new(DATA_LIMIT, cause)
}

pub(super) fn within_limit(whose: &str, result: Json) -> Result<Json, Failure> {
    if result.to_string().len() > DATA_BYTES_MAX { Err(too_large(whose)) } else { Ok(result) }
}

/// A number of seconds, as a path may give it.
pub(super) fn seconds(value: &Json) -> Option<i64> {
    value.as_i64().filter(|seconds| (0..=SECONDS_MAX).contains(seconds))
}

/// The function and the payload of `lambda:invoke`.
pub(super) fn invocation(visit: &Visit, mut parameters: Json) -> Result<(String, Json), Failure> {
    let function = parameters["FunctionName"].as_str().map(str::to_owned);
    let function =
        function.ok_or_else(|| failure(visit, RUNTIME, "The parameter FunctionName is not a string"))?;
    let payload = parameters.as_object_mut().and_then(|p| p.remove("Payload")).unwrap_or_else(|| json!({}));
    Ok((function, payload))
}

/// A function's answer as `lambda:invoke` gives it.
pub(super) fn wrapped(payload: &Json) -> Json {
    json!({
        "ExecutedVersion": "$LATEST",
        "Payload": payload,
        "SdkHttpMetadata": {"HttpStatusCode": 200},
        "StatusCode": 200,
    })
}
