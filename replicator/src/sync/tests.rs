//! Both ways of syncing, over two Regions in memory.

mod fleet;
mod groups;
mod repair;

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::checks::{at_every_end, at_once};
use crate::event::Event;
use crate::model::{Group, Status};
use crate::outcome::Class;
use crate::policy::Policies;
use crate::ports::{Source, State, World};
use crate::progress::Forgetful;
use crate::replicate;
use crate::simulation::{Function, PRIMARY, SECONDARY, Twins, arn};

pub(crate) use fleet::{alike, fleet};

type Remote = <Function as World>::Region;

/// What remembers a walk's place, and the Regions.
#[derive(Debug)]
struct Walker {
    notes: Notes,
    twins: Twins,
}

impl AsRef<Twins> for Walker {
    fn as_ref(&self) -> &Twins {
        &self.twins
    }
}

impl Walker {
    fn new() -> Self {
        Self { notes: Notes::default(), twins: fleet(2) }
    }

    /// Like any other call, no note is written by a function that has ended.
    async fn lives(&self) -> Outcome<()> {
        self.twins.world().read("progress").await.map(drop)
    }
}

impl Progress for Walker {
    async fn get(&self, name: &str) -> Outcome<Option<Value>> {
        self.lives().await?;
        self.notes.get(name).await
    }
    async fn put(&self, name: &str, value: &Value) -> Outcome<()> {
        self.lives().await?;
        self.notes.put(name, value).await
    }
    async fn clear(&self, name: &str) -> Outcome<()> {
        self.lives().await?;
        self.notes.clear(name).await
    }
}

/// Remembers in memory.
#[derive(Debug, Default)]
pub(crate) struct Notes(pub(crate) Mutex<BTreeMap<String, Value>>);

impl Progress for Notes {
    async fn get(&self, name: &str) -> Outcome<Option<Value>> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }
    async fn put(&self, name: &str, value: &Value) -> Outcome<()> {
        self.0.lock().unwrap().insert(name.to_owned(), value.clone());
        Ok(())
    }
    async fn clear(&self, name: &str) -> Outcome<()> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }
}

pub(crate) fn regions(twins: &Twins) -> Regions<'_, Remote, Remote, Function> {
    let names = crate::look::Names {
        primary: PRIMARY.to_owned(),
        secondary: SECONDARY.to_owned(),
        account: twins.world().account().to_owned(),
    };
    Regions::new(twins.source().region(), twins.world().region(), twins.world(), names)
}

async fn walk(twins: &Twins, options: &Options, notes: &impl Progress) -> Outcome<Report> {
    let policies = Policies::default();
    let sink = Direct { world: twins.world(), policies: &policies };
    run(&regions(twins), &sink, notes, options, &|_| {}).await
}

pub(crate) async fn direct(twins: &Twins, mode: Mode) -> Report {
    let options = Options { mode, ..Options::default() };
    walk(twins, &options, &Forgetful).await.unwrap()
}

pub(crate) async fn into_table(twins: &Twins, options: &Options) -> Report {
    run(&regions(twins), &table(twins), &Forgetful, options, &|_| {}).await.unwrap()
}

fn table(twins: &Twins) -> Table<'_, Function, Function, Function> {
    let (documents, world) = (twins.source().documents(), twins.world());
    Table { documents, state: Some(world), clock: world, origin: PRIMARY }
}

/// The replicator applies what is in the event table, as it came.
pub(crate) async fn drain(twins: &Twins) -> Vec<Event> {
    let rows: Vec<_> = twins.inner().events.changes.drain(..).map(|change| change.row).collect();
    let policies = Policies::default();
    let mut events = Vec::new();
    for row in rows {
        let event = Event::read(&row).unwrap();
        let applied = replicate::apply(twins.world(), &policies, &event).await.unwrap();
        assert_eq!(applied.remarks, [], "{row:?}");
        events.push(event);
    }
    events
}

fn synced(report: &Report) -> u64 {
    report.counts.values().map(|counts| counts.synced).sum()
}

#[tokio::test]
async fn a_fleet_arrives_straight_and_a_second_walk_only_reads() {
    let twins = fleet(7);
    let report = direct(&twins, Mode::Smart).await;
    assert!(report.is_clean() && report.finished, "{report}");
    assert_eq!((report.of(Kind::Thing).synced, report.of(Kind::Group).synced), (7, 3), "{report}");
    alike(&twins);
    twins.clear_calls();
    twins.advance_ms(60_000);
    let report = direct(&twins, Mode::Smart).await;
    assert_eq!((synced(&report), report.of(Kind::Thing).existing), (0, 7), "{report}");
    let writes: Vec<_> = twins.calls().into_iter().filter(|call| writes(call)).collect();
    assert_eq!(writes, [] as [String; 0]);
    assert_eq!(
        report.stats_line(false),
        "syncer: stats: NUM_THINGS_SYNCED: 0 NUM_THINGS_EXIST: 7 NUM_ERRORS: 0"
    );
}

/// Parents come last in the list, on other pages than the groups under them.
#[tokio::test]
async fn groups_arrive_after_those_above_them_whatever_page_they_are_on() {
    let twins = Twins::new();
    let children = 3 * crate::simulation::PAGE_MAX;
    {
        let here = &mut twins.inner().primary;
        for (name, parent) in [("y", None), ("x", Some("y".to_owned()))] {
            here.create_group(&Group { name: name.into(), parent, ..Group::default() }).unwrap();
        }
        for n in 0..children {
            let (name, parent) = (format!("c-{n:03}"), Some("x".to_owned()));
            here.create_group(&Group { name, parent, ..Group::default() }).unwrap();
        }
    }
    twins.advance_ms(60_000);
    let report = direct(&twins, Mode::Smart).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.of(Kind::Group).synced, children as u64 + 2, "each is counted once: {report}");
    alike(&twins);
}

fn writes(call: &str) -> bool {
    let verbs =
        ["create", "update", "delete", "attach_", "detach", "add_", "remove", "put", "register", "set_"];
    let name = call.split('.').nth(1).unwrap_or_default();
    verbs.iter().any(|verb| name.starts_with(verb))
}

#[tokio::test]
async fn a_fleet_arrives_through_the_table_and_the_replicator() {
    let twins = fleet(7);
    let report = into_table(&twins, &Options::default()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.of(Kind::Thing).synced, 7);
    assert!(twins.inner().secondary.things.is_empty(), "nothing goes there but through the table");
    assert!(drain(&twins).await.iter().all(|event| event.again));
    alike(&twins);
    assert!(report.stats_line(true).starts_with("syncer: stats: NUM_THINGS_TO_SYNC: 7 "));
    twins.advance_ms(120_000);
    assert_eq!(synced(&into_table(&twins, &Options::default()).await), 0);
}

#[tokio::test]
async fn d31_what_exists_and_differs_in_any_field_is_brought() {
    let twins = fleet(3);
    direct(&twins, Mode::Smart).await;
    {
        let mut inner = twins.inner();
        let there = &mut inner.secondary;
        there.things.get_mut("t-0").unwrap().thing.attributes.clear();
        there.certificates.get_mut("c-1").unwrap().status = Status::Inactive;
        there.detach_policy("p", &arn(SECONDARY, "c-2")).unwrap();
        let document = there.policies.get_mut("p").unwrap();
        *document.versions.values_mut().next().unwrap() = "{}".to_owned();
        there.groups.get_mut("line").unwrap().group.description = None;
        there.members.clear();
        // A device's own leaf stays; one that the primary has since is brought.
        there.update_shadow("t-1", "named", &json!({"reported": {"other": 1}}), None, 1_100).unwrap();
        inner.primary.update_shadow("t-1", "named", &json!({"reported": {"n": 7}}), None, 1_100).unwrap();
    }
    twins.advance_ms(120_000);
    let report = direct(&twins, Mode::Smart).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.of(Kind::Thing).synced, 3, "{report}");
    alike_but_for_device_writes(&twins);
}

/// The shadow in the secondary has someone else's leaf, which stays.
fn alike_but_for_device_writes(twins: &Twins) {
    let key = ("t-1".to_owned(), "named".to_owned());
    {
        let mut inner = twins.inner();
        let state = &mut inner.secondary.shadows.get_mut(&key).unwrap().state;
        state["reported"].as_object_mut().unwrap().remove("other");
    }
    alike(twins);
}

#[tokio::test]
async fn everything_is_sent_without_a_look_if_asked_for() {
    let twins = fleet(2);
    direct(&twins, Mode::Smart).await;
    twins.clear_calls();
    let report = into_table(&twins, &Options { mode: Mode::All, ..Options::default() }).await;
    assert_eq!((report.of(Kind::Thing).synced, report.of(Kind::Shadow).synced), (2, 4), "{report}");
    assert!(twins.region_calls().iter().all(|call| call.starts_with("primary.")));
    assert!(drain(&twins).await.iter().all(|event| event.again));
    alike(&twins);
}

#[tokio::test]
async fn d44_what_fails_is_counted_said_and_does_not_stop_the_others() {
    let twins = fleet(4);
    twins.fail_next("secondary.create_thing", Class::Permanent, 2);
    let report = direct(&twins, Mode::Smart).await;
    assert!(!report.is_clean() && report.finished, "{report}");
    assert_eq!((report.of(Kind::Thing).synced, report.of(Kind::Thing).errors), (3, 1), "{report}");
    assert_eq!(report.problems.len(), 1);
    assert!(report.stats_line(false).ends_with("NUM_ERRORS: 1"));
    let options = Options { workers: WORKERS_MAX + 1, ..Options::default() };
    assert!(walk(&twins, &options, &Forgetful).await.is_err());
}

/// A walk that is ended anywhere is walked again, from where it was.
#[tokio::test]
async fn whatever_fails_the_walk_ends_right_straight_and_through_the_table() {
    let options = Options { mode: Mode::Repair, workers: 1, ..Options::default() };
    at_every_end(
        async || Walker::new(),
        async |walker| {
            let report = walk(&walker.twins, &options, walker).await;
            report.is_ok_and(|report| report.finished && report.is_clean())
        },
        |walker, _| alike(&walker.twins),
    )
    .await;
    at_every_end(
        async || Walker::new(),
        async |walker| {
            let twins = &walker.twins;
            let report = run(&regions(twins), &table(twins), walker, &options, &|_| {}).await;
            report.is_ok_and(|report| report.finished && report.is_clean())
        },
        |walker, _| {
            at_once(drain(&walker.twins));
            alike(&walker.twins);
        },
    )
    .await;
}

#[tokio::test]
async fn throttling_slows_the_walk_and_loses_nothing() {
    let twins = fleet(6);
    twins.fail_next("primary.thing_principals", Class::Transient, 4);
    twins.fail_next("primary.things", Class::Transient, 2);
    let report = direct(&twins, Mode::Smart).await;
    assert!(report.is_clean() && report.slowed > 0, "{report}");
    alike(&twins);
}

#[tokio::test]
async fn a_walk_that_was_ended_goes_on_where_it_was() {
    let twins = fleet(9);
    let (options, notes) = (Options { workers: 1, ..Options::default() }, Notes::default());
    walk(&twins, &options, &notes).await.unwrap();
    let whole = twins.calls().iter().filter(|call| *call == "primary.things").count();
    assert_eq!((whole, notes.0.lock().unwrap().len()), (3, 0), "three pages, and nothing to remember");

    let twins = fleet(9);
    // All but the last page are done when lists fail for good.
    let pages = Mutex::new(0);
    let on_progress = |report: &Report| {
        if report.of(Kind::Thing).synced == 6 {
            *pages.lock().unwrap() += 1;
            twins.fail_next("primary.things", Class::Permanent, 1);
        }
    };
    let policies = Policies::default();
    let sink = Direct { world: twins.world(), policies: &policies };
    run(&regions(&twins), &sink, &notes, &options, &on_progress).await.unwrap_err();
    assert_eq!(*pages.lock().unwrap(), 1);
    twins.clear_calls();
    let report = walk(&twins, &options, &notes).await.unwrap();
    let lists = twins.calls().iter().filter(|call| *call == "primary.things").count();
    assert_eq!((lists, report.of(Kind::Thing).synced), (1, 9), "the counts are of the whole walk");
    alike(&twins);

    // Another walk's place is none.
    let other = Options { query: Some("t-".into()), ..options.clone() };
    notes.put("sync", &json!({"mode": "all"})).await.unwrap();
    assert!(resume(&notes, &other).await.unwrap().is_none());
}

#[tokio::test]
async fn a_deadline_ends_a_walk_and_the_next_run_finishes_it() {
    let (twins, notes) = (fleet(9), Notes::default());
    let mut options = Options { workers: 1, deadline_ms: Some(twins.now_ms() + 1), ..Options::default() };
    let mut runs = 0;
    loop {
        let seen = |report: &Report| {
            // Time passes with each page.
            if report.of(Kind::Thing).synced > 0 {
                twins.advance_ms(1);
            }
        };
        let policies = Policies::default();
        let sink = Direct { world: twins.world(), policies: &policies };
        let report = run(&regions(&twins), &sink, &notes, &options, &seen).await.unwrap();
        runs += 1;
        if report.finished {
            assert_eq!(report.of(Kind::Thing).synced, 9, "{report}");
            break;
        }
        assert!(runs < 10, "it gets on with every run");
        options.deadline_ms = Some(twins.now_ms() + 3);
    }
    assert!(runs > 1);
    alike(&twins);
}

#[tokio::test]
async fn a_query_walks_what_it_finds() {
    let twins = fleet(5);
    let options = Options { query: Some("t-1".into()), ..Options::default() };
    let report = walk(&twins, &options, &Forgetful).await.unwrap();
    assert_eq!(report.of(Kind::Thing).synced, 1);
    assert_eq!(twins.inner().secondary.things.keys().collect::<Vec<_>>(), ["t-1"]);
}

#[tokio::test]
async fn just_in_time_leaves_identities_alone() {
    let twins = fleet(2);
    let options = Options { identities: false, mode: Mode::Repair, ..Options::default() };
    let report = walk(&twins, &options, &Forgetful).await.unwrap();
    assert!(report.is_clean());
    let inner = twins.inner();
    assert!(inner.secondary.certificates.is_empty() && inner.secondary.policies.is_empty());
    assert_eq!(inner.secondary.things.len(), 2);
}
