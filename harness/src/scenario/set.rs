//! `--set path=value`: a value of the scenario, given on the command line.

use serde::Deserialize;
use toml::{Table, Value};

use super::{Scenario, ScenarioError, hint::helped};

/// The scenario with every `--set` applied.
pub(super) fn apply(mut table: Table, file: &str, sets: &[String]) -> Result<Scenario, ScenarioError> {
    for set in sets {
        let wrong = |message: &str| ScenarioError::Invalid(format!("--set {set}: {message}"));
        let (path, value) = set
            .split_once('=')
            .ok_or_else(|| wrong("is written path=value, for example fleet.devices=50"))?;
        let place = find(&mut table, path).ok_or_else(|| {
            wrong("no such place; a path is keys and list positions with dots, as in step.2.hold.for")
        })?;
        *place = parse(value);
        Scenario::deserialize(table.clone()).map_err(|error| wrong(&helped(error.message())))?;
    }
    Scenario::deserialize(table).map_err(|error| ScenarioError::Invalid(format!("{file}: {error}")))
}

/// A TOML value, or else the text itself: `9s` needs no quotes.
fn parse(text: &str) -> Value {
    format!("v = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("v"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The place that a path names. Tables on the way are made when absent, list items are not.
fn find<'a>(table: &'a mut Table, path: &str) -> Option<&'a mut Value> {
    // Objectives have dots in their names: what follows the first dot is one key.
    let parts: Vec<&str> = match path.split_once('.') {
        Some(("objectives", metric)) => vec!["objectives", metric],
        _ => path.split('.').collect(),
    };
    let (first, rest) = parts.split_first()?;
    let mut place = table.entry(*first).or_insert_with(|| Value::Table(Table::new()));
    for part in rest {
        place = match place {
            Value::Array(list) => list.get_mut(part.parse::<usize>().ok()?)?,
            Value::Table(table) => table.entry(*part).or_insert_with(|| Value::Table(Table::new())),
            _ => return None,
        };
    }
    Some(place)
}
