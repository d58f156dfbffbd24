//! Thing types: their properties, deprecation, and the wait before one may be deleted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Registry, RegistryEvent, already_exists, check_name, invalid, not_found};
use crate::error::AwsError;

/// A type may be deleted this long after it was deprecated.
const DELETE_AFTER_DEPRECATION_MS: i64 = 5 * 60 * 1_000;
/// Attributes of a type that AWS indexes.
const SEARCHABLE_ATTRIBUTES_MAX: usize = 3;
const DESCRIPTION_CHARS_MAX: usize = 2_028;

/// `thingTypeProperties`. What is `None` was not given.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TypeProperties {
    pub(crate) description: Option<String>,
    pub(crate) searchable: Option<BTreeSet<String>>,
    /// `mqtt5Configuration.propagatingAttributes` as given.
    pub(crate) propagating: Option<Value>,
}

/// One thing type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ThingType {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) properties: TypeProperties,
    pub(crate) created_ms: i64,
    pub(crate) deprecated_ms: Option<i64>,
}

impl Registry {
    /// Creates a type. Equal settings again succeed.
    pub(crate) fn create_thing_type(
        &mut self,
        name: &str,
        properties: TypeProperties,
        now_ms: i64,
    ) -> Result<(ThingType, Option<RegistryEvent>), AwsError> {
        check_name("thingTypeName", name)?;
        check(&properties)?;
        if let Some(there) = self.types.get(name) {
            if there.properties == properties {
                return Ok((there.clone(), None));
            }
            return Err(already_exists(
                format!("Thing type {name} already exists in account with different properties"),
                name,
                self.arn(&format!("thingtype/{name}")),
            ));
        }
        let kind = ThingType {
            name: name.to_owned(),
            id: uuid::Uuid::new_v4().to_string(),
            properties,
            created_ms: now_ms,
            deprecated_ms: None,
        };
        self.types.insert(name.to_owned(), kind.clone());
        let event = self.type_event(&kind, "created", now_ms);
        Ok((kind, event))
    }

    pub(crate) fn thing_type(&self, name: &str) -> Result<&ThingType, AwsError> {
        self.types.get(name).ok_or_else(|| not_found(format!("Thing type {name} cannot be found.")))
    }

    /// Types by name.
    pub(crate) fn thing_types(&self) -> &BTreeMap<String, ThingType> {
        &self.types
    }

    /// Replaces the properties that are given.
    pub(crate) fn update_thing_type(
        &mut self,
        name: &str,
        change: TypeProperties,
        now_ms: i64,
    ) -> Result<Option<RegistryEvent>, AwsError> {
        check(&change)?;
        let mut kind = self.thing_type(name)?.clone();
        let before = kind.properties;
        kind.properties = TypeProperties {
            description: change.description.or(before.description),
            searchable: change.searchable.or(before.searchable),
            propagating: change.propagating.or(before.propagating),
        };
        self.types.insert(name.to_owned(), kind.clone());
        Ok(self.type_event(&kind, "updated", now_ms))
    }

    /// Deprecates a type, or takes that back. Doing it again changes nothing: the date stays.
    pub(crate) fn deprecate_thing_type(
        &mut self,
        name: &str,
        undo: bool,
        now_ms: i64,
    ) -> Result<Option<RegistryEvent>, AwsError> {
        let mut kind = self.thing_type(name)?.clone();
        if kind.deprecated_ms.is_none() == undo {
            return Ok(None);
        }
        kind.deprecated_ms = (!undo).then_some(now_ms);
        self.types.insert(name.to_owned(), kind.clone());
        Ok(self.type_event(&kind, "updated", now_ms))
    }

    /// Deletes a type that was deprecated long enough ago and that no thing has.
    pub(crate) fn delete_thing_type(
        &mut self,
        name: &str,
        now_ms: i64,
    ) -> Result<Option<RegistryEvent>, AwsError> {
        let kind = self.thing_type(name)?;
        let Some(deprecated_ms) = kind.deprecated_ms else {
            return Err(invalid(format!(
                "Cannot delete thing type : {name}. Please deprecate the thing type and wait for 5 minutes"
            )));
        };
        if now_ms.saturating_sub(deprecated_ms) < DELETE_AFTER_DEPRECATION_MS {
            return Err(invalid(format!(
                "Cannot delete thing type : {name}. Please wait for 5 minutes after deprecation and then retry"
            )));
        }
        if self.things.values().any(|t| t.type_name.as_deref() == Some(name)) {
            return Err(invalid(format!(
                "Cannot delete thing type : {name}. It is still associated with one or more things"
            )));
        }
        self.forget_tags(&self.arn(&format!("thingtype/{name}")));
        let Some(kind) = self.types.remove(name) else {
            return Ok(None);
        };
        Ok(self.type_event(&kind, "deleted", now_ms))
    }

    /// Refuses a type that a thing cannot be given.
    pub(super) fn usable_type(&self, name: &str) -> Result<(), AwsError> {
        match self.thing_type(name)?.deprecated_ms {
            Some(_) => {
                Err(invalid(format!("Cannot associate a thing with the deprecated thing type {name}")))
            }
            None => Ok(()),
        }
    }
}

fn check(properties: &TypeProperties) -> Result<(), AwsError> {
    if properties.searchable.as_ref().is_some_and(|s| s.len() > SEARCHABLE_ATTRIBUTES_MAX) {
        return Err(invalid(format!(
            "A thing type can have at most {SEARCHABLE_ATTRIBUTES_MAX} searchable attributes"
        )));
    }
    if properties.description.as_ref().is_some_and(|d| d.chars().count() > DESCRIPTION_CHARS_MAX) {
        return Err(invalid(format!(
            "thingTypeDescription must have at most {DESCRIPTION_CHARS_MAX} characters"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(text: &str) -> TypeProperties {
        TypeProperties { description: Some(text.to_owned()), ..TypeProperties::default() }
    }

    #[test]
    fn create_is_idempotent_for_equal_properties() {
        let mut r = Registry::new("us-east-1", "123456789012");
        r.set_event("THING_TYPE", true);
        let (kind, event) = r.create_thing_type("k", described("a"), 1).unwrap();
        assert_eq!(event.unwrap().topic, "$aws/events/thingType/k/created");
        let (again, event) = r.create_thing_type("k", described("a"), 2).unwrap();
        assert_eq!((again, event), (kind, None));
        let other = r.create_thing_type("k", described("b"), 3).unwrap_err();
        assert_eq!((other.status, other.code), (409, "ResourceAlreadyExistsException"));
    }

    #[test]
    fn a_type_is_deleted_five_minutes_after_its_deprecation() {
        let mut r = Registry::new("us-east-1", "123456789012");
        r.set_event("THING_TYPE", true);
        r.create_thing_type("k", TypeProperties::default(), 0).unwrap();
        assert_eq!(r.delete_thing_type("k", 10_000_000).unwrap_err().code, "InvalidRequestException");
        let event = r.deprecate_thing_type("k", false, 1_000).unwrap().unwrap();
        assert_eq!(
            (&event.payload["operation"], &event.payload["isDeprecated"]),
            (&"UPDATED".into(), &true.into())
        );
        assert_eq!(r.deprecate_thing_type("k", false, 9_000).unwrap(), None, "the date stays");
        assert!(r.delete_thing_type("k", 1_000 + DELETE_AFTER_DEPRECATION_MS - 1).is_err());
        assert!(r.delete_thing_type("k", 1_000 + DELETE_AFTER_DEPRECATION_MS).is_ok());
        assert_eq!(r.delete_thing_type("k", i64::MAX).unwrap_err().code, "ResourceNotFoundException");
    }

    #[test]
    fn update_keeps_what_is_not_given() {
        let mut r = Registry::new("us-east-1", "123456789012");
        r.create_thing_type("k", described("a"), 0).unwrap();
        let change =
            TypeProperties { searchable: Some(BTreeSet::from(["s".to_owned()])), ..Default::default() };
        r.update_thing_type("k", change, 0).unwrap();
        let properties = &r.thing_type("k").unwrap().properties;
        assert_eq!(properties.description.as_deref(), Some("a"));
        assert!(properties.searchable.as_ref().unwrap().contains("s"));
    }
}
