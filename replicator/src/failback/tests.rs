//! Outages in two Regions in memory, and the way home from them.

mod registry;
mod replicated;
mod ties;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{Group, Policy, Status, Thing, ThingType};
use crate::simulation::{PRIMARY, SECONDARY, Twins, arn, pem, policy_document};
use crate::sync::Mode;
use crate::sync::tests::{alike, direct, fleet, regions};

/// A fleet of which all is replicated; then the outage begins.
pub(super) async fn outage(devices: usize) -> Twins {
    let twins = fleet(devices);
    assert!(direct(&twins, Mode::Smart).await.is_clean());
    twins.advance_ms(3_600_000);
    twins
}

pub(super) async fn planned(twins: &Twins, options: Options) -> Plan {
    twins.clear_calls();
    let plan = plan(&regions(twins), twins.world(), &options, &|_| {}).await.unwrap();
    let is_read = |call: &String| {
        ![
            "create",
            "update",
            "delete",
            "attach_pr",
            "detach",
            "put",
            "register",
            "set_",
            "add",
            "remove",
            "take",
        ]
        .iter()
        .any(|verb| call.split('.').nth(1).is_some_and(|name| name.starts_with(verb)))
    };
    assert!(twins.calls().iter().all(|call| is_read(call) || call.ends_with("attached_policies")));
    assert_eq!(plan.gaps, []);
    // It survives a file.
    assert_eq!(serde_json::from_str::<Plan>(&serde_json::to_string(&plan).unwrap()).unwrap(), plan);
    plan
}

pub(super) async fn carried_out(twins: &Twins, plan: &Plan) -> Applied {
    carried_out_by(twins, plan, &Journal::default()).await
}

/// By one of several runs, with the journal that they have in common.
pub(super) async fn carried_out_by(twins: &Twins, plan: &Plan, journal: &Journal) -> Applied {
    apply(&regions(twins), plan, journal, &|_, _| {}, &|| false).await.unwrap()
}

pub(super) fn write(twins: &Twins, region: &str, thing: &str, update: &Value) {
    let mut inner = twins.inner();
    let now_s = inner.now_ms / 1_000;
    let region = if region == PRIMARY { &mut inner.primary } else { &mut inner.secondary };
    region.update_shadow(thing, "", update, None, now_s).unwrap();
}

fn verdicts(plan: &Plan) -> Vec<(String, Verdict, bool)> {
    let of = |item: &Item| (item.subject.to_string(), item.verdict, item.action.is_some());
    plan.items.iter().map(of).collect()
}

#[tokio::test]
async fn nothing_changed_is_an_empty_plan() {
    let twins = outage(4).await;
    let plan = planned(&twins, Options::default()).await;
    assert_eq!(plan.items, []);
    assert!(plan.to_string().contains("nothing differs"));
    for note in ["replication and reconcile are taken to stand still", "not compared: authorities"] {
        assert!(plan.to_string().contains(&format!("note: {note}")), "{plan}");
    }
    for workers in [0, WORKERS_MAX + 1] {
        let options = Options { workers, ..Options::default() };
        assert!(super::plan(&regions(&twins), twins.world(), &options, &|_| {}).await.is_err());
    }
}

#[tokio::test]
async fn d36_what_devices_wrote_comes_home_and_what_the_primary_wrote_stays() {
    let twins = outage(4).await;
    write(&twins, SECONDARY, "t-0", &json!({"reported": {"N": 9}}));
    write(&twins, PRIMARY, "t-1", &json!({"desired": {"on": false}}));
    // Both, and the device's is newer; of the other leaf the primary's is.
    write(&twins, SECONDARY, "t-2", &json!({"reported": {"early": "there"}}));
    twins.advance_ms(5_000);
    write(&twins, PRIMARY, "t-2", &json!({"reported": {"early": "here", "late": "here"}}));
    twins.advance_ms(5_000);
    write(&twins, SECONDARY, "t-2", &json!({"reported": {"late": "there"}}));
    let plan = planned(&twins, Options::default()).await;
    assert_eq!(
        verdicts(&plan),
        [
            ("shadow of t-0".to_owned(), Verdict::TakenHome, true),
            ("shadow of t-2".to_owned(), Verdict::Merged, true),
            ("shadow of t-1".to_owned(), Verdict::Kept, false),
        ]
    );
    assert!(carried_out(&twins, &plan).await.is_clean());
    let state = |thing: &str| twins.inner().primary.shadow(thing, "").unwrap().state.clone();
    assert_eq!(state("t-0")["reported"]["N"], 9);
    assert_eq!(state("t-1")["desired"]["on"], false);
    let reported = &state("t-2")["reported"];
    assert_eq!((&reported["early"], &reported["late"]), (&json!("here"), &json!("there")));
    assert_eq!(planned(&twins, Options::default()).await.actions(), 0, "a second plan is empty");
    assert_eq!(carried_out(&twins, &plan).await.totals(), [0, 2, 0, 0], "and the first is done");
}

#[tokio::test]
async fn d36_what_was_made_there_is_made_at_home_in_the_right_order() {
    let twins = outage(1).await;
    {
        let mut inner = twins.inner();
        let there = &mut inner.secondary;
        let valve = ThingType { name: "valve".into(), ..ThingType::default() };
        there.create_thing_type(&valve).unwrap();
        let document = policy_document(SECONDARY, "new");
        there.create_policy(&Policy { name: "a-new".into(), document }).unwrap();
        for (name, parent) in [("z-new", None), ("a-new", Some("z-new".to_owned()))] {
            there.create_group(&Group { name: name.into(), parent, ..Group::default() }).unwrap();
        }
        let thing = Thing { name: "new".into(), thing_type: Some("valve".into()), ..Thing::default() };
        there.create_thing(&thing).unwrap();
        there.register_certificate(&pem("new"), true).unwrap();
        there.attach_policy("a-new", &arn(SECONDARY, "new")).unwrap();
        there.attach_principal("new", &arn(SECONDARY, "new")).unwrap();
        there.add_to_group("a-new", "new").unwrap();
        there.update_shadow("new", "", &json!({"reported": {"a": 1}}), None, 5_000).unwrap();
        // The certificate of an old device was rotated.
        there.register_certificate(&pem("c-0b"), true).unwrap();
        there.attach_policy("p", &arn(SECONDARY, "c-0b")).unwrap();
        there.attach_principal("t-0", &arn(SECONDARY, "c-0b")).unwrap();
    }
    let plan = planned(&twins, Options::default()).await;
    assert!(plan.items.iter().all(|item| item.action.is_some()), "{plan}");
    assert_eq!(carried_out(&twins, &plan).await.totals()[0], plan.items.len(), "{plan}");
    alike(&twins);
    assert_eq!(planned(&twins, Options::default()).await.items, []);
    let document = twins.inner().primary.policies["a-new"].document().to_owned();
    assert!(document.contains(PRIMARY) && !document.contains(SECONDARY), "{document}");
}

#[tokio::test]
async fn a_registry_that_changed_there_alone_comes_home() {
    let twins = outage(3).await;
    {
        let mut inner = twins.inner();
        let there = &mut inner.secondary;
        let mut thing = there.things["t-0"].thing.clone();
        thing.attributes.insert("site".into(), "moved".into());
        there.update_thing(&thing).unwrap();
        let mut group = there.groups["line"].group.clone();
        group.description = Some("another".into());
        there.update_group(&group).unwrap();
        there.set_status("c-1", Status::Revoked).unwrap();
        let document = policy_document(SECONDARY, "tighter");
        there.put_policy(&Policy { name: "p".into(), document }).unwrap();
        // Both changed this one: the primary's stays.
        let mut thing = there.things["t-2"].thing.clone();
        thing.attributes.insert("site".into(), "there".into());
        there.update_thing(&thing).unwrap();
        thing.attributes.insert("site".into(), "here".into());
        inner.primary.update_thing(&thing).unwrap();
    }
    let plan = planned(&twins, Options::default()).await;
    assert_eq!(plan.totals()[&Verdict::TakenHome], 4, "{plan}");
    assert_eq!(plan.totals()[&Verdict::Overwritten], 1, "{plan}");
    assert!(carried_out(&twins, &plan).await.is_clean());
    assert_eq!(twins.inner().primary.certificates["c-1"].status, Status::Revoked);
    assert_eq!(twins.inner().primary.things["t-2"].thing.attributes["site"], "here");
    assert_eq!(planned(&twins, Options::default()).await.actions(), 0);
}

#[tokio::test]
async fn what_was_deleted_in_one_and_lives_in_the_other_is_said_and_left() {
    let twins = outage(3).await;
    {
        let mut inner = twins.inner();
        let principal = arn(PRIMARY, "c-0");
        inner.primary.detach_principal("t-0", &principal).unwrap();
        inner.primary.delete_thing("t-0").unwrap();
        inner.primary.delete_shadow("t-0", "").unwrap();
        inner.primary.delete_shadow("t-0", "named").unwrap();
        let principal = arn(SECONDARY, "c-1");
        inner.secondary.detach_principal("t-1", &principal).unwrap();
        inner.secondary.delete_thing("t-1").unwrap();
        inner.secondary.delete_shadow("t-1", "named").unwrap();
        inner.secondary.remove_from_group("line", "t-2").unwrap();
    }
    write(&twins, SECONDARY, "t-0", &json!({"reported": {"N": 9}}));
    let plan = planned(&twins, Options::default()).await;
    assert_eq!(plan.actions(), 0, "{plan}");
    let found = verdicts(&plan);
    for expected in [
        ("thing t-0", Verdict::Resurrects),
        ("shadow of t-0", Verdict::Resurrects),
        ("shadow named of t-0", Verdict::Kept),
        ("thing t-1", Verdict::Removed),
        ("shadow named of t-1", Verdict::Removed),
        ("thing t-2, group line", Verdict::Removed),
    ] {
        assert!(found.iter().any(|(name, verdict, _)| (name.as_str(), *verdict) == expected), "{plan}");
    }
    let plan = planned(&twins, Options { resurrect: true, deletions: true, ..Options::default() }).await;
    assert!(carried_out(&twins, &plan).await.is_clean(), "{plan}");
    let inner = twins.inner();
    assert_eq!(inner.primary.shadow("t-0", "").unwrap().state["reported"]["N"], 9);
    let members: Vec<_> = inner.primary.members.keys().map(|(thing, _)| thing.as_str()).collect();
    assert_eq!(inner.primary.things.keys().collect::<Vec<_>>(), ["t-0", "t-2"]);
    assert_eq!(members, ["t-0"]);
    assert_eq!(inner.primary.thing_principals("t-0"), [arn(PRIMARY, "c-0")]);
}

#[tokio::test]
async fn what_is_written_after_the_plan_is_refused_and_not_lost() {
    let twins = outage(3).await;
    for thing in ["t-0", "t-1", "t-2"] {
        write(&twins, SECONDARY, thing, &json!({"reported": {"N": 50}}));
    }
    let plan = planned(&twins, Options::default()).await;
    twins.advance_ms(10_000);
    write(&twins, PRIMARY, "t-0", &json!({"reported": {"N": 60}}));
    write(&twins, SECONDARY, "t-1", &json!({"reported": {"N": 70}}));
    let applied = carried_out(&twins, &plan).await;
    assert_eq!((applied.totals(), applied.is_clean()), ([1, 0, 2, 0], false), "{applied}");
    let reported =
        |thing: &str| twins.inner().primary.shadow(thing, "").unwrap().state["reported"]["N"].clone();
    assert_eq!((reported("t-0"), reported("t-2")), (json!(60), json!(50)));
    let plan = planned(&twins, Options::default()).await;
    assert!(carried_out(&twins, &plan).await.is_clean());
    assert_eq!((reported("t-0"), reported("t-1")), (json!(60), json!(70)));
}

#[tokio::test]
async fn an_end_in_between_is_made_up_for_by_another_run() {
    let twins = outage(5).await;
    for n in 0..5 {
        write(&twins, SECONDARY, &format!("t-{n}"), &json!({"reported": {"N": 50}}));
    }
    let plan = planned(&twins, Options::default()).await;
    twins.fail_next("primary.update_shadow", crate::outcome::Class::Permanent, 2);
    assert_eq!(carried_out(&twins, &plan).await.totals(), [3, 0, 0, 2]);
    assert_eq!(carried_out(&twins, &plan).await.totals(), [2, 3, 0, 0]);
    // An answer that is lost: the write is found done.
    write(&twins, SECONDARY, "t-0", &json!({"reported": {"N": 51}}));
    let plan = planned(&twins, Options::default()).await;
    twins.lose_next("primary.update_shadow", 1);
    assert_eq!(carried_out(&twins, &plan).await.totals(), [1, 0, 0, 0]);
}

#[tokio::test]
async fn a_plan_of_other_regions_is_refused() {
    let twins = outage(1).await;
    let plan = Plan { primary: "eu-west-1".into(), ..planned(&twins, Options::default()).await };
    let applied = apply(&regions(&twins), &plan, &Journal::default(), &|_, _| {}, &|| false).await;
    assert!(applied.is_err());
}

/// A write during the outage, and whether it is made after the plan.
#[derive(Debug, Clone)]
struct Made {
    region: &'static str,
    thing: usize,
    section: &'static str,
    key: &'static str,
    value: Option<u8>,
    late: bool,
}

fn made() -> impl Strategy<Value = Made> {
    let region = prop_oneof![Just(PRIMARY), Just(SECONDARY)];
    let section = prop_oneof![Just("reported"), Just("desired")];
    let key = prop_oneof![Just("N"), Just("on"), Just("new")];
    (region, 0_usize..3, section, key, prop::option::weighted(0.9, any::<u8>()), prop::bool::weighted(0.3))
        .prop_map(|(region, thing, section, key, value, late)| Made {
            region,
            thing,
            section,
            key,
            value,
            late,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_newest_write_of_each_key_is_home_in_the_end(all in prop::collection::vec(made(), 0..16)) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let twins = outage(3).await;
            let mut newest = std::collections::BTreeMap::new();
            let mut make = |made: &Made| {
                let Made { region, thing, section, key, value, .. } = made;
                let update = json!({ *section: { *key: value } });
                write(&twins, region, &format!("t-{thing}"), &update);
                twins.advance_ms(1_000);
                newest.insert((*thing, *section, *key), *value);
            };
            all.iter().filter(|made| !made.late).for_each(&mut make);
            let first = planned(&twins, Options::default()).await;
            all.iter().filter(|made| made.late).for_each(&mut make);
            let applied = carried_out(&twins, &first).await;
            assert_eq!(applied.totals()[3], 0, "{applied}");
            let second = planned(&twins, Options::default()).await;
            assert!(carried_out(&twins, &second).await.is_clean());
            assert_eq!(planned(&twins, Options::default()).await.actions(), 0);
            for ((thing, section, key), value) in newest {
                // A deletion has no stamp: what it ends in is the merge's own test.
                let is_value = |made: &Made| {
                    (made.thing, made.section, made.key) != (thing, section, key) || made.value.is_some()
                };
                if all.iter().all(is_value) {
                    let inner = twins.inner();
                    let state = &inner.primary.shadow(&format!("t-{thing}"), "").unwrap().state;
                    assert_eq!(state[section][key], json!(value), "t-{thing} {section} {key}");
                }
            }
        });
    }
}
