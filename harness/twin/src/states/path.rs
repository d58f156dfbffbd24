//! Paths of the Amazon States Language: what a state reads from its input or from the context object.
//!
//! A reference path (`$.a['b'][0]`) names one place: it can be read and, as a `ResultPath`, written. Any other path is a
//! query and reads a list. Queries are RFC 9535's, by `serde_json_path`; reference paths are parsed here, since that
//! crate neither writes nor tells a path of one place from a query, and AWS takes names such as `$.a-b` that RFC 9535
//! does not.

use std::fmt;

use serde_json::{Map, Value as Json};
use serde_json_path::JsonPath;

use crate::nesting::brackets;

/// Brackets in each other in a query. Each level of a filter doubles the work of the parser, which also calls itself.
const NESTING_MAX: usize = 8;
/// Descendant segments (`..`) in a query: each multiplies what the one before found by the depth of the input.
const DESCENTS_MAX: usize = 3;
/// A query's length. AWS names none; this is its longest `InputPath` of a rule's target, four times over.
const QUERY_BYTES_MAX: usize = 1_024;

/// What paths read from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) input: &'a Json,
    /// The context object, which paths that begin with `$$` read.
    pub(crate) context: &'a Json,
}

/// One step of a reference path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    /// From the end if negative.
    Index(i64),
}

/// A path of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Target {
    One(Reference),
    Many(JsonPath),
}

/// A path that can be read.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    target: Target,
    in_context: bool,
    text: String,
}

impl Path {
    /// Parses `$...` and `$$...`. An error says why it is no path.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let in_context = text.starts_with("$$");
        let bare = if in_context { &text[1..] } else { text };
        let target = match Reference::parse(bare) {
            Some(reference) => Target::One(reference),
            None => Target::Many(query(bare)?),
        };
        Ok(Self { target, in_context, text: text.to_owned() })
    }

    /// What stands there; none if a path of one place leads nowhere.
    pub(crate) fn read(&self, scope: Scope<'_>) -> Option<Json> {
        let root = if self.in_context { scope.context } else { scope.input };
        match &self.target {
            Target::One(reference) => reference.read(root).cloned(),
            Target::Many(query) => Some(query.query(root).iter().map(|found| (*found).clone()).collect()),
        }
    }
}

/// A query that is cheap to parse and to run.
fn query(text: &str) -> Result<JsonPath, String> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(format!("a query has at most {QUERY_BYTES_MAX} bytes"));
    }
    if brackets(text) > NESTING_MAX {
        return Err(format!("{text}: at most {NESTING_MAX} brackets stand in each other"));
    }
    if text.matches("..").count() > DESCENTS_MAX {
        return Err(format!("{text}: at most {DESCENTS_MAX} descendant segments"));
    }
    JsonPath::parse(text).map_err(|e| format!("{text}: {e}"))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Reference {
    /// Parses a reference path; none if it is something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, left) = if let Some(name) = rest.strip_prefix('.') {
                plain_name(name)?
            } else {
                bracketed(rest.strip_prefix('[')?)?
            };
            steps.push(step);
            rest = left;
        }
        Some(Self { steps })
    }

    /// Whether a result can be put there.
    pub(crate) fn is_writable(&self) -> bool {
        self.steps.iter().all(|step| !matches!(step, Step::Index(..0)))
    }

    fn read<'a>(&self, root: &'a Json) -> Option<&'a Json> {
        self.steps.iter().try_fold(root, |value, step| match step {
            Step::Name(name) => value.as_object()?.get(name),
            Step::Index(index) => {
                let list = value.as_array()?;
                let back = usize::try_from(index.unsigned_abs()).ok()?;
                list.get(if *index < 0 { list.len().checked_sub(back)? } else { back })
            }
        })
    }

    /// Puts a value there. Missing objects on the way are made; where something else is in the way, or a list is too
    /// short, it is refused.
    pub(crate) fn write(&self, root: Json, value: Json) -> Result<Json, ()> {
        write(&self.steps, root, value)
    }
}

fn write(steps: &[Step], place: Json, value: Json) -> Result<Json, ()> {
    let Some((step, rest)) = steps.split_first() else { return Ok(value) };
    match (step, place) {
        (Step::Name(name), Json::Object(mut object)) => {
            let inner = object.remove(name).unwrap_or_else(|| Json::Object(Map::new()));
            object.insert(name.clone(), write(rest, inner, value)?);
            Ok(Json::Object(object))
        }
        (Step::Index(index), Json::Array(mut list)) => {
            let slot = usize::try_from(*index).ok().and_then(|i| list.get_mut(i)).ok_or(())?;
            *slot = write(rest, slot.take(), value)?;
            Ok(Json::Array(list))
        }
        _ => Err(()),
    }
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// A name behind a dot, and what is left.
fn plain_name(text: &str) -> Option<(Step, &str)> {
    let end = text.find(|c| !is_plain(c)).unwrap_or(text.len());
    (end > 0).then(|| (Step::Name(text[..end].to_owned()), &text[end..]))
}

/// An index or a quoted name behind a bracket, and what is left.
fn bracketed(text: &str) -> Option<(Step, &str)> {
    let Some(quote) = text.chars().next().filter(|c| "'\"".contains(*c)) else {
        let (index, rest) = text.split_once(']')?;
        return Some((Step::Index(index.parse().ok()?), rest));
    };
    let mut name = String::new();
    let mut characters = text[1..].char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            // Escapes other than these two are left to the RFC's parser.
            '\\' => name.push(characters.next().map(|(_, c)| c).filter(|c| "\\'\"".contains(*c))?),
            c if c == quote => {
                return Some((Step::Name(name), text[1 + at + 1..].strip_prefix(']')?));
            }
            c => name.push(c),
        }
    }
    None
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for step in &self.steps {
            match step {
                Step::Name(name) if !name.is_empty() && name.chars().all(is_plain) => write!(f, ".{name}")?,
                Step::Name(name) => {
                    write!(f, "['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))?;
                }
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(path: &str, input: &Json) -> Option<Json> {
        let context = json!({"Execution": {"Name": "mine"}});
        Path::parse(path).unwrap().read(Scope { input, context: &context })
    }

    #[test]
    fn paths_read_one_place_or_a_list() {
        let input = json!({"a": {"b-c": [1, 2, {"d.e": null}]}, "": 0});
        for (path, expected) in [
            ("$", Some(input.clone())),
            ("$.a.b-c[0]", Some(json!(1))),
            ("$['a']['b-c'][2]['d.e']", Some(json!(null))),
            ("$.a.b-c[-2]", Some(json!(2))),
            ("$[\"a\"].b-c[3]", None),
            ("$.a.b-c[-4]", None),
            ("$.x", None),
            ("$.a.b.c", None),
            ("$['']", Some(json!(0))),
            ("$.a['b-c'][0:2]", Some(json!([1, 2]))),
            ("$..d", Some(json!([]))),
            ("$$.Execution.Name", Some(json!("mine"))),
            ("$$.Name", None),
        ] {
            assert_eq!(read(path, &input), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", "a", "$.", "$.a[", "$['a", "$.a b", "$[x]", "$a", "States.Format('x')"] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_result_is_put_where_its_path_says() {
        let input = json!({"a": {"b": [1, 2]}, "s": "text"});
        for (path, expected) in [
            ("$", Some(json!(9))),
            ("$.a", Some(json!({"a": 9, "s": "text"}))),
            ("$.a.b[1]", Some(json!({"a": {"b": [1, 9]}, "s": "text"}))),
            ("$.x.y", Some(json!({"a": {"b": [1, 2]}, "s": "text", "x": {"y": 9}}))),
            ("$.a.b[2]", None),
            ("$.s.x", None),
            ("$.a.b.c", None),
            ("$.x[0]", None),
        ] {
            let written = Reference::parse(path).unwrap().write(input.clone(), json!(9));
            assert_eq!(written.ok(), expected, "{path}");
        }
        assert!(!Reference::parse("$.a[-1]").unwrap().is_writable());
    }

    fn reference() -> impl Strategy<Value = Reference> {
        let step = prop_oneof![".{0,6}".prop_map(Step::Name), (-9_i64..9).prop_map(Step::Index)];
        proptest::collection::vec(step, 0..5).prop_map(|steps| Reference { steps })
    }

    proptest! {
        /// A reference path is the same after it was written and read.
        #[test]
        fn reference_paths_round_trip(path in reference()) {
            prop_assert_eq!(Reference::parse(&path.to_string()), Some(path));
        }

        /// What was written at a path is what is read there.
        #[test]
        fn what_is_written_is_read(names in proptest::collection::vec(".{0,4}", 0..4), value in any::<i64>()) {
            let path = Reference { steps: names.into_iter().map(Step::Name).collect() };
            let written = path.write(json!({}), json!(value)).unwrap();
            prop_assert_eq!(path.read(&written), Some(&json!(value)));
        }

        /// No text makes the parser panic.
        #[test]
        fn any_text_is_a_path_or_an_error(text in "\\$?\\PC{0,32}") {
            let _ = Path::parse(&text);
        }
    }
}
