//! Two Regions in memory, strict where AWS is strict, with failures on demand.
//!
//! A failure can be put at any call, before its effect (the call did not happen) or after it (the
//! answer was lost), so that a test can end a function at every step.

mod region;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use serde_json::Value;

use crate::event::Thing;
use crate::outcome::{Class, Failure, Outcome};
use crate::ports::{
    Certificate, Clock, Document, ErrorRow, Errors, Primary, Row, Secondary, State, Status, World, Written,
};
use region::Region;

pub(crate) const PRIMARY: &str = "us-east-1";
pub(crate) const SECONDARY: &str = "us-west-2";

/// Where a call is made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crash {
    /// The call, counted from one.
    pub(crate) at: usize,
    /// Whether its effect happens.
    pub(crate) after: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) primary: Region,
    pub(crate) secondary: Region,
    pub(crate) rows: BTreeMap<String, (Row, u64)>,
    pub(crate) errors: BTreeMap<(String, String), (String, u32)>,
    pub(crate) calls: Vec<&'static str>,
    pub(crate) slept_ms: u64,
    now_ms: u64,
    crash: Option<Crash>,
    failing: BTreeMap<&'static str, (Class, u32)>,
}

/// The world of a test.
#[derive(Debug, Default)]
pub(crate) struct Twins {
    inner: Mutex<Inner>,
}

pub(crate) fn arn(region: &str, id: &str) -> String {
    format!("arn:aws:iot:{region}:123456789012:cert/{id}")
}

impl Twins {
    pub(crate) fn new() -> Self {
        let twins = Self::default();
        twins.at_s(1_000);
        twins
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn at_s(&self, now_s: u64) {
        self.inner().now_ms = now_s * 1_000;
    }

    pub(crate) fn crash(&self, crash: Option<Crash>) {
        let mut inner = self.inner();
        inner.calls.clear();
        inner.crash = crash;
    }

    pub(crate) fn fail_next(&self, call: &'static str, class: Class, times: u32) {
        self.inner().failing.insert(call, (class, times));
    }

    pub(crate) fn put_row(&self, key: &str, row: Row) {
        self.inner().rows.insert(key.to_owned(), (row, 1));
    }

    pub(crate) fn shadow_state(&self, thing: &str, shadow: &str) -> Option<Value> {
        let inner = self.inner();
        inner
            .secondary
            .shadows
            .get(&(thing.to_owned(), shadow.to_owned()))
            .map(|document| document.state.clone())
    }

    pub(crate) fn device_writes(&self, thing: &str, state: &Value) {
        let mut inner = self.inner();
        let now_s = inner.now_ms / 1_000;
        inner.secondary.update_shadow(thing, "", state, None, now_s).unwrap();
    }

    /// A device of the primary: thing, certificate `id` with that status, policy `p`.
    pub(crate) fn primary_device(&self, thing: &str, id: &str, status: Status) {
        let mut inner = self.inner();
        inner.primary.things.entry(thing.to_owned()).or_default().principals.insert(arn(PRIMARY, id));
        inner.primary.certificates.insert(id.to_owned(), status);
        inner.primary.attached.entry(arn(PRIMARY, id)).or_default().insert("p".to_owned());
        let document = format!("{{\"Resource\":\"arn:aws:iot:{PRIMARY}:1:client/*\"}}");
        inner.primary.policies.insert("p".to_owned(), document);
    }

    fn call<T>(&self, name: &'static str, effect: impl FnOnce(&mut Inner) -> Outcome<T>) -> Outcome<T> {
        let mut inner = self.inner();
        inner.calls.push(name);
        if let Some((class, times)) = inner.failing.get_mut(name).filter(|(_, times)| *times > 0) {
            *times -= 1;
            return Err(Failure::new(*class, name, "told to fail"));
        }
        let crash = inner.crash.filter(|crash| crash.at == inner.calls.len());
        if crash.is_some_and(|crash| !crash.after) {
            return Err(Failure::transient(name, "crashed before"));
        }
        let result = effect(&mut inner);
        if crash.is_some() {
            return Err(Failure::transient(name, "crashed after"));
        }
        result
    }
}

impl Primary for Twins {
    async fn thing_principals(&self, thing: &str) -> Outcome<Vec<String>> {
        self.call("primary.thing_principals", |inner| Ok(inner.primary.thing_principals(thing)))
    }
    async fn principal_things(&self, principal: &str) -> Outcome<Vec<String>> {
        self.call("primary.principal_things", |inner| Ok(inner.primary.principal_things(principal)))
    }
    async fn certificate(&self, id: &str) -> Outcome<Certificate> {
        self.call("primary.certificate", |inner| {
            let status = *inner.primary.certificates.get(id).ok_or_else(|| region::absent("certificate"))?;
            Ok(Certificate { pem: id.to_owned(), status })
        })
    }
    async fn attached_policies(&self, principal: &str) -> Outcome<Vec<String>> {
        self.call("primary.attached_policies", |inner| {
            Ok(inner.primary.attached.get(principal).into_iter().flatten().cloned().collect())
        })
    }
    async fn policy(&self, name: &str) -> Outcome<String> {
        self.call("primary.policy", |inner| {
            inner.primary.policies.get(name).cloned().ok_or_else(|| region::absent("policy"))
        })
    }
}

impl Secondary for Twins {
    async fn create_thing(&self, thing: &Thing) -> Outcome<()> {
        self.call("create_thing", |inner| inner.secondary.create_thing(thing))
    }
    async fn update_thing(&self, thing: &Thing) -> Outcome<()> {
        self.call("update_thing", |inner| inner.secondary.update_thing(thing))
    }
    async fn delete_thing(&self, thing: &str) -> Outcome<()> {
        self.call("delete_thing", |inner| inner.secondary.delete_thing(thing))
    }
    async fn thing_principals(&self, thing: &str) -> Outcome<Vec<String>> {
        self.call("thing_principals", |inner| Ok(inner.secondary.thing_principals(thing)))
    }
    async fn principal_things(&self, principal: &str) -> Outcome<Vec<String>> {
        self.call("principal_things", |inner| Ok(inner.secondary.principal_things(principal)))
    }
    async fn attach_principal(&self, thing: &str, principal: &str) -> Outcome<()> {
        self.call("attach_principal", |inner| inner.secondary.attach_principal(thing, principal))
    }
    async fn detach_principal(&self, thing: &str, principal: &str) -> Outcome<()> {
        self.call("detach_principal", |inner| inner.secondary.detach_principal(thing, principal))
    }
    async fn register_certificate(&self, pem: &str, active: bool) -> Outcome<()> {
        self.call("register_certificate", |inner| inner.secondary.register(pem, active))
    }
    async fn set_status(&self, id: &str, status: Status) -> Outcome<()> {
        self.call("set_status", |inner| inner.secondary.set_status(id, status))
    }
    async fn delete_certificate(&self, id: &str) -> Outcome<()> {
        self.call("delete_certificate", |inner| inner.secondary.delete_certificate(id, SECONDARY))
    }
    async fn create_policy(&self, name: &str, document: &str) -> Outcome<()> {
        self.call("create_policy", |inner| inner.secondary.create_policy(name, document))
    }
    async fn attach_policy(&self, name: &str, principal: &str) -> Outcome<()> {
        self.call("attach_policy", |inner| inner.secondary.attach_policy(name, principal))
    }
    async fn shadow(&self, thing: &str, shadow: &str) -> Outcome<Option<Document>> {
        let key = (thing.to_owned(), shadow.to_owned());
        self.call("shadow", |inner| Ok(inner.secondary.shadows.get(&key).cloned()))
    }
    async fn update_shadow(
        &self,
        thing: &str,
        shadow: &str,
        state: &Value,
        expected: Option<u64>,
    ) -> Outcome<Written> {
        self.call("update_shadow", |inner| {
            let now_s = inner.now_ms / 1_000;
            inner.secondary.update_shadow(thing, shadow, state, expected, now_s)
        })
    }
    async fn delete_shadow(&self, thing: &str, shadow: &str) -> Outcome<()> {
        let key = (thing.to_owned(), shadow.to_owned());
        self.call("delete_shadow", |inner| {
            inner.secondary.shadows.remove(&key).map(drop).ok_or_else(|| region::absent("shadow"))
        })
    }
}

impl State for Twins {
    async fn get(&self, key: &str) -> Outcome<Option<(Row, u64)>> {
        self.call("get", |inner| Ok(inner.rows.get(key).cloned()))
    }
    async fn put(&self, key: &str, row: &Row, read: Option<u64>) -> Outcome<u64> {
        self.call("put", |inner| {
            if inner.rows.get(key).map(|(_, revision)| *revision) != read {
                return Err(Failure::new(Class::Conflict, "put", "another revision"));
            }
            let revision = read.unwrap_or_default() + 1;
            // Through JSON, as the real table does.
            let row = serde_json::from_str(&serde_json::to_string(row).unwrap()).unwrap();
            inner.rows.insert(key.to_owned(), (row, revision));
            Ok(revision)
        })
    }
}

impl Errors for Twins {
    async fn record(&self, row: &ErrorRow) -> Outcome<()> {
        self.call("record", |inner| {
            let entry = inner.errors.entry((row.device.clone(), row.event.clone())).or_default();
            *entry = (row.why.clone(), entry.1 + 1);
            Ok(())
        })
    }
    async fn clear(&self, device: &str, event: &str) -> Outcome<()> {
        self.call("clear", |inner| {
            inner.errors.remove(&(device.to_owned(), event.to_owned()));
            Ok(())
        })
    }
}

impl Clock for Twins {
    fn now_ms(&self) -> u64 {
        self.inner().now_ms
    }
    async fn sleep_ms(&self, ms: u64) {
        let mut inner = self.inner();
        inner.now_ms += ms;
        inner.slept_ms += ms;
    }
}

impl World for Twins {
    type Primary = Self;
    type Secondary = Self;
    type State = Self;
    type Errors = Self;
    type Clock = Self;

    fn primary_region(&self) -> &'static str {
        PRIMARY
    }
    fn secondary_region(&self) -> &'static str {
        SECONDARY
    }
    fn primary(&self) -> &Self {
        self
    }
    fn secondary(&self) -> &Self {
        self
    }
    fn state(&self) -> &Self {
        self
    }
    fn errors(&self) -> &Self {
        self
    }
    fn clock(&self) -> &Self {
        self
    }
}
