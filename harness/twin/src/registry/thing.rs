//! Things: create, update, delete, list.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Bound::{Excluded, Unbounded},
};

use super::{
    AttributeChange, Registry, RegistryEvent, already_exists, attribute, check_name, check_version, invalid,
    not_found,
};
use crate::error::AwsError;

/// One thing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Thing {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) type_name: Option<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) version: u64,
}

/// What `CreateThing` asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct ThingSettings {
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) type_name: Option<String>,
}

/// What `UpdateThing` asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct ThingChange {
    pub(crate) attributes: Option<AttributeChange>,
    pub(crate) type_name: Option<String>,
    pub(crate) remove_type: bool,
    pub(crate) expected_version: Option<u64>,
}

/// What `ListThings` asks for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ThingFilter<'a> {
    pub(crate) type_name: Option<&'a str>,
    /// Name and value.
    pub(crate) attribute: Option<(&'a str, &'a str)>,
    /// The attribute's value is a prefix.
    pub(crate) prefix: bool,
}

impl ThingFilter<'_> {
    fn fits(&self, thing: &Thing) -> bool {
        let attribute = self.attribute.is_none_or(|(name, value)| {
            thing
                .attributes
                .get(name)
                .is_some_and(|v| if self.prefix { v.starts_with(value) } else { v == value })
        });
        attribute && self.type_name.is_none_or(|name| thing.type_name.as_deref() == Some(name))
    }
}

impl Registry {
    /// Creates a thing. The same thing again succeeds; the same name with other settings is refused.
    pub(crate) fn create_thing(
        &mut self,
        name: &str,
        settings: ThingSettings,
        now_ms: i64,
    ) -> Result<(Thing, Vec<RegistryEvent>), AwsError> {
        check_name("thingName", name)?;
        let given = AttributeChange { attributes: settings.attributes, merge: false };
        let attributes = given.apply(&BTreeMap::new())?;
        let usable = settings.type_name.as_ref().map_or(Ok(()), |name| self.usable_type(name));
        let arn = self.arn(&format!("thing/{name}"));
        // One walk of the tree, whether it is there or not: at a fleet's size a walk is what a call costs.
        let place = match self.things.entry(name.to_owned()) {
            Entry::Vacant(place) => place,
            Entry::Occupied(there) => {
                let there = there.get();
                if there.attributes == attributes && there.type_name == settings.type_name {
                    return Ok((there.clone(), Vec::new()));
                }
                let message = format!("Thing {name} already exists in account with different attributes");
                return Err(already_exists(message, name, arn));
            }
        };
        usable?;
        let thing = Thing {
            name: name.to_owned(),
            id: uuid::Uuid::new_v4().to_string(),
            type_name: settings.type_name,
            attributes,
            version: 1,
        };
        check_count(&thing)?;
        place.insert(thing.clone());
        let mut events = Vec::from_iter(self.thing_event(&thing, "created", now_ms));
        if let Some(type_name) = &thing.type_name {
            events.extend(self.association_event(&thing, type_name, "added", now_ms));
        }
        Ok((thing, events))
    }

    pub(crate) fn update_thing(
        &mut self,
        name: &str,
        change: ThingChange,
        now_ms: i64,
    ) -> Result<Vec<RegistryEvent>, AwsError> {
        let before = self.thing(name)?;
        check_version("thing", name, before.version, change.expected_version)?;
        let mut thing = before.clone();
        let old_type = thing.type_name.clone();
        match (change.type_name, change.remove_type) {
            (Some(_), true) => {
                return Err(invalid("Cannot specify both thingTypeName and removeThingType"));
            }
            (Some(new), false) => {
                if thing.type_name.as_deref() != Some(new.as_str()) {
                    self.usable_type(&new)?;
                }
                thing.type_name = Some(new);
            }
            (None, true) => thing.type_name = None,
            (None, false) => {}
        }
        if let Some(attributes) = change.attributes {
            thing.attributes = attributes.apply(&thing.attributes)?;
        }
        check_count(&thing)?;
        thing.version += 1;
        self.things.insert(name.to_owned(), thing.clone());
        let mut events = Vec::from_iter(self.thing_event(&thing, "updated", now_ms));
        if old_type != thing.type_name {
            for (type_name, verb) in [(&old_type, "removed"), (&thing.type_name, "added")] {
                if let Some(type_name) = type_name {
                    events.extend(self.association_event(&thing, type_name, verb, now_ms));
                }
            }
        }
        Ok(events)
    }

    /// Deletes a thing; one that is not there is deleted already. Principals must be detached first, groups lose it.
    pub(crate) fn delete_thing(
        &mut self,
        name: &str,
        expected_version: Option<u64>,
        now_ms: i64,
    ) -> Result<Vec<RegistryEvent>, AwsError> {
        let Some(thing) = self.things.get(name) else {
            return Ok(Vec::new());
        };
        check_version("thing", name, thing.version, expected_version)?;
        if self.thing_principals.get(name).is_some_and(|p| !p.is_empty()) {
            return Err(invalid(format!(
                "Cannot delete. Thing {name} is still attached to one or more principals"
            )));
        }
        let Some(thing) = self.things.remove(name) else {
            return Ok(Vec::new());
        };
        self.thing_principals.remove(name);
        self.leave_all_groups(name);
        Ok(Vec::from_iter(self.thing_event(&thing, "deleted", now_ms)))
    }

    pub(crate) fn thing(&self, name: &str) -> Result<&Thing, AwsError> {
        self.things.get(name).ok_or_else(|| not_found(format!("Thing {name} cannot be found.")))
    }

    /// Things by name that fit `filter`, those behind `after` only.
    pub(crate) fn things<'a>(
        &'a self,
        filter: ThingFilter<'a>,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a Thing> + 'a {
        let from = after.map_or(Unbounded, Excluded);
        self.things.range::<str, _>((from, Unbounded)).map(|(_, t)| t).filter(move |t| filter.fits(t))
    }
}

fn check_count(thing: &Thing) -> Result<(), AwsError> {
    let max = if thing.type_name.is_some() { attribute::TYPED_MAX } else { attribute::UNTYPED_MAX };
    if thing.attributes.len() > max {
        let kind = if thing.type_name.is_some() { "with" } else { "without" };
        return Err(invalid(format!("A thing {kind} a thing type can have at most {max} attributes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::TypeProperties;

    fn registry() -> Registry {
        let mut registry = Registry::new("us-east-1", "123456789012");
        registry.set_event("THING", true);
        registry.set_event("THING_TYPE_ASSOCIATION", true);
        registry
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn with(pairs: &[(&str, &str)]) -> ThingSettings {
        ThingSettings { attributes: map(pairs), type_name: None }
    }

    fn change(pairs: &[(&str, &str)], merge: bool) -> ThingChange {
        ThingChange {
            attributes: Some(AttributeChange { attributes: map(pairs), merge }),
            ..ThingChange::default()
        }
    }

    #[test]
    fn create_is_idempotent_for_equal_settings_only() {
        let mut r = registry();
        let (first, events) = r.create_thing("t", with(&[("a", "1")]), 5).unwrap();
        assert_eq!(events[0].topic, "$aws/events/thing/t/created");
        let (again, events) = r.create_thing("t", with(&[("a", "1")]), 6).unwrap();
        assert_eq!((again.id, events), (first.id, vec![]));
        assert_eq!(r.create_thing("t", with(&[]), 7).unwrap_err().code, "ResourceAlreadyExistsException");
    }

    #[test]
    fn attributes_merge_replace_and_clear() {
        let mut r = registry();
        r.create_thing("t", with(&[("a", "1"), ("b", "2")]), 0).unwrap();
        r.update_thing("t", change(&[("a", ""), ("c", "3")], true), 0).unwrap();
        assert_eq!(r.thing("t").unwrap().attributes, map(&[("b", "2"), ("c", "3")]));
        let events = r.update_thing("t", change(&[], false), 0).unwrap();
        assert_eq!(events[0].payload["versionNumber"], 3);
        assert!(r.thing("t").unwrap().attributes.is_empty());
    }

    #[test]
    fn a_stale_expected_version_changes_nothing() {
        let mut r = registry();
        r.create_thing("t", with(&[]), 0).unwrap();
        let stale = ThingChange { expected_version: Some(7), ..Default::default() };
        assert_eq!(r.update_thing("t", stale, 0).unwrap_err().code, "VersionConflictException");
        assert_eq!(r.thing("t").unwrap().version, 1);
    }

    #[test]
    fn names_are_checked() {
        for name in ["", "a b", "ä", &"x".repeat(129)] {
            assert!(registry().create_thing(name, with(&[]), 0).is_err(), "{name}");
        }
    }

    #[test]
    fn a_type_makes_room_for_fifty_attributes_and_cannot_leave_too_many_behind() {
        let mut r = registry();
        r.create_thing_type("k", TypeProperties::default(), 0).unwrap();
        let many: BTreeMap<String, String> = (0..50).map(|n| (format!("a{n}"), "v".to_owned())).collect();
        let untyped = ThingSettings { attributes: many.clone(), type_name: None };
        assert_eq!(r.create_thing("t", untyped, 0).unwrap_err().code, "InvalidRequestException");
        let typed = ThingSettings { attributes: many, type_name: Some("k".to_owned()) };
        let (_, events) = r.create_thing("t", typed, 0).unwrap();
        assert_eq!(events[0].payload["thingTypeName"], "k");
        assert_eq!(events[1].topic, "$aws/events/thingTypeAssociation/thing/t/thingType/k/added");
        let untype = ThingChange { remove_type: true, ..Default::default() };
        assert!(r.update_thing("t", untype.clone(), 0).is_err());
        let events = r.update_thing("t", ThingChange { remove_type: true, ..change(&[], false) }, 0).unwrap();
        assert_eq!(events[1].topic, "$aws/events/thingTypeAssociation/thing/t/thingType/k/removed");
        assert_eq!(r.thing("t").unwrap().type_name, None);
    }

    #[test]
    fn a_type_that_is_missing_or_deprecated_is_refused() {
        let mut r = registry();
        let typed = || ThingSettings { type_name: Some("k".to_owned()), ..Default::default() };
        assert_eq!(r.create_thing("t", typed(), 0).unwrap_err().code, "ResourceNotFoundException");
        r.create_thing_type("k", TypeProperties::default(), 0).unwrap();
        r.deprecate_thing_type("k", false, 0).unwrap();
        assert_eq!(r.create_thing("t", typed(), 0).unwrap_err().code, "InvalidRequestException");
        r.deprecate_thing_type("k", true, 0).unwrap();
        assert!(r.create_thing("t", typed(), 0).is_ok());
        assert_eq!(r.delete_thing_type("k", i64::MAX).unwrap_err().code, "InvalidRequestException");
    }

    #[test]
    fn listing_filters_by_type_and_attribute() {
        let mut r = registry();
        r.create_thing_type("k", TypeProperties::default(), 0).unwrap();
        r.create_thing("a", with(&[("os", "linux-6")]), 0).unwrap();
        r.create_thing("b", ThingSettings { type_name: Some("k".to_owned()), ..with(&[("os", "linux")]) }, 0)
            .unwrap();
        let list =
            |filter, after| r.things(filter, after).map(|t| t.name.as_str()).collect::<Vec<_>>().join(" ");
        let linux = ThingFilter { attribute: Some(("os", "linux")), ..Default::default() };
        assert_eq!(list(linux, None), "b");
        assert_eq!(list(ThingFilter { prefix: true, ..linux }, None), "a b");
        assert_eq!(list(ThingFilter { type_name: Some("k"), ..Default::default() }, None), "b");
        assert_eq!(list(ThingFilter::default(), Some("a")), "b");
    }
}
