//! JSON Schema of scenario files, for editors. It comes from the types that read a scenario, and from the tables of faults,
//! metrics and stop conditions, so that it cannot say anything else than they do.
//!
//! A schema looks at each value by itself. What several of them make together (the order of steps, shares that add up to 1) is
//! left to `gameday validate`, which says everything that a run would.

use gameday_report::{METRICS, Op, Shape, Statistic, Unit};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value, json};

use super::{INCLUDES_MAX, Scenario, span};
use crate::gauge;

const TITLE: &str = "Scenario of gameday";

/// The schema, draft 2020-12.
pub(crate) fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Scenario>().to_value();
    without_null(&mut schema);
    schema["title"] = TITLE.into();
    let include = json!({
        "description": "Files whose values hold where this one has none, relative to it; a later one replaces an earlier one. \
                        A key of a table is replaced as a whole, and so is the list of steps.",
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "minItems": 1,
        "maxItems": INCLUDES_MAX,
    });
    if let Some(keys) = schema["properties"].as_object_mut() {
        keys.insert("include".to_owned(), include);
    }
    // What has to be there may stand in a file that is included.
    let required = take(&mut schema, "required");
    let fleet = schema.pointer_mut("/$defs/Fleet").map(|fleet| take(fleet, "required")).unwrap_or_default();
    schema["if"] = json!({"not": {"required": ["include"]}});
    schema["then"] = json!({"required": required, "properties": {"fleet": {"required": fleet}}});
    schema
}

fn take(schema: &mut Value, key: &str) -> Value {
    schema.as_object_mut().and_then(|schema| schema.remove(key)).unwrap_or_default()
}

/// TOML has no null: what may be left out is left out.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(without_null),
        Value::Object(keys) => {
            keys.retain(|key, value| key != "default" || !value.is_null());
            if let Some(Value::Array(types)) = keys.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    keys.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(forms)) = keys.get_mut("anyOf") {
                forms.retain(|form| *form != json!({"type": "null"}));
                if let [Value::Object(only)] = forms.as_slice() {
                    let only = only.clone();
                    keys.remove("anyOf");
                    for (key, value) in only {
                        keys.entry(key).or_insert(value);
                    }
                }
            }
            keys.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

/// What `[objectives]` takes: each metric with what it is compared with.
pub(super) fn objectives(_: &mut SchemaGenerator) -> Schema {
    let all = ["<=", ">=", "==", "<", ">"];
    let one = |key: String, metric: &gameday_report::Metric| {
        (
            key,
            json!({"description": metric.meaning, "type": "string", "pattern": comparison(&all, metric.unit)}),
        )
    };
    let keys = METRICS.iter().flat_map(|metric| match metric.shape {
        Shape::Scalar => vec![one(metric.name.to_owned(), metric)],
        Shape::Distribution => {
            Statistic::ALL.map(|s| one(format!("{}.{}", metric.name, s.name()), metric)).to_vec()
        }
    });
    table(&keys.collect(), "Metric to what it must be, as \"<= 90s\".")
}

/// What `[stop] when` takes.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    let signs = [Op::AtLeast.sign(), Op::Above.sign()];
    let one = |(key, unit)| (key, json!({"type": "string", "pattern": comparison(&signs, unit)}));
    table(&gauge::keys().map(one).collect(), "Metric of the run to what ends it, as \"> 80%\".")
}

/// What `[steady] when` takes.
pub(super) fn hypotheses(_: &mut SchemaGenerator) -> Schema {
    let signs = [Op::AtMost.sign(), Op::Below.sign(), Op::Equal.sign()];
    let one = |(key, unit)| (key, json!({"type": "string", "pattern": comparison(&signs, unit)}));
    table(&gauge::keys().map(one).collect(), "Metric of the run to what has to hold, as \"== 0\".")
}

fn table(keys: &Map<String, Value>, description: &str) -> Schema {
    json_schema!({
        "description": description,
        "type": "object",
        "properties": keys,
        "additionalProperties": false,
    })
}

/// A sign and a value of the unit.
fn comparison(signs: &[&str], unit: Unit) -> String {
    const NUMBER: &str = "[0-9]+(\\.[0-9]+)?";
    let value = match unit {
        Unit::Duration => format!("{0}( ?{0})*", span::WRITTEN),
        Unit::Count => NUMBER.to_owned(),
        Unit::Share => format!("{NUMBER} ?%"),
        Unit::Devices => format!("{NUMBER}( ?%)?"),
    };
    format!("^ *({}) *{value} *$", signs.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::CATALOGUE;

    #[test]
    fn it_knows_each_fault_and_each_metric() {
        let schema = schema();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        let forms = schema["$defs"]["Fault"]["oneOf"].as_array().unwrap();
        assert_eq!(forms.len(), CATALOGUE.len() + 1);
        assert_eq!(forms[0]["enum"].as_array().unwrap().len(), CATALOGUE.len());
        let objectives = schema["properties"]["objectives"]["properties"].as_object().unwrap();
        for metric in METRICS {
            assert!(objectives.keys().any(|key| key.starts_with(metric.name)), "{}", metric.name);
        }
        assert!(!schema.to_string().contains("\"null\""), "TOML has no null");
    }

    #[test]
    fn what_a_scenario_must_have_may_be_included() {
        let schema = schema();
        assert!(schema.get("required").is_none() && schema["$defs"]["Fleet"].get("required").is_none());
        assert_eq!(schema["then"]["required"], json!(["title", "proves", "fleet", "step"]));
        assert_eq!(schema["then"]["properties"]["fleet"]["required"], json!(["devices", "strategy"]));
    }
}
