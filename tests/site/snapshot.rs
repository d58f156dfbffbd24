//! What a Region has, read by the SDKs: two of these, of one Region each, are equal when replication is done.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use aws_sdk_iotdataplane::operation::get_thing_shadow::GetThingShadowError;
use replicator::rules::EXCLUDED_PREFIX;
use serde_json::Value;

use super::Region;

/// A Region's registry, identities and shadows, without the replicator's own equipment, which stays in its Region.
#[derive(Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Things by name.
    pub things: BTreeMap<String, Thing>,
    /// Types by name.
    pub types: BTreeMap<String, Type>,
    /// Groups by name.
    pub groups: BTreeMap<String, Group>,
    /// Certificates by identity.
    pub certificates: BTreeMap<String, Certificate>,
    /// Documents of default versions by name.
    pub policies: BTreeMap<String, Value>,
    /// States by thing and shadow, the classic one without a name.
    pub shadows: BTreeMap<(String, String), Value>,
}

/// A thing.
#[derive(Debug, Default, PartialEq)]
pub struct Thing {
    thing_type: Option<String>,
    attributes: BTreeMap<String, String>,
    certificates: BTreeSet<String>,
    groups: BTreeSet<String>,
}

/// A thing type.
#[derive(Debug, PartialEq)]
pub struct Type {
    description: Option<String>,
    searchable: Vec<String>,
    deprecated: bool,
}

/// A group.
#[derive(Debug, PartialEq)]
pub struct Group {
    parent: Option<String>,
    description: Option<String>,
    attributes: BTreeMap<String, String>,
    policies: BTreeSet<String>,
}

/// A certificate.
#[derive(Debug, PartialEq)]
pub struct Certificate {
    status: String,
    policies: BTreeSet<String>,
}

impl Region {
    /// Reads all of it.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let mut all = Snapshot::default();
        self.policies(&mut all).await.context("policies")?;
        self.certificates(&mut all).await.context("certificates")?;
        self.types(&mut all).await.context("types")?;
        self.groups(&mut all).await.context("groups")?;
        self.things(&mut all).await.context("things")?;
        Ok(all)
    }

    async fn policies(&self, all: &mut Snapshot) -> Result<()> {
        let listed =
            self.iot.list_policies().into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?;
        for policy in listed {
            let name = policy.policy_name.unwrap_or_default();
            if name.starts_with(EXCLUDED_PREFIX) {
                continue;
            }
            let document = self.iot.get_policy().policy_name(&name).send().await?.policy_document;
            all.policies.insert(name, serde_json::from_str(&document.unwrap_or_default())?);
        }
        Ok(())
    }

    async fn attached(&self, target: &str) -> Result<BTreeSet<String>> {
        let pages = self.iot.list_attached_policies().target(target).into_paginator().items().send();
        let listed = pages.collect::<Result<Vec<_>, _>>().await?;
        Ok(listed.into_iter().filter_map(|policy| policy.policy_name).collect())
    }

    async fn certificates(&self, all: &mut Snapshot) -> Result<()> {
        let mut marker = None;
        loop {
            let page = self.iot.list_certificates().page_size(250).set_marker(marker).send().await?;
            for certificate in page.certificates() {
                let policies = self.attached(certificate.certificate_arn().unwrap_or_default()).await?;
                if policies.iter().any(|name| name.starts_with(EXCLUDED_PREFIX)) {
                    continue;
                }
                let status = certificate.status().map(|s| s.as_str().to_owned()).unwrap_or_default();
                let id = certificate.certificate_id().unwrap_or_default().to_owned();
                all.certificates.insert(id, Certificate { status, policies });
            }
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(());
            }
        }
    }

    async fn types(&self, all: &mut Snapshot) -> Result<()> {
        let pages = self.iot.list_thing_types().into_paginator().items().send();
        for listed in pages.collect::<Result<Vec<_>, _>>().await? {
            let properties = listed.thing_type_properties.context("a type without properties")?;
            let mut searchable = properties.searchable_attributes.unwrap_or_default();
            searchable.sort();
            let thing_type = Type {
                description: properties.thing_type_description.filter(|text| !text.is_empty()),
                searchable,
                deprecated: listed.thing_type_metadata.is_some_and(|metadata| metadata.deprecated),
            };
            all.types.insert(listed.thing_type_name.unwrap_or_default(), thing_type);
        }
        Ok(())
    }

    async fn groups(&self, all: &mut Snapshot) -> Result<()> {
        let pages = self.iot.list_thing_groups().into_paginator().items().send();
        for listed in pages.collect::<Result<Vec<_>, _>>().await? {
            let name = listed.group_name.unwrap_or_default();
            let group = self.iot.describe_thing_group().thing_group_name(&name).send().await?;
            let properties = group
                .thing_group_properties
                .unwrap_or_else(|| aws_sdk_iot::types::ThingGroupProperties::builder().build());
            let attributes = properties.attribute_payload.and_then(|payload| payload.attributes);
            let group = Group {
                parent: group.thing_group_metadata.and_then(|metadata| metadata.parent_group_name),
                description: properties.thing_group_description.filter(|text| !text.is_empty()),
                attributes: attributes.unwrap_or_default().into_iter().collect(),
                policies: self.attached(group.thing_group_arn.as_deref().unwrap_or_default()).await?,
            };
            all.groups.insert(name, group);
        }
        Ok(())
    }

    async fn things(&self, all: &mut Snapshot) -> Result<()> {
        let pages = self.iot.list_things().into_paginator().items().send();
        for listed in pages.collect::<Result<Vec<_>, _>>().await? {
            let name = listed.thing_name.unwrap_or_default();
            if name.starts_with(EXCLUDED_PREFIX) {
                continue;
            }
            let principals = self.iot.list_thing_principals().thing_name(&name).send().await?;
            let groups = self.iot.list_thing_groups_for_thing().thing_name(&name).send().await?;
            let thing = Thing {
                thing_type: listed.thing_type_name,
                attributes: listed.attributes.unwrap_or_default().into_iter().collect(),
                certificates: principals
                    .principals()
                    .iter()
                    .filter_map(|arn| arn.rsplit('/').next().map(str::to_owned))
                    .collect(),
                groups: groups.thing_groups().iter().filter_map(|g| g.group_name.clone()).collect(),
            };
            all.things.insert(name.clone(), thing);
            self.shadows(&name, all).await?;
        }
        Ok(())
    }

    async fn shadows(&self, thing: &str, all: &mut Snapshot) -> Result<()> {
        let named = self.data.list_named_shadows_for_thing().thing_name(thing).send().await?;
        let names = named.results().iter().cloned().map(Some).chain([None]);
        for name in names {
            let read =
                self.data.get_thing_shadow().thing_name(thing).set_shadow_name(name.clone()).send().await;
            let document = match read {
                Ok(document) => document,
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(GetThingShadowError::is_resource_not_found_exception) =>
                {
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let payload = document.payload.context("a shadow without payload")?;
            let document: Value = serde_json::from_slice(payload.as_ref())?;
            let mut state = document["state"].clone();
            // What follows from the rest.
            if let Some(state) = state.as_object_mut() {
                state.remove("delta");
            }
            all.shadows.insert((thing.to_owned(), name.unwrap_or_default()), state);
        }
        Ok(())
    }
}

impl Snapshot {
    /// The same with the ARNs of another Region in its policies: what that one is to have.
    pub fn moved(mut self, from: &str, to: &str) -> Result<Self> {
        let arn = |region: &str| format!("arn:aws:iot:{region}:");
        for document in self.policies.values_mut() {
            *document = serde_json::from_str(&document.to_string().replace(&arn(from), &arn(to)))?;
        }
        Ok(self)
    }

    /// Where two differ, a line each, at the most thirty; nothing if they do not.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        compare("thing", &self.things, &other.things, &mut lines);
        compare("type", &self.types, &other.types, &mut lines);
        compare("group", &self.groups, &other.groups, &mut lines);
        compare("certificate", &self.certificates, &other.certificates, &mut lines);
        compare("policy", &self.policies, &other.policies, &mut lines);
        compare("shadow", &self.shadows, &other.shadows, &mut lines);
        lines.truncate(30);
        lines
    }
}

fn compare<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    what: &str,
    a: &BTreeMap<K, V>,
    b: &BTreeMap<K, V>,
    lines: &mut Vec<String>,
) {
    let keys: BTreeSet<&K> = a.keys().chain(b.keys()).collect();
    for key in keys.into_iter().filter(|key| a.get(key) != b.get(key)) {
        lines.push(format!("{what} {key:?}: primary {:?}, secondary {:?}", a.get(key), b.get(key)));
    }
}
