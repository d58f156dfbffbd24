//! Whoever works in the primary: operators, and devices with their shadows.
//!
//! A step is drawn; what AWS refuses did not happen. What happened is said in registry events, shadow
//! documents and API-call events.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::event::{self, EventRow, Membership};
use crate::capture::CLOCK_MARGIN_MS;
use crate::model::{Group, Policy, Status, Thing, ThingType};
use crate::simulation::call::Inner;
use crate::simulation::random::Random;
use crate::simulation::region::GroupState;
use crate::simulation::{PRIMARY, arn, group_arn, pem, policy_document};

const THINGS: [&str; 2] = ["a", "b"];
const TYPES: [&str; 2] = ["k", "l"];
/// The group and what may be above it.
const GROUPS: [(&str, Option<&str>); 4] = [("g", None), ("h", Some("g")), ("i", Some("g")), ("r", None)];
const CERTIFICATES: [&str; 2] = ["c", "d"];
const POLICIES: [&str; 2] = ["p", "q"];
pub(crate) const SHADOWS: [&str; 2] = ["", "n"];

/// How soon what was tied or untied, made or deleted, may be so again. API-call events tell whole
/// seconds: of two changes within one only the reconcile surely sees the last.
const SETTLES_MS: u64 = CLOCK_MARGIN_MS + 1_000;

/// What is said about a step.
#[derive(Debug, Clone)]
pub(crate) enum Saying {
    /// A row of the event table, by a topic rule.
    Row(EventRow),
    /// An API-call event.
    Call(Value),
}

impl Saying {
    /// For people.
    pub(crate) fn summary(&self) -> String {
        let (of, names): (Value, &[&str]) = match self {
            Self::Row(row) => {
                (Value::Object(row.clone()), &["device", "event", "origin", "eventType", "metadata"])
            }
            Self::Call(call) => (call["detail"].clone(), &["eventSource", "awsRegion", "eventTime"]),
        };
        let mut said = of.as_object().cloned().unwrap_or_default();
        let name = format!("{}{}", of["device"], of["event"]);
        for name in names {
            said.remove(*name);
        }
        format!("{name} {}", Value::Object(said))
    }
}

/// What a history is mostly about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Focus {
    Things,
    Types,
    Groups,
    Identities,
    Shadows,
    Everything,
}

impl Focus {
    pub(crate) const ALL: [Self; 6] =
        [Self::Things, Self::Types, Self::Groups, Self::Identities, Self::Shadows, Self::Everything];

    fn draw(self, random: &mut Random) -> Self {
        match self {
            Self::Things => Self::Things,
            Self::Types => random.one(&[Self::Types, Self::Types, Self::Things]),
            Self::Groups => random.one(&[Self::Groups, Self::Groups, Self::Groups, Self::Things]),
            Self::Identities => random.one(&[
                Self::Identities,
                Self::Identities,
                Self::Identities,
                Self::Identities,
                Self::Things,
            ]),
            Self::Shadows => Self::Shadows,
            Self::Everything => {
                random.one(&[Self::Things, Self::Types, Self::Groups, Self::Identities, Self::Shadows])
            }
        }
    }
}

/// The operator.
#[derive(Debug)]
pub(crate) struct Operator {
    focus: Focus,
    /// How many things were said and written, so that no two are alike.
    number: u64,
    /// When identities, and what ties them, changed last.
    changed_ms: BTreeMap<String, u64>,
}

/// An update of a shadow. It has no two values alike but for small ones.
pub(crate) fn shadow_update(random: &mut Random, number: u64) -> Value {
    let leaf = match random.below(5) {
        0 => Value::Null,
        1 => json!([number, {"x": 1}]),
        2 => json!(random.below(2)),
        _ => json!(number),
    };
    let value = match random.below(4) {
        0 => json!({ "a": leaf }),
        1 => json!({"o": {"x": leaf}}),
        2 => json!({"o": {"y": leaf, "x": number}}),
        _ => json!({"b": leaf, "S": {"N": number}}),
    };
    match random.below(6) {
        0 => json!({ "desired": value }),
        1 => json!({"desired": {"a": null}, "reported": value}),
        _ => json!({ "reported": value }),
    }
}

impl Operator {
    pub(crate) fn new(focus: Focus) -> Self {
        Self { focus, number: 0, changed_ms: BTreeMap::new() }
    }

    /// Draws steps until one is not refused, a few times.
    pub(crate) fn step(&mut self, inner: &mut Inner, random: &mut Random) -> Vec<Saying> {
        for _ in 0..6 {
            self.number += 1;
            let said = match self.focus.draw(random) {
                Focus::Types => self.types(inner, random),
                Focus::Groups => self.groups(inner, random),
                Focus::Identities => self.identities(inner, random),
                Focus::Shadows => self.shadows(inner, random),
                Focus::Things | Focus::Everything => self.things(inner, random),
            };
            if let Some(said) = said {
                return said;
            }
        }
        Vec::new()
    }

    fn attributes(&self, random: &mut Random) -> BTreeMap<String, String> {
        if random.chance(200) { BTreeMap::new() } else { [("n".to_owned(), self.number.to_string())].into() }
    }

    fn things(&mut self, inner: &mut Inner, random: &mut Random) -> Option<Vec<Saying>> {
        let (name, now_ms, region) = (random.one(&THINGS), inner.now_ms, &mut inner.primary);
        let thing_type = random.chance(300).then(|| random.one(&TYPES).to_owned());
        let thing = Thing { name: name.to_owned(), thing_type, attributes: self.attributes(random) };
        let operation = if !region.things.contains_key(name) {
            region.create_thing(&thing).ok()?;
            "CREATED"
        } else if random.chance(600) {
            region.update_thing(&thing).ok()?;
            "UPDATED"
        } else {
            let gone = region.things[name].clone();
            region.delete_thing(name).ok()?;
            return Some(vec![Saying::Row(event::thing(&gone, "DELETED", self.number, now_ms))]);
        };
        Some(vec![Saying::Row(event::thing(&region.things[name], operation, self.number, now_ms))])
    }

    fn types(&mut self, inner: &mut Inner, random: &mut Random) -> Option<Vec<Saying>> {
        let (name, now_ms, region) = (random.one(&TYPES), inner.now_ms, &mut inner.primary);
        let said = |state, operation, number| {
            Some(vec![Saying::Row(event::thing_type(state, operation, number, now_ms))])
        };
        let Some(there) = region.types.get(name).cloned() else {
            let description = random.chance(500).then(|| format!("d{}", self.number));
            let searchable_attributes = if random.chance(500) { vec!["n".to_owned()] } else { Vec::new() };
            let kind =
                ThingType { name: name.to_owned(), description, searchable_attributes, deprecated: false };
            region.create_thing_type(&kind).ok()?;
            region.types.get_mut(name)?.begun_ms = now_ms;
            return said(&region.types[name], "CREATED", self.number);
        };
        if there.thing_type.deprecated && random.chance(600) && region.delete_thing_type(name, now_ms).is_ok()
        {
            return said(&there, "DELETED", self.number);
        }
        region.deprecate_thing_type(name, !there.thing_type.deprecated, now_ms).ok()?;
        said(&region.types[name], "UPDATED", self.number)
    }

    fn groups(&mut self, inner: &mut Inner, random: &mut Random) -> Option<Vec<Saying>> {
        let (now_ms, number, region) = (inner.now_ms, self.number, &mut inner.primary);
        let (name, parent) = random.one(&GROUPS);
        let parents: BTreeMap<String, String> =
            region.groups.iter().map(|(name, group)| (name.clone(), group.id.clone())).collect();
        let said = |state: &GroupState, operation| {
            let parent_id = state.group.parent.as_ref().and_then(|parent| parents.get(parent));
            let row = event::group(state, parent_id.map(String::as_str), operation, number, now_ms);
            Some(vec![Saying::Row(row)])
        };
        let Some(there) = region.groups.get(name).cloned() else {
            let parent = parent.filter(|_| random.chance(700)).map(str::to_owned);
            let description = random.chance(300).then(|| format!("d{number}"));
            let attributes = self.attributes(random);
            region.create_group(&Group { name: name.to_owned(), parent, description, attributes }).ok()?;
            region.groups.get_mut(name)?.begun_ms = now_ms;
            return said(&region.groups[name], "CREATED");
        };
        match random.below(6) {
            0 => {
                let mut group = there.group;
                group.attributes = self.attributes(random);
                region.update_group(&group).ok()?;
                said(&region.groups[name], "UPDATED")
            }
            1 => {
                region.delete_group(name).ok()?;
                let mut all = said(&there, "DELETED")?;
                let request = json!({ "thingGroupName": name });
                all.push(Saying::Call(event::api_call("DeleteThingGroup", &request, &Value::Null, now_ms)));
                Some(all)
            }
            _ => {
                let thing = random.one(&THINGS);
                let key = (thing.to_owned(), name.to_owned());
                let thing_id = region.things.get(thing)?.thing_id.clone()?;
                let before = region.members.get(&key).cloned();
                let operation = if before.is_some() {
                    region.remove_from_group(name, thing).ok()?;
                    "REMOVED"
                } else {
                    region.add_to_group(name, thing).ok()?;
                    "ADDED"
                };
                let id = before.or_else(|| region.members.get(&key).cloned())?;
                let (thing, group) = key;
                let member = Membership { thing, thing_id, group, group_id: there.id, id };
                Some(vec![Saying::Row(event::membership(&member, operation, number, now_ms))])
            }
        }
    }

    fn identities(&mut self, inner: &mut Inner, random: &mut Random) -> Option<Vec<Saying>> {
        let (now_ms, number, region) = (inner.now_ms, self.number, &mut inner.primary);
        let (id, policy, thing) = (random.one(&CERTIFICATES), random.one(&POLICIES), random.one(&THINGS));
        let principal = arn(PRIMARY, id);
        let target =
            if random.chance(800) { principal.clone() } else { group_arn(PRIMARY, random.one(&GROUPS).0) };
        let document = policy_document(PRIMARY, &number.to_string());
        let mut response = Value::Null;
        let turn = random.below(12);
        let subject = match turn {
            0..=2 => format!("certificate {id}"),
            3 | 4 => format!("policy {policy}"),
            5 | 6 => format!("{policy} {target}"),
            _ => format!("{thing} {id}"),
        };
        if self.changed_ms.get(&subject).is_some_and(|last_ms| now_ms < last_ms + SETTLES_MS) {
            return None;
        }
        let (call, request) = match turn {
            0..=2 if !region.certificates.contains_key(id) => {
                let active = random.chance(700);
                region.register_certificate(&pem(id), active).ok()?;
                response = json!({"certificateArn": principal, "certificateId": id});
                let status = if active { "ACTIVE" } else { "INACTIVE" };
                ("RegisterCertificateWithoutCA", json!({"certificatePem": pem(id), "status": status}))
            }
            0 => {
                region.delete_certificate(id).ok()?;
                ("DeleteCertificate", json!({"certificateId": id, "forceDelete": true}))
            }
            1 | 2 => {
                let status = random.one(&[Status::Active, Status::Active, Status::Inactive, Status::Revoked]);
                region.set_status(id, status).ok()?;
                let name = format!("{status:?}").to_uppercase();
                ("UpdateCertificate", json!({"certificateId": id, "newStatus": name}))
            }
            3 | 4 if !region.policies.contains_key(policy) => {
                region.create_policy(&Policy { name: policy.to_owned(), document: document.clone() }).ok()?;
                ("CreatePolicy", json!({"policyName": policy, "policyDocument": document}))
            }
            3 => {
                region.delete_policy(policy).ok()?;
                ("DeletePolicy", json!({ "policyName": policy }))
            }
            4 => {
                region.put_policy(&Policy { name: policy.to_owned(), document: document.clone() }).ok()?;
                let request = json!({"policyName": policy, "policyDocument": document, "setAsDefault": true});
                ("CreatePolicyVersion", request)
            }
            5 | 6 => {
                let key = (target.clone(), policy.to_owned());
                let call = if region.attached.contains(&key) {
                    region.detach_policy(policy, &target).ok()?;
                    "DetachPolicy"
                } else {
                    region.attach_policy(policy, &target).ok()?;
                    "AttachPolicy"
                };
                (call, json!({"policyName": policy, "target": target}))
            }
            _ => {
                let key = (thing.to_owned(), principal.clone());
                let call = if region.principals.contains(&key) {
                    region.detach_principal(thing, &principal).ok()?;
                    "DetachThingPrincipal"
                } else {
                    region.attach_principal(thing, &principal).ok()?;
                    "AttachThingPrincipal"
                };
                (call, json!({"thingName": thing, "principal": principal}))
            }
        };
        self.changed_ms.insert(subject, now_ms);
        Some(vec![Saying::Call(event::api_call(call, &request, &response, now_ms))])
    }

    fn shadows(&mut self, inner: &mut Inner, random: &mut Random) -> Option<Vec<Saying>> {
        let (thing, name, now_ms) = (random.one(&THINGS), random.one(&SHADOWS), inner.now_ms);
        let key = (thing.to_owned(), name.to_owned());
        let before = inner.primary.shadows.get(&key).cloned();
        let deleted = before.is_some() && random.chance(150);
        let row = if deleted {
            inner.primary.delete_shadow(thing, name).ok()?;
            event::shadow(thing, name, &before?, true, now_ms)
        } else {
            let update = shadow_update(random, self.number);
            inner.primary.update_shadow(thing, name, &update, None, now_ms / 1_000).ok()?;
            event::shadow(thing, name, &inner.primary.shadows[&key], false, now_ms)
        };
        let (truth, primary) = (inner.truth.as_mut()?, &inner.primary);
        truth.observe_shadow(primary, &key, now_ms / 1_000);
        Some(vec![Saying::Row(row)])
    }
}
