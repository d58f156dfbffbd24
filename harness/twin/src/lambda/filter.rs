//! Filter criteria of event source mappings: patterns in the language of EventBridge, of which one must match.

use serde_json::{Value as Json, json};

use super::api::invalid;
use crate::{error::AwsError, events::Pattern};

/// As AWS has it.
const PATTERNS_MAX: usize = 5;
const PATTERN_CHARS_MAX: usize = 4_096;

/// The patterns of a mapping. None: everything passes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filters(Vec<Filter>);

#[derive(Debug, Clone)]
struct Filter {
    /// As it was given.
    text: String,
    /// The members that it looks into.
    members: Vec<String>,
    pattern: Pattern,
}

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
            let pattern = Pattern::parse(text)
                .map_err(|why| invalid(format!("Invalid filter pattern definition: {text}: {why}")))?;
            let members: Json = serde_json::from_str(text).unwrap_or_default();
            let members = members.as_object().into_iter().flatten();
            let members = members.filter(|(_, inner)| inner.is_object()).map(|(name, _)| name.clone());
            Ok(Filter { text: text.to_owned(), members: members.collect(), pattern })
        });
        patterns.collect::<Result<_, _>>().map(Self)
    }

    /// As AWS tells it.
    pub(crate) fn describe(&self) -> Option<Json> {
        let filters: Vec<Json> = self.0.iter().map(|filter| json!({"Pattern": filter.text})).collect();
        (!filters.is_empty()).then(|| json!({"Filters": filters}))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a function is given this.
    pub(crate) fn pass(&self, event: &Json) -> bool {
        self.0.is_empty() || self.0.iter().any(|filter| filter.pattern.matches(event))
    }

    /// Whether a pattern looks into this member.
    pub(crate) fn look_into(&self, member: &str) -> bool {
        self.0.iter().any(|filter| filter.members.iter().any(|name| name == member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_choose_records() {
        let event =
            json!({"eventName": "INSERT", "n": 5, "dynamodb": {"NewImage": {"region": {"S": "us-east-1"}}}});
        for (pattern, expected) in [
            (json!({"eventName": ["INSERT", "MODIFY"]}), true),
            (json!({"eventName": ["REMOVE"]}), false),
            (json!({"dynamodb": {"NewImage": {"region": {"S": [{"prefix": "us-"}]}}}}), true),
            (json!({"dynamodb": {"NewImage": {"region": {"S": [{"anything-but": ["us-east-1"]}]}}}}), false),
            (json!({"dynamodb": {"OldImage": {"region": {"S": [{"exists": false}]}}}}), true),
            (json!({"n": [{"numeric": [">", 1, "<=", 5]}]}), true),
        ] {
            let filters = json!({"Filters": [{"Pattern": pattern.to_string()}]});
            let filters = Filters::read(&filters).unwrap();
            assert_eq!(filters.pass(&event), expected, "{pattern}");
            assert_eq!(filters.look_into("dynamodb"), pattern.get("dynamodb").is_some());
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
