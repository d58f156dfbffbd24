//! Things: what they cost, which incarnation stays, and what belongs to it.

mod ends;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::checks::{after_an_end, at_every_call, at_once, some_end};
use crate::event::What;
use crate::model::{DescribedThing, Group, Thing, ThingType};
use crate::order::{LifeMark, MembershipMark};
use crate::outcome::Class;
use crate::ports::{CertificateRow, GroupRow, IdentityRow, Memberships, TypeRow};
use crate::simulation::{Crash, SECONDARY, Twins, arn, pem};
use crate::sync::events;

fn thing(attributes: &[(&str, &str)]) -> Thing {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Thing { name: "t".into(), thing_type: None, attributes: attributes.collect() }
}

/// Of incarnation `id`, with an attribute that says which event it was.
fn event(id: &str, version: u64, at_s: u64, deleted: bool) -> ThingEvent {
    let mark = ThingMark { id: id.into(), version, timestamp_ms: at_s * 1_000, deleted };
    ThingEvent { thing: thing(&[("event", &format!("{id}{version}"))]), mark }
}

fn created() -> ThingEvent {
    event("a", 1, 1_000, false)
}

fn with_type(mut event: ThingEvent, name: &str) -> ThingEvent {
    event.thing.thing_type = Some(name.into());
    event
}

async fn run(twins: &Twins, event: &ThingEvent) -> Outcome<Applied> {
    apply(twins.world(), event, false).await
}

fn there(twins: &Twins) -> Option<Thing> {
    twins.inner().secondary.things.get("t").map(|thing| thing.thing.clone())
}

fn principals(twins: &Twins) -> Vec<String> {
    twins.inner().secondary.thing_principals("t")
}

fn groups(twins: &Twins) -> Vec<String> {
    twins.inner().secondary.thing_groups("t")
}

/// A certificate in the secondary.
fn certificate(twins: &Twins, id: &str) -> String {
    twins.inner().secondary.register_certificate(&pem(id), true).unwrap();
    arn(SECONDARY, id)
}

/// What the look at the thing's principals left behind.
fn wants_principals(twins: &Twins, looked_s: u64, wanted: &[&str]) {
    let principals: BTreeSet<_> = wanted.iter().map(|arn| (*arn).to_owned()).collect();
    let row = IdentityRow { looked_ms: looked_s * 1_000, principals, ..IdentityRow::default() };
    twins.put_row(&tables::identity_key("t"), Row::Identity(row));
}

fn membership(thing_id: &str, group_id: &str, at_s: u64, deleted: bool) -> MembershipMark {
    let id = format!("{thing_id} in {group_id}");
    let life = LifeMark { id, version: at_s * 1_000, timestamp_ms: at_s * 1_000, deleted };
    MembershipMark { life, group_id: group_id.into(), thing_id: thing_id.into() }
}

fn wants_group(twins: &Twins, group: &str, mark: MembershipMark) {
    let groups = BTreeMap::from([(group.to_owned(), mark)]);
    twins.put_row(
        &tables::memberships_key("t"),
        Row::Memberships(Memberships { groups, ..Default::default() }),
    );
}

fn group(twins: &Twins, name: &str) {
    let group = Group { name: name.into(), ..Group::default() };
    twins.inner().secondary.create_group(&group).unwrap();
    let mark = LifeMark { id: format!("{name}1"), version: 1, timestamp_ms: 900_000, deleted: false };
    twins.put_row(&tables::group_key(name), Row::Group(GroupRow { mark: Some(mark), undone: false }));
}

fn thing_type(twins: &Twins, name: &str, deprecated: bool) {
    let kind = ThingType { name: name.into(), ..ThingType::default() };
    let mut inner = twins.inner();
    inner.secondary.create_thing_type(&kind).unwrap();
    inner.secondary.deprecate_thing_type(name, deprecated, 0).unwrap();
}

fn is_deprecated(twins: &Twins, name: &str) -> bool {
    twins.inner().secondary.types[name].thing_type.deprecated
}

#[tokio::test]
async fn a_new_thing_costs_one_call_and_so_does_a_change() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    assert_eq!(
        twins.calls(),
        ["state.take", "secondary.create_thing", "state.read", "state.read", "state.put"]
    );
    twins.clear_calls();
    run(&twins, &event("a", 2, 1_001, false)).await.unwrap();
    assert_eq!(twins.calls(), ["state.take", "secondary.update_thing", "state.put"]);
}

#[tokio::test]
async fn d01_an_update_is_replicated() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    run(&twins, &event("a", 2, 1_001, false)).await.unwrap();
    assert_eq!(there(&twins), Some(thing(&[("event", "a2")])));
    run(&twins, &created()).await.unwrap();
    assert_eq!(there(&twins), Some(thing(&[("event", "a2")])), "a version never goes backwards");
}

#[tokio::test]
async fn d23a_a_late_deletion_does_not_take_the_thing_that_was_made_again() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    run(&twins, &event("b", 1, 1_003, false)).await.unwrap();
    assert_eq!(run(&twins, &event("a", 1, 1_002, true)).await.unwrap().change, Change::Superseded);
    assert_eq!(there(&twins), Some(thing(&[("event", "b1")])));
}

#[tokio::test]
async fn d30_attributes_and_type_that_were_cleared_are_cleared() {
    let twins = Twins::new();
    thing_type(&twins, "pump", false);
    run(&twins, &with_type(created(), "pump")).await.unwrap();
    assert_eq!(there(&twins).unwrap().thing_type.as_deref(), Some("pump"));
    let mut bare = event("a", 2, 1_001, false);
    bare.thing.attributes.clear();
    run(&twins, &bare).await.unwrap();
    assert_eq!(there(&twins), Some(thing(&[])));
}

#[tokio::test]
async fn d28_a_type_that_was_exchanged_is_the_last_one_in_any_order() {
    let twins = Twins::new();
    for name in ["pump", "valve"] {
        thing_type(&twins, name, false);
    }
    run(&twins, &with_type(created(), "pump")).await.unwrap();
    run(&twins, &with_type(event("a", 3, 1_002, false), "valve")).await.unwrap();
    run(&twins, &event("a", 2, 1_001, false)).await.unwrap();
    assert_eq!(there(&twins).unwrap().thing_type.as_deref(), Some("valve"));
}

#[tokio::test]
async fn d31_a_thing_that_is_there_and_differs_is_brought_to_the_event() {
    let twins = Twins::new();
    twins.inner().secondary.create_thing(&thing(&[("stale", "yes")])).unwrap();
    run(&twins, &created()).await.unwrap();
    assert_eq!(there(&twins), Some(thing(&[("event", "a1")])));
    assert_eq!(twins.region_calls(), ["secondary.create_thing", "secondary.update_thing"]);
}

#[tokio::test]
async fn a_deletion_leaves_certificates_and_shadows() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    let principal = certificate(&twins, "c1");
    twins.inner().secondary.attach_principal("t", &principal).unwrap();
    twins.device_writes("t", &json!({"reported": {"a": 1}}));
    run(&twins, &event("a", 1, 1_001, true)).await.unwrap();
    assert_eq!((there(&twins), principals(&twins)), (None, vec![]));
    assert!(twins.inner().secondary.certificates.contains_key("c1"));
    assert!(twins.shadow_state("t", "").is_some());
}

#[tokio::test]
async fn d12_a_deletion_that_has_not_settled_is_waited_for_then_tried_again() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    twins.fail_next("secondary.delete_thing", Class::Conflict, 2);
    run(&twins, &event("a", 1, 1_001, true)).await.unwrap();
    assert_eq!(there(&twins), None);
    run(&twins, &event("b", 1, 1_002, false)).await.unwrap();
    twins.fail_next("secondary.delete_thing", Class::Conflict, 100);
    assert!(run(&twins, &event("b", 1, 1_003, true)).await.unwrap_err().is_transient());
    twins.fail_next("secondary.delete_thing", Class::Conflict, 0);
    twins.advance_ms(order::LEASE_MS);
    run(&twins, &event("b", 1, 1_003, true)).await.unwrap();
    assert_eq!(there(&twins), None);
}

#[tokio::test]
async fn a_new_incarnation_gets_what_is_its_own_and_nothing_of_the_one_before() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    let (old, new) = (certificate(&twins, "old"), certificate(&twins, "new"));
    for name in ["g", "h"] {
        group(&twins, name);
    }
    {
        let mut inner = twins.inner();
        inner.secondary.attach_principal("t", &old).unwrap();
        inner.secondary.add_to_group("g", "t").unwrap();
    }
    wants_principals(&twins, 1_100, &[&new]);
    wants_group(&twins, "h", membership("b", "h1", 1_100, false));
    run(&twins, &event("b", 1, 1_090, false)).await.unwrap();
    assert_eq!(principals(&twins), [new]);
    assert_eq!(groups(&twins), ["h"]);
}

#[tokio::test]
async fn a_look_at_the_thing_before_gives_nothing_to_the_new_one() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    let old = certificate(&twins, "old");
    wants_principals(&twins, 1_010, &[&old]);
    run(&twins, &event("a", 1, 1_050, true)).await.unwrap();
    run(&twins, &event("b", 1, 1_060, false)).await.unwrap();
    assert_eq!(principals(&twins), Vec::<String>::new());
}

#[tokio::test]
async fn a_look_between_creation_and_change_counts_though_the_change_came_first() {
    let twins = Twins::new();
    let principal = certificate(&twins, "c1");
    wants_principals(&twins, 1_010, &[&principal]);
    run(&twins, &event("a", 2, 1_500, false)).await.unwrap();
    run(&twins, &created()).await.unwrap();
    assert_eq!(principals(&twins), [principal]);
}

#[tokio::test]
async fn a_thing_that_was_only_seen_gets_what_was_looked_at_long_before() {
    let twins = Twins::new();
    let principal = certificate(&twins, "c1");
    wants_principals(&twins, 1_001, &[&principal]);
    let (thing_id, thing) = (Some("a".to_owned()), created().thing);
    let seen = DescribedThing { thing, thing_id, version: 1 };
    let What::Thing(event) = events::thing(&seen, 2_000_000).unwrap().what else { panic!("a thing") };
    apply(twins.world(), &event, true).await.unwrap();
    assert_eq!(principals(&twins), [principal]);
}

#[tokio::test]
async fn a_membership_of_another_thing_or_group_of_that_name_is_not_this_ones() {
    for (mark, group_id) in [
        (membership("z", "g1", 900, false), "g1"),
        (membership("a", "g0", 1_001, false), "g1"),
        (membership("a", "g1", 1_001, true), "g1"),
    ] {
        let twins = Twins::new();
        group(&twins, "g");
        let group_mark = LifeMark { id: group_id.into(), version: 1, timestamp_ms: 950_000, deleted: false };
        twins
            .put_row(&tables::group_key("g"), Row::Group(GroupRow { mark: Some(group_mark), undone: false }));
        wants_group(&twins, "g", mark.clone());
        run(&twins, &created()).await.unwrap();
        assert_eq!(groups(&twins), Vec::<String>::new(), "{mark:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_added_is_remarked_and_comes_with_the_repair() {
    let twins = Twins::new();
    let (here, later) = (certificate(&twins, "c1"), arn(SECONDARY, "later"));
    wants_principals(&twins, 1_001, &[&here, &later]);
    wants_group(&twins, "g", membership("a", "g1", 1_001, false));
    let applied = run(&twins, &created()).await.unwrap();
    let why: Vec<_> = applied.remarks.iter().map(|remark| remark.why.clone()).collect();
    assert_eq!(why, [format!("waits for principal {later}"), "waits for group g".to_owned()]);
    assert_eq!(principals(&twins), [here]);
    // Delivered once more before the remarks were put down, it says them again.
    assert_eq!(run(&twins, &created()).await.unwrap().remarks.len(), 2);
    certificate(&twins, "later");
    group(&twins, "g");
    let mended = apply(twins.world(), &created(), true).await.unwrap();
    assert_eq!(mended.remarks, []);
    assert_eq!((principals(&twins).len(), groups(&twins)), (2, vec!["g".to_owned()]));
}

#[tokio::test]
async fn a_certificate_that_was_deleted_since_it_was_seen_with_the_thing_is_not_waited_for() {
    for (deleted, looked_ms, remarks) in [(true, 1_002_000, 0), (true, 1_000_000, 1), (false, 1_002_000, 1)] {
        let twins = Twins::new();
        wants_principals(&twins, 1_001, &[&arn(SECONDARY, "c1")]);
        let row = CertificateRow { looked_ms, deleted, ..CertificateRow::default() };
        twins.put_row(&tables::certificate_key("c1"), Row::Certificate(row));
        assert_eq!(run(&twins, &created()).await.unwrap().remarks.len(), remarks);
    }
}

#[tokio::test]
async fn a_type_that_is_not_there_costs_the_type_and_not_the_thing() {
    let twins = Twins::new();
    for event in [with_type(created(), "pump"), with_type(event("a", 2, 1_001, false), "pump")] {
        let applied = run(&twins, &event).await.unwrap();
        assert_eq!(applied.remarks[0].step, "thing type");
        assert_eq!(there(&twins).unwrap().thing_type, None);
    }
    thing_type(&twins, "pump", false);
    let again = with_type(event("a", 2, 1_001, false), "pump");
    assert_eq!(apply(twins.world(), &again, true).await.unwrap().remarks, []);
    assert_eq!(there(&twins).unwrap().thing_type.as_deref(), Some("pump"));
}

#[tokio::test]
async fn a_type_that_was_deprecated_since_is_lent() {
    let twins = Twins::new();
    thing_type(&twins, "pump", true);
    assert_eq!(run(&twins, &with_type(created(), "pump")).await.unwrap().remarks, []);
    assert_eq!(there(&twins).unwrap().thing_type.as_deref(), Some("pump"));
    assert!(is_deprecated(&twins, "pump"));
    assert!(!twins.is_held(&tables::type_key("pump")));
}

#[tokio::test]
async fn a_type_that_was_lent_is_given_back_whoever_ended_with_its_key_before() {
    let lent = with_type(created(), "pump");
    for at in 1..=12 {
        let twins = Twins::new();
        thing_type(&twins, "pump", true);
        let row = TypeRow { mark: Some(LifeMark::default()), deprecated: true, undone: false };
        twins.put_row(&tables::type_key("pump"), Row::Type(row));
        twins.inner().state.take(&tables::type_key("pump"), &json!(LifeMark::default()), 0).unwrap();
        twins.crash(Some(Crash { at, after: true }));
        let _ = run(&twins, &lent).await;
        twins.crash(None);
        twins.advance_ms(order::LEASE_MS);
        run(&twins, &event("a", 2, 1_001, false)).await.unwrap();
        assert_eq!(run(&twins, &lent).await.unwrap().change, Change::Superseded);
        assert!(is_deprecated(&twins, "pump"), "ended at call {at}");
    }
}

#[tokio::test]
async fn another_refusal_than_that_of_the_type_is_told() {
    let twins = Twins::new();
    thing_type(&twins, "pump", false);
    twins.fail_next("secondary.create_thing", Class::Permanent, 9);
    let failure = run(&twins, &with_type(created(), "pump")).await.unwrap_err();
    assert_eq!(failure.class, Class::Permanent);
}
