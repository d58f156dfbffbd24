//! Functions of arrays and objects.

use serde_json::Value;

use super::{Call, Function, function, text::TEXT_BYTES_MAX};

/// AWS's largest result of `transform`.
const TRANSFORM_BYTES_MAX: usize = 128 * 1024;

pub(super) static FUNCTIONS: &[Function] = &[
    function("get", 2..=2, get),
    function("concat", 0..=usize::MAX, concat),
    function("transform", 3..=3, transform),
];

/// The element, key or character at a place, counted from 0.
fn get(call: &Call<'_>) -> Option<Value> {
    match (call.value(0)?, call.value(1)?) {
        (Value::Object(object), Value::String(key)) => object.get(key).cloned(),
        (Value::Array(items), _) => items.get(usize::try_from(call.whole(1)?).ok()?).cloned(),
        (Value::String(text), _) => {
            let c = text.chars().nth(usize::try_from(call.whole(1)?).ok()?)?;
            Some(Value::String(c.into()))
        }
        _ => None,
    }
}

/// One array if there is one among the arguments, else one text.
fn concat(call: &Call<'_>) -> Option<Value> {
    let values = (0..call.arguments.len()).map(|n| call.value(n)).collect::<Option<Vec<_>>>()?;
    if let [one] = values.as_slice() {
        return Some((*one).clone());
    }
    if values.iter().any(|value| value.is_array()) {
        let mut items = Vec::new();
        for value in values {
            // Here, as the same long array may be many of the arguments.
            call.budget.spend_value(value)?;
            match value {
                Value::Array(more) => items.extend(more.iter().cloned()),
                other => items.push(other.clone()),
            }
        }
        return Some(Value::Array(items));
    }
    if !values.iter().any(|value| value.is_string()) {
        return None;
    }
    let mut text = String::new();
    for n in 0..values.len() {
        text.push_str(&call.text(n)?);
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
    }
    Some(Value::String(text))
}

/// Every object of an array with the keys of another one.
fn transform(call: &Call<'_>) -> Option<Value> {
    if call.value(0)? != "enrichArray" {
        return None;
    }
    let (with, items) = (call.value(1)?.as_object()?, call.value(2)?.as_array()?);
    let per_item_bytes: usize = with.iter().map(|(key, value)| key.len() + value.to_string().len()).sum();
    if per_item_bytes.saturating_mul(items.len()) > TRANSFORM_BYTES_MAX {
        return None;
    }
    let enriched = items.iter().map(|item| {
        let mut item = item.as_object()?.clone();
        item.extend(with.iter().map(|(key, value)| (key.clone(), value.clone())));
        Some(Value::Object(item))
    });
    enriched.collect::<Option<Vec<_>>>().map(Value::Array)
}
