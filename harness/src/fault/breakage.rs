//! A fault as a scenario's `break` names it: by its name alone, or with parameters:
//! `{ fault = "certificate-inactive", share = "20%" }`.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap,
};
use toml::Value;

use super::{
    FaultEntry, FaultName,
    parameter::{Without, share},
};
use crate::scenario::Span;

/// One fault of a break, with what the scenario says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Breakage {
    fault: FaultName,
    given: BTreeMap<String, Value>,
}

impl Breakage {
    /// Its line in the catalogue.
    pub fn entry(&self) -> &'static FaultEntry {
        self.fault.entry()
    }

    /// What is wrong with it: the key, if one is wrong, and what to do.
    pub(crate) fn check(&self) -> Result<(), (Option<&str>, String)> {
        let entry = self.entry();
        for (key, value) in &self.given {
            let Some(parameter) = entry.parameters.iter().find(|parameter| parameter.name == key) else {
                let known: Vec<&str> = entry.parameters.iter().map(|parameter| parameter.name).collect();
                let takes = if known.is_empty() {
                    "it takes none".to_owned()
                } else {
                    format!("it takes {}", known.join(", "))
                };
                return Err((Some(key), format!("{} has no `{key}`; {takes}", entry.name)));
            };
            parameter.takes.check(value).map_err(|why| (Some(key.as_str()), why))?;
        }
        Ok(())
    }

    /// What it does, for a reader: its label, and what was said of it.
    pub fn label(&self) -> String {
        let said = |(key, value): (&String, &Value)| match value {
            Value::String(text) => format!("{key} {text}"),
            other => format!("{key} {other}"),
        };
        let said: Vec<String> = self.given.iter().map(said).collect();
        let label = self.entry().label;
        if said.is_empty() { label.to_owned() } else { format!("{label} ({})", said.join(", ")) }
    }

    /// A text that was given, or that holds without it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name).and_then(Value::as_str).or_else(|| self.default(name))
    }

    /// A share that was given; without it, all.
    pub(super) fn share(&self) -> f64 {
        let given = self.given.get("share").and_then(share);
        given.or_else(|| share(&Value::from(self.default("share")?))).unwrap_or(1.0)
    }

    /// The same for the twin.
    pub(super) fn twin_share(&self) -> gameday_twin::Share {
        gameday_twin::Share::try_from(self.share()).unwrap_or_default()
    }

    /// A number that was given, or that holds without it.
    pub(super) fn count(&self, name: &str) -> u32 {
        let given =
            self.given.get(name).and_then(Value::as_integer).and_then(|count| u32::try_from(count).ok());
        given.or_else(|| self.default(name)?.parse().ok()).unwrap_or(1)
    }

    /// A time that was given, or that holds without it.
    pub(super) fn time(&self, name: &str) -> Duration {
        self.text(name).and_then(|text| text.parse::<Span>().ok()).map_or(Duration::ZERO, |span| *span)
    }

    fn default(&self, name: &str) -> Option<&'static str> {
        let parameter = self.entry().parameters.iter().find(|parameter| parameter.name == name)?;
        match parameter.without {
            Without::Is(text) => Some(text),
            Without::All(_) => None,
        }
    }
}

impl From<FaultName> for Breakage {
    fn from(fault: FaultName) -> Self {
        Self { fault, given: BTreeMap::new() }
    }
}

impl Serialize for Breakage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.given.is_empty() {
            return self.fault.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(1 + self.given.len()))?;
        map.serialize_entry("fault", &self.fault)?;
        for (key, value) in &self.given {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Breakage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// Either way of writing one.
struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Breakage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a fault, or { fault = \"its name\" } with its parameters")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Breakage, E> {
        FaultName::deserialize(de::value::StrDeserializer::new(name)).map(Breakage::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Breakage, A::Error> {
        let (mut fault, mut given) = (None, BTreeMap::new());
        while let Some(key) = map.next_key::<String>()? {
            if key == "fault" {
                fault = Some(map.next_value()?);
            } else {
                given.insert(key, map.next_value()?);
            }
        }
        let fault = fault.ok_or_else(|| de::Error::missing_field("fault"))?;
        Ok(Breakage { fault, given })
    }
}
