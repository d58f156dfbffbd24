//! What the replicator has not finished is no change of the secondary.

use std::collections::BTreeSet;

use super::*;
use crate::ports::{IdentityRow, ThingRow};
use crate::tables;

const DELETIONS: Options =
    Options { resurrect: false, deletions: true, identities: true, workers: crate::sync::WORKERS };

fn verdict_of(plan: &Plan, subject: &str) -> (Verdict, bool) {
    let item = plan.items.iter().find(|item| item.subject.to_string() == subject);
    let item = item.unwrap_or_else(|| panic!("{subject}: {plan}"));
    (item.verdict, item.action.is_some())
}

#[tokio::test]
async fn a_thing_that_waits_for_its_type_keeps_it_at_home() {
    let twins = outage(2).await;
    for n in 0..2 {
        let key = tables::thing_key(&format!("t-{n}"));
        let Some(Row::Thing(row)) = twins.row(&key) else { panic!("it is replicated") };
        twins.put_row(&key, Row::Thing(ThingRow { undone: true, ..row }));
        twins.inner().secondary.things.get_mut(&format!("t-{n}")).unwrap().thing.thing_type = None;
    }
    {
        let mut inner = twins.inner();
        let thing = &mut inner.secondary.things.get_mut("t-1").unwrap().thing;
        thing.attributes.insert("site".into(), "moved".into());
    }
    let plan = planned(&twins, Options::default()).await;
    assert_eq!(verdict_of(&plan, "thing t-0"), (Verdict::Kept, false), "{plan}");
    assert_eq!(verdict_of(&plan, "thing t-1"), (Verdict::TakenHome, true), "{plan}");
    assert!(carried_out(&twins, &plan).await.is_clean());
    let inner = twins.inner();
    for (name, site) in [("t-0", "0"), ("t-1", "moved")] {
        let thing = &inner.primary.things[name].thing;
        assert_eq!((thing.thing_type.as_deref(), thing.attributes["site"].as_str()), (Some("pump"), site));
    }
}

#[tokio::test]
async fn what_never_arrived_is_not_taken_from_the_thing_at_home() {
    let twins = fleet(1);
    twins.fail_next("secondary.register_certificate", crate::outcome::Class::Permanent, 2);
    twins.fail_next("secondary.add_to_group", crate::outcome::Class::Permanent, 2);
    assert!(!direct(&twins, Mode::Smart).await.is_clean());
    twins.advance_ms(3_600_000);
    let plan = planned(&twins, DELETIONS).await;
    for subject in ["thing t-0, certificate c-0", "thing t-0, group line", "certificate c-0"] {
        assert_eq!(verdict_of(&plan, subject), (Verdict::Kept, false), "{plan}");
    }
    assert!(plan.to_string().contains(UNFINISHED), "{plan}");
    assert_eq!(plan.actions(), 0, "{plan}");
}

#[tokio::test]
async fn a_certificate_that_is_to_be_detached_is_not_attached_again() {
    let twins = outage(1).await;
    twins.inner().primary.detach_principal("t-0", &arn(PRIMARY, "c-0")).unwrap();
    let key = tables::identity_key("t-0");
    let Some(Row::Identity(row)) = twins.row(&key) else { panic!("it is replicated") };
    let removing = BTreeSet::from([arn(SECONDARY, "c-0")]);
    let row = IdentityRow { principals: BTreeSet::new(), removing, pending: true, ..row };
    twins.put_row(&key, Row::Identity(row));
    let plan = planned(&twins, Options::default()).await;
    assert_eq!(verdict_of(&plan, "thing t-0, certificate c-0"), (Verdict::Kept, false), "{plan}");
    assert_eq!(plan.actions(), 0, "{plan}");
}

#[tokio::test]
async fn what_a_thing_has_that_was_made_again_at_home_stays() {
    let twins = outage(1).await;
    {
        let mut inner = twins.inner();
        inner.secondary.detach_principal("t-0", &arn(SECONDARY, "c-0")).unwrap();
        inner.secondary.remove_from_group("line", "t-0").unwrap();
        let (here, principal) = (&mut inner.primary, arn(PRIMARY, "c-0"));
        let thing = here.things["t-0"].thing.clone();
        here.detach_principal("t-0", &principal).unwrap();
        here.delete_thing("t-0").unwrap();
        here.create_thing(&thing).unwrap();
        here.attach_principal("t-0", &principal).unwrap();
        here.add_to_group("line", "t-0").unwrap();
    }
    let plan = planned(&twins, DELETIONS).await;
    for subject in ["thing t-0, certificate c-0", "thing t-0, group line"] {
        assert_eq!(verdict_of(&plan, subject), (Verdict::Kept, false), "{plan}");
    }
    assert_eq!(plan.actions(), 0, "{plan}");
}
