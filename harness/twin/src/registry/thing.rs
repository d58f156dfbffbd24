//! Things: create, update, delete, and their principals.

use std::collections::BTreeMap;

use super::{Registry, RegistryEvent, invalid, not_found};
use crate::error::AwsError;

/// AWS's limit of a thing's name.
const NAME_BYTES_MAX: usize = 128;
/// Attributes of a thing without a type.
const ATTRIBUTES_MAX: usize = 3;

/// One thing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Thing {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) version: u64,
}

/// What `UpdateThing` asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct ThingChange {
    pub(crate) attributes: Option<BTreeMap<String, String>>,
    pub(crate) merge: bool,
    pub(crate) expected_version: Option<u64>,
}

impl Registry {
    /// Creates a thing. The same thing again succeeds; the same name with other settings is refused.
    pub(crate) fn create_thing(
        &mut self,
        name: &str,
        attributes: BTreeMap<String, String>,
        now_ms: i64,
    ) -> Result<(Thing, Option<RegistryEvent>), AwsError> {
        check_name(name)?;
        let attributes = set_attributes(&BTreeMap::new(), attributes, false)?;
        if let Some(there) = self.things.get(name) {
            if there.attributes == attributes {
                return Ok((there.clone(), None));
            }
            return Err(AwsError::new(
                409,
                "ResourceAlreadyExistsException",
                format!("Thing {name} already exists in account with different attributes"),
            )
            .with("resourceId", name)
            .with("resourceArn", self.arn(&format!("thing/{name}"))));
        }
        let thing =
            Thing { name: name.to_owned(), id: uuid::Uuid::new_v4().to_string(), attributes, version: 1 };
        self.things.insert(name.to_owned(), thing.clone());
        let event = self.thing_event(&thing, "created", now_ms);
        Ok((thing, event))
    }

    pub(crate) fn update_thing(
        &mut self,
        name: &str,
        change: ThingChange,
        now_ms: i64,
    ) -> Result<Option<RegistryEvent>, AwsError> {
        let mut thing = self.thing(name)?.clone();
        check_version(&thing, change.expected_version)?;
        if let Some(attributes) = change.attributes {
            thing.attributes = set_attributes(&thing.attributes, attributes, change.merge)?;
        }
        thing.version += 1;
        self.things.insert(name.to_owned(), thing.clone());
        Ok(self.thing_event(&thing, "updated", now_ms))
    }

    /// Deletes a thing; one that is not there is deleted already. Principals must be detached first.
    pub(crate) fn delete_thing(
        &mut self,
        name: &str,
        expected_version: Option<u64>,
        now_ms: i64,
    ) -> Result<Option<RegistryEvent>, AwsError> {
        let Some(thing) = self.things.get(name) else {
            return Ok(None);
        };
        check_version(thing, expected_version)?;
        if self.thing_principals.get(name).is_some_and(|p| !p.is_empty()) {
            return Err(invalid(format!(
                "Cannot delete. Thing {name} is still attached to one or more principals"
            )));
        }
        let Some(thing) = self.things.remove(name) else {
            return Ok(None);
        };
        self.thing_principals.remove(name);
        Ok(self.thing_event(&thing, "deleted", now_ms))
    }

    pub(crate) fn thing(&self, name: &str) -> Result<&Thing, AwsError> {
        self.things.get(name).ok_or_else(|| not_found(format!("Thing {name} cannot be found.")))
    }

    /// Things by name, those with an attribute's value where one is asked for.
    pub(crate) fn things<'a>(
        &'a self,
        attribute: Option<(&'a str, &'a str)>,
    ) -> impl Iterator<Item = &'a Thing> + 'a {
        self.things.values().filter(move |thing| {
            attribute.is_none_or(|(name, value)| thing.attributes.get(name).is_some_and(|v| v == value))
        })
    }

    pub(crate) fn attach_principal(&mut self, thing: &str, principal: &str) -> Result<(), AwsError> {
        self.thing(thing)?;
        self.certificate_by_arn(principal)?;
        self.thing_principals.entry(thing.to_owned()).or_default().insert(principal.to_owned());
        Ok(())
    }

    pub(crate) fn detach_principal(&mut self, thing: &str, principal: &str) -> Result<(), AwsError> {
        self.thing(thing)?;
        if let Some(principals) = self.thing_principals.get_mut(thing) {
            principals.remove(principal);
        }
        Ok(())
    }

    pub(crate) fn principals(&self, thing: &str) -> Result<Vec<String>, AwsError> {
        self.thing(thing)?;
        Ok(self.thing_principals.get(thing).map(|p| p.iter().cloned().collect()).unwrap_or_default())
    }

    /// Whether this thing exists and this certificate is attached to it: then policy variables of the thing resolve.
    pub(crate) fn is_attached(&self, thing: &str, principal: &str) -> bool {
        self.thing_principals.get(thing).is_some_and(|p| p.contains(principal))
    }
}

fn check_name(name: &str) -> Result<(), AwsError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
        return Err(invalid(
            "1 validation error detected: Value at 'thingName' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [a-zA-Z0-9:_-]+ and have a length of at most 128",
        ));
    }
    Ok(())
}

fn check_version(thing: &Thing, expected: Option<u64>) -> Result<(), AwsError> {
    match expected {
        Some(expected) if expected != thing.version => Err(AwsError::new(
            409,
            "VersionConflictException",
            format!(
                "The version for thing {} does not match the expected version. Expected version {expected}, actual {}",
                thing.name, thing.version
            ),
        )),
        _ => Ok(()),
    }
}

/// An empty value removes an attribute, as on AWS.
fn set_attributes(
    before: &BTreeMap<String, String>,
    given: BTreeMap<String, String>,
    merge: bool,
) -> Result<BTreeMap<String, String>, AwsError> {
    let mut attributes = if merge { before.clone() } else { BTreeMap::new() };
    for (name, value) in given {
        if value.is_empty() {
            attributes.remove(&name);
        } else {
            attributes.insert(name, value);
        }
    }
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(invalid(format!(
            "A thing without a thing type can have at most {ATTRIBUTES_MAX} attributes"
        )));
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        let mut registry = Registry::new("us-east-1", "123456789012");
        registry.set_event("THING", true);
        registry
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn create_is_idempotent_for_equal_settings_only() {
        let mut r = registry();
        let (first, event) = r.create_thing("t", map(&[("a", "1")]), 5).unwrap();
        assert_eq!(event.unwrap().topic, "$aws/events/thing/t/created");
        let (again, event) = r.create_thing("t", map(&[("a", "1")]), 6).unwrap();
        assert_eq!((again.id, event), (first.id, None));
        assert_eq!(r.create_thing("t", map(&[]), 7).unwrap_err().code, "ResourceAlreadyExistsException");
    }

    #[test]
    fn attributes_merge_replace_and_clear() {
        let mut r = registry();
        r.create_thing("t", map(&[("a", "1"), ("b", "2")]), 0).unwrap();
        let merge = ThingChange {
            attributes: Some(map(&[("a", ""), ("c", "3")])),
            merge: true,
            ..Default::default()
        };
        r.update_thing("t", merge, 0).unwrap();
        assert_eq!(r.thing("t").unwrap().attributes, map(&[("b", "2"), ("c", "3")]));
        let clear = ThingChange { attributes: Some(map(&[])), ..Default::default() };
        let event = r.update_thing("t", clear, 0).unwrap().unwrap();
        assert_eq!(event.payload["versionNumber"], 3);
        assert!(r.thing("t").unwrap().attributes.is_empty());
    }

    #[test]
    fn a_stale_expected_version_changes_nothing() {
        let mut r = registry();
        r.create_thing("t", map(&[]), 0).unwrap();
        let change = ThingChange { expected_version: Some(7), ..Default::default() };
        assert_eq!(r.update_thing("t", change, 0).unwrap_err().code, "VersionConflictException");
        assert_eq!(r.thing("t").unwrap().version, 1);
    }

    #[test]
    fn names_are_checked() {
        for name in ["", "a b", "ä", &"x".repeat(129)] {
            assert!(registry().create_thing(name, map(&[]), 0).is_err(), "{name}");
        }
    }
}
