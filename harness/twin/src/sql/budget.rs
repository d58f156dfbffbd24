//! What one evaluation may make: a statement is short, but what it asks for, over and over, need not be.

use std::cell::Cell;

use serde_json::Value;

/// Bytes of all values that one evaluation makes or copies, those included that go into others.
pub(super) const EVALUATION_BYTES_MAX: usize = 1024 * 1024;
/// What a value counts for besides its texts.
const VALUE_BYTES: usize = 4;

/// The bytes that are left to an evaluation. Once they are spent, everything is undefined.
#[derive(Debug)]
pub(super) struct Budget(Cell<Option<usize>>);

impl Budget {
    pub(super) fn new() -> Self {
        Self(Cell::new(Some(EVALUATION_BYTES_MAX)))
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0.get().is_none()
    }

    /// None if there are not that many left.
    pub(super) fn spend(&self, bytes: usize) -> Option<()> {
        self.0.set(self.0.get().and_then(|left| left.checked_sub(bytes)));
        self.0.get().map(drop)
    }

    pub(super) fn spend_value(&self, value: &Value) -> Option<()> {
        self.spend(weight(value))
    }
}

fn weight(value: &Value) -> usize {
    let inside = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => members.iter().map(|(key, value)| key.len() + weight(value)).sum(),
    };
    VALUE_BYTES + inside
}
