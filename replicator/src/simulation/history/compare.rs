//! What the secondary lacks, and what it has too much.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde_json::Value;

use crate::policy::{arn_in_region, in_region};
use crate::shadow::diff;
use crate::simulation::call::Inner;
use crate::simulation::truth::{Leaves, Truth, below, leaves};
use crate::simulation::{PRIMARY, SECONDARY};

fn maps<V: Debug + PartialEq>(
    what: &str,
    primary: &BTreeMap<String, V>,
    secondary: &BTreeMap<String, V>,
    into: &mut Vec<String>,
) {
    let names: BTreeSet<_> = primary.keys().chain(secondary.keys()).collect();
    for name in names {
        let (theirs, ours) = (primary.get(name), secondary.get(name));
        if theirs != ours {
            into.push(format!("{what} {name}: primary {theirs:?}, secondary {ours:?}"));
        }
    }
}

fn keyed<'a, K, V, T>(
    of: impl IntoIterator<Item = (&'a K, &'a V)>,
    name: impl Fn(&K) -> String,
    value: impl Fn(&V) -> T,
) -> BTreeMap<String, T>
where
    K: 'a,
    V: 'a,
{
    of.into_iter().map(|(key, it)| (name(key), value(it))).collect()
}

/// The differences, for people. Unless all events were told, two things cannot be known: no Region lists
/// the shadows of no thing, and nobody says when a shadow went, so that what a device wrote stays.
pub(crate) fn differences(inner: &Inner, all_told: bool) -> Vec<String> {
    let (primary, secondary) = (&inner.primary, &inner.secondary);
    let mut found = Vec::new();
    let both = [primary, secondary];
    let things = both.map(|region| keyed(&region.things, String::clone, |it| it.thing.clone()));
    maps("thing", &things[0], &things[1], &mut found);
    let types = both.map(|region| keyed(&region.types, String::clone, |it| it.thing_type.clone()));
    maps("type", &types[0], &types[1], &mut found);
    let groups = both.map(|region| keyed(&region.groups, String::clone, |it| it.group.clone()));
    maps("group", &groups[0], &groups[1], &mut found);
    let members = both.map(|region| keyed(&region.members, |key| format!("{key:?}"), |_| ()));
    maps("membership", &members[0], &members[1], &mut found);
    let certificates = both.map(|region| keyed(&region.certificates, String::clone, Clone::clone));
    maps("certificate", &certificates[0], &certificates[1], &mut found);
    let here = |text: &str| in_region(text, PRIMARY, SECONDARY).unwrap();
    let policies = both.map(|region| keyed(&region.policies, String::clone, |it| here(it.document())));
    maps("policy", &policies[0], &policies[1], &mut found);
    let arn = |arn: &str| arn_in_region(arn, PRIMARY, SECONDARY).unwrap_or_else(|| arn.to_owned());
    let ties = |of: &BTreeSet<(String, String)>, last: bool| -> BTreeMap<String, bool> {
        of.iter()
            .map(|(a, b)| if last { (a.clone(), arn(b)) } else { (b.clone(), arn(a)) })
            .map(|key| (format!("{key:?}"), true))
            .collect()
    };
    maps("principal", &ties(&primary.principals, true), &ties(&secondary.principals, true), &mut found);
    maps("policy of", &ties(&primary.attached, false), &ties(&secondary.attached, false), &mut found);
    let names: BTreeSet<_> = primary.shadows.keys().chain(secondary.shadows.keys()).collect();
    for key in names {
        if !all_told && !primary.things.contains_key(&key.0) {
            continue;
        }
        let state = |region: &crate::simulation::RegionState| {
            region.shadows.get(key).map(|shadow| shadow.state.clone())
        };
        let states = (state(primary), state(secondary));
        shadow(inner.truth.as_ref(), key, (states.0.as_ref(), states.1.as_ref()), all_told, &mut found);
    }
    found
}

fn shadow(
    truth: Option<&Truth>,
    key: &(String, String),
    (theirs, ours): (Option<&Value>, Option<&Value>),
    all_told: bool,
    into: &mut Vec<String>,
) {
    let nothing = BTreeMap::new();
    let owned = truth.and_then(|truth| truth.devices.get(key)).unwrap_or(&nothing);
    if theirs.is_none() && ours.is_some() && owned.is_empty() {
        into.push(format!("shadow {key:?} should be gone: {ours:?}"));
    }
    // Nobody says when a leaf was taken away, nor that it was there if that event was never applied: what
    // a device wrote stays, unless the shadow was deleted after it.
    let deleted_s = truth.and_then(|truth| truth.deleted_s.get(key)).copied();
    let deleted_s = deleted_s.filter(|_| theirs.is_none() && all_told);
    let flat = |state: Option<&Value>| state.map(leaves).unwrap_or_default();
    let (theirs, ours): (Leaves, Leaves) = (flat(theirs), flat(ours));
    let written_s = |pointer: &str| {
        let values = truth.and_then(|truth| truth.leaves.get(key)).and_then(|leaves| leaves.get(pointer));
        match values.and_then(|values| values.last()) {
            Some((at_s, Some(_))) => *at_s,
            _ => deleted_s.unwrap_or_default(),
        }
    };
    let pointers: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
    for pointer in pointers {
        let (their, our) = (theirs.get(pointer), ours.get(pointer));
        if let (Some(their), Some(our)) = (their, our)
            && diff::same(their, our)
        {
            continue;
        }
        // A device's own, if it wrote that or what stands in its place no earlier than the primary.
        let kept = owned.iter().any(|(mine, (at_s, _))| {
            (mine == pointer || below(mine, pointer) || below(pointer, mine)) && *at_s >= written_s(pointer)
        });
        if !kept {
            let written_s = written_s(pointer);
            into.push(format!(
                "shadow {key:?}{pointer}: primary {their:?} of {written_s} s, secondary {our:?}, devices {owned:?}"
            ));
        }
    }
}
