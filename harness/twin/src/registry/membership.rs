//! Which things are in which groups.

use std::collections::BTreeSet;

use super::{Group, Registry, RegistryEvent, invalid};
use crate::error::AwsError;

/// Groups that one thing may be in.
const GROUPS_PER_THING_MAX: usize = 10;

impl Registry {
    /// Puts a thing into a group. Again is fine; a second group of the same hierarchy is not.
    pub(crate) fn add_to_group(
        &mut self,
        group: &str,
        thing: &str,
        now_ms: i64,
    ) -> Result<Option<RegistryEvent>, AwsError> {
        let (group, thing) = (self.group(group)?.clone(), self.thing(thing)?.clone());
        if group.members.contains(&thing.name) {
            return Ok(None);
        }
        let groups = self.groups_of(&thing.name);
        if groups.len() >= GROUPS_PER_THING_MAX {
            return Err(invalid(format!("A thing can be in at most {GROUPS_PER_THING_MAX} thing groups")));
        }
        let root = self.root(&group);
        if let Some(other) = groups.iter().find(|other| self.root(other) == root) {
            return Err(invalid(format!(
                "Thing {} cannot be added to group {}: it is in group {} of the same hierarchy",
                thing.name, group.name, other.name
            )));
        }
        self.thing_groups.entry(thing.name.clone()).or_default().insert(group.name.clone());
        if let Some(group) = self.groups.get_mut(&group.name) {
            group.members.insert(thing.name.clone());
        }
        Ok(self.membership_event(&group, &thing, "added", now_ms))
    }

    /// Takes a thing out of a group. One that is not in it is out already.
    pub(crate) fn remove_from_group(
        &mut self,
        group: &str,
        thing: &str,
        now_ms: i64,
    ) -> Result<Option<RegistryEvent>, AwsError> {
        let (group, thing) = (self.group(group)?.clone(), self.thing(thing)?.clone());
        if !group.members.contains(&thing.name) {
            return Ok(None);
        }
        if let Some(group) = self.groups.get_mut(&group.name) {
            group.members.remove(&thing.name);
        }
        self.forget_membership(&thing.name, &group.name);
        Ok(self.membership_event(&group, &thing, "removed", now_ms))
    }

    /// The groups that a thing is directly in, by name.
    pub(crate) fn groups_of(&self, thing: &str) -> Vec<&Group> {
        self.thing_groups.get(thing).into_iter().flatten().filter_map(|name| self.groups.get(name)).collect()
    }

    /// The things in a group, and in those below it when `recursive`.
    pub(crate) fn members(&self, group: &str, recursive: bool) -> Result<BTreeSet<&str>, AwsError> {
        let mut members = BTreeSet::new();
        let mut open = vec![self.group(group)?];
        while let Some(group) = open.pop() {
            members.extend(group.members.iter().map(String::as_str));
            if recursive {
                open.extend(group.children.iter().filter_map(|child| self.groups.get(child)));
            }
        }
        Ok(members)
    }

    /// A thing that is deleted is in no group any more.
    pub(super) fn leave_all_groups(&mut self, thing: &str) {
        for group in self.thing_groups.remove(thing).unwrap_or_default() {
            if let Some(group) = self.groups.get_mut(&group) {
                group.members.remove(thing);
            }
        }
    }

    pub(super) fn forget_membership(&mut self, thing: &str, group: &str) {
        if let Some(groups) = self.thing_groups.get_mut(thing) {
            groups.remove(group);
            if groups.is_empty() {
                self.thing_groups.remove(thing);
            }
        }
    }

    fn root<'a>(&'a self, group: &'a Group) -> &'a str {
        self.ancestors(group).last().map_or(group.name.as_str(), |root| root.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{GroupChange, ThingSettings};

    fn registry() -> Registry {
        let mut r = Registry::new("us-east-1", "123456789012");
        r.set_event("THING_GROUP_MEMBERSHIP", true);
        for (name, parent) in [("a", None), ("a1", Some("a")), ("a2", Some("a")), ("b", None)] {
            r.create_group(name, parent, GroupChange::default(), 0).unwrap();
        }
        r.create_thing("t", ThingSettings::default(), 0).unwrap();
        r
    }

    #[test]
    fn a_thing_is_in_one_group_of_a_hierarchy() {
        let mut r = registry();
        let event = r.add_to_group("a1", "t", 0).unwrap().unwrap();
        assert_eq!(event.topic, "$aws/events/thingGroupMembership/thingGroup/a1/thing/t/added");
        assert_eq!(r.add_to_group("a1", "t", 0).unwrap(), None);
        for other in ["a", "a2"] {
            assert_eq!(r.add_to_group(other, "t", 0).unwrap_err().code, "InvalidRequestException");
        }
        r.add_to_group("b", "t", 0).unwrap();
        assert_eq!(r.groups_of("t").iter().map(|g| g.name.as_str()).collect::<Vec<_>>(), ["a1", "b"]);
    }

    #[test]
    fn members_of_a_parent_are_those_below_when_asked() {
        let mut r = registry();
        r.add_to_group("a1", "t", 0).unwrap();
        assert!(r.members("a", false).unwrap().is_empty());
        assert_eq!(r.members("a", true).unwrap(), BTreeSet::from(["t"]));
    }

    #[test]
    fn what_goes_away_leaves_nothing_behind() {
        let mut r = registry();
        r.add_to_group("b", "t", 0).unwrap();
        r.delete_group("b", None, 0).unwrap();
        assert!(r.groups_of("t").is_empty() && r.thing_groups.is_empty());
        r.add_to_group("a1", "t", 0).unwrap();
        r.delete_thing("t", None, 0).unwrap();
        assert!(r.members("a1", false).unwrap().is_empty());
        assert_eq!(r.remove_from_group("a1", "t", 0).unwrap_err().code, "ResourceNotFoundException");
    }

    #[test]
    fn a_thing_is_in_ten_groups_at_most() {
        let mut r = registry();
        for n in 0..=GROUPS_PER_THING_MAX {
            let name = format!("x{n}");
            r.create_group(&name, None, GroupChange::default(), 0).unwrap();
            assert_eq!(r.add_to_group(&name, "t", 0).is_ok(), n < GROUPS_PER_THING_MAX);
        }
    }
}
