//! What a value refers to, read off its functions without working them out.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

/// The function that a value is a call of, and its argument.
pub(super) fn call(value: &Json) -> Option<(&str, &Json)> {
    let map = value.as_object()?;
    let (name, argument) = map.iter().next().filter(|_| map.len() == 1)?;
    (name == "Ref" || name == "Condition" || name.starts_with("Fn::")).then_some((name, argument))
}

/// The parts of `Fn::Sub`'s text: plain text, or the name between `${` and `}`.
pub(super) fn parts(text: &str) -> Vec<Result<String, String>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        parts.push(Ok(before.to_owned()));
        let Some((name, after)) = after.split_once('}') else {
            parts.push(Ok(format!("${{{after}")));
            return parts;
        };
        parts.push(match name.strip_prefix('!') {
            Some(literal) => Ok(format!("${{{literal}}}")),
            None => Err(name.trim().to_owned()),
        });
        rest = after;
    }
    parts.push(Ok(rest.to_owned()));
    parts
}

/// Names that a value refers to, whatever its conditions come to.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// Of `Ref`: parameters, pseudo parameters, resources.
    pub(crate) names: BTreeSet<String>,
    /// Of `Fn::GetAtt`: resource and attribute.
    pub(crate) attributes: BTreeSet<(String, String)>,
}

impl References {
    pub(crate) fn collect(&mut self, value: &Json) {
        match call(value) {
            Some(("Ref", Json::String(name))) => {
                self.names.insert(name.clone());
            }
            Some(("Fn::GetAtt", argument)) => {
                if let Some((resource, attribute)) = attribute(argument) {
                    self.attributes.insert((resource, attribute.as_str().unwrap_or("Arn").to_owned()));
                    self.collect(&attribute);
                }
            }
            Some(("Fn::Sub", argument)) => {
                let (text, variables) = sub_arguments(argument);
                for name in parts(text).into_iter().filter_map(Result::err) {
                    if variables.is_some_and(|v| v.contains_key(&name)) {
                        continue;
                    }
                    match name.split_once('.') {
                        Some((resource, attribute)) => {
                            self.attributes.insert((resource.to_owned(), attribute.to_owned()));
                        }
                        None => {
                            self.names.insert(name);
                        }
                    }
                }
                variables.into_iter().flat_map(Map::values).for_each(|v| self.collect(v));
            }
            Some((_, argument)) => self.collect(argument),
            None => match value {
                Json::Array(list) => list.iter().for_each(|v| self.collect(v)),
                Json::Object(map) => map.values().for_each(|v| self.collect(v)),
                _ => {}
            },
        }
    }
}

/// Resource and attribute of `Fn::GetAtt`; the attribute may be a function.
pub(super) fn attribute(argument: &Json) -> Option<(String, Json)> {
    match argument {
        Json::String(path) => path.split_once('.').map(|(r, a)| (r.to_owned(), json!(a))),
        Json::Array(list) => match list.as_slice() {
            [Json::String(resource), attribute] => Some((resource.clone(), attribute.clone())),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn sub_arguments(argument: &Json) -> (&str, Option<&Map<String, Json>>) {
    match argument {
        Json::String(text) => (text, None),
        Json::Array(list) => {
            (list.first().and_then(Json::as_str).unwrap_or_default(), list.get(1).and_then(Json::as_object))
        }
        _ => ("", None),
    }
}
