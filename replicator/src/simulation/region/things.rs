//! Things and their principals.

use super::{RegionState, absent, conflict, exists, invalid};
use crate::model::{DescribedThing, Thing};
use crate::outcome::Outcome;
use crate::policy;

impl RegionState {
    /// Whether a thing may be given that type.
    fn usable_type(&self, thing: &Thing) -> Outcome<()> {
        let Some(name) = &thing.thing_type else { return Ok(()) };
        match self.types.get(name) {
            None => Err(absent("thing type")),
            Some(state) if state.thing_type.deprecated => Err(invalid("thing type", "it is deprecated")),
            Some(_) => Ok(()),
        }
    }

    pub(crate) fn create_thing(&mut self, thing: &Thing) -> Outcome<()> {
        if let Some(there) = self.things.get(&thing.name) {
            return if there.thing == *thing { Ok(()) } else { Err(exists("create thing")) };
        }
        self.usable_type(thing)?;
        let thing_id = Some(self.new_id("thing"));
        let described = DescribedThing { thing: thing.clone(), thing_id, version: 1 };
        self.things.insert(thing.name.clone(), described);
        Ok(())
    }

    pub(crate) fn update_thing(&mut self, thing: &Thing) -> Outcome<()> {
        let there = self.things.get(&thing.name).ok_or_else(|| absent("update thing"))?;
        if there.thing.thing_type != thing.thing_type {
            self.usable_type(thing)?;
        }
        let there = self.things.get_mut(&thing.name).ok_or_else(|| absent("update thing"))?;
        there.thing.clone_from(thing);
        there.version += 1;
        Ok(())
    }

    /// One that is absent is deleted already.
    pub(crate) fn delete_thing(&mut self, thing: &str) -> Outcome<()> {
        if !self.thing_principals(thing).is_empty() {
            return Err(conflict("delete thing", "it has principals"));
        }
        self.things.remove(thing);
        self.members.retain(|(member, _), _| member != thing);
        Ok(())
    }

    pub(crate) fn thing_principals(&self, thing: &str) -> Vec<String> {
        let of = self.principals.iter().filter(|(name, _)| name == thing);
        of.map(|(_, principal)| principal.clone()).collect()
    }

    pub(crate) fn principal_things(&self, principal: &str) -> Vec<String> {
        let of = self.principals.iter().filter(|(_, arn)| arn == principal);
        of.map(|(name, _)| name.clone()).collect()
    }

    fn both_there(&self, thing: &str, principal: &str, what: &'static str) -> Outcome<()> {
        let id = policy::certificate_id(principal).ok_or_else(|| invalid(what, "no certificate"))?;
        let there = self.certificates.contains_key(id)
            && principal == super::arn(self.name, id)
            && self.things.contains_key(thing);
        if there { Ok(()) } else { Err(absent(what)) }
    }

    pub(crate) fn attach_principal(&mut self, thing: &str, principal: &str) -> Outcome<()> {
        self.both_there(thing, principal, "attach principal")?;
        self.principals.insert((thing.to_owned(), principal.to_owned()));
        Ok(())
    }

    pub(crate) fn detach_principal(&mut self, thing: &str, principal: &str) -> Outcome<()> {
        self.both_there(thing, principal, "detach principal")?;
        self.principals.remove(&(thing.to_owned(), principal.to_owned()));
        Ok(())
    }
}
