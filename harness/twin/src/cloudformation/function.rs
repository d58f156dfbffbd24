//! Intrinsic functions: what they refer to, and what they come to in a stack.

mod condition;
mod reference;

use std::{cell::RefCell, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value as Json, json};

use self::reference::{attribute, call, parts, sub_arguments};
pub(crate) use self::{condition::Conditions, reference::References};
use super::{error::invalid, template::Template};
use crate::error::AwsError;

const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

pub(crate) fn is_pseudo(name: &str) -> bool {
    PSEUDO.contains(&name)
}

/// A scalar as text.
pub(crate) fn text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A resource as others see it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Known {
    /// What `Ref` comes to.
    pub(crate) id: String,
    pub(crate) attributes: Map<String, Json>,
}

/// What functions come to in one stack.
#[derive(Debug, Clone)]
pub(crate) struct Scope<'a> {
    pub(crate) template: &'a Template,
    pub(crate) parameters: &'a BTreeMap<String, String>,
    pub(crate) pseudo: &'a BTreeMap<&'static str, Json>,
    /// Names and values of the Region's exports.
    pub(crate) exports: &'a BTreeMap<String, String>,
    pub(crate) resources: BTreeMap<String, Known>,
    pub(crate) conditions: RefCell<Conditions>,
}

impl Scope<'_> {
    /// The value with its functions worked out. Members that come to `AWS::NoValue` are left out; none if it is one.
    pub(crate) fn resolve(&self, value: &Json) -> Result<Option<Json>, AwsError> {
        if let Some((name, argument)) = call(value) {
            return self.apply(name, argument);
        }
        Ok(Some(match value {
            Json::Array(list) => {
                let list: Result<Vec<_>, _> = list.iter().map(|v| self.resolve(v)).collect();
                Json::Array(list?.into_iter().flatten().collect())
            }
            Json::Object(map) => {
                let mut resolved = Map::new();
                for (key, value) in map {
                    if let Some(value) = self.resolve(value)? {
                        resolved.insert(key.clone(), value);
                    }
                }
                Json::Object(resolved)
            }
            other => other.clone(),
        }))
    }

    fn some(&self, value: &Json) -> Result<Json, AwsError> {
        Ok(self.resolve(value)?.unwrap_or(Json::Null))
    }

    /// A value that is to be text.
    pub(crate) fn string(&self, value: &Json, of: &str) -> Result<String, AwsError> {
        text(&self.some(value)?).ok_or_else(|| {
            invalid(format!("Template error: {of} must be a string or a function that returns a string"))
        })
    }

    fn apply(&self, name: &str, argument: &Json) -> Result<Option<Json>, AwsError> {
        Ok(Some(match name {
            "Ref" => {
                let name = argument.as_str().unwrap_or_default();
                if name == "AWS::NoValue" {
                    return Ok(None);
                }
                self.reference(name)?
            }
            "Fn::GetAtt" => {
                let (resource, attribute) = attribute(argument).ok_or_else(|| {
                    invalid(
                        "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name \
                         and the resource attribute",
                    )
                })?;
                let attribute = self.string(&attribute, "the attribute of Fn::GetAtt")?;
                self.attribute(&resource, &attribute)?
            }
            "Fn::Sub" => json!(self.substitute(argument)?),
            "Fn::Join" => {
                let wrong = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and \
                             (2) a list of strings to be joined or a function that returns a list of strings (such as \
                             Fn::GetAZs) to be joined.";
                let (delimiter, list) = pair(argument).ok_or_else(|| invalid(wrong))?;
                let delimiter = delimiter.as_str().ok_or_else(|| invalid(wrong))?;
                let list = self.list(list)?.ok_or_else(|| invalid(wrong))?;
                let texts: Option<Vec<String>> = list.iter().map(text).collect();
                json!(texts.ok_or_else(|| invalid(wrong))?.join(delimiter))
            }
            "Fn::Select" => self.select(argument)?,
            "Fn::Split" => {
                let wrong = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter \
                             and (2) a string to be split or a function that returns a string to be split.";
                let (delimiter, source) = pair(argument).ok_or_else(|| invalid(wrong))?;
                let delimiter = delimiter.as_str().filter(|d| !d.is_empty()).ok_or_else(|| invalid(wrong))?;
                self.string(source, "Fn::Split's source")?.split(delimiter).collect()
            }
            "Fn::If" => match argument.as_array().map(Vec::as_slice) {
                Some([condition, yes, no]) => {
                    let name = condition.as_str().unwrap_or_default();
                    return self.resolve(if self.condition(name)? { yes } else { no });
                }
                _ => {
                    return Err(invalid(
                        "Template error: Fn::If requires a list argument with three elements",
                    ));
                }
            },
            "Condition" | "Fn::And" | "Fn::Or" | "Fn::Not" | "Fn::Equals" => {
                json!(self.truth(&json!({ name: argument }), 0)?)
            }
            "Fn::FindInMap" => self.find_in_map(argument)?,
            "Fn::ImportValue" => {
                let name = self.string(argument, "the name of an import")?;
                let value = self.exports.get(&name);
                json!(value.ok_or_else(|| invalid(format!("No export named {name} found")))?)
            }
            "Fn::Base64" => json!(STANDARD.encode(self.string(argument, "the argument of Fn::Base64")?)),
            "Fn::Length" => {
                let list = self.list(argument)?;
                json!(list.ok_or_else(|| invalid("Template error: Fn::Length requires a list"))?.len())
            }
            "Fn::ToJsonString" => json!(self.some(argument)?.to_string()),
            other => {
                return Err(invalid(format!("Template error: the twin does not have the function {other}")));
            }
        }))
    }

    fn reference(&self, name: &str) -> Result<Json, AwsError> {
        if let Some(value) = self.pseudo.get(name) {
            return Ok(value.clone());
        }
        if let (Some(value), Some(declared)) = (self.parameters.get(name), self.template.parameters.get(name))
        {
            return Ok(declared.value(value));
        }
        self.known(name).map(|known| json!(known.id))
    }

    fn known(&self, name: &str) -> Result<&Known, AwsError> {
        self.resources.get(name).ok_or_else(|| {
            invalid(format!(
                "Template format error: Unresolved resource dependencies [{name}] in the Resources block of the \
                 template"
            ))
        })
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<Json, AwsError> {
        let known = self.known(resource)?;
        known
            .attributes
            .get(attribute)
            .cloned()
            .ok_or_else(|| invalid(format!("Attribute '{attribute}' does not exist of resource {resource}")))
    }

    fn substitute(&self, argument: &Json) -> Result<String, AwsError> {
        let wrong = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify \
                     a string as first argument, and an optional second argument to specify a mapping of values to \
                     replace in the string";
        let (template, variables) = sub_arguments(argument);
        let is_right = argument.is_string()
            || (argument.as_array().is_some_and(|l| l.len() == 2) && variables.is_some());
        if !is_right {
            return Err(invalid(wrong));
        }
        let mut out = String::new();
        for part in parts(template) {
            let name = match part {
                Ok(text) => {
                    out.push_str(&text);
                    continue;
                }
                Err(name) => name,
            };
            let value = if let Some(value) = variables.and_then(|v| v.get(&name)) {
                self.some(value)?
            } else if let Some((resource, attribute)) = name.split_once('.') {
                self.attribute(resource, attribute)?
            } else {
                self.reference(&name)?
            };
            let value = text(&value).ok_or_else(|| invalid(wrong))?;
            out.push_str(&value);
        }
        Ok(out)
    }

    /// A list, or a function that comes to one.
    fn list(&self, value: &Json) -> Result<Option<Vec<Json>>, AwsError> {
        match self.some(value)? {
            Json::Array(list) => Ok(Some(list)),
            _ => Ok(None),
        }
    }

    fn select(&self, argument: &Json) -> Result<Json, AwsError> {
        let wrong = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list";
        let (index, list) = pair(argument).ok_or_else(|| invalid(wrong))?;
        let index = self.string(index, "the index of Fn::Select")?;
        let index: usize = index.parse().map_err(|_| invalid(wrong))?;
        let list = self.list(list)?.ok_or_else(|| invalid(wrong))?;
        list.get(index).cloned().ok_or_else(|| {
            invalid(format!("Template error: Fn::Select cannot select nonexistent value at index {index}"))
        })
    }

    fn find_in_map(&self, argument: &Json) -> Result<Json, AwsError> {
        let Some([map, first, second]) = argument.as_array().map(Vec::as_slice) else {
            return Err(invalid(
                "Template error: every Fn::FindInMap object requires three parameters, the map name, map \
                                key and the attribute for return value",
            ));
        };
        let of = "a parameter of Fn::FindInMap";
        let (map, first, second) = (self.string(map, of)?, self.string(first, of)?, self.string(second, of)?);
        let found = self.template.mappings.get(&map).and_then(|m| m.get(&first)).and_then(|m| m.get(&second));
        found.cloned().ok_or_else(|| {
            invalid(format!("Template error: Unable to get mapping for {map}::{first}::{second}"))
        })
    }
}

fn pair(argument: &Json) -> Option<(&Json, &Json)> {
    match argument.as_array()?.as_slice() {
        [first, second] => Some((first, second)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
