//! Parameters: how a template declares them, and the values that a call gives them.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Value as Json, json};

use super::{error::invalid, function::text};
use crate::error::AwsError;

/// AWS's longest value.
const VALUE_BYTES_MAX: usize = 4_096;
/// What is shown of a value with `NoEcho`.
pub(crate) const HIDDEN: &str = "****";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    String,
    Number,
    Numbers,
    List,
}

/// A parameter as the template declares it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Declaration {
    kind: Type,
    pub(crate) default: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) no_echo: bool,
    pub(crate) allowed_values: Vec<String>,
    allowed_pattern: Option<String>,
    constraint_description: Option<String>,
    length_min: Option<f64>,
    length_max: Option<f64>,
    value_min: Option<f64>,
    value_max: Option<f64>,
}

impl Declaration {
    pub(crate) fn parse(name: &str, json: &Json) -> Result<Self, AwsError> {
        let kind = match json["Type"].as_str() {
            Some("String") => Type::String,
            Some("Number") => Type::Number,
            Some("List<Number>") => Type::Numbers,
            Some("CommaDelimitedList") => Type::List,
            Some(other) => {
                return Err(invalid(format!("Template format error: Unrecognized parameter type: {other}")));
            }
            None => {
                return Err(invalid(format!(
                    "Template format error: Every Parameters object must contain a Type member. (parameter {name})"
                )));
            }
        };
        let string = |member: &str| text(&json[member]);
        let number = |member: &str| string(member).and_then(|s| s.parse::<f64>().ok());
        let declaration = Self {
            kind,
            default: string("Default"),
            description: string("Description"),
            no_echo: string("NoEcho").is_some_and(|s| s.eq_ignore_ascii_case("true")),
            allowed_values: json["AllowedValues"].as_array().into_iter().flatten().filter_map(text).collect(),
            allowed_pattern: string("AllowedPattern"),
            constraint_description: string("ConstraintDescription"),
            length_min: number("MinLength"),
            length_max: number("MaxLength"),
            value_min: number("MinValue"),
            value_max: number("MaxValue"),
        };
        declaration.pattern()?;
        if let Some(default) = &declaration.default {
            declaration.check(name, default)?;
        }
        Ok(declaration)
    }

    /// AWS's name of the type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.kind {
            Type::String => "String",
            Type::Number => "Number",
            Type::Numbers => "List<Number>",
            Type::List => "CommaDelimitedList",
        }
    }

    fn pattern(&self) -> Result<Option<Regex>, AwsError> {
        let Some(pattern) = &self.allowed_pattern else { return Ok(None) };
        Regex::new(&format!("^(?:{pattern})$"))
            .map(Some)
            .map_err(|e| invalid(format!("Template format error: AllowedPattern {pattern}: {e}")))
    }

    /// Refuses a value that the declaration does not allow.
    fn check(&self, name: &str, value: &str) -> Result<(), AwsError> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(invalid(format!(
                "Parameter '{name}' must not be longer than {VALUE_BYTES_MAX} bytes"
            )));
        }
        let items: Vec<&str> = match self.kind {
            Type::String | Type::Number => vec![value],
            Type::Numbers | Type::List => value.split(',').map(str::trim).collect(),
        };
        for item in items {
            if let Err(why) = self.check_item(item) {
                let why = self.constraint_description.as_ref().map_or_else(
                    || format!("Parameter '{name}' {why}"),
                    |said| format!("Parameter {name} failed to satisfy constraint: {said}"),
                );
                return Err(invalid(why));
            }
        }
        Ok(())
    }

    fn check_item(&self, value: &str) -> Result<(), String> {
        if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|v| v == value) {
            return Err("must be one of AllowedValues".to_owned());
        }
        if matches!(self.kind, Type::Number | Type::Numbers) {
            let number: f64 = value.parse().map_err(|_| "must be a number".to_owned())?;
            if let Some(min) = self.value_min.filter(|min| number < *min) {
                return Err(format!("must be a number not less than {min}"));
            }
            if let Some(max) = self.value_max.filter(|max| number > *max) {
                return Err(format!("must be a number not greater than {max}"));
            }
            return Ok(());
        }
        let length = value.chars().count() as f64;
        if let Some(min) = self.length_min.filter(|min| length < *min) {
            return Err(format!("must contain at least {min} characters"));
        }
        if let Some(max) = self.length_max.filter(|max| length > *max) {
            return Err(format!("must contain at most {max} characters"));
        }
        let pattern = self.pattern().map_err(|e| e.message)?;
        match (pattern, &self.allowed_pattern) {
            (Some(regex), Some(pattern)) if !regex.is_match(value) => {
                Err(format!("must match pattern {pattern}"))
            }
            _ => Ok(()),
        }
    }

    /// The value as functions see it: lists are lists.
    pub(crate) fn value(&self, value: &str) -> Json {
        match self.kind {
            Type::String | Type::Number => json!(value),
            Type::Numbers | Type::List if value.is_empty() => json!([]),
            Type::Numbers | Type::List => value.split(',').map(str::trim).collect(),
        }
    }
}

/// What a call says of one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) name: String,
    /// None: the value that the stack has.
    pub(crate) value: Option<String>,
}

/// The value of each parameter of a template: as given, as the stack had it, or the default.
pub(crate) fn values(
    declared: &BTreeMap<String, Declaration>,
    given: &[Given],
    previous: Option<&BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, AwsError> {
    let unknown: Vec<&str> =
        given.iter().map(|g| g.name.as_str()).filter(|name| !declared.contains_key(*name)).collect();
    if !unknown.is_empty() {
        return Err(invalid(format!("Parameters: [{}] do not exist in the template", unknown.join(", "))));
    }
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, declaration) in declared {
        let said = given.iter().find(|g| g.name == *name);
        let value = match said {
            Some(Given { value: Some(value), .. }) => Some(value.clone()),
            Some(Given { value: None, .. }) => {
                let Some(previous) = previous else {
                    return Err(invalid(format!(
                        "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a \
                         parameter key not in the previous template"
                    )));
                };
                previous.get(name).cloned()
            }
            None => None,
        };
        match value.or_else(|| declaration.default.clone()) {
            Some(value) => {
                declaration.check(name, &value)?;
                values.insert(name.clone(), value);
            }
            None => missing.push(name.as_str()),
        }
    }
    if !missing.is_empty() {
        return Err(invalid(format!("Parameters: [{}] must have values", missing.join(", "))));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(json: &Json) -> BTreeMap<String, Declaration> {
        BTreeMap::from([("P".to_owned(), Declaration::parse("P", json).unwrap())])
    }

    fn refused(json: &Json, value: &str) -> String {
        let given = [Given { name: "P".to_owned(), value: Some(value.to_owned()) }];
        values(&declared(json), &given, None).map_or_else(|e| e.message, |_| String::new())
    }

    #[test]
    fn constraints_hold_of_the_whole_value() {
        let pattern = json!({"Type": "String", "AllowedPattern": "[a-z]+"});
        assert_eq!(refused(&pattern, "abc"), "");
        assert_eq!(refused(&pattern, "abc1"), "Parameter 'P' must match pattern [a-z]+");
        let length = json!({"Type": "String", "MinLength": 3, "MaxLength": "5"});
        assert_eq!(refused(&length, "ab"), "Parameter 'P' must contain at least 3 characters");
        assert_eq!(refused(&length, "abcdef"), "Parameter 'P' must contain at most 5 characters");
        let number = json!({"Type": "Number", "MinValue": 2, "MaxValue": 4});
        assert_eq!(refused(&number, "1"), "Parameter 'P' must be a number not less than 2");
        assert_eq!(refused(&number, "5"), "Parameter 'P' must be a number not greater than 4");
        assert_eq!(refused(&number, "x"), "Parameter 'P' must be a number");
        let list = json!({"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]});
        assert_eq!(refused(&list, "a, b"), "");
        assert_eq!(refused(&list, "a,c"), "Parameter 'P' must be one of AllowedValues");
        let said = json!({"Type": "String", "AllowedValues": ["a"], "ConstraintDescription": "only a"});
        assert_eq!(refused(&said, "b"), "Parameter P failed to satisfy constraint: only a");
    }

    #[test]
    fn a_value_is_given_kept_or_the_default() {
        let plain = declared(&json!({"Type": "String"}));
        let defaulted = declared(&json!({"Type": "String", "Default": "d"}));
        let kept = [Given { name: "P".to_owned(), value: None }];
        let previous = BTreeMap::from([("P".to_owned(), "old".to_owned())]);
        assert_eq!(values(&plain, &[], None).unwrap_err().message, "Parameters: [P] must have values");
        assert_eq!(values(&defaulted, &[], Some(&previous)).unwrap()["P"], "d");
        assert_eq!(values(&defaulted, &kept, Some(&previous)).unwrap()["P"], "old");
        assert!(values(&plain, &kept, None).is_err());
        let other = [Given { name: "Q".to_owned(), value: Some(String::new()) }];
        let message = values(&plain, &other, None).unwrap_err().message;
        assert_eq!(message, "Parameters: [Q] do not exist in the template");
    }

    #[test]
    fn types_that_need_other_services_are_refused() {
        let error = Declaration::parse("P", &json!({"Type": "AWS::SSM::Parameter::Value<String>"}));
        assert!(error.unwrap_err().message.contains("Unrecognized parameter type"));
    }
}
