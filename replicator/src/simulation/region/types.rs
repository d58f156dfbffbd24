//! Thing types.

use super::{RegionState, TypeState, absent, conflict, exists};
use crate::model::ThingType;
use crate::outcome::Outcome;

/// How long a type must have been deprecated before it may be deleted.
pub(crate) const DELETE_AFTER_MS: u64 = 5 * 60 * 1_000;

impl RegionState {
    pub(crate) fn create_thing_type(&mut self, thing_type: &ThingType) -> Outcome<()> {
        if let Some(there) = self.types.get(&thing_type.name) {
            let there = &there.thing_type;
            let same = there.description == thing_type.description
                && there.searchable_attributes == thing_type.searchable_attributes;
            return if same { Ok(()) } else { Err(exists("create type")) };
        }
        let id = self.new_id("type");
        let thing_type = ThingType { deprecated: false, ..thing_type.clone() };
        self.types.insert(thing_type.name.clone(), TypeState { thing_type, id, ..TypeState::default() });
        Ok(())
    }

    /// Deprecating again leaves the time as it is.
    pub(crate) fn deprecate_thing_type(&mut self, name: &str, deprecated: bool, now_ms: u64) -> Outcome<()> {
        let there = self.types.get_mut(name).ok_or_else(|| absent("deprecate type"))?;
        if there.thing_type.deprecated != deprecated {
            there.thing_type.deprecated = deprecated;
            there.deprecated_ms = now_ms;
        }
        Ok(())
    }

    pub(crate) fn delete_thing_type(&mut self, name: &str, now_ms: u64) -> Outcome<()> {
        let there = self.types.get(name).ok_or_else(|| absent("delete type"))?;
        if !there.thing_type.deprecated || now_ms < there.deprecated_ms + DELETE_AFTER_MS {
            return Err(conflict("delete type", "it was not deprecated five minutes ago"));
        }
        if self.things.values().any(|thing| thing.thing.thing_type.as_deref() == Some(name)) {
            return Err(conflict("delete type", "a thing has it"));
        }
        self.types.remove(name);
        Ok(())
    }
}
