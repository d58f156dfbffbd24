//! The operations on templates.

use serde_json::{Value as Json, json};

use super::{api::Request, change_set_api, error::invalid, template::Template};
use crate::error::AwsError;

pub(super) fn get(request: &Request<'_>) -> Result<Json, AwsError> {
    let body = match (request.form.get("ChangeSetName"), request.form.get("StackName")) {
        (Some(_), _) => change_set_api::find(request)?.1.plan.body,
        (None, Some(name)) => request.with_stack(name, |stack| stack.plan.body.clone())?,
        (None, None) => return Err(invalid("Either StackName or ChangeSetName must be specified")),
    };
    Ok(json!({"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}))
}

async fn template(request: &Request<'_>) -> Result<Template, AwsError> {
    let body = match (request.body().await?, request.form.get("StackName")) {
        (Some(body), None) => body,
        (None, Some(name)) => request.with_stack(name, |stack| stack.plan.body.clone())?,
        (Some(_), Some(_)) => return Err(invalid("Only one of a template and StackName can be specified.")),
        (None, None) => return Err(invalid("Either Template URL or Template Body must be specified.")),
    };
    Template::parse(&body)
}

/// What both answers say of the template.
fn described(template: &Template) -> Json {
    let mut answer = json!({"Description": template.description});
    if let Some((capability, kinds)) = template.capability() {
        let why = format!("The following resource(s) require capabilities: [{}]", kinds.join(", "));
        answer["Capabilities"] = json!([capability]);
        answer["CapabilitiesReason"] = json!(why);
    }
    answer
}

pub(super) async fn validate(request: &Request<'_>) -> Result<Json, AwsError> {
    let template = template(request).await?;
    let mut answer = described(&template);
    answer["Parameters"] = template
        .parameters
        .iter()
        .map(|(name, p)| {
            json!({
                "ParameterKey": name, "DefaultValue": p.default, "NoEcho": p.no_echo, "Description": p.description,
            })
        })
        .collect();
    Ok(answer)
}

pub(super) async fn summary(request: &Request<'_>) -> Result<Json, AwsError> {
    let template = template(request).await?;
    let mut answer = described(&template);
    answer["Parameters"] = template
        .parameters
        .iter()
        .map(|(name, p)| {
            let constraints = if p.allowed_values.is_empty() {
                json!({})
            } else {
                json!({"AllowedValues": p.allowed_values})
            };
            json!({
                "ParameterKey": name, "DefaultValue": p.default, "ParameterType": p.type_name(),
                "NoEcho": p.no_echo, "Description": p.description, "ParameterConstraints": constraints,
            })
        })
        .collect();
    let kinds: Vec<&str> = template.resources.values().map(|r| r.kind.as_str()).collect();
    answer["ResourceTypes"] = json!(kinds);
    answer["Version"] = json!("2010-09-09");
    answer["Metadata"] = template.metadata.as_ref().map(|m| json!(m.to_string())).unwrap_or_default();
    Ok(answer)
}
