//! Game days with fleets that stay.

use std::{fs, path::Path};

use gameday_tests::{fixture, play};

use super::fleets::Fleets;

/// Devices of a fleet play a game day and are there after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_takes_a_fleet_that_stays_and_leaves_it() {
    let fleets = Fleets::on(20, &[]).await;
    fleets.ends(0, &["create", "lamps", "--devices", "14"]);
    fleets.same("lamps");
    let folder = fleets.folder.path().join("fleets");
    let (url, folder) = (fleets.site.url(), folder.to_str().unwrap().to_owned());
    let (day, exit) = play(&fixture("pooled.toml"), &["--fleets", &folder, "--target", &url]).unwrap();
    let summary = day.summary().unwrap();
    assert_eq!(exit, 0, "{}", summary["reason"]);
    assert_eq!(summary["devices"]["failed_over"], 12);
    assert_eq!(summary["ledger"]["lost"], 0);
    assert_eq!(day.events("connectable").unwrap().len(), 0, "how long they took to be there is not known");
    assert_no_key(&day.folder().unwrap(), &fleets.path("lamps").join("shards/000001/keys.pem"));
    fleets.same("lamps");

    // Another twin is another place, and refused before anything is changed.
    let (_, exit) = play(&fixture("pooled.toml"), &["--fleets", &folder]).unwrap();
    assert_eq!(exit, 14);
    fleets.ends(0, &["delete", "lamps", "--yes"]);
    fleets.assert_empty(&[]).await;
}

/// No file of a run has a key in it, in whatever words: neither as PEM nor a line of one.
fn assert_no_key(run: &Path, keys: &Path) {
    let keys = fs::read_to_string(keys).unwrap();
    // What all keys have in common says only of what kind they are.
    let mut lines: Vec<&str> = keys.lines().filter(|line| !line.starts_with('-')).collect();
    let all = lines.len();
    lines.retain(|line| keys.matches(line).count() == 1);
    assert!(lines.len() >= all / 2, "there is something to look for");
    lines.push("PRIVATE KEY");
    let mut looked = 0;
    let mut folders = vec![run.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!lines.iter().any(|line| text.contains(line)), "a key in {}", path.display());
            looked += 1;
        }
    }
    assert!(looked >= 5, "record, events, ledger, log and report: {looked} files");
}
