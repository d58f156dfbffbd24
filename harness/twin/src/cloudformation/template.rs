//! A template as it was read: its sections, checked as far as they can be without parameters and resources.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::{error::invalid, function, kind, parameter::Declaration, yaml};
use crate::error::AwsError;

const FORMAT: &str = "2010-09-09";
/// The sections that a template may have. `Rules` and `Transform` are AWS's too, and not modelled.
const SECTIONS: [&str; 8] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
];
/// What a resource may have. `CreationPolicy` and `UpdatePolicy` are for types that the twin does not have.
const RESOURCE_MEMBERS: [&str; 7] =
    ["Type", "Properties", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"];
/// AWS's most of each.
const RESOURCES_MAX: usize = 500;
const PARAMETERS_MAX: usize = 200;
const OUTPUTS_MAX: usize = 200;
const MAPPINGS_MAX: usize = 200;
const DESCRIPTION_BYTES_MAX: usize = 1_024;

/// What becomes of a resource that the stack no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Removal {
    #[default]
    Delete,
    Retain,
    /// Kept, but not if the stack that made it is rolled back.
    RetainExceptOnCreate,
}

/// A resource as the template has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Declared {
    pub(crate) kind: String,
    /// With its functions.
    pub(crate) properties: Json,
    pub(crate) condition: Option<String>,
    pub(crate) depends_on: Vec<String>,
    pub(crate) deletion: Removal,
    pub(crate) replacement: Removal,
    pub(crate) metadata: Json,
}

/// An output as the template has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeclaredOutput {
    pub(crate) value: Json,
    pub(crate) description: Option<String>,
    pub(crate) export: Option<Json>,
    pub(crate) condition: Option<String>,
}

/// A template that is well formed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Template {
    pub(crate) description: Option<String>,
    pub(crate) metadata: Option<Json>,
    pub(crate) parameters: BTreeMap<String, Declaration>,
    pub(crate) mappings: Map<String, Json>,
    pub(crate) conditions: Map<String, Json>,
    pub(crate) resources: BTreeMap<String, Declared>,
    pub(crate) outputs: BTreeMap<String, DeclaredOutput>,
}

impl Template {
    /// Reads and checks a template.
    pub(crate) fn parse(text: &str) -> Result<Self, AwsError> {
        let json = yaml::read(text)?;
        let unknown: Vec<&str> = json
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str)
            .filter(|key| !SECTIONS.contains(key))
            .collect();
        if !unknown.is_empty() {
            let message = format!("Invalid template property or properties [{}]", unknown.join(", "));
            return Err(invalid(message));
        }
        let version = &json["AWSTemplateFormatVersion"];
        if !version.is_null() && *version != FORMAT {
            let version = function::text(version).unwrap_or_default();
            return Err(invalid(format!(
                "Template format error: {version} is not a supported value for AWSTemplateFormatVersion."
            )));
        }
        let description = json["Description"].as_str().map(str::to_owned);
        if description.as_ref().is_some_and(|d| d.len() > DESCRIPTION_BYTES_MAX) {
            return Err(invalid("Template format error: 'Description' length is greater than 1024."));
        }
        let template = Self {
            description,
            metadata: Some(json["Metadata"].clone()).filter(|m| !m.is_null()),
            parameters: section(&json, "Parameters", PARAMETERS_MAX)?
                .iter()
                .map(|(name, json)| Ok((name.clone(), Declaration::parse(name, json)?)))
                .collect::<Result<_, AwsError>>()?,
            mappings: section(&json, "Mappings", MAPPINGS_MAX)?,
            conditions: section(&json, "Conditions", usize::MAX)?,
            resources: section(&json, "Resources", RESOURCES_MAX)?
                .iter()
                .map(|(name, json)| Ok((name.clone(), declared(name, json)?)))
                .collect::<Result<_, AwsError>>()?,
            outputs: section(&json, "Outputs", OUTPUTS_MAX)?
                .iter()
                .map(|(name, json)| Ok((name.clone(), output(name, json)?)))
                .collect::<Result<_, AwsError>>()?,
        };
        if template.resources.is_empty() {
            return Err(invalid("Template format error: At least one Resources member must be defined."));
        }
        template.check_references()?;
        Ok(template)
    }

    /// Refuses names that stand for nothing.
    fn check_references(&self) -> Result<(), AwsError> {
        for (what, condition) in self
            .resources
            .iter()
            .filter_map(|(name, r)| Some((name, r.condition.as_ref()?)))
            .chain(self.outputs.iter().filter_map(|(name, o)| Some((name, o.condition.as_ref()?))))
        {
            if !self.conditions.contains_key(condition) {
                return Err(invalid(format!(
                    "Template format error: Unresolved condition {condition} of {what}"
                )));
            }
        }
        let resources = self.resources.values().map(|r| &r.properties);
        let wanted = self.resources.values().flat_map(|r| r.depends_on.iter().map(String::as_str));
        self.check_block("Resources", resources, wanted.collect())?;
        let outputs = self.outputs.values().flat_map(|o| std::iter::once(&o.value).chain(o.export.as_ref()));
        self.check_block("Outputs", outputs, Vec::new())?;
        for value in self.conditions.values() {
            let mut found = function::References::default();
            found.collect(value);
            let known = |name: &&str| !self.parameters.contains_key(*name) && !function::is_pseudo(name);
            if let Some(name) = found.names.iter().map(String::as_str).find(known) {
                return Err(invalid(format!(
                    "Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the \
                     Conditions block of the template"
                )));
            }
        }
        Ok(())
    }

    fn check_block<'a>(
        &'a self,
        block: &str,
        values: impl Iterator<Item = &'a Json>,
        depends_on: Vec<&'a str>,
    ) -> Result<(), AwsError> {
        let mut found = function::References::default();
        values.for_each(|value| found.collect(value));
        let is_known = |name: &str| self.parameters.contains_key(name) || function::is_pseudo(name);
        let mut missing: BTreeSet<&str> =
            found.names.iter().map(String::as_str).filter(|name| !is_known(name)).collect();
        missing.extend(depends_on);
        missing.retain(|name| !self.resources.contains_key(*name));
        if !missing.is_empty() {
            let names: Vec<&str> = missing.into_iter().collect();
            return Err(invalid(format!(
                "Template format error: Unresolved resource dependencies [{}] in the {block} block of the template",
                names.join(", ")
            )));
        }
        for (name, attribute) in &found.attributes {
            let Some(resource) = self.resources.get(name) else {
                return Err(invalid(format!(
                    "Template error: instance of Fn::GetAtt references undefined resource {name}"
                )));
            };
            if kind::find(&resource.kind).is_some_and(|kind| !kind.has_attribute(attribute)) {
                return Err(invalid(format!(
                    "Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"
                )));
            }
        }
        Ok(())
    }

    /// Refuses types that the twin does not have.
    pub(crate) fn check_types(&self) -> Result<(), AwsError> {
        let unknown: BTreeSet<&str> = self
            .resources
            .values()
            .map(|r| r.kind.as_str())
            .filter(|kind| kind::find(kind).is_none())
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = unknown.into_iter().collect();
        Err(invalid(format!("Template format error: Unrecognized resource types: [{}]", names.join(", "))))
    }

    /// The capability that the template needs, and the types that need it.
    pub(crate) fn capability(&self) -> Option<(&'static str, Vec<&str>)> {
        let iam: Vec<&Declared> =
            self.resources.values().filter(|r| r.kind.starts_with("AWS::IAM::")).collect();
        let is_named = |r: &&Declared| {
            ["RoleName", "ManagedPolicyName"].iter().any(|name| r.properties.get(name).is_some())
        };
        let kinds: BTreeSet<&str> = iam.iter().map(|r| r.kind.as_str()).collect();
        let kinds: Vec<&str> = kinds.into_iter().collect();
        match iam.iter().any(is_named) {
            _ if iam.is_empty() => None,
            true => Some(("CAPABILITY_NAMED_IAM", kinds)),
            false => Some(("CAPABILITY_IAM", kinds)),
        }
    }

    pub(crate) fn check_capabilities(&self, given: &[String]) -> Result<(), AwsError> {
        let Some((needed, _)) = self.capability() else { return Ok(()) };
        let is_enough = |c: &String| c == "CAPABILITY_NAMED_IAM" || c == needed;
        if given.iter().any(is_enough) {
            return Ok(());
        }
        let message = format!("Requires capabilities : [{needed}]");
        Err(AwsError::new(400, "InsufficientCapabilitiesException", message))
    }
}

fn section(json: &Json, name: &str, members_max: usize) -> Result<Map<String, Json>, AwsError> {
    let map = match &json[name] {
        Json::Null => Map::new(),
        Json::Object(map) => map.clone(),
        _ => return Err(invalid(format!("Template format error: {name} is not a map."))),
    };
    if map.len() > members_max {
        let found = map.len();
        return Err(invalid(format!(
            "Template format error: Number of {}, {found}, is greater than maximum allowed, {members_max}",
            name.to_lowercase()
        )));
    }
    let is_name = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric());
    if ["Parameters", "Resources", "Outputs"].contains(&name)
        && let Some(key) = map.keys().find(|key| !is_name(key))
    {
        return Err(invalid(format!("Template format error: {name} name {key} is non alphanumeric.")));
    }
    Ok(map)
}

fn declared(name: &str, json: &Json) -> Result<Declared, AwsError> {
    let kind = json["Type"].as_str().filter(|kind| !kind.is_empty());
    let kind = kind.ok_or_else(|| {
        invalid(format!(
            "Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
        ))
    })?;
    if let Some(member) =
        json.as_object().into_iter().flat_map(Map::keys).find(|k| !RESOURCE_MEMBERS.contains(&k.as_str()))
    {
        return Err(invalid(format!("Invalid template resource property '{member}'")));
    }
    let depends_on = match &json["DependsOn"] {
        Json::Null => Vec::new(),
        Json::String(one) => vec![one.clone()],
        Json::Array(list) if list.iter().all(Json::is_string) => {
            list.iter().filter_map(Json::as_str).map(str::to_owned).collect()
        }
        _ => return Err(invalid("Template format error: DependsOn must be a string or list of strings.")),
    };
    let properties = match &json["Properties"] {
        Json::Null => Json::Object(Map::new()),
        Json::Object(map) => Json::Object(map.clone()),
        _ => return Err(invalid(format!("Template format error: Properties of {name} must be a map"))),
    };
    let deletion = removal(name, "DeletionPolicy", &json["DeletionPolicy"])?;
    Ok(Declared {
        kind: kind.to_owned(),
        properties,
        condition: json["Condition"].as_str().map(str::to_owned),
        depends_on,
        deletion,
        replacement: removal(name, "UpdateReplacePolicy", &json["UpdateReplacePolicy"])?,
        metadata: json["Metadata"].clone(),
    })
}

fn removal(resource: &str, member: &str, json: &Json) -> Result<Removal, AwsError> {
    match json.as_str() {
        None if json.is_null() => Ok(Removal::Delete),
        Some("Delete") => Ok(Removal::Delete),
        Some("Retain") => Ok(Removal::Retain),
        Some("RetainExceptOnCreate") if member == "DeletionPolicy" => Ok(Removal::RetainExceptOnCreate),
        _ => Err(invalid(format!("Template error: Unrecognized {member} {json} for resource {resource}"))),
    }
}

fn output(name: &str, json: &Json) -> Result<DeclaredOutput, AwsError> {
    let value = json.get("Value").filter(|v| !v.is_null());
    let value = value.ok_or_else(|| {
        invalid(format!(
            "Template format error: [/Outputs/{name}] Every Outputs member must contain a Value object"
        ))
    })?;
    Ok(DeclaredOutput {
        value: value.clone(),
        description: json["Description"].as_str().map(str::to_owned),
        export: json["Export"].get("Name").cloned(),
        condition: json["Condition"].as_str().map(str::to_owned),
    })
}

#[cfg(test)]
mod tests;
