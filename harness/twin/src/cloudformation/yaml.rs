//! Template text as JSON: JSON as it is, YAML with its short tags (`!Ref`, `!Sub`, ...) spelled out as functions.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput, Tag};
use serde_json::{Map, Value as Json, json};

use super::error::invalid;
use crate::error::AwsError;

/// Maps and lists in each other. AWS refuses deep templates too; the number is ours.
const DEPTH_MAX: usize = 64;

/// Reads a template.
pub(super) fn read(text: &str) -> Result<Json, AwsError> {
    let value = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|e| {
            let at = format!("(line {}, column {})", e.line(), e.column());
            invalid(format!("Template format error: JSON not well-formed. {at}"))
        })?
    } else {
        Reader { parser: Parser::new_from_str(text) }.document()?
    };
    if Json::is_object(&value) {
        Ok(value)
    } else {
        Err(invalid("Template format error: unsupported structure."))
    }
}

fn not_well_formed(at: Marker) -> AwsError {
    let (line, column) = (at.line(), at.col() + 1);
    invalid(format!("Template format error: YAML not well-formed. (line {line}, column {column})"))
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Marker), AwsError> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start)),
            Some(Err(error)) => Err(scan(&error)),
            None => Err(invalid("Template format error: YAML not well-formed.")),
        }
    }

    fn document(mut self) -> Result<Json, AwsError> {
        let mut value = Json::Null;
        loop {
            let (event, at) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => return Ok(value),
                _ if !value.is_null() => return Err(not_well_formed(at)),
                event => value = self.node(event, at, 0)?,
            }
        }
    }

    fn node(&mut self, event: Event<'a>, at: Marker, depth: usize) -> Result<Json, AwsError> {
        if depth > DEPTH_MAX {
            return Err(invalid("Template format error: nesting is too deep"));
        }
        match event {
            Event::Scalar(text, style, _, tag) => {
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                let value = if is_plain { plain(&text) } else { Json::String(text.into_owned()) };
                tagged(tag.as_deref(), value, at)
            }
            Event::SequenceStart(_, tag) => {
                let mut list = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => return tagged(tag.as_deref(), Json::Array(list), at),
                        (event, at) => list.push(self.node(event, at, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(_, tag) => {
                let mut map = Map::new();
                loop {
                    let (event, key_at) = self.next()?;
                    let key = match event {
                        Event::MappingEnd => return tagged(tag.as_deref(), Json::Object(map), at),
                        Event::Scalar(text, ..) => text.into_owned(),
                        _ => return Err(not_well_formed(key_at)),
                    };
                    let (event, at) = self.next()?;
                    let value = self.node(event, at, depth + 1)?;
                    if map.insert(key.clone(), value).is_some() {
                        let line = key_at.line();
                        return Err(invalid(format!(
                            "Template format error: duplicate key {key} (line {line})"
                        )));
                    }
                }
            }
            Event::Alias(_) => {
                Err(invalid("Template error: YAML aliases are not allowed in CloudFormation templates"))
            }
            _ => Err(not_well_formed(at)),
        }
    }
}

fn scan(error: &ScanError) -> AwsError {
    not_well_formed(*error.marker())
}

/// A scalar without quotes. A number that would not be written back the same stays text: account ids, versions.
fn plain(text: &str) -> Json {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "true" | "True" | "TRUE" => return json!(true),
        "false" | "False" | "FALSE" => return json!(false),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>()
        && number.to_string() == text
    {
        return json!(number);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number.to_string() == text => json!(number),
        _ => json!(text),
    }
}

/// The value with its tag as the function that the tag is short for.
fn tagged(tag: Option<&Tag>, value: Json, at: Marker) -> Result<Json, AwsError> {
    let Some(tag) = tag else { return Ok(value) };
    if tag.is_yaml_core_schema() {
        return Ok(value);
    }
    let name = tag.suffix.as_str();
    let function = match name {
        _ if tag.handle != "!" => return Err(not_well_formed(at)),
        "Ref" | "Condition" => name.to_owned(),
        "GetAtt" | "Sub" | "Join" | "Select" | "Split" | "If" | "And" | "Or" | "Not" | "Equals"
        | "FindInMap" | "ImportValue" | "Base64" | "Length" | "ToJsonString" | "GetAZs" | "Cidr"
        | "Transform" => {
            format!("Fn::{name}")
        }
        _ => return Err(invalid(format!("Template format error: unknown tag !{name} (line {})", at.line()))),
    };
    let value = match (name, value) {
        ("GetAtt", Json::String(path)) => match path.split_once('.') {
            Some((resource, attribute)) => json!([resource, attribute]),
            None => json!([path]),
        },
        (_, value) => value,
    };
    Ok(json!({ function: value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tags_are_the_functions_that_they_stand_for() {
        let yaml = r#"
A: !Ref X
B: !GetAtt T.Outputs.Url
C: !Sub "${X}-1"
D: !Join [",", [a, !Ref Y]]
E: !If
  - Prod
  - !Select [0, !Split [",", "a,b"]]
  - !Ref AWS::NoValue
F: {"Fn::Not": [!Condition Prod]}
"#;
        let long = json!({
            "A": {"Ref": "X"},
            "B": {"Fn::GetAtt": ["T", "Outputs.Url"]},
            "C": {"Fn::Sub": "${X}-1"},
            "D": {"Fn::Join": [",", ["a", {"Ref": "Y"}]]},
            "E": {"Fn::If": ["Prod", {"Fn::Select": [0, {"Fn::Split": [",", "a,b"]}]}, {"Ref": "AWS::NoValue"}]},
            "F": {"Fn::Not": [{"Condition": "Prod"}]},
        });
        assert_eq!(read(yaml).unwrap(), long);
        assert_eq!(read(&long.to_string()).unwrap(), long);
    }

    #[test]
    fn plain_scalars_keep_what_they_say() {
        let read =
            read("x: {a: 1, b: 012, c: 1.50, d: 2010-09-09, e: 'true', f: true, g: , h: 1.5}").unwrap();
        let wanted = json!({"a": 1, "b": "012", "c": "1.50", "d": "2010-09-09", "e": "true", "f": true,
                            "g": null, "h": 1.5});
        assert_eq!(read["x"], wanted);
    }

    #[test]
    fn what_is_no_template_is_refused_with_its_place() {
        let message = |text: &str| read(text).unwrap_err().message;
        assert_eq!(message("{\"a\": }"), "Template format error: JSON not well-formed. (line 1, column 7)");
        assert!(message("a: [1").starts_with("Template format error: YAML not well-formed. (line"));
        assert_eq!(message("just text"), "Template format error: unsupported structure.");
        assert!(message("a: 1\na: 2").contains("duplicate key a (line 2)"));
        assert!(message("a: &x 1\nb: *x").contains("aliases are not allowed"));
        assert!(message("a: !Nope 1").contains("!Nope"));
        assert!(message(&"[".repeat(5_000)).contains("Template format error"));
    }
}
