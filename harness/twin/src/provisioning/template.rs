//! The body of a template: its parameters with their defaults, its mappings and its resources.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{error::AwsError, registry::invalid};

/// As AWS has it.
const BODY_CHARS_MAX: usize = 10_240;

/// A template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    /// Each parameter's default value, if it has one.
    pub(super) parameters: BTreeMap<String, Option<String>>,
    /// Two levels of names to values.
    pub(super) mappings: Value,
    /// By logical name.
    pub(super) resources: BTreeMap<String, Resource>,
}

/// One resource, not resolved yet.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Resource {
    pub(super) r#type: Kind,
    #[serde(default)]
    pub(super) properties: Map<String, Value>,
    #[serde(default)]
    pub(super) override_settings: BTreeMap<String, String>,
}

/// What a template can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Kind {
    #[serde(rename = "AWS::IoT::Thing")]
    Thing,
    #[serde(rename = "AWS::IoT::Certificate")]
    Certificate,
    #[serde(rename = "AWS::IoT::Policy")]
    Policy,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Body {
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    #[serde(default)]
    mappings: Map<String, Value>,
    resources: BTreeMap<String, Resource>,
    /// What fleet provisioning hands to devices: nothing here asks for it.
    #[serde(default, rename = "DeviceConfiguration")]
    _device_configuration: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    default: Option<String>,
}

impl Template {
    /// Reads a template's body, which is JSON.
    pub(crate) fn parse(body: &str) -> Result<Self, AwsError> {
        if body.chars().count() > BODY_CHARS_MAX {
            return Err(invalid(format!("The template body has more than {BODY_CHARS_MAX} characters")));
        }
        let body: Body = serde_json::from_str(body)
            .map_err(|e| invalid(format!("The provisioning template is not valid: {e}")))?;
        for (kind, name) in [(Kind::Thing, "thing"), (Kind::Certificate, "certificate")] {
            if body.resources.values().filter(|r| r.r#type == kind).count() > 1 {
                return Err(invalid(format!("The provisioning template has more than one {name}")));
            }
        }
        let parameters = body.parameters.into_iter().map(|(name, p)| (name, p.default)).collect();
        Ok(Self { parameters, mappings: body.mappings.into(), resources: body.resources })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_is_read_or_refused_as_a_whole() {
        let thing = json!({"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "N"}}});
        let body =
            json!({"Parameters": {"N": {"Type": "String", "Default": "d"}}, "Resources": {"thing": thing}});
        let template = Template::parse(&body.to_string()).unwrap();
        assert_eq!(template.parameters["N"].as_deref(), Some("d"));
        assert_eq!(template.resources["thing"].r#type, Kind::Thing);
        for wrong in [
            "no json".to_owned(),
            json!({}).to_string(),
            json!({"Resources": {"b": {"Type": "AWS::S3::Bucket"}}}).to_string(),
            json!({"Resources": {"a": thing, "b": thing}}).to_string(),
            json!({"Resources": {}, "Outputs": {}}).to_string(),
            format!("{}{}", body, " ".repeat(BODY_CHARS_MAX)),
        ] {
            assert_eq!(Template::parse(&wrong).unwrap_err().code, "InvalidRequestException", "{wrong}");
        }
    }
}
