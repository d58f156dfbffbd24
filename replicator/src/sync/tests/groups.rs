//! Groups that are worked on at the same time, on several pages, and things that wait for one.

use super::*;
use crate::event::What;
use crate::model::Page;
use crate::ports::{Memberships, Row};
use crate::sync::events;
use crate::tables;

/// Straight to the secondary; others get their turns before group `z` arrives there.
struct Slow<'a>(Direct<'a, Function>);

/// How often others get a turn.
const TURNS: usize = 20;

impl Sink for Slow<'_> {
    async fn send(&self, event: &Event) -> Outcome<Sent> {
        if matches!(&event.what, What::Group(event) if event.group.name == "z") {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
        }
        self.0.send(event).await
    }
    fn remembers(&self) -> bool {
        self.0.remembers()
    }
    async fn remembered(&self, key: &str) -> Outcome<Option<Row>> {
        self.0.remembered(key).await
    }
    async fn shadows(&self, from: Option<&str>) -> Outcome<Page<(String, String)>> {
        self.0.shadows(from).await
    }
}

fn create(twins: &Twins, name: &str, parent: Option<&str>) {
    let group = Group { name: name.into(), parent: parent.map(str::to_owned), ..Group::default() };
    twins.inner().primary.create_group(&group).unwrap();
}

#[tokio::test]
async fn a_group_waits_for_the_one_above_it_that_is_on_its_way_for_another() {
    let twins = Twins::new();
    for (name, parent) in [("z", None), ("y", Some("z")), ("a", Some("y")), ("b", Some("y"))] {
        create(&twins, name, parent);
    }
    let policies = Policies::default();
    let sink = Slow(Direct { world: twins.world(), policies: &policies });
    let report = run(&regions(&twins), &sink, &Forgetful, &Options::default(), &|_| {}).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.of(Kind::Group).synced, twins.error_rows().len()), (4, 0), "{report}");
    alike(&twins);
}

/// The parent comes first in the list, and the group under it pages later.
#[tokio::test]
async fn a_group_that_only_the_secondary_has_goes_after_those_under_it_on_whichever_page_they_are() {
    let twins = Twins::new();
    create(&twins, "a", None);
    for n in 0..2 * crate::simulation::PAGE_MAX {
        create(&twins, &format!("b-{n}"), None);
    }
    create(&twins, "c", Some("a"));
    create(&twins, "d", Some("c"));
    assert!(direct(&twins, Mode::Smart).await.is_clean());
    // The others stay: what goes would move the pages of the model.
    twins.inner().primary.groups.retain(|name, _| name.starts_with('b'));
    twins.advance_ms(120_000);
    let options =
        Options { mode: Mode::Repair, orphans: Orphans::RemoveReplicated, workers: 1, ..Options::default() };
    let report = walk(&twins, &options, &Forgetful).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.of(Kind::Group).removed, 3, "{report}");
    alike(&twins);
}

/// What cannot go in the end is an error.
#[tokio::test]
async fn a_group_that_cannot_go_after_the_last_page_is_an_error() {
    let twins = Twins::new();
    create(&twins, "a", None);
    create(&twins, "c", Some("a"));
    assert!(direct(&twins, Mode::Smart).await.is_clean());
    // Somebody in the secondary has one under it that nobody replicated.
    let own = Group { name: "own".into(), parent: Some("c".into()), ..Group::default() };
    twins.inner().secondary.create_group(&own).unwrap();
    twins.inner().primary.groups.clear();
    twins.advance_ms(120_000);
    let options = Options { mode: Mode::Repair, orphans: Orphans::RemoveReplicated, ..Options::default() };
    let report = walk(&twins, &options, &Forgetful).await.unwrap();
    let groups = report.of(Kind::Group);
    assert_eq!((groups.removed, groups.errors, groups.orphans), (0, 2, 1), "{report}");
}

fn memberships(twins: &Twins, thing: &str) -> Memberships {
    match twins.row(&tables::memberships_key(thing)) {
        Some(Row::Memberships(row)) => row,
        other => panic!("{other:?}"),
    }
}

fn member(twins: &Twins, group_id: &str, looked_ms: u64) -> Event {
    let thing_id = twins.inner().primary.things["t-0"].thing_id.clone().unwrap();
    events::member("t-0", thing_id, "solo", group_id.to_owned(), looked_ms)
}

async fn applied(twins: &Twins, event: &Event) -> replicate::Applied {
    replicate::apply(twins.world(), &Policies::default(), event).await.unwrap()
}

/// The group was made again during a walk, which looked it up before; what that sent came last.
#[tokio::test]
async fn a_membership_that_waits_for_the_group_before_is_sent_for_the_one_that_is_there() {
    let twins = fleet(1);
    create(&twins, "solo", None);
    let before = twins.inner().primary.groups["solo"].id.clone();
    twins.inner().primary.delete_group("solo").unwrap();
    create(&twins, "solo", None);
    twins.inner().primary.add_to_group("solo", "t-0").unwrap();
    assert!(direct(&twins, Mode::Smart).await.is_clean());
    twins.advance_ms(120_000);
    let stale = member(&twins, &before, twins.now_ms());
    assert_eq!(applied(&twins, &stale).await.remarks[0].why, "solo: waits for the group");
    assert!(memberships(&twins, "t-0").pending.contains_key("solo"));
    twins.advance_ms(120_000);
    let report = direct(&twins, Mode::Repair).await;
    assert!(report.is_clean() && report.of(Kind::Membership).orphans == 0, "{report}");
    assert!(memberships(&twins, "t-0").pending.is_empty());
    let again = applied(&twins, &stale).await;
    assert_eq!((again.change, again.remarks.len()), (replicate::Change::Superseded, 0), "its row is cleared");
    alike(&twins);
}

/// `line` is left, and `next` of the same hierarchy was never joined.
#[tokio::test]
async fn an_addition_that_was_refused_is_not_in_the_secondary_and_counted_neither_as_said_nor_as_removed() {
    let twins = fleet(1);
    create(&twins, "next", Some("hall"));
    direct(&twins, Mode::Smart).await;
    let refused = {
        let inner = twins.inner();
        let (thing, group) =
            (inner.primary.things["t-0"].thing_id.clone().unwrap(), inner.primary.groups["next"].id.clone());
        events::member("t-0", thing, "next", group, inner.now_ms)
    };
    assert_eq!(applied(&twins, &refused).await.remarks.len(), 1);
    twins.inner().primary.remove_from_group("line", "t-0").unwrap();
    twins.advance_ms(120_000);
    let report = direct(&twins, Mode::Repair).await;
    assert_eq!(report.of(Kind::Membership).orphans, 1, "{report}");
    assert_eq!(report.orphans[0].why, "in group line");
    let options = Options { mode: Mode::Repair, orphans: Orphans::RemoveReplicated, ..Options::default() };
    let report = walk(&twins, &options, &Forgetful).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        (report.of(Kind::Membership).removed, report.of(Kind::Membership).orphans),
        (1, 0),
        "{report}"
    );
    assert_eq!(memberships(&twins, "t-0").pending.len(), 0);
    alike(&twins);
}
