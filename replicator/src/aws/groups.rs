//! Static thing groups and who is in them.

use aws_sdk_iot::types::ThingGroupProperties;

use super::AwsRegion;
use super::errors::{failure, held, unread};
use super::listing::{PAGE_SIZE, collect, empty_if_absent, if_there, millis};
use super::things::{attributes, expected_version};
use crate::model::{Group, Incarnation, Page};
use crate::outcome::{Class, Failure, Outcome};
use crate::ports::Groups;

/// The whole of a group's properties. An empty description replaces one that is there.
fn properties(group: &Group) -> ThingGroupProperties {
    ThingGroupProperties::builder()
        .thing_group_description(group.description.clone().unwrap_or_default())
        .attribute_payload(attributes(&group.attributes))
        .build()
}

fn described(name: &str, properties: Option<ThingGroupProperties>, parent: Option<String>) -> Group {
    let (description, payload) = match properties {
        Some(properties) => (properties.thing_group_description, properties.attribute_payload),
        None => (None, None),
    };
    Group {
        name: name.to_owned(),
        parent,
        description: description.filter(|text| !text.is_empty()),
        attributes: payload.and_then(|payload| payload.attributes).into_iter().flatten().collect(),
    }
}

impl AwsRegion {
    /// Only a description says whether a group is dynamic; the lists that name groups do not.
    async fn is_static(&self, group: &str) -> Outcome<bool> {
        match self.known_static(group) {
            Some(known) => Ok(known),
            None => Ok(self.group(group).await?.is_some()),
        }
    }
}

impl Groups for AwsRegion {
    async fn group(&self, name: &str) -> Outcome<Option<Group>> {
        let describe = self.iot("DescribeThingGroup").await.describe_thing_group().thing_group_name(name);
        let Some(found) = if_there(describe.send().await.map_err(failure("describe thing group")))? else {
            return Ok(None);
        };
        let is_static = found.query_string.is_none();
        self.remember_static(name, is_static);
        let parent = found.thing_group_metadata.and_then(|metadata| metadata.parent_group_name);
        Ok(is_static.then(|| described(name, found.thing_group_properties, parent)))
    }

    async fn groups(&self, from: Option<&str>) -> Outcome<Page<String>> {
        const STEP: &str = "list thing groups";
        let list = self
            .iot("ListThingGroups")
            .await
            .list_thing_groups()
            .max_results(PAGE_SIZE)
            .set_next_token(from.map(str::to_owned));
        let page = list.send().await.map_err(failure(STEP))?;
        let names = page.thing_groups.unwrap_or_default().into_iter();
        let names = names.map(|group| group.group_name.ok_or_else(|| unread(STEP)));
        Ok(Page { items: names.collect::<Outcome<_>>()?, next: page.next_token })
    }

    async fn group_incarnation(&self, name: &str) -> Outcome<Option<Incarnation>> {
        let describe = self.iot("DescribeThingGroup").await.describe_thing_group().thing_group_name(name);
        let found = if_there(describe.send().await.map_err(failure("describe thing group")))?;
        Ok(found.filter(|found| found.query_string.is_none()).map(|found| Incarnation {
            id: found.thing_group_id.unwrap_or_default(),
            version: u64::try_from(found.version).unwrap_or_default(),
            begun_ms: millis(found.thing_group_metadata.and_then(|metadata| metadata.creation_date)),
        }))
    }

    async fn create_group(&self, group: &Group) -> Outcome<()> {
        let create = self.iot("CreateThingGroup").await.create_thing_group().thing_group_name(&group.name);
        let create = create.set_parent_group_name(group.parent.clone());
        let fresh = properties(group);
        let create = create.thing_group_properties(match group.description {
            Some(_) => fresh,
            None => ThingGroupProperties::builder().set_attribute_payload(fresh.attribute_payload).build(),
        });
        let Err(failure) = create.send().await.map(drop).map_err(failure("create thing group")) else {
            return Ok(());
        };
        // AWS has no error of its own for a parent that is not there.
        if let (Class::Permanent, Some(parent)) = (failure.class, &group.parent)
            && self.group(parent).await?.is_none()
        {
            return Err(Failure { class: Class::NotFound, ..failure });
        }
        Err(failure)
    }

    async fn update_group(&self, group: &Group, expected: Option<u64>) -> Outcome<()> {
        let update = self.iot("UpdateThingGroup").await.update_thing_group().thing_group_name(&group.name);
        let update = update.thing_group_properties(properties(group));
        let update = update.set_expected_version(expected_version(expected));
        update.send().await.map(drop).map_err(failure("update thing group"))
    }

    async fn delete_group(&self, name: &str, expected: Option<u64>) -> Outcome<()> {
        let delete = self.iot("DeleteThingGroup").await.delete_thing_group().thing_group_name(name);
        let delete = delete.set_expected_version(expected_version(expected));
        // It has groups under it.
        delete.send().await.map(drop).map_err(failure("delete thing group")).map_err(held)
    }

    async fn thing_groups(&self, thing: &str) -> Outcome<Vec<String>> {
        const STEP: &str = "list thing groups for thing";
        let list = async {
            collect!(
                STEP,
                self.iot("ListThingGroupsForThing")
                    .await
                    .list_thing_groups_for_thing()
                    .thing_name(thing)
                    .into_paginator()
                    .items()
                    .send(),
                |group: aws_sdk_iot::types::GroupNameAndArn| group.group_name
            )
        };
        let mut groups = Vec::new();
        for group in empty_if_absent(list.await)? {
            if self.is_static(&group).await? {
                groups.push(group);
            }
        }
        Ok(groups)
    }

    async fn add_to_group(&self, group: &str, thing: &str) -> Outcome<()> {
        let add = self
            .iot("AddThingToThingGroup")
            .await
            .add_thing_to_thing_group()
            .thing_group_name(group)
            .thing_name(thing);
        add.send().await.map(drop).map_err(failure("add thing to thing group"))
    }

    async fn remove_from_group(&self, group: &str, thing: &str) -> Outcome<()> {
        let remove = self
            .iot("RemoveThingFromThingGroup")
            .await
            .remove_thing_from_thing_group()
            .thing_group_name(group)
            .thing_name(thing);
        remove.send().await.map(drop).map_err(failure("remove thing from thing group"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_group_lost_is_sent_as_empty_and_read_as_nothing() {
        let group = Group { name: "g".into(), ..Group::default() };
        let sent = properties(&group);
        assert_eq!(sent.thing_group_description(), Some(""));
        assert!(!sent.attribute_payload().unwrap().merge());
        assert_eq!(described("g", Some(sent), None), group);
    }
}
