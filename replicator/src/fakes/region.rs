//! One Region's registry and shadows, with the refusals that AWS has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::event::Thing;
use crate::outcome::{Class, Failure, Outcome};
use crate::policy;
use crate::ports::{Document, Status, Written};
use crate::shadow::diff;

/// A thing with its principals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) thing_type: Option<String>,
    pub(crate) principals: BTreeSet<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Region {
    pub(crate) types: BTreeSet<String>,
    pub(crate) things: BTreeMap<String, Registered>,
    pub(crate) certificates: BTreeMap<String, Status>,
    pub(crate) attached: BTreeMap<String, BTreeSet<String>>,
    pub(crate) policies: BTreeMap<String, String>,
    pub(crate) shadows: BTreeMap<(String, String), Document>,
    counters: BTreeMap<(String, String), u64>,
}

pub(crate) fn absent(what: &'static str) -> Failure {
    Failure::new(Class::NotFound, what, "absent")
}

fn conflict(what: &'static str) -> Failure {
    Failure::new(Class::Conflict, what, "conflict")
}

impl Region {
    pub(crate) fn thing_principals(&self, thing: &str) -> Vec<String> {
        self.things.get(thing).into_iter().flat_map(|thing| thing.principals.iter().cloned()).collect()
    }

    pub(crate) fn principal_things(&self, principal: &str) -> Vec<String> {
        let uses = |(name, thing): (&String, &Registered)| {
            thing.principals.contains(principal).then(|| name.clone())
        };
        self.things.iter().filter_map(uses).collect()
    }

    fn known_type(&self, thing: &Thing) -> Outcome<()> {
        let known = thing.thing_type.as_ref().is_none_or(|name| self.types.contains(name));
        known.then_some(()).ok_or_else(|| absent("thing type"))
    }

    pub(crate) fn create_thing(&mut self, thing: &Thing) -> Outcome<()> {
        self.known_type(thing)?;
        if let Some(there) = self.things.get(&thing.name) {
            let same = there.attributes == thing.attributes && there.thing_type == thing.thing_type;
            return same.then_some(()).ok_or_else(|| Failure::new(Class::Exists, "thing", "differs"));
        }
        self.things.insert(thing.name.clone(), Registered::default());
        self.update_thing(thing)
    }

    pub(crate) fn update_thing(&mut self, thing: &Thing) -> Outcome<()> {
        self.known_type(thing)?;
        let there = self.things.get_mut(&thing.name).ok_or_else(|| absent("thing"))?;
        there.attributes.clone_from(&thing.attributes);
        there.thing_type.clone_from(&thing.thing_type);
        Ok(())
    }

    pub(crate) fn delete_thing(&mut self, thing: &str) -> Outcome<()> {
        if self.things.get(thing).is_some_and(|thing| !thing.principals.is_empty()) {
            return Err(conflict("delete thing"));
        }
        self.things.remove(thing);
        Ok(())
    }

    fn certificate(&mut self, id: &str) -> Outcome<&mut Status> {
        self.certificates.get_mut(id).ok_or_else(|| absent("certificate"))
    }

    pub(crate) fn attach_principal(&mut self, thing: &str, principal: &str) -> Outcome<()> {
        self.certificate(policy::certificate_id(principal).unwrap())?;
        let thing = self.things.get_mut(thing).ok_or_else(|| absent("thing"))?;
        thing.principals.insert(principal.to_owned());
        Ok(())
    }

    pub(crate) fn detach_principal(&mut self, thing: &str, principal: &str) -> Outcome<()> {
        self.certificate(policy::certificate_id(principal).unwrap())?;
        let thing = self.things.get_mut(thing).ok_or_else(|| absent("thing"))?;
        thing.principals.remove(principal);
        Ok(())
    }

    /// The PEM of a test is the certificate's identity.
    pub(crate) fn register(&mut self, id: &str, active: bool) -> Outcome<()> {
        if self.certificates.contains_key(id) {
            return Err(Failure::new(Class::Exists, "certificate", "exists"));
        }
        let status = if active { Status::Active } else { Status::Inactive };
        self.certificates.insert(id.to_owned(), status);
        Ok(())
    }

    pub(crate) fn set_status(&mut self, id: &str, status: Status) -> Outcome<()> {
        *self.certificate(id)? = status;
        Ok(())
    }

    pub(crate) fn delete_certificate(&mut self, id: &str, region: &str) -> Outcome<()> {
        let arn = super::arn(region, id);
        let active = *self.certificate(id)? == Status::Active;
        if active || !self.principal_things(&arn).is_empty() {
            return Err(conflict("delete certificate"));
        }
        self.certificates.remove(id);
        self.attached.remove(&arn);
        Ok(())
    }

    pub(crate) fn create_policy(&mut self, name: &str, document: &str) -> Outcome<()> {
        if self.policies.contains_key(name) {
            return Err(Failure::new(Class::Exists, "policy", "exists"));
        }
        self.policies.insert(name.to_owned(), document.to_owned());
        Ok(())
    }

    pub(crate) fn attach_policy(&mut self, name: &str, principal: &str) -> Outcome<()> {
        self.certificate(policy::certificate_id(principal).unwrap())?;
        if !self.policies.contains_key(name) {
            return Err(absent("policy"));
        }
        self.attached.entry(principal.to_owned()).or_default().insert(name.to_owned());
        Ok(())
    }

    pub(crate) fn update_shadow(
        &mut self,
        thing: &str,
        shadow: &str,
        update: &Value,
        expected: Option<u64>,
        now_s: u64,
    ) -> Outcome<Written> {
        let key = (thing.to_owned(), shadow.to_owned());
        let there = self.shadows.get(&key).map_or(0, |document| document.version);
        if expected.is_some_and(|expected| expected != there) {
            return Err(conflict("update shadow"));
        }
        // The counter outlives the shadow.
        let counter = self.counters.entry(key.clone()).or_default();
        *counter += 1;
        let document = self.shadows.entry(key).or_default();
        document.version = *counter;
        stamp(update, &document.state.clone(), &mut document.metadata, now_s);
        diff::merge(update, &mut document.state);
        Ok(Written { version: document.version, timestamp_s: now_s })
    }
}

/// Stamps the leaves that an update names.
fn stamp(update: &Value, before: &Value, metadata: &mut Value, now_s: u64) {
    let Value::Object(update) = update else {
        *metadata = json!({ "timestamp": now_s });
        return;
    };
    if !before.is_object() || !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    let Value::Object(metadata) = metadata else { return };
    for (key, value) in update {
        if value.is_null() {
            metadata.remove(key);
        } else {
            stamp(value, &before[key], metadata.entry(key).or_insert(Value::Null), now_s);
        }
    }
}
