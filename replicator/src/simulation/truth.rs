//! What was true in the primary, and when; and what may therefore not be written to the secondary.
//!
//! Judged while faults run:
//! - Whatever is written was true in the primary no earlier than what the key's row says is known.
//! - A certificate is made active only if it was active in the primary since the last look.
//! - What a look has written of a certificate, a policy or a group's policies, an older look does not undo, whether
//!   the row knows of that write or not.
//! - What a device wrote in the secondary is replaced only by what the primary wrote then or later.
//! - What is remembered of a key never goes backwards.

use std::collections::BTreeMap;

use serde_json::Value;

use super::call::Inner;
use super::network::ATTEMPT_MS_MAX;
use super::region::RegionState;
use super::remote::{Side, Write};
use super::{PRIMARY, SECONDARY};
use crate::look::POLICY_MS_MAX;
use crate::model::{Status, Thing};
use crate::order::{self, Verdict};
use crate::policy::{in_region, resource};
use crate::ports::Row;
use crate::shadow::diff;
use crate::tables;

/// The leaves of a shadow by their pointer.
pub(crate) type Leaves = BTreeMap<String, Value>;

/// A shadow's thing and name.
pub(crate) type ShadowKey = (String, String);

/// The values that something has had, each with the time since when, oldest first.
pub(crate) type Values<T> = Vec<(u64, Option<T>)>;

/// What was true.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// By the key of the state table, in milliseconds.
    values: BTreeMap<String, Values<String>>,
    /// By pointer, in seconds, with every time that a leaf was written.
    pub(crate) leaves: BTreeMap<ShadowKey, BTreeMap<String, Values<Value>>>,
    /// When a shadow changed last, in seconds.
    changed_s: BTreeMap<ShadowKey, u64>,
    /// When a shadow was deleted last, in seconds.
    pub(crate) deleted_s: BTreeMap<ShadowKey, u64>,
    /// What devices wrote in the secondary and nobody has replaced since.
    pub(crate) devices: BTreeMap<ShadowKey, BTreeMap<String, (u64, Value)>>,
    /// By how much the clock of a function may be ahead: a look may have been made so much earlier than it
    /// says.
    skew_ms: u64,
    /// By the key of the state table: the newest look by which something was written.
    wrote_ms: BTreeMap<String, u64>,
    /// What should not have happened.
    pub(crate) violations: Vec<String>,
}

fn thing_value(thing: &Thing) -> String {
    // The type may be missing where it is not there yet.
    format!("{:?}", thing.attributes)
}

/// The leaves of a state.
pub(crate) fn leaves(state: &Value) -> Leaves {
    fn walk(pointer: &str, value: &Value, into: &mut Leaves) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    walk(&format!("{pointer}/{key}"), value, into);
                }
            }
            other => {
                into.insert(pointer.to_owned(), other.clone());
            }
        }
    }
    let mut found = Leaves::new();
    walk("", state, &mut found);
    found
}

/// Whether one pointer lies below another.
pub(crate) fn below(pointer: &str, above: &str) -> bool {
    pointer.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

impl Truth {
    pub(crate) fn new(skew_ms: u64) -> Self {
        Self { skew_ms, ..Self::default() }
    }

    fn note(&mut self, key: String, now_ms: u64, value: Option<String>) {
        let values = self.values.entry(key).or_default();
        if values.last().is_none_or(|(_, last)| *last != value) {
            values.push((now_ms, value));
        }
    }

    /// Writes down what is true now.
    pub(crate) fn observe(&mut self, region: &RegionState, now_ms: u64) {
        let mut now: BTreeMap<String, String> = BTreeMap::new();
        for (name, thing) in &region.things {
            now.insert(tables::thing_key(name), thing_value(&thing.thing));
        }
        for (id, certificate) in &region.certificates {
            now.insert(tables::certificate_key(id), format!("{:?}", certificate.status));
        }
        for (name, policy) in &region.policies {
            now.insert(tables::policy_key(name), in_region(policy.document(), PRIMARY, SECONDARY).unwrap());
        }
        for (target, policy) in &region.attached {
            if let Some(key) = attachment_key(target, policy) {
                now.insert(key, ATTACHED.to_owned());
            }
        }
        let gone: Vec<_> = self.values.keys().filter(|key| !now.contains_key(*key)).cloned().collect();
        for key in gone {
            self.note(key, now_ms, None);
        }
        for (key, value) in now {
            self.note(key, now_ms, Some(value));
        }
    }

    /// Writes down a change of a shadow of the primary.
    pub(crate) fn observe_shadow(&mut self, region: &RegionState, key: &ShadowKey, now_s: u64) {
        let known = self.leaves.entry(key.clone()).or_default();
        let shadow = region.shadows.get(key);
        let now = shadow.map(|shadow| leaves(&shadow.state)).unwrap_or_default();
        for (pointer, values) in known.iter_mut() {
            if !now.contains_key(pointer) && values.last().is_some_and(|(_, value)| value.is_some()) {
                values.push((now_s, None));
            }
        }
        for (pointer, value) in now {
            let stamp_s =
                shadow.and_then(|shadow| shadow.metadata.pointer(&pointer)).and_then(diff::newest_s);
            let entry = (stamp_s.unwrap_or(now_s), Some(value));
            let values = known.entry(pointer).or_default();
            if values.last() != Some(&entry) {
                values.push(entry);
            }
        }
        self.changed_s.insert(key.clone(), now_s);
        if shadow.is_none() {
            self.deleted_s.insert(key.clone(), now_s);
        }
    }

    /// Whether something had a value, or was not there, at that time or after it.
    fn was_since(&self, key: &str, value: Option<&str>, since_ms: u64) -> bool {
        let Some(values) = self.values.get(key) else { return value.is_none() };
        // Before its first value it was not there.
        let began_ms = values.first().map_or(0, |(began_ms, _)| *began_ms);
        value.is_none() && began_ms > since_ms
            || values.iter().enumerate().any(|(index, (_, had))| {
                had.as_deref() == value && values.get(index + 1).is_none_or(|(until, _)| *until > since_ms)
            })
    }

    /// Since when something has to have been so, by the newest look that wrote.
    fn since_ms(&self, key: &str) -> u64 {
        self.wrote_ms.get(key).map_or(0, |looked_ms| looked_ms.saturating_sub(self.skew_ms))
    }

    /// Whether the primary wrote that to a leaf at that time or after it.
    fn wrote_since(&self, key: &ShadowKey, pointer: &str, value: Option<&Value>, since_s: u64) -> bool {
        if value.is_none() && self.deleted_s.get(key).is_some_and(|at_s| *at_s >= since_s) {
            return true;
        }
        match self.leaves.get(key).and_then(|leaves| leaves.get(pointer)) {
            Some(values) => values.iter().any(|(at_s, had)| {
                *at_s >= since_s
                    && match (had, value) {
                        (Some(had), Some(value)) => diff::same(had, value),
                        (had, value) => had.is_none() && value.is_none(),
                    }
            }),
            // What the primary never had, it may remove with any later change.
            None => value.is_none() && self.changed_s.get(key).is_some_and(|at_s| *at_s >= since_s),
        }
    }
}

impl Inner {
    /// Writes down that something happened that should not have.
    pub(crate) fn object(&mut self, why: String) {
        self.trace(|| format!("VIOLATION {why}"));
        if let Some(truth) = &mut self.truth {
            truth.violations.push(why);
        }
    }

    /// A device writes in the secondary.
    pub(crate) fn device_writes(&mut self, key: &ShadowKey, update: &Value) {
        let now_s = Side::Secondary.now_ms(self) / 1_000;
        self.secondary.update_shadow(&key.0, &key.1, update, None, now_s).unwrap();
        let after = leaves(&self.secondary.shadows[key].state);
        let Some(truth) = &mut self.truth else { return };
        let owned = truth.devices.entry(key.clone()).or_default();
        owned.retain(|pointer, _| after.contains_key(pointer));
        for (pointer, value) in leaves(update) {
            owned.insert(pointer, (now_s, value));
        }
        self.trace(|| format!("device writes {key:?} {update}"));
    }
}

/// Leaves of a shadow that a device wrote in the secondary: pointer, time and value.
type Owned = BTreeMap<String, (u64, Value)>;

/// What follows from a write, if it succeeds.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// Why it should not have happened.
    objection: Option<String>,
    /// What devices own of the shadow after it.
    owned: Option<(ShadowKey, Owned)>,
    /// The key whose holder writes, and when that was looked at which it writes.
    wrote: Option<(String, u64)>,
}

impl Inner {
    /// Writes down what follows from a write that succeeded.
    pub(crate) fn accept(&mut self, judgement: Judgement) {
        if let (Some(truth), Some((key, owned))) = (&mut self.truth, judgement.owned) {
            truth.devices.insert(key, owned);
        }
        if let (Some(truth), Some((key, looked_ms))) = (&mut self.truth, judgement.wrote) {
            let wrote_ms = truth.wrote_ms.entry(key).or_default();
            *wrote_ms = looked_ms.max(*wrote_ms);
        }
        if let Some(why) = judgement.objection {
            self.object(why);
        }
    }
}

/// Judges a write to the secondary.
pub(crate) fn judge(inner: &Inner, write: &Write) -> Judgement {
    let Some(truth) = inner.truth.as_ref() else { return Judgement::default() };
    match write {
        Write::Shadow(thing, name, update) => {
            let key = (thing.clone(), name.clone());
            let state = inner.secondary.shadows.get(&key).map(|shadow| shadow.state.clone());
            let mut after = state.unwrap_or(Value::Null);
            diff::merge(update, &mut after);
            shadow_judgement(truth, key, &leaves(&after), u64::MAX)
        }
        Write::NoShadow(thing, name) => {
            // AWS binds no deletion to a version: what a device writes between the look and the deletion
            // goes with it.
            let lately_s = Side::Secondary.now_ms(inner).saturating_sub(2 * ATTEMPT_MS_MAX) / 1_000;
            shadow_judgement(truth, (thing.clone(), name.clone()), &Leaves::new(), lately_s)
        }
        _ => {
            let wrote = looked_at(inner, write);
            let objection = objection(inner, truth, write, wrote.is_some());
            Judgement { objection, owned: None, wrote }
        }
    }
}

/// The key of what is written, and the look of whoever holds it. None if it is not a look that is written: a
/// policy that is made from a certificate's document has no place among the policy's own.
fn looked_at(inner: &Inner, write: &Write) -> Option<(String, u64)> {
    let (held, key) = match write {
        Write::Status(id, _) => (tables::certificate_key(id), None),
        Write::Policy(policy) => (tables::policy_key(&policy.name), None),
        Write::NoPolicy(name) => (tables::policy_key(name), None),
        Write::Attached(name, target, _) => {
            let (_, group) = resource(target).filter(|(kind, _)| *kind == "thinggroup")?;
            (tables::group_policies_key(group), attachment_key(target, name))
        }
        Write::Thing(_) | Write::Shadow(..) | Write::NoShadow(..) => return None,
    };
    let entry = inner.state.entries.get(&held).filter(|entry| entry.lease.is_some())?;
    let looked_ms = entry.latest.as_ref()?["looked_ms"].as_u64()?;
    Some((key.unwrap_or(held), looked_ms))
}

/// What stands for a policy of a group.
fn attachment_key(target: &str, policy: &str) -> Option<String> {
    let (_, group) = resource(target).filter(|(kind, _)| *kind == "thinggroup")?;
    Some(format!("{}#{policy}", tables::group_policies_key(group)))
}

/// The value of a policy that a group has.
const ATTACHED: &str = "attached";

/// Why a write to the registry should not happen, if so.
/// `is_look`: its place among the looks is known.
fn objection(inner: &Inner, truth: &Truth, write: &Write, is_look: bool) -> Option<String> {
    match write {
        Write::Thing(thing) => {
            let key = tables::thing_key(&thing.name);
            let since_ms = match inner.state.read(&key) {
                Some(Row::Thing(row)) => row.mark.map_or(0, |mark| mark.timestamp_ms),
                _ => 0,
            };
            let was = truth.was_since(&key, Some(&thing_value(thing)), since_ms);
            (!was).then(|| format!("{key} goes back behind {since_ms}: {thing:?}"))
        }
        Write::Status(id, status) => {
            let key = tables::certificate_key(id);
            let since_ms = match inner.state.read(&key) {
                Some(Row::Certificate(row)) => row.looked_ms.saturating_sub(truth.skew_ms),
                _ => 0,
            };
            let since_ms = since_ms.max(truth.since_ms(&key));
            // To be on the safe side is always allowed.
            let was = *status != Status::Active || truth.was_since(&key, Some("Active"), since_ms);
            (!was).then(|| format!("{key} is made active, which it was not since {since_ms}"))
        }
        Write::Policy(policy) => {
            let key = tables::policy_key(&policy.name);
            // A certificate's document may tell of a policy as it was a while before the look.
            let since_ms = match inner.state.read(&key) {
                Some(Row::Policy(row)) => row.looked_ms.saturating_sub(POLICY_MS_MAX + truth.skew_ms),
                _ => 0,
            };
            let since_ms = if is_look { since_ms.max(truth.since_ms(&key)) } else { since_ms };
            let was = truth.was_since(&key, Some(&policy.document), since_ms);
            (!was).then(|| format!("{key} goes back behind {since_ms}: {}", policy.document))
        }
        Write::NoPolicy(name) => {
            let key = tables::policy_key(name);
            let since_ms = truth.since_ms(&key);
            let was = !is_look || truth.was_since(&key, None, since_ms);
            (!was).then(|| format!("{key} is deleted, which it was not since {since_ms}"))
        }
        Write::Attached(name, target, attached) => {
            let key = attachment_key(target, name).filter(|_| is_look)?;
            let since_ms = truth.since_ms(&key);
            let was = truth.was_since(&key, attached.then_some(ATTACHED), since_ms);
            (!was).then(|| format!("{key} goes back behind {since_ms}: attached: {attached}"))
        }
        Write::Shadow(..) | Write::NoShadow(..) => None,
    }
}

fn shadow_judgement(truth: &Truth, key: ShadowKey, after: &Leaves, lately_s: u64) -> Judgement {
    let Some(owned) = truth.devices.get(&key) else { return Judgement::default() };
    let (mut left, mut objection) = (BTreeMap::new(), None);
    for (pointer, (at_s, value)) in owned {
        let (at_s, there) = (*at_s, after.get(pointer));
        if there.is_some_and(|there| diff::same(there, value)) {
            left.insert(pointer.clone(), (at_s, value.clone()));
            continue;
        }
        let above = after.iter().find(|(above, _)| below(pointer, above));
        let becomes_object = there.is_none() && after.keys().any(|under| below(under, pointer));
        let allowed = match above {
            Some((above, leaf)) => truth.wrote_since(&key, above, Some(leaf), at_s),
            None => becomes_object || truth.wrote_since(&key, pointer, there, at_s),
        };
        // A value that the replicator brings, too, cannot be told from its own after a function was ended.
        let is_brought = truth.wrote_since(&key, pointer, Some(value), 0);
        if !allowed && !is_brought && at_s < lately_s {
            objection = Some(format!(
                "{key:?}{pointer}: a device's {value} of {at_s} s is replaced by an older {there:?}"
            ));
        }
    }
    Judgement { objection, owned: Some((key, left)), wrote: None }
}

fn older(verdict: Verdict) -> bool {
    verdict == Verdict::Stale
}

/// Why a row may not follow another.
pub(crate) fn backwards(before: Option<&Row>, after: &Row) -> Option<String> {
    let life = |before: &Option<order::LifeMark>, after: &Option<order::LifeMark>| match (before, after) {
        (Some(before), Some(after)) => older(order::life(after, Some(before))),
        (before, after) => before.is_some() && after.is_none(),
    };
    let back = match (before?, after) {
        (Row::Thing(before), Row::Thing(after)) => life(&before.mark, &after.mark),
        (Row::Type(before), Row::Type(after)) => life(&before.mark, &after.mark),
        (Row::Group(before), Row::Group(after)) => life(&before.mark, &after.mark),
        (Row::Identity(before), Row::Identity(after)) => before.looked_ms > after.looked_ms,
        (Row::Certificate(before), Row::Certificate(after)) => before.looked_ms > after.looked_ms,
        (Row::Policy(before), Row::Policy(after)) => before.looked_ms > after.looked_ms,
        (Row::Policies(before), Row::Policies(after)) => before.looked_ms > after.looked_ms,
        (Row::Memberships(_), Row::Memberships(_)) => false,
        (Row::Shadow(before), Row::Shadow(after)) => match (before.mark, after.mark) {
            (Some(before), Some(after)) => older(order::shadow(after, Some(before))),
            (before, after) => before.is_some() && after.is_none(),
        },
        _ => true,
    };
    back.then(|| format!("the row goes back from {before:?} to {after:?}"))
}
