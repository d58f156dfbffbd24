//! Intrinsic functions of templates: `Ref`, `Fn::Join`, `Fn::Select`, `Fn::FindInMap`, `Fn::Split`, `Fn::Sub`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::failure;
use crate::error::AwsError;

/// No resolved text of a template is longer: parameters are 4 KB each, and joins could multiply them.
const TEXT_BYTES_MAX: usize = 512 * 1024;

/// What references and functions look up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) parameters: &'a BTreeMap<String, String>,
    pub(super) mappings: &'a Value,
}

impl Scope<'_> {
    /// The value with every function in it carried out.
    pub(super) fn evaluate(&self, value: &Value) -> Result<Value, AwsError> {
        match value {
            Value::Object(object) => match function(object) {
                Some((name, argument)) => self.call(name, argument),
                None => object
                    .iter()
                    .map(|(name, member)| Ok((name.clone(), self.evaluate(member)?)))
                    .collect::<Result<Map<_, _>, AwsError>>()
                    .map(Value::Object),
            },
            Value::Array(items) => Ok(Value::Array(self.all(items)?)),
            plain => Ok(plain.clone()),
        }
    }

    /// The value, which has to come out as text.
    pub(super) fn text(&self, value: &Value) -> Result<String, AwsError> {
        match self.evaluate(value)? {
            Value::String(text) if text.len() <= TEXT_BYTES_MAX => Ok(text),
            Value::String(_) => Err(failure(format!("A value is longer than {TEXT_BYTES_MAX} bytes"))),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            _ => Err(failure(format!("{value} is not a string"))),
        }
    }

    /// The value, which has to come out as a list of texts.
    pub(super) fn texts(&self, value: &Value) -> Result<Vec<String>, AwsError> {
        match self.evaluate(value)? {
            Value::Array(items) => items.iter().map(|item| self.text(item)).collect(),
            _ => Err(failure(format!("{value} is not a list"))),
        }
    }

    fn all(&self, items: &[Value]) -> Result<Vec<Value>, AwsError> {
        items.iter().map(|item| self.evaluate(item)).collect()
    }

    fn parameter(&self, name: &str) -> Result<String, AwsError> {
        let found = self.parameters.get(name).cloned();
        found.ok_or_else(|| failure(format!("The parameter {name} is not given and has no default")))
    }

    fn call(&self, name: &str, argument: &Value) -> Result<Value, AwsError> {
        match (name, argument) {
            ("Ref", Value::String(name)) => self.parameter(name).map(Value::String),
            ("Fn::Join", Value::Array(items)) => match items.as_slice() {
                [delimiter, list] => Ok(Value::String(self.texts(list)?.join(&self.text(delimiter)?))),
                _ => Err(misused(name)),
            },
            ("Fn::Split", Value::Array(items)) => match items.as_slice() {
                [delimiter, text] => {
                    let (delimiter, text) = (self.text(delimiter)?, self.text(text)?);
                    if delimiter.is_empty() {
                        return Err(misused(name));
                    }
                    Ok(text.split(&delimiter).map(|part| Value::String(part.to_owned())).collect())
                }
                _ => Err(misused(name)),
            },
            ("Fn::Select", Value::Array(items)) => match items.as_slice() {
                [index, list] => self.select(&self.text(index)?, &self.evaluate(list)?),
                _ => Err(misused(name)),
            },
            ("Fn::FindInMap", Value::Array(items)) => match items.as_slice() {
                [map, first, second] => {
                    let path = [self.text(map)?, self.text(first)?, self.text(second)?];
                    let found = path.iter().try_fold(self.mappings, |at, name| at.get(name));
                    found.cloned().ok_or_else(|| failure(format!("Mappings have no {}", path.join("."))))
                }
                _ => Err(misused(name)),
            },
            ("Fn::Sub", Value::String(text)) => self.substitute(text, &Map::new()),
            ("Fn::Sub", Value::Array(items)) => match items.as_slice() {
                [Value::String(text), Value::Object(variables)] => self.substitute(text, variables),
                _ => Err(misused(name)),
            },
            _ => Err(misused(name)),
        }
    }

    fn select(&self, index: &str, list: &Value) -> Result<Value, AwsError> {
        let item = index.parse::<usize>().ok().and_then(|index| list.as_array()?.get(index));
        match item {
            Some(item) if !item.is_null() => self.evaluate(item),
            _ => Err(failure(format!("Fn::Select has nothing at {index}"))),
        }
    }

    /// Replaces `${Name}` by a variable or parameter; `${!Name}` stands for `${Name}` itself.
    fn substitute(&self, text: &str, variables: &Map<String, Value>) -> Result<Value, AwsError> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            out.push_str(before);
            let (name, after) = behind.split_once('}').ok_or_else(|| misused("Fn::Sub"))?;
            match (name.strip_prefix('!'), variables.get(name)) {
                (Some(literal), _) => {
                    out.push_str("${");
                    out.push_str(literal);
                    out.push('}');
                }
                (None, Some(variable)) => out.push_str(&self.text(variable)?),
                (None, None) => out.push_str(&self.parameter(name)?),
            }
            if out.len() > TEXT_BYTES_MAX {
                return Err(failure(format!("A value is longer than {TEXT_BYTES_MAX} bytes")));
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(Value::String(out))
    }
}

/// An object with one member that is named like a function is a call of it.
fn function(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = object.iter().next().filter(|_| object.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}

fn misused(name: &str) -> AwsError {
    failure(format!("{name} is not a function of templates or has other arguments"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn evaluate(value: &Value) -> Result<Value, AwsError> {
        let parameters = [("Name", "lamp"), ("List", "a,b,c"), ("Region", "west")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()));
        let mappings = json!({"Table": {"west": {"Url": "https://w"}}});
        Scope { parameters: &parameters.into(), mappings: &mappings }.evaluate(value)
    }

    #[test]
    fn functions_do_what_aws_says() {
        let select = json!({"Fn::Select": ["1", {"Fn::Split": [",", {"Ref": "List"}]}]});
        for (value, result) in [
            (json!({"Ref": "Name"}), json!("lamp")),
            (json!({"Fn::Join": ["-", ["x", {"Ref": "Name"}, 1]]}), json!("x-lamp-1")),
            (json!({"Fn::Join": ["", []]}), json!("")),
            (select, json!("b")),
            (json!({"Fn::FindInMap": ["Table", {"Ref": "Region"}, "Url"]}), json!("https://w")),
            (json!({"Fn::Sub": "${Name}/${!Name}/$"}), json!("lamp/${Name}/$")),
            (json!({"Fn::Sub": ["${Other}-${Name}", {"Other": {"Ref": "Region"}}]}), json!("west-lamp")),
            (json!({"a": [{"Ref": "Name"}], "b": true}), json!({"a": ["lamp"], "b": true})),
        ] {
            assert_eq!(evaluate(&value).unwrap(), result, "{value}");
        }
    }

    #[test]
    fn what_cannot_be_resolved_fails_the_registration() {
        for value in [
            json!({"Ref": "Absent"}),
            json!({"Ref": 1}),
            json!({"Fn::Join": "x"}),
            json!({"Fn::Split": ["", "a"]}),
            json!({"Fn::Select": [3, ["a"]]}),
            json!({"Fn::Select": [0, [null]]}),
            json!({"Fn::FindInMap": ["Table", "east", "Url"]}),
            json!({"Fn::Sub": "${Absent}"}),
            json!({"Fn::Sub": "${Name"}),
            json!({"Fn::GetAtt": ["thing", "Arn"]}),
        ] {
            let code = evaluate(&value).unwrap_err().code;
            assert_eq!(code, "ResourceRegistrationFailureException", "{value}");
        }
    }

    proptest! {
        /// For all lists of texts without the delimiter, splitting undoes joining.
        #[test]
        fn split_undoes_join(items in proptest::collection::vec("[a-z]{0,4}", 1..6)) {
            let joined = json!({"Fn::Join": [",", items]});
            prop_assert_eq!(evaluate(&json!({"Fn::Split": [",", joined]})).unwrap(), json!(items));
        }

        /// Text without `${` is left alone.
        #[test]
        fn plain_text_stays(text in "[^$]{0,20}") {
            prop_assert_eq!(evaluate(&json!({"Fn::Sub": text.clone()})).unwrap(), json!(text));
        }
    }
}
