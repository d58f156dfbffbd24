//! Attributes of things and thing groups: what names and values may be, how a change merges or replaces, how many fit.

use std::collections::BTreeMap;

use super::invalid;
use crate::error::AwsError;

/// Attributes of a thing without a type.
pub(super) const UNTYPED_MAX: usize = 3;
/// Attributes of a thing with a type, and of a thing group.
pub(super) const TYPED_MAX: usize = 50;
const NAME_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 800;
/// Bytes of all attributes of one thing, names and values.
const TOTAL_BYTES_MAX: usize = 47 * 1024;

/// `attributePayload` of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AttributeChange {
    pub(crate) attributes: BTreeMap<String, String>,
    /// Keep the attributes that the change does not name.
    pub(crate) merge: bool,
}

impl AttributeChange {
    /// The attributes after this change. An empty value removes an attribute, as on AWS.
    pub(super) fn apply(
        &self,
        before: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, AwsError> {
        let mut after = if self.merge { before.clone() } else { BTreeMap::new() };
        for (name, value) in &self.attributes {
            check(name, value)?;
            if value.is_empty() {
                after.remove(name);
            } else {
                after.insert(name.clone(), value.clone());
            }
        }
        if after.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > TOTAL_BYTES_MAX {
            return Err(invalid(format!("The total size of the attributes exceeds {TOTAL_BYTES_MAX} bytes")));
        }
        Ok(after)
    }
}

fn check(name: &str, value: &str) -> Result<(), AwsError> {
    let name_fits = |c: char| c.is_ascii_alphanumeric() || "_.,@/:#-".contains(c);
    let value_fits = |c: char| c.is_ascii_alphanumeric() || "_.,@/:#=[]-".contains(c);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(name_fits) {
        return Err(invalid(format!(
            "Attribute name {name} must match [a-zA-Z0-9_.,@/:#-]+ and have at most {NAME_CHARS_MAX} characters"
        )));
    }
    if value.len() > VALUE_CHARS_MAX || !value.chars().all(value_fits) {
        return Err(invalid(format!(
            "Value of attribute {name} must match [a-zA-Z0-9_.,@/:#=\\[\\]-]* and have at most {VALUE_CHARS_MAX} \
             characters"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn maps() -> impl Strategy<Value = BTreeMap<String, String>> {
        proptest::collection::btree_map("[a-d]", "[x-z]{0,2}", 0..4)
    }

    proptest! {
        /// For all changes: the same change twice is the change once, and what it names is as it says.
        #[test]
        fn a_change_is_idempotent(before in maps(), attributes in maps(), merge: bool) {
            let change = AttributeChange { attributes, merge };
            let once = change.apply(&before).unwrap();
            prop_assert_eq!(&change.apply(&once).unwrap(), &once);
            for (name, value) in &change.attributes {
                prop_assert_eq!(once.get(name), (!value.is_empty()).then_some(value));
            }
        }
    }

    #[test]
    fn names_and_values_are_checked() {
        for (name, value) in [("", "x"), ("a b", "x"), ("a", "x y"), ("a", &"x".repeat(801)), ("ä", "x")] {
            assert!(check(name, value).is_err(), "{name}={value}");
        }
        assert!(check("a.b/c@d:e#f-g,h_i", "[1]=2").is_ok());
    }
}
