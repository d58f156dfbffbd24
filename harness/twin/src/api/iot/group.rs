//! Thing groups and who is in them.

use serde_json::{Value, json};

use super::{Api, Outcome, attributes, done, ok, optional, time};
use crate::{
    error::AwsError,
    registry::{Group, GroupChange, Registry, invalid, tags_of},
};

impl Api<'_> {
    pub(super) fn group(&self, operation: &str) -> Outcome {
        match operation {
            "CreateThingGroup" => self.create_group(),
            "DescribeThingGroup" => self.describe_group(),
            "UpdateThingGroup" => self.update_group(),
            "DeleteThingGroup" => {
                let expected = self.call.query("expectedVersion").and_then(|v| v.parse().ok());
                let now_ms = self.world.clock.now_ms();
                let events = self.region.registry.lock().delete_group(self.name, expected, now_ms)?;
                self.publish(events);
                done()
            }
            "ListThingGroups" => self.list_groups(),
            "AddThingToThingGroup" | "RemoveThingFromThingGroup" => self.change_membership(operation),
            "ListThingsInThingGroup" => {
                let recursive = self.flag("recursive") == Some(true);
                let registry = self.region.registry.lock();
                let members = registry.members(self.name, recursive)?;
                let (things, next) = self.next_token_paging()?.take(members.into_iter(), |name| name);
                ok(&json!({"things": things, "nextToken": next}))
            }
            _ => {
                let registry = self.region.registry.lock();
                registry.thing(self.name)?;
                let groups = registry.groups_of(self.name).into_iter();
                let (groups, next) = self.next_token_paging()?.take(groups, |g| g.name.as_str());
                ok(&json!({"thingGroups": references(&registry, groups), "nextToken": next}))
            }
        }
    }

    fn create_group(&self) -> Outcome {
        let body = self.call.json()?;
        let (given, tags) = (properties(&body)?, tags_of(&body["tags"])?);
        let now_ms = self.world.clock.now_ms();
        let mut registry = self.region.registry.lock();
        let (group, events) =
            registry.create_group(self.name, body["parentGroupName"].as_str(), given, now_ms)?;
        let arn = registry.group_arn(&group.name);
        registry.tag(&arn, tags)?;
        drop(registry);
        self.publish(events);
        ok(&json!({"thingGroupName": group.name, "thingGroupArn": arn, "thingGroupId": group.id}))
    }

    fn describe_group(&self) -> Outcome {
        let registry = self.region.registry.lock();
        let group = registry.group(self.name)?;
        let mut properties = json!({});
        if let Some(description) = &group.description {
            properties["thingGroupDescription"] = json!(description);
        }
        if !group.attributes.is_empty() {
            properties["attributePayload"] = json!({"attributes": group.attributes});
        }
        let mut metadata = json!({"creationDate": time(group.created_ms)});
        if let Some(parent) = &group.parent {
            let mut path: Vec<&Group> = registry.ancestors(group).collect();
            path.reverse();
            metadata["parentGroupName"] = json!(parent);
            metadata["rootToParentThingGroups"] = references(&registry, path);
        }
        ok(&json!({
            "thingGroupName": group.name, "thingGroupArn": registry.group_arn(&group.name),
            "thingGroupId": group.id, "version": group.version,
            "thingGroupProperties": properties, "thingGroupMetadata": metadata,
        }))
    }

    fn update_group(&self) -> Outcome {
        let body = self.call.json()?;
        let change = properties(&body)?;
        let expected = body["expectedVersion"].as_u64();
        let now_ms = self.world.clock.now_ms();
        let (version, event) =
            self.region.registry.lock().update_group(self.name, &change, expected, now_ms)?;
        self.publish(event);
        ok(&json!({"version": version}))
    }

    /// Without a parent AWS lists the groups of all levels, with one the direct children, unless told otherwise.
    fn list_groups(&self) -> Outcome {
        let parent = self.call.query("parentGroup");
        let recursive = self.flag("recursive").unwrap_or(parent.is_none());
        let prefix = self.call.query("namePrefixFilter").unwrap_or_default();
        let registry = self.region.registry.lock();
        let groups = registry.groups(parent, recursive, prefix)?.into_iter();
        let (groups, next) = self.next_token_paging()?.take(groups, |g| g.name.as_str());
        ok(&json!({"thingGroups": references(&registry, groups), "nextToken": next}))
    }

    fn change_membership(&self, operation: &str) -> Outcome {
        let body = self.call.json()?;
        let mut registry = self.region.registry.lock();
        let group = named(&registry, &body, "thingGroupName", "thingGroupArn", "thinggroup/")?;
        let thing = named(&registry, &body, "thingName", "thingArn", "thing/")?;
        let now_ms = self.world.clock.now_ms();
        let event = if operation == "AddThingToThingGroup" {
            registry.add_to_group(&group, &thing, now_ms)?
        } else {
            registry.remove_from_group(&group, &thing, now_ms)?
        };
        drop(registry);
        self.publish(event);
        done()
    }
}

/// What a request names by its name or by its ARN.
fn named(registry: &Registry, body: &Value, name: &str, arn: &str, kind: &str) -> Result<String, AwsError> {
    let by_arn = body[arn]
        .as_str()
        .map(|given| {
            let known = given.strip_prefix(registry.arn(kind).as_str());
            known.ok_or_else(|| invalid(format!("Invalid {arn} {given}")))
        })
        .transpose()?;
    match (body[name].as_str(), by_arn) {
        (Some(name_given), Some(other)) if name_given != other => {
            Err(invalid(format!("{name} and {arn} are not the same")))
        }
        (Some(found), _) | (None, Some(found)) => Ok(found.to_owned()),
        (None, None) => Err(invalid(format!("{name} or {arn} is missing"))),
    }
}

fn references<'a>(registry: &Registry, groups: impl IntoIterator<Item = &'a Group>) -> Value {
    groups
        .into_iter()
        .map(|g| json!({"groupName": g.name, "groupArn": registry.group_arn(&g.name)}))
        .collect()
}

fn properties(body: &Value) -> Result<GroupChange, AwsError> {
    let given = &body["thingGroupProperties"];
    Ok(GroupChange { description: optional(given, "thingGroupDescription"), attributes: attributes(given)? })
}
