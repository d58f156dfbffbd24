//! A fleet in the primary, and whether the secondary has the same.

use std::collections::BTreeMap;

use serde_json::json;

use crate::model::{Group, Policy, Status, ThingType};
use crate::policy;
use crate::simulation::{PRIMARY, RegionState, SECONDARY, Twins, group_arn, policy_document};

/// So many devices with everything that a device can have: a type, attributes, a certificate with a
/// policy, a group with a policy under two others, a classic and a named shadow.
pub(crate) fn fleet(devices: usize) -> Twins {
    let twins = Twins::new();
    for n in 0..devices {
        let status = if n % 3 == 2 { Status::Inactive } else { Status::Active };
        twins.primary_device(&format!("t-{n}"), &format!("c-{n}"), status);
    }
    let mut inner = twins.inner();
    let now_s = inner.now_ms / 1_000;
    let here = &mut inner.primary;
    let searchable_attributes = vec!["site".to_owned()];
    let pump = ThingType { name: "pump".into(), description: None, searchable_attributes, deprecated: false };
    here.create_thing_type(&pump).unwrap();
    // Named so that parents do not come first by themselves.
    for (name, parent) in [("z-plant", None), ("hall", Some("z-plant")), ("line", Some("hall"))] {
        let (parent, description) = (parent.map(str::to_owned), Some(format!("the {name}")));
        here.create_group(&Group { name: name.into(), parent, description, ..Group::default() }).unwrap();
    }
    let document = policy_document(PRIMARY, "group");
    here.create_policy(&Policy { name: "of-groups".into(), document }).unwrap();
    here.attach_policy("of-groups", &group_arn(PRIMARY, "line")).unwrap();
    for n in 0..devices {
        let name = format!("t-{n}");
        let mut thing = here.things[&name].thing.clone();
        thing.thing_type = Some("pump".into());
        thing.attributes = BTreeMap::from([("site".to_owned(), n.to_string())]);
        here.update_thing(&thing).unwrap();
        here.add_to_group("line", &name).unwrap();
        let state = json!({"reported": {"N": n, "o": {"x": [1, 2]}}, "desired": {"on": true}});
        here.update_shadow(&name, "", &state, None, now_s).unwrap();
        here.update_shadow(&name, "named", &json!({"reported": {"n": n}}), None, now_s).unwrap();
    }
    drop(inner);
    twins.advance_ms(60_000);
    twins
}

/// What a Region has, without what cannot be alike: identities, versions, ARNs.
pub(crate) fn contents(region: &RegionState) -> BTreeMap<String, String> {
    let home = |arn: &str| policy::arn_in_region(arn, region.name, "r").unwrap_or_else(|| arn.to_owned());
    let mut all = BTreeMap::new();
    for (name, there) in &region.things {
        all.insert(format!("thing {name}"), format!("{:?}", there.thing));
    }
    for (thing, principal) in &region.principals {
        all.insert(format!("principal {thing} {}", home(principal)), String::new());
    }
    for (name, there) in &region.types {
        all.insert(format!("type {name}"), format!("{:?}", there.thing_type));
    }
    for (name, there) in &region.groups {
        all.insert(format!("group {name}"), format!("{:?}", there.group));
    }
    for (thing, group) in region.members.keys() {
        all.insert(format!("member {thing} {group}"), String::new());
    }
    for (id, there) in &region.certificates {
        all.insert(format!("certificate {id}"), format!("{:?} {}", there.status, there.pem));
    }
    for (name, there) in &region.policies {
        let document = policy::in_region(there.document(), region.name, "r").unwrap();
        all.insert(format!("policy {name}"), document);
    }
    for (target, name) in &region.attached {
        all.insert(format!("attached {name} {}", home(target)), String::new());
    }
    for ((thing, name), shadow) in &region.shadows {
        all.insert(format!("shadow {thing} {name}"), shadow.state.to_string());
    }
    all
}

/// Both Regions have the same.
pub(crate) fn alike(twins: &Twins) {
    let inner = twins.inner();
    assert_eq!((inner.primary.name, inner.secondary.name), (PRIMARY, SECONDARY));
    let (here, there) = (contents(&inner.primary), contents(&inner.secondary));
    let differ: Vec<_> = here
        .keys()
        .chain(there.keys())
        .filter(|key| here.get(*key) != there.get(*key))
        .map(|key| (key, here.get(key), there.get(key)))
        .collect();
    assert!(differ.is_empty(), "{differ:#?}");
}
