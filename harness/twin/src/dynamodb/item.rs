//! Items and attribute values: the typed JSON of the API (`{"S": "…"}`), and the way in for plain JSON as the topic
//! rules' `DynamoDBv2` action takes it.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value as Json;

use super::number::Number;
use crate::error::AwsError;

/// The most that DynamoDB stores as one item.
pub(crate) const ITEM_BYTES_MAX: usize = 400 * 1024;
/// Maps and lists in each other, as DynamoDB has it.
const NESTING_MAX: usize = 32;
/// Bytes that DynamoDB counts for a map or list, and for each of its entries.
const DOCUMENT_OVERHEAD_BYTES: usize = 3;

/// An item: attributes by name.
pub(crate) type Item = BTreeMap<String, Value>;

/// One attribute value. Its serde form is the API's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Value {
    S(String),
    N(Number),
    B(Binary),
    #[serde(rename = "BOOL")]
    Bool(bool),
    #[serde(rename = "NULL")]
    Null(bool),
    M(Item),
    L(Vec<Value>),
    #[serde(rename = "SS")]
    Strings(BTreeSet<String>),
    #[serde(rename = "NS")]
    Numbers(BTreeSet<Number>),
    #[serde(rename = "BS")]
    Binaries(BTreeSet<Binary>),
}

/// Bytes, base64 on the wire.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Binary(pub(crate) Vec<u8>);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(D::Error::custom)
    }
}

impl Value {
    /// The type's name as `attribute_type` and error messages have it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::S(_) => "S",
            Self::N(_) => "N",
            Self::B(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null(_) => "NULL",
            Self::M(_) => "M",
            Self::L(_) => "L",
            Self::Strings(_) => "SS",
            Self::Numbers(_) => "NS",
            Self::Binaries(_) => "BS",
        }
    }

    /// Bytes that DynamoDB counts for the value.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::S(s) => s.len(),
            Self::N(n) => n.size_bytes(),
            Self::B(b) => b.0.len(),
            Self::Bool(_) | Self::Null(_) => 1,
            Self::M(m) => DOCUMENT_OVERHEAD_BYTES + m.len() + item_size_bytes(m),
            Self::L(l) => DOCUMENT_OVERHEAD_BYTES + l.len() + l.iter().map(Self::size_bytes).sum::<usize>(),
            Self::Strings(s) => s.iter().map(String::len).sum(),
            Self::Numbers(n) => n.iter().map(Number::size_bytes).sum(),
            Self::Binaries(b) => b.iter().map(|b| b.0.len()).sum(),
        }
    }

    /// Plain JSON as an attribute value: what the topic rules' `DynamoDBv2` action stores.
    pub(crate) fn from_plain(json: Json) -> Result<Self, AwsError> {
        Ok(match json {
            Json::Null => Self::Null(true),
            Json::Bool(b) => Self::Bool(b),
            Json::Number(n) => Self::N(n.to_string().parse()?),
            Json::String(s) => Self::S(s),
            Json::Array(a) => Self::L(a.into_iter().map(Self::from_plain).collect::<Result<_, _>>()?),
            Json::Object(o) => Self::M(item_from_plain(o)?),
        })
    }

    pub(crate) fn binary(bytes: &[u8]) -> Self {
        Self::B(Binary(bytes.to_vec()))
    }

    /// Whether more than `left` maps and lists stand in each other.
    fn nests_deeper_than(&self, left: usize) -> bool {
        let deeper = |inner: &Self| inner.nests_deeper_than(left - 1);
        match self {
            Self::M(m) => left == 0 || m.values().any(deeper),
            Self::L(l) => left == 0 || l.iter().any(deeper),
            _ => false,
        }
    }

    /// DynamoDB stores no empty set.
    fn has_empty_set(&self) -> bool {
        match self {
            Self::Strings(s) => s.is_empty(),
            Self::Numbers(s) => s.is_empty(),
            Self::Binaries(s) => s.is_empty(),
            Self::M(m) => m.values().any(Self::has_empty_set),
            Self::L(l) => l.iter().any(Self::has_empty_set),
            _ => false,
        }
    }
}

/// A JSON object as an item, each member an attribute.
pub(crate) fn item_from_plain(object: serde_json::Map<String, Json>) -> Result<Item, AwsError> {
    object.into_iter().map(|(name, value)| Ok((name, Value::from_plain(value)?))).collect()
}

/// Bytes that DynamoDB counts for an item: names and values.
pub(crate) fn item_size_bytes(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value.size_bytes()).sum()
}

/// The limits on what can be stored.
pub(crate) fn check_item(item: &Item) -> Result<(), AwsError> {
    // First: the rest walks all of it. An update can put an item into itself, one level deeper a call.
    if item.values().any(|value| value.nests_deeper_than(NESTING_MAX)) {
        return Err(invalid("Nesting Levels have exceeded supported limits"));
    }
    if item_size_bytes(item) > ITEM_BYTES_MAX {
        return Err(invalid("Item size has exceeded the maximum allowed size"));
    }
    if item.values().any(Value::has_empty_set) {
        return Err(invalid("One or more parameter values were invalid: An set may not be empty"));
    }
    Ok(())
}

/// A `ValidationException`.
pub(crate) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationException", message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_serde_form_is_the_api_form() {
        let wire = json!({
            "s": {"S": "x"}, "n": {"N": "1.5"}, "b": {"B": "AQI="}, "t": {"BOOL": true}, "z": {"NULL": true},
            "m": {"M": {"k": {"L": [{"S": "a"}, {"N": "-1"}]}}}, "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2"]},
        });
        let item: Item = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(serde_json::to_value(&item).unwrap(), wire);
    }

    #[test]
    fn plain_json_becomes_typed_values() {
        let Json::Object(plain) = json!({"a": "x", "b": 1.50, "c": null, "d": [true], "e": {"f": 7}}) else {
            panic!("an object")
        };
        let item = item_from_plain(plain).unwrap();
        assert_eq!(
            serde_json::to_value(&item).unwrap(),
            json!({"a": {"S": "x"}, "b": {"N": "1.5"}, "c": {"NULL": true}, "d": {"L": [{"BOOL": true}]},
                   "e": {"M": {"f": {"N": "7"}}}})
        );
    }

    #[test]
    fn too_large_items_and_empty_sets_are_refused() {
        let large = Item::from([("a".to_owned(), Value::S("x".repeat(ITEM_BYTES_MAX)))]);
        assert!(check_item(&large).is_err());
        let empty = Item::from([("a".to_owned(), Value::L(vec![Value::Strings(BTreeSet::new())]))]);
        assert!(check_item(&empty).is_err());
        let nested = |levels: usize| {
            let inner =
                (0..levels).fold(Value::Bool(true), |v, _| Value::M(Item::from([("m".to_owned(), v)])));
            Item::from([("a".to_owned(), inner)])
        };
        check_item(&nested(NESTING_MAX)).unwrap();
        assert!(check_item(&nested(NESTING_MAX + 1)).is_err());
    }

    fn value() -> impl Strategy<Value = Value> {
        let number = "-?[0-9]{1,20}(\\.[0-9]{1,18})?".prop_map(|n| n.parse().unwrap());
        let leaf = prop_oneof![
            ".{0,6}".prop_map(Value::S),
            number.clone().prop_map(Value::N),
            any::<Vec<u8>>().prop_map(|b| Value::B(Binary(b))),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null(true)),
            prop::collection::btree_set(".{0,3}", 1..4).prop_map(Value::Strings),
            prop::collection::btree_set(number, 1..4).prop_map(Value::Numbers),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::L),
                prop::collection::btree_map(".{0,3}", inner, 0..4).prop_map(Value::M),
            ]
        })
    }

    fn plain() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            any::<i32>().prop_map(|n| Json::from(f64::from(n) / 1000.0)),
            ".{0,6}".prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::btree_map(".{0,3}", inner, 0..4).prop_map(Json::from_iter),
            ]
        })
    }

    /// Plain JSON that a value of the table stands for, where its number has a form in JSON.
    fn back(value: &Value) -> Json {
        match value {
            Value::S(s) => json!(s),
            Value::N(n) => serde_json::from_str(&n.to_string()).unwrap(),
            Value::Bool(b) => json!(b),
            Value::L(list) => list.iter().map(back).collect(),
            Value::M(map) => map.iter().map(|(k, v)| (k.clone(), back(v))).collect(),
            _ => Json::Null,
        }
    }

    proptest! {
        /// For all values: what is told is read back as it was, and counts for the same bytes.
        #[test]
        fn values_round_trip(value in value()) {
            let read: Value = serde_json::from_str(&serde_json::to_string(&value).unwrap()).unwrap();
            prop_assert_eq!(read.size_bytes(), value.size_bytes());
            prop_assert_eq!(read, value);
        }

        /// For all plain JSON: a value of the table stands for it, numbers by what they are worth.
        #[test]
        fn plain_json_round_trips(plain in plain()) {
            let value = Value::from_plain(plain.clone()).unwrap();
            let again = Value::from_plain(back(&value)).unwrap();
            prop_assert_eq!(again, value);
        }
    }
}
