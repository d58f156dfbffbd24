//! The ports of a Region over its state in memory.

use serde_json::Value;

use super::call::{Inner, Link};
use super::planted::Planted;
use super::region::{GroupState, PAGE_MAX, RegionState, conflict};
use super::{PRIMARY, SECONDARY, truth};
use crate::model::{
    Authority, DescribedCertificate, DescribedThing, Group, Incarnation, Page, Policy, Shadow, Status, Thing,
    ThingType, Written,
};
use crate::outcome::Outcome;
use crate::ports::{Groups, Identities, Shadows, Things, Types};

/// One of the two Regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Primary,
    Secondary,
}

impl Side {
    pub(crate) fn region_name(self) -> &'static str {
        match self {
            Self::Primary => PRIMARY,
            Self::Secondary => SECONDARY,
        }
    }

    fn port(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }

    /// The time that a Region's services say.
    pub(crate) fn now_ms(self, inner: &Inner) -> u64 {
        match self {
            Self::Primary => inner.now_ms,
            Self::Secondary => inner.now_ms.saturating_add_signed(inner.secondary_ahead_ms),
        }
    }

    pub(crate) fn of(self, inner: &mut Inner) -> &mut RegionState {
        match self {
            Self::Primary => &mut inner.primary,
            Self::Secondary => &mut inner.secondary,
        }
    }
}

/// A Region as a function reaches it.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) link: Link,
    pub(crate) side: Side,
}

impl Remote {
    async fn call<T: std::fmt::Debug + Send + 'static>(
        &self,
        call: &'static str,
        effect: impl FnOnce(&mut RegionState, u64) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let side = self.side;
        self.link
            .call(side.port(), call, move |inner| {
                let now_ms = side.now_ms(inner);
                effect(side.of(inner), now_ms)
            })
            .await
    }
}

/// A write that is judged by what was true in the primary.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    Thing(Thing),
    Status(String, Status),
    Policy(Policy),
    NoPolicy(String),
    /// A policy and its target: whether that has it.
    Attached(String, String, bool),
    Shadow(String, String, Value),
    NoShadow(String, String),
}

impl Remote {
    /// A call that changes something, judged if it succeeds.
    async fn write<T: std::fmt::Debug + Send + 'static>(
        &self,
        call: &'static str,
        write: Write,
        effect: impl FnOnce(&mut RegionState, u64) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let side = self.side;
        self.link
            .call(side.port(), call, move |inner| {
                let now_ms = side.now_ms(inner);
                let judgement = (side == Side::Secondary).then(|| truth::judge(inner, &write));
                let outcome = effect(side.of(inner), now_ms);
                if let (Ok(_), Some(judgement)) = (&outcome, judgement) {
                    inner.accept(judgement);
                }
                if outcome.is_ok() && inner.network.is_some() {
                    inner.trace(|| format!("    wrote {write:?}"));
                }
                outcome
            })
            .await
    }
}

/// A page of a list; a token is the number of entries before it.
pub(super) fn page<T>(all: impl Iterator<Item = T>, from: Option<&str>) -> Page<T> {
    let from = from.map_or(0, |from| from.parse::<usize>().unwrap());
    let mut rest = all.skip(from);
    let items: Vec<T> = rest.by_ref().take(PAGE_MAX).collect();
    let next = rest.next().is_some().then(|| (from + PAGE_MAX).to_string());
    Page { items, next }
}

/// Whether a change that names a version may go on; of what is absent its own refusal tells.
fn fits(version: Option<u64>, expected: Option<u64>) -> Outcome<()> {
    match (version, expected) {
        (Some(version), Some(expected)) if version != expected => {
            Err(conflict("change", "VersionConflictException"))
        }
        _ => Ok(()),
    }
}

impl Things for Remote {
    async fn thing(&self, name: &str) -> Outcome<Option<DescribedThing>> {
        let name = name.to_owned();
        self.call("thing", move |region, _| Ok(region.things.get(&name).cloned())).await
    }
    /// A query is the beginning of a thing's name.
    async fn things(&self, query: Option<&str>, from: Option<&str>) -> Outcome<Page<DescribedThing>> {
        let (query, from) = (query.unwrap_or_default().to_owned(), from.map(str::to_owned));
        self.call("things", move |region, _| {
            let found = region.things.values().filter(|thing| thing.thing.name.starts_with(&query));
            let listed = found.map(|thing| DescribedThing { thing_id: None, ..thing.clone() });
            Ok(page(listed, from.as_deref()))
        })
        .await
    }
    async fn create_thing(&self, thing: &Thing) -> Outcome<()> {
        let (thing, write) = (thing.clone(), Write::Thing(thing.clone()));
        self.write("create_thing", write, move |region, _| region.create_thing(&thing)).await
    }
    async fn update_thing(&self, thing: &Thing, expected: Option<u64>) -> Outcome<()> {
        let (thing, write) = (thing.clone(), Write::Thing(thing.clone()));
        self.write("update_thing", write, move |region, _| {
            let version = region.things.get(&thing.name).map(|there| there.version);
            fits(version, expected).and_then(|()| region.update_thing(&thing))
        })
        .await
    }
    async fn delete_thing(&self, name: &str, expected: Option<u64>) -> Outcome<()> {
        let name = name.to_owned();
        self.call("delete_thing", move |region, _| {
            let version = region.things.get(&name).map(|there| there.version);
            fits(version, expected).and_then(|()| region.delete_thing(&name))
        })
        .await
    }
    async fn thing_principals(&self, thing: &str) -> Outcome<Vec<String>> {
        let thing = thing.to_owned();
        self.call("thing_principals", move |region, _| Ok(region.thing_principals(&thing))).await
    }
    async fn principal_things(&self, principal: &str) -> Outcome<Vec<String>> {
        let principal = principal.to_owned();
        self.call("principal_things", move |region, _| Ok(region.principal_things(&principal))).await
    }
    async fn attach_principal(&self, thing: &str, principal: &str) -> Outcome<()> {
        let (thing, principal) = (thing.to_owned(), principal.to_owned());
        self.call("attach_principal", move |region, _| region.attach_principal(&thing, &principal)).await
    }
    async fn detach_principal(&self, thing: &str, principal: &str) -> Outcome<()> {
        let (thing, principal) = (thing.to_owned(), principal.to_owned());
        self.call("detach_principal", move |region, _| region.detach_principal(&thing, &principal)).await
    }
}

impl Types for Remote {
    async fn thing_type(&self, name: &str) -> Outcome<Option<ThingType>> {
        let name = name.to_owned();
        let of = move |region: &mut RegionState, _| {
            Ok(region.types.get(&name).map(|there| there.thing_type.clone()))
        };
        self.call("thing_type", of).await
    }
    async fn thing_types(&self, from: Option<&str>) -> Outcome<Page<ThingType>> {
        let from = from.map(str::to_owned);
        self.call("thing_types", move |region, _| {
            Ok(page(region.types.values().map(|there| there.thing_type.clone()), from.as_deref()))
        })
        .await
    }
    async fn type_incarnation(&self, name: &str) -> Outcome<Option<Incarnation>> {
        let name = name.to_owned();
        let of = move |region: &mut RegionState, _| {
            let there = region.types.get(&name);
            Ok(there.map(|there| Incarnation { id: there.id.clone(), version: 0, begun_ms: there.begun_ms }))
        };
        self.call("type_incarnation", of).await
    }
    async fn create_thing_type(&self, thing_type: &ThingType) -> Outcome<()> {
        let thing_type = thing_type.clone();
        self.call("create_thing_type", move |region, _| region.create_thing_type(&thing_type)).await
    }
    async fn deprecate_thing_type(&self, name: &str, deprecated: bool) -> Outcome<()> {
        let name = name.to_owned();
        self.call("deprecate_thing_type", move |region, now_ms| {
            region.deprecate_thing_type(&name, deprecated, now_ms)
        })
        .await
    }
    async fn delete_thing_type(&self, name: &str) -> Outcome<()> {
        let name = name.to_owned();
        self.call("delete_thing_type", move |region, now_ms| region.delete_thing_type(&name, now_ms)).await
    }
}

impl Groups for Remote {
    async fn group(&self, name: &str) -> Outcome<Option<Group>> {
        let name = name.to_owned();
        self.call("group", move |region, _| Ok(region.groups.get(&name).map(|there| there.group.clone())))
            .await
    }
    async fn groups(&self, from: Option<&str>) -> Outcome<Page<String>> {
        let from = from.map(str::to_owned);
        self.call("groups", move |region, _| Ok(page(region.groups.keys().cloned(), from.as_deref()))).await
    }
    async fn group_incarnation(&self, name: &str) -> Outcome<Option<Incarnation>> {
        let name = name.to_owned();
        let of = move |region: &mut RegionState, _| {
            let there = region.groups.get(&name);
            let life = |there: &GroupState| Incarnation {
                id: there.id.clone(),
                version: there.version,
                begun_ms: there.begun_ms,
            };
            Ok(there.map(life))
        };
        self.call("group_incarnation", of).await
    }
    async fn create_group(&self, group: &Group) -> Outcome<()> {
        let group = group.clone();
        self.call("create_group", move |region, _| region.create_group(&group)).await
    }
    async fn update_group(&self, group: &Group, expected: Option<u64>) -> Outcome<()> {
        let group = group.clone();
        self.call("update_group", move |region, _| {
            let version = region.groups.get(&group.name).map(|there| there.version);
            fits(version, expected).and_then(|()| region.update_group(&group))
        })
        .await
    }
    async fn delete_group(&self, name: &str, expected: Option<u64>) -> Outcome<()> {
        let name = name.to_owned();
        self.call("delete_group", move |region, _| {
            let version = region.groups.get(&name).map(|there| there.version);
            fits(version, expected).and_then(|()| region.delete_group(&name))
        })
        .await
    }
    async fn thing_groups(&self, thing: &str) -> Outcome<Vec<String>> {
        let thing = thing.to_owned();
        self.call("thing_groups", move |region, _| Ok(region.thing_groups(&thing))).await
    }
    async fn add_to_group(&self, group: &str, thing: &str) -> Outcome<()> {
        let (group, thing) = (group.to_owned(), thing.to_owned());
        self.call("add_to_group", move |region, _| region.add_to_group(&group, &thing)).await
    }
    async fn remove_from_group(&self, group: &str, thing: &str) -> Outcome<()> {
        let (group, thing) = (group.to_owned(), thing.to_owned());
        self.call("remove_from_group", move |region, _| region.remove_from_group(&group, &thing)).await
    }
}

impl Identities for Remote {
    async fn described_certificate(&self, id: &str) -> Outcome<Option<DescribedCertificate>> {
        let id = id.to_owned();
        self.call("certificate", move |region, _| {
            let is_pending = region.pending.contains(&id);
            let there = region.certificates.get(&id).cloned();
            Ok(there.map(|certificate| DescribedCertificate { certificate, is_pending }))
        })
        .await
    }
    async fn certificates(&self, from: Option<&str>) -> Outcome<Page<String>> {
        let from = from.map(str::to_owned);
        self.call("certificates", move |region, _| {
            Ok(page(region.certificates.keys().cloned(), from.as_deref()))
        })
        .await
    }
    async fn authorities(&self) -> Outcome<Vec<Authority>> {
        self.call("authorities", |region, _| Ok(region.authorities.clone())).await
    }
    async fn register_certificate(&self, pem: &str, active: bool) -> Outcome<()> {
        let pem = pem.to_owned();
        let status = if active { Status::Active } else { Status::Inactive };
        let write = Write::Status(pem.trim_start_matches("pem-").to_owned(), status);
        self.write("register_certificate", write, move |region, _| region.register_certificate(&pem, active))
            .await
    }
    async fn set_status(&self, id: &str, status: Status) -> Outcome<()> {
        let id = id.to_owned();
        self.write("set_status", Write::Status(id.clone(), status), move |region, _| {
            region.set_status(&id, status)
        })
        .await
    }
    async fn delete_certificate(&self, id: &str) -> Outcome<()> {
        let id = id.to_owned();
        self.call("delete_certificate", move |region, _| region.delete_certificate(&id)).await
    }
    async fn policy(&self, name: &str) -> Outcome<Option<Policy>> {
        let name = name.to_owned();
        self.call("policy", move |region, _| Ok(region.policy(&name))).await
    }
    async fn policies(&self, from: Option<&str>) -> Outcome<Page<String>> {
        let from = from.map(str::to_owned);
        self.call("policies", move |region, _| Ok(page(region.policies.keys().cloned(), from.as_deref())))
            .await
    }
    async fn create_policy(&self, policy: &Policy) -> Outcome<()> {
        let (policy, write) = (policy.clone(), Write::Policy(policy.clone()));
        self.write("create_policy", write, move |region, _| region.create_policy(&policy)).await
    }
    async fn put_policy(&self, policy: &Policy) -> Outcome<()> {
        let (policy, write) = (policy.clone(), Write::Policy(policy.clone()));
        self.write("put_policy", write, move |region, _| region.put_policy(&policy)).await
    }
    async fn delete_policy(&self, name: &str) -> Outcome<()> {
        let name = name.to_owned();
        let write = Write::NoPolicy(name.clone());
        self.write("delete_policy", write, move |region, _| region.delete_policy(&name)).await
    }
    async fn attached_policies(&self, target: &str) -> Outcome<Vec<String>> {
        let target = target.to_owned();
        self.call("attached_policies", move |region, _| Ok(region.attached_policies(&target))).await
    }
    async fn policy_targets(&self, name: &str) -> Outcome<Vec<String>> {
        let name = name.to_owned();
        self.call("policy_targets", move |region, _| Ok(region.policy_targets(&name))).await
    }
    async fn attach_policy(&self, name: &str, target: &str) -> Outcome<()> {
        let (name, target) = (name.to_owned(), target.to_owned());
        let write = Write::Attached(name.clone(), target.clone(), true);
        self.write("attach_policy", write, move |region, _| region.attach_policy(&name, &target)).await
    }
    async fn detach_policy(&self, name: &str, target: &str) -> Outcome<()> {
        let (name, target) = (name.to_owned(), target.to_owned());
        let write = Write::Attached(name.clone(), target.clone(), false);
        self.write("detach_policy", write, move |region, _| region.detach_policy(&name, &target)).await
    }
}

impl Shadows for Remote {
    async fn shadow(&self, thing: &str, shadow: &str) -> Outcome<Option<Shadow>> {
        let (thing, shadow) = (thing.to_owned(), shadow.to_owned());
        self.call("shadow", move |region, _| Ok(region.shadow(&thing, &shadow).cloned())).await
    }
    async fn named_shadows(&self, thing: &str) -> Outcome<Vec<String>> {
        let thing = thing.to_owned();
        self.call("named_shadows", move |region, _| Ok(region.named_shadows(&thing))).await
    }
    async fn update_shadow(
        &self,
        thing: &str,
        shadow: &str,
        state: &Value,
        expected: Option<u64>,
    ) -> Outcome<Written> {
        let (thing, shadow, state) = (thing.to_owned(), shadow.to_owned(), state.clone());
        let write = Write::Shadow(thing.clone(), shadow.clone(), state.clone());
        let blind = self.link.inner().planted == Some(Planted::NoCompare);
        let expected = expected.filter(|_| !blind);
        self.write("update_shadow", write, move |region, now_ms| {
            region.update_shadow(&thing, &shadow, &state, expected, now_ms / 1_000)
        })
        .await
    }
    async fn delete_shadow(&self, thing: &str, shadow: &str) -> Outcome<()> {
        let (thing, shadow) = (thing.to_owned(), shadow.to_owned());
        let write = Write::NoShadow(thing.clone(), shadow.clone());
        self.write("delete_shadow", write, move |region, _| region.delete_shadow(&thing, &shadow)).await
    }
}
