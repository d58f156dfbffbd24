//! Two Regions in memory, for tests: strict where AWS is strict, with failures on demand.
//!
//! [`Twins`] is the world of a unit test: every call is answered at once, any of them can be made to
//! fail, before its effect or after it, and a function can be ended at any of them. The function that
//! applies events is [`Twins::world`], the one that looks at the primary [`Twins::source`].
//!
//! The PEM of a test's certificate is `pem-<id>`, and its identity is `<id>`.

mod call;
mod executor;
mod function;
mod history;
mod network;
mod planted;
mod random;
mod region;
mod remote;
mod tables;
#[cfg(test)]
mod tests;
mod truth;

use std::sync::MutexGuard;

use serde_json::{Value, json};

pub(crate) use call::{Crash, Inner, Link};
pub(crate) use function::{Function, Looker};
pub(crate) use region::{PAGE_MAX, RegionState, arn, group_arn, pem};
pub(crate) use remote::Side;
pub(crate) use tables::Entry;

use crate::model::{Policy, Status, Thing};
use crate::outcome::Class;
use crate::ports::Row;

pub(crate) const PRIMARY: &str = "us-east-1";
pub(crate) const SECONDARY: &str = "us-west-2";

pub(crate) const ACCOUNT: &str = "123456789012";

/// The world of a unit test.
#[derive(Debug)]
pub(crate) struct Twins {
    world: Function,
    source: Looker,
}

/// A policy document that names the primary Region.
pub(crate) fn policy_document(region: &str, marker: &str) -> String {
    format!(r#"{{"Resource":"arn:aws:iot:{region}:123456789012:client/{marker}"}}"#)
}

impl AsRef<Self> for Twins {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Twins {
    /// At 1,000 seconds.
    pub(crate) fn new() -> Self {
        let link = Link::new(Inner::new(1_000_000));
        let source = Looker(Function::new(&link, Side::Primary));
        Self { world: Function::new(&link, Side::Secondary), source }
    }

    /// The function that applies events to the secondary.
    pub(crate) fn world(&self) -> &Function {
        &self.world
    }

    /// The function that looks at the primary.
    pub(crate) fn source(&self) -> &Looker {
        &self.source
    }

    /// Both Regions and the tables.
    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.world.link.inner()
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.inner().now_ms
    }

    pub(crate) fn at_s(&self, now_s: u64) {
        self.inner().now_ms = now_s * 1_000;
    }

    pub(crate) fn advance_ms(&self, ms: u64) {
        self.inner().now_ms += ms;
    }

    /// Ends the function at a call: that one fails, and no later one has any effect. What the function
    /// holds in the state table stays held, as it does when a function is ended. Called again it starts
    /// another function, with its own count of calls.
    pub(crate) fn crash(&self, crash: Option<Crash>) {
        let mut inner = self.inner();
        inner.calls.clear();
        inner.faults.crash = crash;
    }

    /// Lets the next calls of that name (`secondary.create_thing`, `state.take`) fail without effect.
    pub(crate) fn fail_next(&self, call: &str, class: Class, times: u32) {
        self.inner().faults.failing.insert(call.to_owned(), (class, times, false));
    }

    /// Lets the next calls of that name have their effect, and loses their answers.
    pub(crate) fn lose_next(&self, call: &str, times: u32) {
        self.inner().faults.failing.insert(call.to_owned(), (Class::Transient, times, true));
    }

    /// All calls since [`Self::crash`], such as `state.take` and `secondary.create_thing`.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.inner().calls.iter().map(ToString::to_string).collect()
    }

    /// Those of them that went to a Region.
    pub(crate) fn region_calls(&self) -> Vec<String> {
        let to_region = |call: &String| call.starts_with("primary.") || call.starts_with("secondary.");
        self.calls().into_iter().filter(to_region).collect()
    }

    /// Forgets the calls so far.
    pub(crate) fn clear_calls(&self) {
        self.inner().calls.clear();
    }

    /// What is remembered of a key.
    pub(crate) fn row(&self, key: &str) -> Option<Row> {
        self.inner().state.read(key)
    }

    /// Remembers something of a key that nobody holds.
    pub(crate) fn put_row(&self, key: &str, row: Row) {
        let entry = Entry { row: Some(row), ..Entry::default() };
        self.inner().state.entries.insert(key.to_owned(), entry);
    }

    /// Whether someone holds a key.
    pub(crate) fn is_held(&self, key: &str) -> bool {
        let inner = self.inner();
        let lease = inner.state.entries.get(key).and_then(|entry| entry.lease.as_ref());
        lease.is_some_and(|(_, until_ms)| inner.now_ms < *until_ms)
    }

    /// What was about to be done with a key and is not known to be done.
    pub(crate) fn intent(&self, key: &str) -> Option<Value> {
        self.inner().state.entries.get(key).and_then(|entry| entry.intent.clone())
    }

    /// The state of a shadow of the secondary.
    pub(crate) fn shadow_state(&self, thing: &str, shadow: &str) -> Option<Value> {
        self.inner().secondary.shadow(thing, shadow).map(|document| document.state.clone())
    }

    /// A device writes its classic shadow in the secondary.
    pub(crate) fn device_writes(&self, thing: &str, state: &Value) {
        let mut inner = self.inner();
        let now_s = inner.now_ms / 1_000;
        inner.secondary.update_shadow(thing, "", state, None, now_s).unwrap();
    }

    /// A device in the primary: the thing, certificate `id` with that status, policy `p`.
    pub(crate) fn primary_device(&self, thing: &str, id: &str, status: Status) {
        let mut inner = self.inner();
        let region = &mut inner.primary;
        if !region.policies.contains_key("p") {
            let document = policy_document(PRIMARY, "*");
            region.create_policy(&Policy { name: "p".to_owned(), document }).unwrap();
        }
        if !region.things.contains_key(thing) {
            region.create_thing(&Thing { name: thing.to_owned(), ..Thing::default() }).unwrap();
        }
        if !region.certificates.contains_key(id) {
            region.register_certificate(&pem(id), status == Status::Active).unwrap();
        }
        region.set_status(id, status).unwrap();
        region.attach_policy("p", &arn(PRIMARY, id)).unwrap();
        region.attach_principal(thing, &arn(PRIMARY, id)).unwrap();
    }

    /// The error table: device, event, why.
    pub(crate) fn error_rows(&self) -> Vec<(String, String, String)> {
        let inner = self.inner();
        let rows = inner.errors.rows.values();
        rows.map(|row| (row.device.clone(), row.event.clone(), row.why.clone())).collect()
    }
}

/// A plain JSON value as a stream tells it.
pub(crate) fn typed(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(truth) => json!({ "BOOL": truth }),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({ "S": text }),
        Value::Array(list) => json!({"L": list.iter().map(typed).collect::<Vec<_>>()}),
        Value::Object(map) => {
            let typed: serde_json::Map<_, _> =
                map.iter().map(|(key, value)| (key.clone(), typed(value))).collect();
            json!({ "M": typed })
        }
    }
}
