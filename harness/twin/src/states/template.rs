//! Payload templates: `Parameters` and `ResultSelector`, where a field whose name ends in `.$` is read by its path.

use serde_json::{Map, Value as Json};

use super::{
    diagnostic::Diagnostics,
    path::{Path, Scope},
};

/// A template, parsed.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    Literal(Json),
    Path(Path),
    Object(Vec<(String, Template)>),
    Array(Vec<Template>),
}

/// A path of a template that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) path: String,
    /// The field, as the template has it: with its `.$`.
    pub(crate) field: String,
}

impl Template {
    /// Parses a template. What is wrong goes to `found`.
    pub(crate) fn parse(value: &Json, at: &str, found: &mut Diagnostics) -> Self {
        match value {
            Json::Object(object) => Self::Object(
                object.iter().map(|(name, value)| Self::parse_field(name, value, at, found)).collect(),
            ),
            Json::Array(list) => Self::Array(
                list.iter().enumerate().map(|(i, v)| Self::parse(v, &format!("{at}[{i}]"), found)).collect(),
            ),
            literal => Self::Literal(literal.clone()),
        }
    }

    fn parse_field(name: &str, value: &Json, at: &str, found: &mut Diagnostics) -> (String, Self) {
        let at = format!("{at}/{name}");
        let Some(bare) = name.strip_suffix(".$") else {
            return (name.to_owned(), Self::parse(value, &at, found));
        };
        let text = value.as_str().unwrap_or_default();
        if text.starts_with("States.") {
            found.error(format!("The twin does not have intrinsic functions: {text}"), at);
            return (bare.to_owned(), Self::Literal(Json::Null));
        }
        if let Ok(path) = Path::parse(text) {
            return (bare.to_owned(), Self::Path(path));
        }
        let what = "must be a valid JSONPath or a valid intrinsic function call";
        found.error(format!("The value for the field '{name}' {what}"), at);
        (bare.to_owned(), Self::Literal(Json::Null))
    }

    /// The template filled in.
    pub(crate) fn fill(&self, scope: Scope<'_>) -> Result<Json, Missing> {
        match self {
            Self::Literal(literal) => Ok(literal.clone()),
            Self::Path(path) => {
                path.read(scope).ok_or_else(|| Missing { path: path.to_string(), field: String::new() })
            }
            Self::Array(list) => list.iter().map(|template| template.fill(scope)).collect(),
            Self::Object(fields) => {
                let filled = fields.iter().map(|(name, template)| match template.fill(scope) {
                    Ok(value) => Ok((name.clone(), value)),
                    Err(Missing { path, field }) if field.is_empty() => {
                        Err(Missing { path, field: format!("{name}.$") })
                    }
                    Err(missing) => Err(missing),
                });
                filled.collect::<Result<Map<_, _>, _>>().map(Json::Object)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fill(template: &Json) -> Result<Json, Missing> {
        let mut found = Diagnostics::default();
        let template = Template::parse(template, "", &mut found);
        assert!(found.is_empty(), "{found:?}");
        template
            .fill(Scope { input: &json!({"a": [1, {"b": "c"}]}), context: &json!({"State": {"Name": "S"}}) })
    }

    #[test]
    fn paths_are_filled_in_at_every_depth() {
        let template =
            json!({"lit": 1, "x": {"y.$": "$.a[1].b", "n.$": "$$.State.Name"}, "l": [{"z.$": "$.a"}, "$.a"]});
        let expected = json!({"lit": 1, "x": {"y": "c", "n": "S"}, "l": [{"z": [1, {"b": "c"}]}, "$.a"]});
        assert_eq!(fill(&template), Ok(expected));
    }

    #[test]
    fn a_path_that_leads_nowhere_is_named() {
        let missing = Missing { path: "$.q".to_owned(), field: "y.$".to_owned() };
        assert_eq!(fill(&json!({"x": {"y.$": "$.q"}})), Err(missing));
    }

    #[test]
    fn what_is_no_path_is_found_when_parsed() {
        let mut found = Diagnostics::default();
        Template::parse(&json!({"a.$": 1, "b": [{"c.$": "x"}], "d.$": "States.UUID()"}), "/P", &mut found);
        let places: Vec<_> = found.all().iter().map(|d| d.location.as_str()).collect();
        assert_eq!(places, ["/P/a.$", "/P/b[0]/c.$", "/P/d.$"]);
    }
}
