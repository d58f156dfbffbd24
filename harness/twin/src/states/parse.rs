//! A definition from its text: every state read into its type, and the whole checked, so that running it meets no
//! state that is not there.

mod state;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::{
    diagnostic::{Diagnostics, Fields, TARGET},
    machine::{Kind, Machine, Next, State},
    retry::SECONDS_MAX,
};

/// AWS's largest definition, in bytes.
pub(crate) const DEFINITION_BYTES_MAX: usize = 1024 * 1024;
/// AWS's longest name of a state.
const STATE_NAME_CHARS_MAX: usize = 80;

/// Parses a definition, or says everything that is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Machine, Diagnostics> {
    let mut found = Diagnostics::default();
    let value: Json = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            found.add("INVALID_JSON_DESCRIPTION", error.to_string(), "/");
            return Err(found);
        }
    };
    let machine = machine(&value, &mut found);
    if machine.is_none() && found.is_empty() {
        found.error("The definition could not be read", "/");
    }
    machine.filter(|_| found.is_empty()).ok_or(found)
}

fn machine(value: &Json, found: &mut Diagnostics) -> Option<Machine> {
    let mut fields = Fields::open(value, "/", found)?;
    if fields.text("QueryLanguage", found).is_some_and(|language| language != "JSONPath") {
        found.error("The twin does not have the query language JSONata", "/QueryLanguage");
    }
    fields.text("Comment", found);
    fields.text("Version", found);
    let timeout_s = fields.count("TimeoutSeconds", 1..=SECONDS_MAX, found);
    let missing: Vec<_> = ["States", "StartAt"].into_iter().filter(|name| !fields.has(name)).collect();
    if !missing.is_empty() {
        found.error(format!("These fields are required: [{}]", missing.join(", ")), "/");
    }
    let start = fields.text("StartAt", found).map(str::to_owned);
    let listed = fields.take("States").map(Json::as_object);
    fields.close(found);
    let listed = listed?;
    if listed.is_none() {
        found.error("Expected value of type Object", "/States");
    }
    let listed = listed?;
    let mut states = BTreeMap::new();
    for (name, value) in listed {
        let at = format!("/States/{name}");
        if name.is_empty() || name.chars().count() > STATE_NAME_CHARS_MAX {
            found.error(format!("State names have 1 to {STATE_NAME_CHARS_MAX} characters"), &at);
        }
        if let Some(state) = state::parse(value, &at, found) {
            states.insert(name.clone(), state);
        }
    }
    // Where a state could not be read, what it leads to is not known: say that first.
    if states.len() == listed.len() && found.is_empty() {
        check_targets(start.as_deref()?, &states, found);
    }
    Some(Machine { start: start?, timeout_s, states })
}

fn check_targets(start: &str, states: &BTreeMap<String, State>, found: &mut Diagnostics) {
    if states.is_empty() {
        found.error("Expected at least one state", "/States");
    }
    if !states.contains_key(start) {
        found.add(TARGET, format!("Missing 'StartAt' target: {start}"), "/StartAt");
    }
    for (name, state) in states {
        for (field, target) in targets(state) {
            if !states.contains_key(target) {
                let what = field.rsplit('/').next().unwrap_or_default();
                let location = format!("/States/{name}/{field}");
                found.add(TARGET, format!("Missing '{what}' target: {target}"), location);
            }
        }
    }
    if !found.is_empty() {
        return;
    }
    let mut reached = BTreeSet::from([start]);
    let mut open = vec![start];
    while let Some(state) = open.pop().and_then(|name| states.get(name)) {
        open.extend(targets(state).into_iter().map(|(_, target)| target).filter(|t| reached.insert(t)));
    }
    for name in states.keys().filter(|name| !reached.contains(name.as_str())) {
        found.add(TARGET, format!("State \"{name}\" is not reachable."), format!("/States/{name}"));
    }
}

fn named(next: &Next) -> Option<(String, &str)> {
    match next {
        Next::To(name) => Some(("Next".to_owned(), name)),
        Next::End => None,
    }
}

/// The states that may follow, and the fields that name them.
fn targets(state: &State) -> Vec<(String, &str)> {
    match &state.kind {
        Kind::Task(task) => {
            let caught = task.catch.iter().enumerate();
            named(&task.next)
                .into_iter()
                .chain(caught.map(|(i, catcher)| (format!("Catch[{i}]/Next"), catcher.next.as_str())))
                .collect()
        }
        Kind::Pass(pass) => named(&pass.next).into_iter().collect(),
        Kind::Wait(wait) => named(&wait.next).into_iter().collect(),
        Kind::Choice(choice) => {
            let rules = choice.rules.iter().enumerate();
            rules
                .map(|(i, (_, to))| (format!("Choices[{i}]/Next"), to.as_str()))
                .chain(choice.default.as_deref().map(|to| ("Default".to_owned(), to)))
                .collect()
        }
        Kind::Succeed | Kind::Fail(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
