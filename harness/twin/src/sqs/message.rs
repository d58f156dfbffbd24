//! A message, its attributes, and the checksums that clients verify.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

/// What a message says besides its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// `String`, `Number` or `Binary`, and a label of the sender's after a dot.
    pub(crate) data_type: String,
    pub(crate) value: Value,
}

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Binary(Vec<u8>),
}

impl Attribute {
    pub(crate) fn text(data_type: &str, value: impl Into<String>) -> Self {
        Self { data_type: data_type.to_owned(), value: Value::Text(value.into()) }
    }

    fn bytes(&self) -> &[u8] {
        match &self.value {
            Value::Text(text) => text.as_bytes(),
            Value::Binary(bytes) => bytes,
        }
    }
}

/// A message in a queue.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) attributes: BTreeMap<String, Attribute>,
    pub(crate) sent_ms: i64,
    pub(crate) first_received_ms: Option<i64>,
    /// How often it has been received.
    pub(crate) receives: u32,
    /// The queue that it was a dead letter of.
    pub(crate) buried_from: Option<String>,
}

impl Message {
    pub(crate) fn new(body: String, attributes: BTreeMap<String, Attribute>, now_ms: i64) -> Self {
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            body,
            attributes,
            sent_ms: now_ms,
            first_received_ms: None,
            receives: 0,
            buried_from: None,
        }
    }

    /// Bytes that count against the queue's largest message.
    pub(crate) fn size_bytes(&self) -> usize {
        let attribute = |(name, a): (&String, &Attribute)| name.len() + a.data_type.len() + a.bytes().len();
        self.body.len() + self.attributes.iter().map(attribute).sum::<usize>()
    }
}

/// A message that was received, and the handle of this receipt.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) message: Message,
    pub(crate) handle: String,
}

/// Of the body, in hexadecimal.
pub(crate) fn body_md5(body: &str) -> String {
    hex::encode(Md5::digest(body.as_bytes()))
}

/// Of the attributes in the order of their names, each part with its length before it, in hexadecimal.
pub(crate) fn attributes_md5<'a>(
    attributes: impl Iterator<Item = (&'a String, &'a Attribute)>,
) -> Option<String> {
    let mut hash = Md5::new();
    let mut count = 0;
    let part = |hash: &mut Md5, bytes: &[u8]| {
        hash.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(bytes);
    };
    for (name, attribute) in attributes {
        part(&mut hash, name.as_bytes());
        part(&mut hash, attribute.data_type.as_bytes());
        hash.update([match attribute.value {
            Value::Text(_) => 1,
            Value::Binary(_) => 2,
        }]);
        part(&mut hash, attribute.bytes());
        count += 1;
    }
    (count > 0).then(|| hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_that_clients_compute() {
        assert_eq!(body_md5("hello"), "5d41402abc4b2a76b9719d911017c592");
        let attributes = BTreeMap::from([
            ("b".to_owned(), Attribute { data_type: "Binary".to_owned(), value: Value::Binary(vec![1, 2]) }),
            ("a".to_owned(), Attribute::text("String", "x")),
        ]);
        // By hand: name, type, 1 or 2, value; lengths before all but the third.
        let mut by_hand = Vec::new();
        for (name, kind, tag, value) in [("a", "String", 1, &b"x"[..]), ("b", "Binary", 2, &[1, 2])] {
            for part in [name.as_bytes(), kind.as_bytes()] {
                by_hand.extend([0, 0, 0, u8::try_from(part.len()).unwrap()]);
                by_hand.extend(part);
            }
            by_hand.push(tag);
            by_hand.extend([0, 0, 0, u8::try_from(value.len()).unwrap()]);
            by_hand.extend(value);
        }
        assert_eq!(attributes_md5(attributes.iter()), Some(hex::encode(Md5::digest(&by_hand))));
        assert_eq!(attributes_md5(BTreeMap::new().iter()), None);
    }
}
