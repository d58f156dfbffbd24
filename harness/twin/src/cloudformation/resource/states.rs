//! `AWS::StepFunctions::StateMachine`.

use serde_json::{Value as Json, json};

use super::{Failure, Job, Made, camel, required, text, typed};
use crate::cloudformation::source;

async fn rpc(job: &Job<'_>, operation: &str, body: &Json) -> Result<Json, Failure> {
    job.client().rpc("states", &format!("AWSStepFunctions.{operation}"), body).await
}

pub(super) async fn create(job: &Job<'_>, properties: &Json) -> Result<Made, Failure> {
    let name = job.name(properties, "StateMachineName", 80);
    let mut request = settings(job, properties).await?;
    request["name"] = json!(name);
    if let Some(kind) = properties.get("StateMachineType") {
        request["type"] = kind.clone();
    }
    let tags = job.tags(&properties["Tags"]);
    // Step Functions takes no tags that begin with `aws:` from callers; AWS sets those itself.
    let tags: Vec<Json> = tags
        .iter()
        .filter(|(key, _)| !key.starts_with("aws:"))
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    request["tags"] = json!(tags);
    let answer = rpc(job, "CreateStateMachine", &request).await?;
    Ok(made(&text(&answer["stateMachineArn"]).unwrap_or_default(), "INITIAL"))
}

fn made(arn: &str, revision: &str) -> Made {
    let name = arn.rsplit(':').next().unwrap_or_default();
    let attributes =
        [("Arn", json!(arn)), ("Name", json!(name)), ("StateMachineRevisionId", json!(revision))];
    Made::new(arn, attributes)
}

/// What both creating and updating say.
async fn settings(job: &Job<'_>, properties: &Json) -> Result<Json, Failure> {
    let mut request = json!({
        "definition": definition(job, properties).await?,
        "roleArn": required(properties, "RoleArn")?,
    });
    for member in ["LoggingConfiguration", "TracingConfiguration"] {
        if let Some(value) = properties.get(member) {
            let value = typed(value.clone(), &["IncludeExecutionData", "Enabled"]);
            request[super::lower_first(member)] = camel(&value, &[]);
        }
    }
    Ok(request)
}

async fn definition(job: &Job<'_>, properties: &Json) -> Result<String, Failure> {
    let location = &properties["DefinitionS3Location"];
    let mut text = if let Some(definition) = properties["DefinitionString"].as_str() {
        definition.to_owned()
    } else if properties["Definition"].is_object() {
        properties["Definition"].to_string()
    } else if location.is_object() {
        let (bucket, key) = (required(location, "Bucket")?, required(location, "Key")?);
        source::object_text(&job.client(), &bucket, &key).await?
    } else {
        return Err(Failure::new(
            "One of DefinitionString, Definition and DefinitionS3Location must be given",
        ));
    };
    for (name, value) in properties["DefinitionSubstitutions"].as_object().into_iter().flatten() {
        let value =
            super::text(value).ok_or_else(|| Failure::new(format!("Substitution {name} is no text")))?;
        text = text.replace(&format!("${{{name}}}"), &value);
    }
    Ok(text)
}

pub(super) async fn update(job: &Job<'_>, id: &str, new: &Json) -> Result<Made, Failure> {
    let mut request = settings(job, new).await?;
    request["stateMachineArn"] = json!(id);
    let answer = rpc(job, "UpdateStateMachine", &request).await?;
    Ok(made(id, &text(&answer["revisionId"]).unwrap_or_default()))
}

pub(super) async fn delete(job: &Job<'_>, id: &str) -> Result<(), Failure> {
    rpc(job, "DeleteStateMachine", &json!({"stateMachineArn": id})).await.map(drop)
}
