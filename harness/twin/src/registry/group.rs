//! Static thing groups: a forest whose trees are at most seven groups deep. Children are known by their parent's set and
//! a group never moves, so the forest has no cycle.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    AttributeChange, Registry, RegistryEvent, already_exists, attribute, check_name, check_version, invalid,
    not_found,
};
use crate::error::AwsError;

/// Groups from a root to a leaf.
const DEPTH_MAX: usize = 7;
const CHILDREN_MAX: usize = 100;
const DESCRIPTION_CHARS_MAX: usize = 2_028;

/// One thing group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) version: u64,
    pub(crate) created_ms: i64,
    /// Groups whose parent this is.
    pub(super) children: BTreeSet<String>,
    /// Things that are directly in this group.
    pub(super) members: BTreeSet<String>,
}

/// `thingGroupProperties`.
#[derive(Debug, Clone, Default)]
pub(crate) struct GroupChange {
    pub(crate) description: Option<String>,
    pub(crate) attributes: Option<AttributeChange>,
}

impl GroupChange {
    fn attributes(&self, before: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, AwsError> {
        if self.description.as_ref().is_some_and(|d| d.chars().count() > DESCRIPTION_CHARS_MAX) {
            return Err(invalid(format!(
                "thingGroupDescription must have at most {DESCRIPTION_CHARS_MAX} characters"
            )));
        }
        let after = self.attributes.as_ref().map_or_else(|| Ok(before.clone()), |a| a.apply(before))?;
        if after.len() > attribute::TYPED_MAX {
            return Err(invalid(format!(
                "A thing group can have at most {} attributes",
                attribute::TYPED_MAX
            )));
        }
        Ok(after)
    }
}

impl Registry {
    /// Creates a group. Equal settings again succeed.
    pub(crate) fn create_group(
        &mut self,
        name: &str,
        parent: Option<&str>,
        properties: GroupChange,
        now_ms: i64,
    ) -> Result<(Group, Vec<RegistryEvent>), AwsError> {
        check_name("thingGroupName", name)?;
        let attributes = properties.attributes(&BTreeMap::new())?;
        if let Some(there) = self.groups.get(name) {
            let equal = there.parent.as_deref() == parent
                && there.description == properties.description
                && there.attributes == attributes;
            if equal {
                return Ok((there.clone(), Vec::new()));
            }
            return Err(already_exists(
                format!("Thing Group {name} already exists in current account with different properties."),
                name,
                self.group_arn(name),
            ));
        }
        if let Some(parent) = parent {
            self.room_below(parent)?;
        }
        let group = Group {
            name: name.to_owned(),
            id: uuid::Uuid::new_v4().to_string(),
            parent: parent.map(str::to_owned),
            description: properties.description,
            attributes,
            version: 1,
            created_ms: now_ms,
            children: BTreeSet::new(),
            members: BTreeSet::new(),
        };
        self.groups.insert(name.to_owned(), group.clone());
        let mut events = Vec::from_iter(self.group_event(&group, "created", now_ms));
        if let Some(parent) = parent.and_then(|p| self.groups.get_mut(p)) {
            parent.children.insert(name.to_owned());
            let parent = parent.clone();
            events.extend(self.hierarchy_event(&parent, &group, "added", now_ms));
        }
        Ok((group, events))
    }

    fn room_below(&self, parent: &str) -> Result<(), AwsError> {
        // CreateThingGroup has no error that says that something is not there.
        let parent = self.groups.get(parent);
        let parent = parent.ok_or_else(|| invalid("The parent thing group does not exist"))?;
        if self.ancestors(parent).count() + 2 > DEPTH_MAX {
            return Err(invalid(format!("A thing group hierarchy can be at most {DEPTH_MAX} groups deep")));
        }
        if parent.children.len() >= CHILDREN_MAX {
            return Err(invalid(format!(
                "A thing group can have at most {CHILDREN_MAX} direct child groups"
            )));
        }
        Ok(())
    }

    pub(crate) fn group(&self, name: &str) -> Result<&Group, AwsError> {
        self.groups.get(name).ok_or_else(|| not_found(format!("No Thing Group found with name: {name}")))
    }

    pub(crate) fn group_arn(&self, name: &str) -> String {
        self.arn(&format!("thinggroup/{name}"))
    }

    /// The group's parent, its parent, and so on to the root.
    pub(crate) fn ancestors<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Group> + 'a {
        let up = |g: &'a Group| g.parent.as_ref().and_then(|parent| self.groups.get(parent));
        std::iter::successors(up(group), move |g| up(g))
    }

    /// Changes a group and answers its new version.
    pub(crate) fn update_group(
        &mut self,
        name: &str,
        change: &GroupChange,
        expected_version: Option<u64>,
        now_ms: i64,
    ) -> Result<(u64, Option<RegistryEvent>), AwsError> {
        let mut group = self.group(name)?.clone();
        check_version("thing group", name, group.version, expected_version)?;
        group.attributes = change.attributes(&group.attributes)?;
        if let Some(description) = &change.description {
            group.description = Some(description.clone());
        }
        group.version += 1;
        self.groups.insert(name.to_owned(), group.clone());
        Ok((group.version, self.group_event(&group, "updated", now_ms)))
    }

    /// Deletes a group that has no children; its things and policies lose it. One that is not there is deleted already.
    pub(crate) fn delete_group(
        &mut self,
        name: &str,
        expected_version: Option<u64>,
        now_ms: i64,
    ) -> Result<Vec<RegistryEvent>, AwsError> {
        let Some(group) = self.groups.get(name) else {
            return Ok(Vec::new());
        };
        check_version("thing group", name, group.version, expected_version)?;
        if !group.children.is_empty() {
            return Err(invalid(format!(
                "Cannot delete thing group : {name} when there are still child groups attached to it."
            )));
        }
        let arn = self.group_arn(name);
        self.detach_all_policies(&arn);
        self.forget_tags(&arn);
        let Some(group) = self.groups.remove(name) else {
            return Ok(Vec::new());
        };
        for thing in &group.members {
            self.forget_membership(thing, name);
        }
        let mut events = Vec::from_iter(self.group_event(&group, "deleted", now_ms));
        if let Some(parent) = group.parent.as_ref().and_then(|p| self.groups.get_mut(p)) {
            parent.children.remove(name);
            let parent = parent.clone();
            events.extend(self.hierarchy_event(&parent, &group, "removed", now_ms));
        }
        Ok(events)
    }

    /// Groups by name: below `parent` if one is given, all levels when `recursive`, whose name begins with `prefix`.
    pub(crate) fn groups(
        &self,
        parent: Option<&str>,
        recursive: bool,
        prefix: &str,
    ) -> Result<Vec<&Group>, AwsError> {
        if let Some(parent) = parent {
            self.group(parent)?;
        }
        let below = |group: &Group| match (parent, recursive) {
            (None, true) => true,
            (Some(parent), true) => self.ancestors(group).any(|g| g.name == parent),
            (parent, false) => group.parent.as_deref() == parent,
        };
        Ok(self.groups.values().filter(|g| g.name.starts_with(prefix) && below(g)).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn registry() -> Registry {
        let mut registry = Registry::new("us-east-1", "123456789012");
        for kind in ["THING_GROUP", "THING_GROUP_HIERARCHY"] {
            registry.set_event(kind, true);
        }
        registry
    }

    fn create(r: &mut Registry, name: &str, parent: Option<&str>) -> Result<Vec<RegistryEvent>, AwsError> {
        r.create_group(name, parent, GroupChange::default(), 0).map(|(_, events)| events)
    }

    #[test]
    fn a_child_is_announced_with_its_way_from_the_root() {
        let mut r = registry();
        create(&mut r, "root", None).unwrap();
        create(&mut r, "mid", Some("root")).unwrap();
        let events = create(&mut r, "leaf", Some("mid")).unwrap();
        assert_eq!(events[0].topic, "$aws/events/thingGroup/leaf/created");
        let path = events[0].payload["rootToParentThingGroups"].as_array().unwrap();
        assert_eq!(path[0]["groupArn"], r.group_arn("root"));
        assert_eq!(path[1]["groupArn"], r.group_arn("mid"));
        assert_eq!(
            events[1].topic,
            "$aws/events/thingGroupHierarchy/thingGroup/mid/childThingGroup/leaf/added"
        );
        assert_eq!(create(&mut r, "leaf", Some("mid")).unwrap(), []);
        assert_eq!(create(&mut r, "leaf", None).unwrap_err().code, "ResourceAlreadyExistsException");
    }

    #[test]
    fn depth_and_breadth_are_bounded() {
        let mut r = registry();
        create(&mut r, "g1", None).unwrap();
        for depth in 2..=DEPTH_MAX {
            create(&mut r, &format!("g{depth}"), Some(&format!("g{}", depth - 1))).unwrap();
        }
        assert_eq!(create(&mut r, "g8", Some("g7")).unwrap_err().code, "InvalidRequestException");
        for child in 0..CHILDREN_MAX - 1 {
            create(&mut r, &format!("c{child}"), Some("g1")).unwrap();
        }
        assert!(create(&mut r, "one-more", Some("g1")).is_err());
        assert_eq!(create(&mut r, "x", Some("none")).unwrap_err().code, "InvalidRequestException");
    }

    #[test]
    fn a_group_with_children_stays() {
        let mut r = registry();
        create(&mut r, "p", None).unwrap();
        create(&mut r, "c", Some("p")).unwrap();
        assert_eq!(r.delete_group("p", None, 0).unwrap_err().code, "InvalidRequestException");
        let events = r.delete_group("c", None, 0).unwrap();
        assert_eq!(events[1].topic, "$aws/events/thingGroupHierarchy/thingGroup/p/childThingGroup/c/removed");
        assert!(r.delete_group("p", Some(2), 0).is_err());
        assert!(r.delete_group("p", Some(1), 0).is_ok());
        assert_eq!(r.delete_group("p", None, 0).unwrap(), []);
    }

    #[test]
    fn update_merges_and_counts() {
        let mut r = registry();
        create(&mut r, "g", None).unwrap();
        let set = |merge, name: &str| GroupChange {
            description: None,
            attributes: Some(AttributeChange {
                attributes: BTreeMap::from([(name.to_owned(), "1".to_owned())]),
                merge,
            }),
        };
        r.update_group("g", &set(true, "a"), None, 0).unwrap();
        assert_eq!(r.update_group("g", &set(true, "b"), Some(2), 0).unwrap().0, 3);
        assert_eq!(r.group("g").unwrap().attributes.len(), 2);
        r.update_group("g", &set(false, "c"), None, 0).unwrap();
        assert_eq!(r.group("g").unwrap().attributes.len(), 1);
        assert_eq!(
            r.update_group("g", &set(true, "a"), Some(1), 0).unwrap_err().code,
            "VersionConflictException"
        );
    }

    proptest! {
        /// For all histories of creations and deletions: every group reaches a root within seven steps, and every
        /// group is its parent's child.
        #[test]
        fn the_forest_stays_a_forest(steps in proptest::collection::vec((0u8..2, 0u8..12, 0u8..12), 0..120)) {
            let mut r = registry();
            for (action, name, parent) in steps {
                let (name, parent) = (format!("g{name}"), format!("g{parent}"));
                if action == 0 {
                    let _ = create(&mut r, &name, (name != parent).then_some(parent.as_str()));
                    let _ = create(&mut r, &name, None);
                } else {
                    let _ = r.delete_group(&name, None, 0);
                }
                for group in r.groups.values() {
                    prop_assert!(r.ancestors(group).take(DEPTH_MAX + 1).count() < DEPTH_MAX);
                    if let Some(parent) = &group.parent {
                        prop_assert!(r.group(parent).unwrap().children.contains(&group.name));
                    }
                    prop_assert!(group.children.iter().all(|c| r.groups[c].parent.as_ref() == Some(&group.name)));
                }
                let roots = r.groups(None, false, "").unwrap().len();
                let below: usize = r.groups.values().map(|g| r.groups(Some(&g.name), false, "").unwrap().len()).sum();
                prop_assert_eq!(roots + below, r.groups(None, true, "").unwrap().len());
            }
        }
    }
}
