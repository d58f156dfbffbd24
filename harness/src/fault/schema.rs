//! What a scenario may write for a fault, as JSON Schema for editors: names and parameters come from the catalogue, so that the
//! schema knows each fault that a run knows.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::{
    Breakage, CATALOGUE, FaultEntry, Parameter, Takes, Without,
    parameter::{COUNT_MAX, TEXT_BYTES_MAX},
};
use crate::scenario::Span;

impl JsonSchema for Breakage {
    fn schema_name() -> Cow<'static, str> {
        "Fault".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
        let mut forms = vec![json!({
            "description": "A fault by its name, with what holds without parameters. `gameday faults` lists them.",
            "type": "string",
            "enum": names,
        })];
        forms.extend(CATALOGUE.iter().map(|entry| with_parameters(entry, generator)));
        json_schema!({"oneOf": forms})
    }
}

/// A fault as a table: its name, and what is said of it.
fn with_parameters(entry: &FaultEntry, generator: &mut SchemaGenerator) -> Value {
    let mut keys = Map::new();
    keys.insert("fault".to_owned(), json!({"const": entry.name}));
    for parameter in entry.parameters {
        keys.insert(parameter.name.to_owned(), value(parameter, generator));
    }
    json!({
        "description": entry.what,
        "type": "object",
        "properties": keys,
        "required": ["fault"],
        "additionalProperties": false,
    })
}

fn value(parameter: &Parameter, generator: &mut SchemaGenerator) -> Value {
    let mut schema = match parameter.takes {
        Takes::Share => json!({"anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            {"type": "string", "pattern": "^[0-9.]+ *%$"},
        ]}),
        Takes::Time => generator.subschema_for::<Span>().to_value(),
        Takes::OneOf(names) => json!({"enum": names}),
        Takes::Count => json!({"type": "integer", "minimum": 1, "maximum": COUNT_MAX}),
        Takes::Text => json!({"type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX}),
    };
    let without = match parameter.without {
        Without::Is(text) | Without::All(text) => text,
    };
    schema["description"] = format!("{} Without it: {without}.", parameter.what).into();
    schema
}
