//! The journal of a run that is no more, as another process reads it.

use super::*;
use crate::{fault::Cure, pool::site::Site};

fn folder() -> (tempfile::TempDir, Folder) {
    let keep = tempfile::tempdir().unwrap();
    let folder = Folder::create(&keep.path().join("run")).unwrap();
    (keep, folder)
}

fn policy(name: &str) -> Change {
    Change::Policy { region: "us-east-1".into(), name: name.into() }
}

#[test]
fn what_stands_is_read_back_and_what_is_not_understood_is_named() {
    let (_keep, folder) = folder();
    let journal = Journal::create(&folder).unwrap();
    journal.intend(policy("one")).unwrap();
    let keys = ["a", "b"].map(str::to_owned).to_vec();
    let region = "us-east-1".to_owned();
    journal.intend(Change::Certificates { region, since: Timestamp::UNIX_EPOCH, keys }).unwrap();
    journal.is_found("b");
    assert!(Journal::take(&folder).unwrap().is_none(), "the run goes on");
    drop(journal);

    let mut log = UndoLog::take(&folder).unwrap().unwrap();
    let before = Some(serde_json::json!({"change": "of-tomorrow"}));
    log.append(&UndoEntry {
        before,
        manual: "do it".into(),
        ..entry(9, UndoState::Intended, &policy("new"), None)
    })
    .unwrap();
    drop(log);
    let journal = Journal::take(&folder).unwrap().unwrap();
    assert_eq!(journal.remaining(), 3);
    assert!(journal.foreign()[0].ends_with("by hand: do it"), "{:?}", journal.foreign());
    let keys: Vec<String> = journal
        .changes()
        .into_iter()
        .filter_map(|change| match change {
            Change::Certificates { keys, .. } => Some(keys.concat()),
            _ => None,
        })
        .collect();
    assert_eq!(keys, ["ab"], "who was killed may not have found it after all");

    assert_eq!(journal.forget_all().unwrap(), 2);
    journal.intend(policy("later")).unwrap();
    drop(journal);
    let ids: Vec<u64> = folder.read_undo().unwrap().iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [1, 2, 9, 1, 2, 10], "no number is given twice");
    assert_eq!(Journal::take(&folder).unwrap().unwrap().remaining(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_stays_as_long_as_something_is_broken() {
    let (_keep, folder) = folder();
    let (site, output) = (Site::start().await, Output::new());
    let journal = Journal::create(&folder).unwrap();
    let machine = crate::holder::machine();
    let switch = Change::Switch { machine, folder: folder.path().into(), until: Timestamp::UNIX_EPOCH };
    journal.intend(switch).unwrap();
    // Nobody listens there.
    let cure = Cure::Twin {
        api_url: "http://127.0.0.1:1".into(),
        fault: gameday_twin::Fault::RegionDark { region: "us-east-1".into() },
    };
    let fault = Change::Fault { fault: "primary-region-dark".into(), region: "us-east-1".into(), cure };
    journal.intend(fault.clone()).unwrap();
    let failed = journal.undo_all(&site.aws, &output).await;
    assert_eq!(failed.iter().map(|(change, _)| change).collect::<Vec<_>>(), [&fault]);
    assert!(journal.has_switch());
    journal.end_switch(&site.aws).await.unwrap();
    assert!(journal.has_switch());
    drop(journal);

    let (_keep, folder) = self::folder();
    let journal = Journal::create(&folder).unwrap();
    let machine = crate::holder::machine();
    journal
        .intend(Change::Switch { machine, folder: folder.path().into(), until: Timestamp::UNIX_EPOCH })
        .unwrap();
    journal.end_switch(&site.aws).await.unwrap();
    assert!(!journal.has_switch(), "nothing is broken");
}
