//! Event patterns: what a rule says of the events that it takes. A pure function of pattern and event.
//!
//! A pattern mirrors an event: objects name fields, a list says which values a field may have, and one that fits is
//! enough. What it guarantees: a pattern that was compiled never fails on an event, and [`Pattern::could_match`] is true
//! of every event that [`Pattern::matches`] is true of, however little of it is known.

mod value;

use serde_json::{Map, Value as Json};

use self::value::Check;

/// Patterns in patterns, `$or` included.
const DEPTH_MAX: usize = 32;
/// Combinations that `$or` may make, as AWS has it.
const COMBINATIONS_MAX: usize = 1_000;

/// A compiled event pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    root: Object,
}

#[derive(Debug, Clone, Default)]
struct Object {
    fields: Vec<(String, Field)>,
    /// Of each, one must match.
    either: Vec<Vec<Object>>,
}

#[derive(Debug, Clone)]
enum Field {
    Object(Object),
    /// One must hold.
    Value(Vec<Check>),
}

/// What is known of a field.
#[derive(Debug, Clone, Copy)]
enum Seen<'a> {
    Is(&'a Json),
    Absent,
    /// It may have any value, or none.
    Unknown,
}

impl Pattern {
    /// Compiles a pattern. An error says why it is none, as AWS words reasons.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let value: Json = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let Json::Object(object) = value else { return Err("Filter is not an object".to_owned()) };
        let root = Object::parse(&object, 0)?;
        if root.combinations() > COMBINATIONS_MAX {
            return Err(format!("Rule has more than {COMBINATIONS_MAX} combinations"));
        }
        Ok(Self { root })
    }

    pub(crate) fn matches(&self, event: &Json) -> bool {
        self.root.holds(Seen::Is(event), false)
    }

    /// Whether an event that has these fields, and others besides, could match.
    pub(crate) fn could_match(&self, known: &Json) -> bool {
        self.root.holds(Seen::Is(known), true)
    }
}

impl Object {
    fn parse(object: &Map<String, Json>, depth: usize) -> Result<Self, String> {
        if depth > DEPTH_MAX {
            return Err("Event pattern is nested too deeply".to_owned());
        }
        if object.is_empty() {
            return Err("Empty objects are not allowed".to_owned());
        }
        let mut found = Self::default();
        for (name, value) in object {
            match value {
                Json::Object(inner) => {
                    found.fields.push((name.clone(), Field::Object(Self::parse(inner, depth + 1)?)));
                }
                Json::Array(list) if name == "$or" => {
                    if list.len() < 2 {
                        return Err("There must have at least 2 Objects in $or relationship".to_owned());
                    }
                    let parse = |one: &Json| match one {
                        Json::Object(inner) => Self::parse(inner, depth + 1),
                        _ => Err("$or is of objects only".to_owned()),
                    };
                    found.either.push(list.iter().map(parse).collect::<Result<_, _>>()?);
                }
                Json::Array(list) if list.is_empty() => {
                    return Err("Empty arrays are not allowed".to_owned());
                }
                Json::Array(list) => {
                    let checks = list.iter().map(Check::parse).collect::<Result<_, _>>()?;
                    found.fields.push((name.clone(), Field::Value(checks)));
                }
                _ => return Err(format!("\"{name}\" must be an object or an array")),
            }
        }
        Ok(found)
    }

    fn combinations(&self) -> usize {
        let fields = self.fields.iter().map(|(_, field)| match field {
            Field::Object(object) => object.combinations(),
            Field::Value(_) => 1,
        });
        let either =
            self.either.iter().map(|of| of.iter().map(Self::combinations).fold(0, usize::saturating_add));
        fields.chain(either).fold(1, usize::saturating_mul)
    }

    /// `partly`: fields that are not there are unknown.
    fn holds(&self, seen: Seen<'_>, partly: bool) -> bool {
        let field = |name: &str| match seen {
            Seen::Is(Json::Object(object)) => match object.get(name) {
                Some(value) => Seen::Is(value),
                None if partly => Seen::Unknown,
                None => Seen::Absent,
            },
            Seen::Unknown => Seen::Unknown,
            _ => Seen::Absent,
        };
        // Of a list of objects, one must match as a whole.
        if let Seen::Is(Json::Array(list)) = seen
            && list.iter().any(Json::is_object)
        {
            return list.iter().any(|one| one.is_object() && self.holds(Seen::Is(one), partly));
        }
        self.fields.iter().all(|(name, wanted)| wanted.holds(field(name), partly))
            && self.either.iter().all(|of| of.iter().any(|one| one.holds(seen, partly)))
    }
}

impl Field {
    fn holds(&self, seen: Seen<'_>, partly: bool) -> bool {
        match self {
            Self::Object(object) => object.holds(seen, partly),
            Self::Value(checks) => checks.iter().any(|check| match seen {
                Seen::Unknown => true,
                Seen::Absent => check.holds(None),
                Seen::Is(Json::Array(list)) if list.is_empty() => check.holds(None),
                Seen::Is(Json::Array(list)) => list.iter().any(|one| check.holds(Some(one))),
                Seen::Is(value) => check.holds(Some(value)),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
