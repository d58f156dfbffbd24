//! What is only in the secondary, and what the periodic walk mends.

use proptest::prelude::*;

use super::*;
use crate::model::{Group, Policy, Thing};
use crate::reconcile;
use crate::simulation::{PRIMARY, RegionState, group_arn, pem};

fn repair(orphans: Orphans) -> Options {
    Options { mode: Mode::Repair, orphans, ..Options::default() }
}

/// What the primary loses while nobody listens.
fn lose(region: &mut RegionState) {
    region.detach_principal("t-0", &arn(PRIMARY, "c-0")).unwrap();
    region.delete_thing("t-0").unwrap();
    region.set_status("c-0", Status::Inactive).unwrap();
    region.delete_certificate("c-0").unwrap();
    region.delete_shadow("t-0", "").unwrap();
    region.delete_shadow("t-0", "named").unwrap();
    region.delete_shadow("t-1", "named").unwrap();
    region.remove_from_group("line", "t-1").unwrap();
}

/// What someone makes in the secondary alone.
fn make_there(region: &mut RegionState) {
    region.create_thing(&Thing { name: "own".into(), ..Thing::default() }).unwrap();
    region.register_certificate(&pem("own"), true).unwrap();
    region.create_policy(&Policy { name: "own".into(), document: "{}".into() }).unwrap();
    region.update_shadow("own", "", &json!({"reported": {"a": 1}}), None, 1_000).unwrap();
}

#[tokio::test]
async fn what_is_only_there_is_said_and_stays() {
    let twins = fleet(2);
    direct(&twins, Mode::Smart).await;
    lose(&mut twins.inner().primary);
    make_there(&mut twins.inner().secondary);
    twins.advance_ms(120_000);
    let report = direct(&twins, Mode::Repair).await;
    assert!(report.is_clean(), "{report}");
    let orphans = |kind| report.of(kind).orphans;
    assert_eq!(
        (orphans(Kind::Thing), orphans(Kind::Certificate), orphans(Kind::Policy)),
        (2, 2, 1),
        "{report}"
    );
    assert_eq!((orphans(Kind::Shadow), orphans(Kind::Membership)), (4, 1), "{report}");
    let why = |name: &str| {
        let of = |problem: &&Problem| problem.name == name && problem.kind == Kind::Thing;
        report.orphans.iter().find(of).unwrap().why.clone()
    };
    assert_eq!((why("t-0").as_str(), why("own").as_str()), ("the primary had it once", "it was made there"));
    assert_eq!(twins.inner().secondary.things.len(), 3);
}

#[tokio::test]
async fn what_the_replicator_brought_goes_and_what_was_made_there_stays() {
    let twins = fleet(2);
    direct(&twins, Mode::Smart).await;
    lose(&mut twins.inner().primary);
    make_there(&mut twins.inner().secondary);
    twins.advance_ms(120_000);
    let report = into_table(&twins, &repair(Orphans::RemoveReplicated)).await;
    assert_eq!((report.of(Kind::Thing).removed, report.of(Kind::Thing).orphans), (1, 1), "{report}");
    drain(&twins).await;
    let inner = twins.inner();
    assert_eq!(inner.secondary.things.keys().collect::<Vec<_>>(), ["own", "t-1"]);
    assert_eq!(inner.secondary.certificates.keys().collect::<Vec<_>>(), ["c-1", "own"]);
    assert!(inner.secondary.members.is_empty());
    let shadows: Vec<_> =
        inner.secondary.shadows.keys().map(|(thing, name)| format!("{thing}/{name}")).collect();
    assert_eq!(shadows, ["own/", "t-1/"]);
}

/// Both removals are lost. The walk finds the thing in `line` alone; had it not looked at what waits, the
/// repair would put the thing into `next` once `line` is left.
#[tokio::test]
async fn an_addition_that_waits_in_a_row_is_undone_by_a_removal_that_nobody_told() {
    let twins = fleet(1);
    let next = Group { name: "next".into(), parent: Some("hall".into()), ..Group::default() };
    twins.inner().primary.create_group(&next).unwrap();
    direct(&twins, Mode::Smart).await;
    let addition = {
        let inner = twins.inner();
        let (thing, group) =
            (inner.primary.things["t-0"].thing_id.clone().unwrap(), inner.primary.groups["next"].id.clone());
        events::member("t-0", thing, "next", group, inner.now_ms)
    };
    let refused = replicate::apply(twins.world(), &Policies::default(), &addition).await.unwrap();
    assert_eq!(refused.remarks.len(), 1, "the thing is in another group of the hierarchy");
    twins.inner().primary.remove_from_group("line", "t-0").unwrap();
    twins.advance_ms(120_000);
    into_table(&twins, &repair(Orphans::RemoveReplicated)).await;
    drain(&twins).await;
    let again = replicate::apply(twins.world(), &Policies::default(), &addition).await.unwrap();
    assert_eq!(again.change, replicate::Change::Superseded);
    assert!(twins.inner().secondary.members.is_empty());
}

#[tokio::test]
async fn all_of_it_goes_if_asked_for() {
    let twins = fleet(2);
    direct(&twins, Mode::Smart).await;
    lose(&mut twins.inner().primary);
    make_there(&mut twins.inner().secondary);
    twins.advance_ms(120_000);
    let options = repair(Orphans::Remove);
    assert!(walk(&twins, &options, &Forgetful).await.unwrap().is_clean());
    alike(&twins);
}

#[tokio::test]
async fn the_replicators_own_equipment_is_no_orphan() {
    let twins = fleet(1);
    direct(&twins, Mode::Smart).await;
    let name = format!("{}x", crate::rules::EXCLUDED_PREFIX);
    {
        let mut inner = twins.inner();
        let there = &mut inner.secondary;
        there.create_thing(&Thing { name: name.clone(), ..Thing::default() }).unwrap();
        there.create_policy(&Policy { name: name.clone(), document: "{}".into() }).unwrap();
        there.register_certificate(&pem("probe"), true).unwrap();
        there.attach_policy(&name, &arn(SECONDARY, "probe")).unwrap();
        there.attach_principal(&name, &arn(SECONDARY, "probe")).unwrap();
    }
    let report = walk(&twins, &repair(Orphans::Remove), &Forgetful).await.unwrap();
    assert!(report.is_clean() && report.counts.values().all(|counts| counts.removed == 0), "{report}");
    assert!(twins.inner().secondary.certificates.contains_key("probe"));
}

#[tokio::test]
async fn the_replicators_own_groups_and_policies_are_no_difference() {
    let twins = fleet(1);
    let name = format!("{}x", crate::rules::EXCLUDED_PREFIX);
    {
        let mut inner = twins.inner();
        let here = &mut inner.primary;
        here.create_group(&Group { name: name.clone(), ..Group::default() }).unwrap();
        here.add_to_group(&name, "t-0").unwrap();
        here.create_policy(&Policy { name: name.clone(), document: "{}".into() }).unwrap();
        here.attach_policy(&name, &group_arn(PRIMARY, "line")).unwrap();
    }
    for mode in [Mode::All, Mode::Repair] {
        let report = direct(&twins, mode).await;
        assert!(report.is_clean(), "{report}");
        twins.advance_ms(120_000);
    }
    assert_eq!(synced(&direct(&twins, Mode::Repair).await), 0);
    let inner = twins.inner();
    assert_eq!(inner.secondary.thing_groups("t-0"), ["line"]);
    assert_eq!(inner.secondary.attached_policies(&group_arn(SECONDARY, "line")), ["of-groups"]);
}

#[tokio::test]
async fn a_thing_that_is_made_again_while_it_is_looked_for_stays() {
    let twins = fleet(1);
    direct(&twins, Mode::Smart).await;
    lose_thing(&mut twins.inner().primary);
    let report = into_table(&twins, &repair(Orphans::RemoveReplicated)).await;
    assert_eq!(report.of(Kind::Thing).removed, 1);
    // The rows wait in the table; meanwhile the thing is made again, and that event comes first.
    let late: Vec<_> = twins.inner().events.changes.drain(..).collect();
    let thing = Thing { name: "t-0".into(), ..Thing::default() };
    twins.inner().primary.create_thing(&thing).unwrap();
    let life = twins.inner().primary.things["t-0"].clone();
    let created = crate::event::ThingEvent {
        thing,
        mark: crate::order::LifeMark {
            id: life.thing_id.unwrap(),
            version: life.version,
            timestamp_ms: twins.now_ms(),
            deleted: false,
        },
    };
    let created = Event { what: crate::event::What::Thing(created), again: false };
    let policies = Policies::default();
    replicate::apply(twins.world(), &policies, &created).await.unwrap();
    twins.inner().events.changes.extend(late);
    drain(&twins).await;
    assert!(twins.inner().secondary.things.contains_key("t-0"));
}

fn lose_thing(region: &mut RegionState) {
    region.detach_principal("t-0", &arn(PRIMARY, "c-0")).unwrap();
    region.delete_thing("t-0").unwrap();
}

#[tokio::test]
async fn the_periodic_walk_gets_through_in_as_many_runs_as_it_needs() {
    let (twins, notes) = (fleet(8), Notes::default());
    direct(&twins, Mode::Smart).await;
    lose(&mut twins.inner().primary);
    twins.advance_ms(120_000);
    let mut runs = 0;
    loop {
        let deadline_ms = twins.now_ms() + reconcile::DEADLINE_MARGIN_MS + 1;
        let regions = regions(&twins);
        let (documents, state) = (twins.source().documents(), twins.world());
        let report = reconcile::run(&regions, documents, state, &notes, true, deadline_ms).await.unwrap();
        runs += 1;
        if report.finished {
            break;
        }
        assert!(runs < 50);
    }
    drain(&twins).await;
    alike(&twins);
}

/// A change of the primary that nobody hears of.
#[derive(Debug, Clone)]
enum Lost {
    Make(u8),
    Delete(u8),
    Attribute(u8, u8),
    Join(u8),
    Leave(u8),
    Attach(u8, u8),
    Detach(u8, u8),
    Status(u8, bool),
    Shadow(u8, u8),
    DeleteShadow(u8),
    Document(u8),
}

fn lost() -> impl Strategy<Value = Lost> {
    let n = 0_u8..4;
    prop_oneof![
        n.clone().prop_map(Lost::Make),
        n.clone().prop_map(Lost::Delete),
        (n.clone(), n.clone()).prop_map(|(t, v)| Lost::Attribute(t, v)),
        n.clone().prop_map(Lost::Join),
        n.clone().prop_map(Lost::Leave),
        (n.clone(), n.clone()).prop_map(|(t, c)| Lost::Attach(t, c)),
        (n.clone(), n.clone()).prop_map(|(t, c)| Lost::Detach(t, c)),
        (n.clone(), any::<bool>()).prop_map(|(c, active)| Lost::Status(c, active)),
        (n.clone(), n.clone()).prop_map(|(t, v)| Lost::Shadow(t, v)),
        n.clone().prop_map(Lost::DeleteShadow),
        n.prop_map(Lost::Document),
    ]
}

/// Does it as far as the Region lets it be done.
fn happen(region: &mut RegionState, lost: &Lost, now_s: u64) {
    let thing = |n: u8| format!("t-{n}");
    let certificate = |n: u8| arn(PRIMARY, &format!("c-{n}"));
    match *lost {
        Lost::Make(n) => drop(region.create_thing(&Thing { name: thing(n), ..Thing::default() })),
        Lost::Delete(n) => {
            for principal in region.thing_principals(&thing(n)) {
                region.detach_principal(&thing(n), &principal).ok();
            }
            region.delete_thing(&thing(n)).ok();
        }
        Lost::Attribute(n, value) => {
            if let Some(there) = region.things.get(&thing(n)) {
                let mut changed = there.thing.clone();
                changed.attributes.insert("site".into(), value.to_string());
                region.update_thing(&changed).ok();
            }
        }
        Lost::Join(n) => drop(region.add_to_group("line", &thing(n))),
        Lost::Leave(n) => drop(region.remove_from_group("line", &thing(n))),
        Lost::Attach(n, c) => drop(region.attach_principal(&thing(n), &certificate(c))),
        Lost::Detach(n, c) => drop(region.detach_principal(&thing(n), &certificate(c))),
        Lost::Status(c, active) => {
            let status = if active { Status::Active } else { Status::Inactive };
            region.set_status(&format!("c-{c}"), status).ok();
        }
        Lost::Shadow(n, value) => {
            let update = json!({"reported": {"v": value}, "desired": null});
            region.update_shadow(&thing(n), "", &update, None, now_s).ok();
        }
        Lost::DeleteShadow(n) => drop(region.delete_shadow(&thing(n), "")),
        Lost::Document(value) => {
            let document = crate::simulation::policy_document(PRIMARY, &value.to_string());
            region.put_policy(&Policy { name: "p".into(), document }).ok();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_events_missed_the_walk_mends(
        all in prop::collection::vec((lost(), any::<bool>(), 1_u64..20_000), 0..24),
        workers in 1_usize..4,
    ) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let twins = fleet(4);
            direct(&twins, Mode::Smart).await;
            for (lost, walk_now, pause_ms) in &all {
                twins.advance_ms(*pause_ms);
                let now_s = twins.now_ms() / 1_000;
                happen(&mut twins.inner().primary, lost, now_s);
                if *walk_now {
                    // A walk soon after a change: it may not see all, and may do no harm.
                    let options = Options { workers, ..repair(Orphans::RemoveReplicated) };
                    into_table(&twins, &options).await;
                    drain(&twins).await;
                }
            }
            // One walk for what may go at once, one for what had to wait for it.
            for _ in 0..2 {
                twins.advance_ms(120_000);
                into_table(&twins, &Options { workers, ..repair(Orphans::RemoveReplicated) }).await;
                drain(&twins).await;
            }
            alike(&twins);
        });
    }
}
