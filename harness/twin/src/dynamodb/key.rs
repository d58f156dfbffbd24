//! Keys: their attributes, their values and their order.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{
    item::{Binary, Item, Value, invalid},
    number::Number,
};
use crate::error::AwsError;

const HASH_KEY_BYTES_MAX: usize = 2048;
const RANGE_KEY_BYTES_MAX: usize = 1024;

/// The value of a key attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum KeyValue {
    S(String),
    N(Number),
    B(Binary),
    /// Behind every value: only ever the edge of a range, never stored.
    End,
}

/// A primary key. Keys of one partition are neighbours, in the order of their sort keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) hash: KeyValue,
    pub(crate) range: Option<KeyValue>,
}

impl Key {
    /// Before every key that can be stored.
    pub(crate) const FIRST: Self = Self { hash: KeyValue::S(String::new()), range: None };
    /// Behind every key that can be stored.
    pub(crate) const LAST: Self = Self { hash: KeyValue::End, range: None };

    /// Which of so many parts the partition key falls into.
    pub(crate) fn part(&self, parts: usize) -> usize {
        let parts = u64::try_from(parts).unwrap_or(1).max(1);
        usize::try_from(fixed_hash(&self.hash) % parts).unwrap_or(0)
    }

    /// What tells partition keys of one part from each other: their hash without what has chosen the part.
    pub(crate) fn partition_in_shard(&self, parts: usize) -> u64 {
        fixed_hash(&self.hash) / u64::try_from(parts).unwrap_or(1).max(1)
    }

    /// A hash of the key, the same in every Region.
    pub(crate) fn digest(&self) -> String {
        fixed_digest(&(&self.hash, &self.range))
    }
}

/// A hash that is the same in every run.
pub(crate) fn fixed_hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The same as text.
pub(crate) fn fixed_digest(value: &impl Hash) -> String {
    format!("{:016x}", fixed_hash(value))
}

/// A key attribute: name and type (`S`, `N` or `B`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyAttribute {
    pub(crate) name: String,
    pub(crate) kind: String,
}

/// The key schema of a table or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schema {
    pub(crate) hash: KeyAttribute,
    pub(crate) range: Option<KeyAttribute>,
}

impl Schema {
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.hash).chain(&self.range)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.attributes().any(|a| a.name == name)
    }

    /// The key attributes alone.
    pub(crate) fn key_item(&self, key: &Key) -> Item {
        let values = std::iter::once(&key.hash).chain(&key.range);
        self.attributes().zip(values).filter_map(|(a, v)| Some((a.name.clone(), v.value()?))).collect()
    }

    /// The key of an item that is to be stored.
    pub(crate) fn key_of_item(&self, item: &Item) -> Result<Key, AwsError> {
        let hash = key_value(&self.hash, item, HASH_KEY_BYTES_MAX)?;
        let range = self.range.as_ref().map(|a| key_value(a, item, RANGE_KEY_BYTES_MAX)).transpose()?;
        Ok(Key { hash, range })
    }

    /// The key that a request names: the key attributes and nothing else.
    pub(crate) fn key_of_request(&self, key: &Item) -> Result<Key, AwsError> {
        let mismatch = || invalid("The provided key element does not match the schema");
        if key.len() != self.attributes().count() {
            return Err(mismatch());
        }
        for attribute in self.attributes() {
            if key.get(&attribute.name).is_none_or(|v| v.type_name() != attribute.kind) {
                return Err(mismatch());
            }
        }
        self.key_of_item(key)
    }
}

impl KeyValue {
    /// As an attribute value; none for the end of a range.
    pub(crate) fn value(&self) -> Option<Value> {
        match self {
            Self::S(s) => Some(Value::S(s.clone())),
            Self::N(n) => Some(Value::N(n.clone())),
            Self::B(b) => Some(Value::B(b.clone())),
            Self::End => None,
        }
    }

    /// The key value of an attribute value of this type; none if it has another.
    pub(crate) fn of(value: Value, kind: &str) -> Option<Self> {
        match value {
            _ if value.type_name() != kind => None,
            Value::S(s) => Some(Self::S(s)),
            Value::N(n) => Some(Self::N(n)),
            Value::B(b) => Some(Self::B(b)),
            _ => None,
        }
    }
}

fn key_value(attribute: &KeyAttribute, item: &Item, bytes_max: usize) -> Result<KeyValue, AwsError> {
    let KeyAttribute { name, kind } = attribute;
    let value = item.get(name).ok_or_else(|| {
        invalid(format!("One or more parameter values were invalid: Missing the key {name} in the item"))
    })?;
    let bytes = value.size_bytes();
    if value.type_name() == kind && bytes == 0 {
        return Err(invalid(format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
             empty string value. Key: {name}"
        )));
    }
    if bytes > bytes_max {
        return Err(invalid(format!(
            "One or more parameter values were invalid: Size of key {name} has exceeded the maximum size limit of \
             {bytes_max} bytes"
        )));
    }
    let actual = value.type_name();
    KeyValue::of(value.clone(), kind).ok_or_else(|| {
        invalid(format!(
            "One or more parameter values were invalid: Type mismatch for key {name} expected: {kind} actual: {actual}"
        ))
    })
}
