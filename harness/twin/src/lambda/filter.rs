//! Filter criteria of event source mappings: patterns in the language of `EventBridge`, of which one must match.
//!
//! [`matches`] is all that mappings know of the language.

use serde_json::{Map, Value as Json};

use super::api::invalid;
use crate::error::AwsError;

/// As AWS has it.
const PATTERNS_MAX: usize = 5;
const PATTERN_CHARS_MAX: usize = 4_096;

/// The patterns of a mapping. None: everything passes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Filters(Vec<Json>);

impl Filters {
    /// Reads `FilterCriteria`.
    pub(crate) fn read(criteria: &Json) -> Result<Self, AwsError> {
        let filters = criteria.get("Filters").and_then(Json::as_array).cloned().unwrap_or_default();
        if filters.len() > PATTERNS_MAX {
            return Err(invalid(format!("A mapping has at most {PATTERNS_MAX} filters")));
        }
        let patterns = filters.iter().map(|filter| {
            let text = filter.get("Pattern").and_then(Json::as_str).unwrap_or_default();
            if text.chars().count() > PATTERN_CHARS_MAX {
                return Err(invalid(format!("A filter pattern has at most {PATTERN_CHARS_MAX} characters")));
            }
            let pattern = serde_json::from_str(text).ok().filter(is_pattern);
            pattern.ok_or_else(|| invalid(format!("Invalid filter pattern definition: {text}")))
        });
        patterns.collect::<Result<_, _>>().map(Self)
    }

    /// As AWS tells it.
    pub(crate) fn describe(&self) -> Option<Json> {
        let filters: Vec<Json> =
            self.0.iter().map(|p| serde_json::json!({"Pattern": p.to_string()})).collect();
        (!filters.is_empty()).then(|| serde_json::json!({"Filters": filters}))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a function is given this.
    pub(crate) fn pass(&self, event: &Json) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| matches(pattern, event))
    }

    /// Whether a pattern looks into this member.
    pub(crate) fn look_into(&self, member: &str) -> bool {
        self.0.iter().any(|p| p.get(member).is_some_and(Json::is_object))
    }
}

/// Whether this can be a pattern: objects down to lists of what values may be, of kinds that are known here.
fn is_pattern(pattern: &Json) -> bool {
    match pattern {
        Json::Object(members) => members.iter().all(|(name, inner)| match (name.as_str(), inner) {
            ("$or", Json::Array(ways)) => ways.len() > 1 && ways.iter().all(is_pattern),
            (_, inner @ Json::Object(_)) => is_pattern(inner),
            (_, Json::Array(rules)) => !rules.is_empty() && rules.iter().all(is_rule),
            _ => false,
        }),
        _ => false,
    }
}

fn is_rule(rule: &Json) -> bool {
    let Json::Object(members) = rule else { return !rule.is_array() };
    let mut members = members.iter();
    let (Some((name, of)), None) = (members.next(), members.next()) else { return false };
    match name.as_str() {
        "prefix" | "suffix" | "equals-ignore-case" => of.is_string(),
        "exists" => of.is_boolean(),
        "numeric" => of.as_array().is_some_and(|tests| !tests.is_empty() && tests.len() % 2 == 0),
        "anything-but" => match of {
            Json::Object(_) => is_rule(of),
            _ => true,
        },
        _ => false,
    }
}

/// Whether an event matches a pattern: each member that the pattern names has one of the values it lists.
pub(crate) fn matches(pattern: &Json, event: &Json) -> bool {
    pattern.as_object().is_some_and(|members| matches_members(members, event))
}

fn matches_members(members: &Map<String, Json>, event: &Json) -> bool {
    members.iter().all(|(name, inner)| match (name.as_str(), inner) {
        ("$or", Json::Array(ways)) => ways.iter().any(|way| matches(way, event)),
        (name, Json::Array(rules)) => match event.get(name) {
            Some(Json::Array(values)) if !values.is_empty() => {
                values.iter().any(|value| rules.iter().any(|rule| passes(rule, Some(value))))
            }
            value => rules.iter().any(|rule| passes(rule, value)),
        },
        (name, inner) => match event.get(name) {
            Some(Json::Array(elements)) => elements.iter().any(|element| matches(inner, element)),
            Some(below) => matches(inner, below),
            // What is not there may still be what is asked for.
            None => matches(inner, &Json::Null),
        },
    })
}

fn passes(rule: &Json, value: Option<&Json>) -> bool {
    let Some((name, of)) = rule.as_object().and_then(|members| members.iter().next()) else {
        return value == Some(rule);
    };
    let text = value.and_then(Json::as_str);
    match (name.as_str(), of) {
        ("exists", of) => of.as_bool() == Some(value.is_some_and(|v| !v.is_object())),
        ("prefix", Json::String(of)) => text.is_some_and(|t| t.starts_with(of.as_str())),
        ("suffix", Json::String(of)) => text.is_some_and(|t| t.ends_with(of.as_str())),
        ("equals-ignore-case", Json::String(of)) => {
            text.is_some_and(|t| t.to_lowercase() == of.to_lowercase())
        }
        ("anything-but", Json::Array(of)) => value.is_some_and(|v| !of.contains(v)),
        ("anything-but", of @ Json::Object(_)) => value.is_some() && !passes(of, value),
        ("anything-but", of) => value.is_some_and(|v| v != of),
        ("numeric", Json::Array(tests)) => value.and_then(Json::as_f64).is_some_and(|n| numeric(tests, n)),
        _ => false,
    }
}

fn numeric(tests: &[Json], n: f64) -> bool {
    tests.chunks(2).all(|test| match test {
        [operator, bound] => match (operator.as_str(), bound.as_f64()) {
            (Some("<"), Some(bound)) => n < bound,
            (Some("<="), Some(bound)) => n <= bound,
            (Some(">"), Some(bound)) => n > bound,
            (Some(">="), Some(bound)) => n >= bound,
            (Some("="), Some(bound)) => n.total_cmp(&bound).is_eq(),
            _ => false,
        },
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_choose_events() {
        let event =
            json!({"eventName": "INSERT", "n": 5, "dynamodb": {"NewImage": {"region": {"S": "us-east-1"}}}});
        for (pattern, expected) in [
            (json!({"eventName": ["INSERT", "MODIFY"]}), true),
            (json!({"eventName": ["REMOVE"]}), false),
            (json!({"dynamodb": {"NewImage": {"region": {"S": [{"prefix": "us-"}]}}}}), true),
            (json!({"dynamodb": {"NewImage": {"region": {"S": [{"anything-but": ["us-east-1"]}]}}}}), false),
            (json!({"dynamodb": {"OldImage": {"region": {"S": [{"exists": false}]}}}}), true),
            (json!({"userIdentity": [{"exists": true}]}), false),
            (json!({"n": [{"numeric": [">", 1, "<=", 5]}]}), true),
            (json!({"$or": [{"n": [1]}, {"eventName": [{"equals-ignore-case": "insert"}]}]}), true),
            (json!({"n": [5], "eventName": ["REMOVE"]}), false),
        ] {
            assert!(is_pattern(&pattern), "{pattern}");
            assert_eq!(matches(&pattern, &event), expected, "{pattern}");
        }
    }

    #[test]
    fn criteria_are_checked() {
        let read = |pattern: &str| Filters::read(&json!({"Filters": [{"Pattern": pattern}]}));
        for bad in ["", "[]", r#"{"a":"b"}"#, r#"{"a":[]}"#, r#"{"a":[{"unknown":1}]}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let filters = read(r#"{"a":[1]}"#).unwrap();
        assert!(filters.pass(&json!({"a": 1})) && !filters.pass(&json!({"a": 2})));
        assert!(Filters::default().pass(&Json::Null));
    }
}
