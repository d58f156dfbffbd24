//! What a target is given of an event: the whole, a part, a fixed text, or a template filled in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::states::{Path, Scope};

/// AWS's limits of a transformer.
const PATHS_MAX: usize = 100;
const TEMPLATE_CHARS_MAX: usize = 8_192;
/// Its limit of a fixed input.
const FIXED_CHARS_MAX: usize = 8_192;
/// What a target can be given: AWS's largest event.
const INPUT_BYTES_MAX: usize = 256 * 1024;

/// As the API spells a transformer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TransformerSpec {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    input_paths_map: BTreeMap<String, String>,
    input_template: String,
}

/// How an event becomes a target's input.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Event,
    Fixed(String),
    Part(Path),
    Template { paths: Vec<(String, Path)>, template: String },
}

/// The rule on whose behalf, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion<'a> {
    pub(crate) rule: &'a str,
    pub(crate) rule_arn: &'a str,
    pub(crate) ingested: Timestamp,
}

impl Input {
    /// An error says what is wrong, without naming the target.
    pub(crate) fn new(
        fixed: Option<&str>,
        path: Option<&str>,
        transformer: Option<&TransformerSpec>,
    ) -> Result<Self, String> {
        match (fixed, path, transformer) {
            (None, None, None) => Ok(Self::Event),
            (Some(fixed), None, None) if fixed.chars().count() > FIXED_CHARS_MAX => {
                Err(format!("Input has at most {FIXED_CHARS_MAX} characters"))
            }
            (Some(fixed), None, None) => match serde_json::from_str::<Json>(fixed) {
                Ok(_) => Ok(Self::Fixed(fixed.to_owned())),
                Err(_) => Err("JSON syntax error in input".to_owned()),
            },
            (None, Some(path), None) => Path::parse(path).map(Self::Part),
            (None, None, Some(spec)) => {
                if spec.input_paths_map.len() > PATHS_MAX {
                    return Err(format!("InputPathsMap has more than {PATHS_MAX} entries"));
                }
                let chars = spec.input_template.chars().count();
                if !(1..=TEMPLATE_CHARS_MAX).contains(&chars) {
                    return Err(format!("InputTemplate has 1 to {TEMPLATE_CHARS_MAX} characters"));
                }
                let parse = |(name, path): (&String, &String)| Ok((name.clone(), Path::parse(path)?));
                let paths = spec.input_paths_map.iter().map(parse).collect::<Result<_, String>>()?;
                Ok(Self::Template { paths, template: spec.input_template.clone() })
            }
            _ => Err("Only one of Input, InputPath, or InputTransformer must be provided".to_owned()),
        }
    }

    /// What the target is given: JSON in any case. None: it is too large, and the delivery fails.
    pub(crate) fn of(&self, event: &Json, occasion: Occasion<'_>) -> Option<String> {
        let input = match self {
            Self::Event => event.to_string(),
            Self::Fixed(text) => text.clone(),
            Self::Part(path) => read(path, event).unwrap_or(Json::Null).to_string(),
            Self::Template { paths, template } => {
                let value = |name: &str| match paths.iter().find(|(n, _)| n == name) {
                    Some((_, path)) => Some(read(path, event).unwrap_or_else(|| json!(""))),
                    None => occasion.variable(name, event),
                };
                let filled = fill(template, value)?;
                if serde_json::from_str::<Json>(&filled).is_ok() {
                    filled
                } else {
                    Json::from(filled).to_string()
                }
            }
        };
        // The event itself is wrapped: that is none of the sender's bytes.
        (matches!(self, Self::Event) || input.len() <= INPUT_BYTES_MAX).then_some(input)
    }
}

fn read(path: &Path, event: &Json) -> Option<Json> {
    path.read(Scope { input: event, context: &Json::Null })
}

impl Occasion<'_> {
    /// The variables that every template has.
    fn variable(&self, name: &str, event: &Json) -> Option<Json> {
        match name {
            "aws.events.rule-arn" => Some(json!(self.rule_arn)),
            "aws.events.rule-name" => Some(json!(self.rule)),
            "aws.events.event.ingestion-time" => {
                Some(json!(self.ingested.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()))
            }
            "aws.events.event.json" => Some(event.clone()),
            "aws.events.event" => {
                let members = event.as_object().into_iter().flatten().filter(|(name, _)| *name != "detail");
                Some(members.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            _ => None,
        }
    }
}

/// Puts values in for `<name>`. Between quotation marks a string goes in without its own; unknown names stay. None: it
/// grows beyond all bounds.
fn fill(template: &str, value: impl Fn(&str) -> Option<Json>) -> Option<String> {
    let mut filled = String::with_capacity(template.len());
    let mut quoted = false;
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        if filled.len() > INPUT_BYTES_MAX {
            return None;
        }
        let variable = rest.strip_prefix('<').and_then(|r| r.split_once('>'));
        if let Some((name, after)) = variable
            && let Some(value) = value(name)
        {
            let text = value.to_string();
            match (&value, quoted) {
                (Json::String(_), true) => filled.push_str(&text[1..text.len() - 1]),
                (_, true) => {
                    let escaped = Json::from(text).to_string();
                    filled.push_str(&escaped[1..escaped.len() - 1]);
                }
                (_, false) => filled.push_str(&text),
            }
            rest = after;
            continue;
        }
        let mut taken = c.len_utf8();
        if c == '\\' {
            taken += rest[taken..].chars().next().map_or(0, char::len_utf8);
        } else if c == '"' {
            quoted = !quoted;
        }
        filled.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn given(input: &Input, event: &Json) -> Json {
        let occasion = Occasion { rule: "r", rule_arn: "arn:r", ingested: Timestamp::UNIX_EPOCH };
        serde_json::from_str(&input.of(event, occasion).unwrap()).unwrap()
    }

    #[test]
    fn a_text_is_measured_in_characters() {
        let fixed = |count: usize| Input::new(Some(&format!("\"{}\"", "ä".repeat(count - 2))), None, None);
        assert!(fixed(FIXED_CHARS_MAX).is_ok() && fixed(FIXED_CHARS_MAX + 1).is_err());
        let template = |count: usize| {
            let spec =
                TransformerSpec { input_paths_map: BTreeMap::new(), input_template: "ä".repeat(count) };
            Input::new(None, None, Some(&spec))
        };
        assert!(template(TEMPLATE_CHARS_MAX).is_ok() && template(TEMPLATE_CHARS_MAX + 1).is_err());
    }

    fn template(paths: &[(&str, &str)], template: &str) -> Input {
        let input_paths_map = paths.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let spec = TransformerSpec { input_paths_map, input_template: template.to_owned() };
        Input::new(None, None, Some(&spec)).unwrap()
    }

    #[test]
    fn a_target_is_given_the_event_a_part_or_a_text() {
        let event = json!({"detail-type": "t", "detail": {"a": [1, 2]}});
        assert_eq!(given(&Input::new(None, None, None).unwrap(), &event), event);
        assert_eq!(given(&Input::new(Some("{\"b\":1}"), None, None).unwrap(), &event), json!({"b": 1}));
        assert_eq!(given(&Input::new(None, Some("$.detail.a[1]"), None).unwrap(), &event), json!(2));
        assert_eq!(given(&Input::new(None, Some("$.detail-type"), None).unwrap(), &event), json!("t"));
        assert_eq!(given(&Input::new(None, Some("$.none"), None).unwrap(), &event), json!(null));
        assert!(Input::new(Some("{"), None, None).is_err());
        let quoted = |chars: usize| format!("\"{}\"", "x".repeat(chars - 2));
        assert!(Input::new(Some(&quoted(8_192)), None, None).is_ok());
        assert!(Input::new(Some(&quoted(8_193)), None, None).is_err());
        assert!(Input::new(Some(r#""\ud800""#), None, None).is_err());
        assert!(Input::new(Some("{}"), Some("$.a"), None).is_err());
        assert!(Input::new(None, Some("a"), None).is_err());
    }

    #[test]
    fn templates_are_filled_by_where_a_variable_stands() {
        let event = json!({"detail": {"name": "say \"hi\"", "n": 3, "o": {"k": "v"}}, "id": "i"});
        let paths =
            [("name", "$.detail.name"), ("n", "$.detail.n"), ("o", "$.detail.o"), ("no", "$.detail.no")];
        for (text, expected) in [
            (r#"{"who": <name>, "n": <n>, "o": <o>}"#, json!({"who": "say \"hi\"", "n": 3, "o": {"k": "v"}})),
            (r#""<name> has <n>""#, json!("say \"hi\" has 3")),
            (r#"{"text": "is <o>"}"#, json!({"text": "is {\"k\":\"v\"}"})),
            (r#"{"none": <no>, "in": "<no>"}"#, json!({"none": "", "in": ""})),
            (
                r#"{"rule": <aws.events.rule-name>, "of": <aws.events.rule-arn>}"#,
                json!({"rule": "r", "of": "arn:r"}),
            ),
            (r#"{"at": <aws.events.event.ingestion-time>}"#, json!({"at": "1970-01-01T00:00:00Z"})),
            (r#"{"e": <aws.events.event>}"#, json!({"e": {"id": "i"}})),
            (r#"{"e": "\"<n>\""}"#, json!({"e": "\"3\""})),
            ("<name> is not JSON", json!("\"say \\\"hi\\\"\" is not JSON")),
            (r#""<unknown>""#, json!("<unknown>")),
        ] {
            assert_eq!(given(&template(&paths, text), &event), expected, "{text}");
        }
        assert_eq!(given(&template(&[], r#"{"e": <aws.events.event.json>}"#), &event), json!({"e": event}));
    }

    #[test]
    fn a_template_that_makes_too_much_of_an_event_makes_nothing() {
        let event = json!({"detail": {"a": "x".repeat(200_000)}});
        let occasion = Occasion { rule: "r", rule_arn: "arn:r", ingested: Timestamp::UNIX_EPOCH };
        let of = |text: &str| template(&[("a", "$.detail.a")], text).of(&event, occasion);
        assert!(of(r#"{"a": <a>}"#).is_some());
        assert_eq!(of(&"<a>".repeat(2_000)), None);
        assert_eq!(of(r#"["<a>", <a>]"#), None);
        let escaped = "\"".repeat(100_000);
        let event = json!({"detail": escaped});
        let of = |text: &str| template(&[("a", "$.detail")], text).of(&event, occasion);
        assert_eq!(of("<a> is not JSON"), None, "what escaping makes of it counts");
        assert!(Input::Event.of(&event, occasion).is_some());
    }

    proptest! {
        #[test]
        fn a_value_comes_through_whole(value in ".*", text in "[a-z<>\"\\\\ ]{0,12}") {
            let event = json!({"v": value});
            prop_assert_eq!(given(&template(&[("v", "$.v")], r#"{"v": <v>}"#), &event), json!({"v": value}));
            prop_assert_eq!(given(&template(&[("v", "$.v")], r#"{"v": "<v>"}"#), &event), json!({"v": value}));
            // Whatever a template is, the target is given JSON.
            if !text.is_empty() {
                given(&template(&[("v", "$.v")], &text), &event);
            }
        }
    }
}
