//! What is wrong with a definition, collected while it is read, and the reader that collects it.
//!
//! A definition is read once, field by field; a field that nobody asked for is an error, as on AWS.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde_json::{Map, Value as Json, json};

use super::path::{Path, Reference};

/// The code of most diagnostics.
const SCHEMA: &str = "SCHEMA_VALIDATION_FAILED";
/// A state that names one that is not there, or that no other names.
pub(crate) const TARGET: &str = "MISSING_TRANSITION_TARGET";
/// Longest list of diagnostics: `ValidateStateMachineDefinition` answers no more.
const DIAGNOSTICS_MAX: usize = 100;

/// One thing wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// For example `/States/Wait/Next`.
    pub(crate) location: String,
}

impl Diagnostic {
    /// As `ValidateStateMachineDefinition` answers it.
    pub(crate) fn to_json(&self) -> Json {
        json!({"severity": "ERROR", "code": self.code, "message": self.message, "location": self.location})
    }
}

/// Everything wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Diagnostics {
    found: Vec<Diagnostic>,
}

impl Diagnostics {
    pub(crate) fn add(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        location: impl Into<String>,
    ) {
        if self.found.len() < DIAGNOSTICS_MAX {
            self.found.push(Diagnostic { code, message: message.into(), location: location.into() });
        }
    }

    pub(crate) fn error(&mut self, message: impl Into<String>, location: impl Into<String>) {
        self.add(SCHEMA, message, location);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn all(&self) -> &[Diagnostic] {
        &self.found
    }

    /// As `InvalidDefinition` writes them.
    pub(crate) fn message(&self) -> String {
        let all = self.found.iter().map(|d| format!("{}: {} at {}", d.code, d.message, d.location));
        format!("Invalid State Machine Definition: '{}'", all.collect::<Vec<_>>().join(", "))
    }
}

/// The fields of one object that have not been read.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    left: BTreeMap<&'a str, &'a Json>,
    pub(crate) at: String,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(object: &'a Map<String, Json>, at: &str) -> Self {
        Self { left: object.iter().map(|(n, v)| (n.as_str(), v)).collect(), at: at.to_owned() }
    }

    /// The fields of what should be an object.
    pub(crate) fn open(value: &'a Json, at: &str, found: &mut Diagnostics) -> Option<Self> {
        let object = value.as_object();
        if object.is_none() {
            found.error("Expected value of type Object", at);
        }
        object.map(|object| Self::new(object, at))
    }

    /// Where a field is.
    pub(crate) fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.at.trim_end_matches('/'))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.left.keys().copied()
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<&'a Json> {
        self.left.remove(name)
    }

    /// A text that must be there.
    pub(crate) fn required(&mut self, name: &str, found: &mut Diagnostics) -> Option<&'a str> {
        if !self.has(name) {
            found.error(format!("These fields are required: [{name}]"), &self.at);
        }
        self.text(name, found)
    }

    pub(crate) fn text(&mut self, name: &str, found: &mut Diagnostics) -> Option<&'a str> {
        let value = self.take(name)?;
        if !value.is_string() {
            found.error("Expected value of type String", self.at(name));
        }
        value.as_str()
    }

    pub(crate) fn flag(&mut self, name: &str, found: &mut Diagnostics) -> Option<bool> {
        let value = self.take(name)?;
        if !value.is_boolean() {
            found.error("Expected value of type Boolean", self.at(name));
        }
        value.as_bool()
    }

    pub(crate) fn count(
        &mut self,
        name: &str,
        allowed: RangeInclusive<i64>,
        found: &mut Diagnostics,
    ) -> Option<i64> {
        let value = self.take(name)?.as_i64().filter(|n| allowed.contains(n));
        if value.is_none() {
            let (least, most) = allowed.into_inner();
            found.error(format!("Expected an integer from {least} to {most}"), self.at(name));
        }
        value
    }

    pub(crate) fn list(&mut self, name: &str, found: &mut Diagnostics) -> &'a [Json] {
        let Some(value) = self.take(name) else { return &[] };
        if !value.is_array() {
            found.error("Expected value of type Array", self.at(name));
        }
        value.as_array().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn path(&mut self, name: &str, found: &mut Diagnostics) -> Option<Path> {
        let at = self.at(name);
        let text = self.text(name, found)?;
        let path = Path::parse(text);
        if path.is_err() {
            found.error("Value is not a valid JSONPath", at);
        }
        path.ok()
    }

    /// A `ResultPath`: none inside if it is `null`, the whole where there is none.
    pub(crate) fn result_path(&mut self, found: &mut Diagnostics) -> Option<Reference> {
        let at = self.at("ResultPath");
        let text = match self.take("ResultPath") {
            Some(Json::Null) => return None,
            Some(value) => value.as_str().unwrap_or_default(),
            None => "$",
        };
        let reference = Reference::parse(text).filter(Reference::is_writable);
        if reference.is_none() {
            found.error("Value is not a Reference Path", at);
        }
        reference
    }

    /// Refuses what nobody has asked for.
    pub(crate) fn close(self, found: &mut Diagnostics) {
        for name in self.left.keys() {
            found.error(format!("Field '{name}' is not supported"), &self.at);
        }
    }
}
