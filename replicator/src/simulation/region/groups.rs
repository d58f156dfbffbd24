//! Groups and who is in them.

use super::{GroupState, RegionState, absent, conflict, exists, group_arn, invalid};
use crate::model::Group;
use crate::outcome::Outcome;

/// How many groups a thing may be in.
const GROUPS_PER_THING_MAX: usize = 10;

impl RegionState {
    pub(crate) fn create_group(&mut self, group: &Group) -> Outcome<()> {
        if let Some(there) = self.groups.get(&group.name) {
            return if there.group == *group { Ok(()) } else { Err(exists("create group")) };
        }
        if group.parent.as_ref().is_some_and(|parent| !self.groups.contains_key(parent)) {
            return Err(absent("create group"));
        }
        let id = self.new_id("group");
        self.groups
            .insert(group.name.clone(), GroupState { group: group.clone(), id, version: 1, begun_ms: 0 });
        Ok(())
    }

    pub(crate) fn update_group(&mut self, group: &Group) -> Outcome<()> {
        let there = self.groups.get_mut(&group.name).ok_or_else(|| absent("update group"))?;
        there.group.description.clone_from(&group.description);
        there.group.attributes.clone_from(&group.attributes);
        there.version += 1;
        Ok(())
    }

    /// One that is absent is deleted already. Members and policies lose it, and say nothing.
    pub(crate) fn delete_group(&mut self, name: &str) -> Outcome<()> {
        if self.groups.values().any(|group| group.group.parent.as_deref() == Some(name)) {
            return Err(conflict("delete group", "there are groups under it"));
        }
        self.groups.remove(name);
        self.members.retain(|(_, group), _| group != name);
        let arn = group_arn(self.name, name);
        self.attached.retain(|(target, _)| *target != arn);
        Ok(())
    }

    pub(crate) fn thing_groups(&self, thing: &str) -> Vec<String> {
        let of = self.members.keys().filter(|(member, _)| member == thing);
        of.map(|(_, group)| group.clone()).collect()
    }

    /// The group at the top of a group's hierarchy.
    fn root<'a>(&'a self, mut group: &'a str) -> &'a str {
        while let Some(parent) = self.groups.get(group).and_then(|group| group.group.parent.as_deref()) {
            group = parent;
        }
        group
    }

    pub(crate) fn add_to_group(&mut self, group: &str, thing: &str) -> Outcome<()> {
        if !self.groups.contains_key(group) || !self.things.contains_key(thing) {
            return Err(absent("add to group"));
        }
        let key = (thing.to_owned(), group.to_owned());
        if self.members.contains_key(&key) {
            return Ok(());
        }
        let others = self.thing_groups(thing);
        if others.len() >= GROUPS_PER_THING_MAX {
            return Err(invalid("add to group", "the thing is in ten groups"));
        }
        if others.iter().any(|other| self.root(other) == self.root(group)) {
            return Err(invalid("add to group", "the thing is in another group of the same hierarchy"));
        }
        let id = self.new_id("membership");
        self.members.insert(key, id);
        Ok(())
    }

    /// A thing that is not in it is out already.
    pub(crate) fn remove_from_group(&mut self, group: &str, thing: &str) -> Outcome<()> {
        if !self.groups.contains_key(group) || !self.things.contains_key(thing) {
            return Err(absent("remove from group"));
        }
        self.members.remove(&(thing.to_owned(), group.to_owned()));
        Ok(())
    }
}
