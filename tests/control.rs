//! How people and conditions lay hold of a run that goes on: what ends it, what is said of it, and that it then heals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use gameday_tests::{GameDay, fixture, play, run};
use serde_json::Value;
use tempfile::TempDir;

/// A fixture with more below it.
fn with(name: &str, more: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, format!("{}\n{more}\n", fs::read_to_string(fixture(name)).unwrap())).unwrap();
    (folder, path)
}

/// Nothing that was broken is broken, nothing that was made is left, and the record says so.
fn assert_healed(day: &GameDay) {
    let summary = day.summary().unwrap();
    assert_eq!(summary["undo"]["left"], 0, "{}", summary["undo"]);
    assert_eq!(summary["undo"]["complete"], true);
    for fault in summary["faults"].as_array().unwrap() {
        assert!(fault["cure_proved_ms"].is_number(), "{fault}");
    }
    let swept = day.events("swept").unwrap();
    assert!(swept.len() >= 3, "{swept:?}");
    for sweep in &swept[swept.len() - 3..] {
        assert_eq!(sweep["leftovers"], serde_json::json!([]), "{sweep}");
    }
}

/// The moment that ended it, what the report says of it, and that the run's own end agrees.
fn assert_stopped(day: &GameDay, condition: &str) {
    let summary = day.summary().unwrap();
    let stopping = &summary["stopping"];
    assert_eq!(stopping["reason"], "stop-condition", "{summary}");
    let detail = stopping["detail"].as_str().unwrap();
    assert!(detail.contains(condition), "{detail}");
    assert!(stopping["at_ms"].as_f64().unwrap() < summary["duration_ms"].as_f64().unwrap());
    let why = summary["checks"].as_array().unwrap().iter().find(|row| row["name"] == "run").unwrap();
    assert!(why["why"].as_str().unwrap().contains(condition), "{why}");
    let page = fs::read_to_string(day.folder().unwrap().join("report.html")).unwrap();
    assert!(page.contains("Told to end at"), "the report says when");
    let steps = summary["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["state"] == "stopped"), "{steps:?}");
}

#[test]
fn a_metric_that_is_too_high_ends_the_run_healed_with_12() {
    let stop = "[stop.when]\n\"devices.behind\" = \"> 60%\"\n\"api.calls\" = \"> 1000000\"";
    let (_keep, path) = with("paused.toml", stop);
    let (day, exit) = play(&path, &[]).unwrap();
    assert_eq!(exit, 12, "{}", day.summary().unwrap()["reason"]);
    assert_stopped(&day, "devices.behind was ");
    assert_eq!(day.summary().unwrap()["faults"].as_array().unwrap().len(), 1, "it was broken then");
    assert_healed(&day);
}

#[test]
fn conditions_that_do_not_hold_end_nothing() {
    let (url, _is_good) = address();
    let keep = tempfile::tempdir().unwrap();
    let stop = format!(
        "[stop]\nover = \"5s\"\nfile = \"{}\"\nhttp = {{ url = \"{url}\", every = \"1s\" }}\n[stop.when]\n\
         \"devices.away\" = \"> 99%\"\n\"publish.ack.p99\" = \"> 1m\"\n\"sends.failed\" = \"> 99%\"\n\
         \"connects.failed\" = \"> 1000\"\n\"devices.away_longest\" = \"> 5m\"\n\"run.duration\" = \"> 1h\"",
        keep.path().join("STOP").display()
    );
    let (_keep, path) = with("silent.toml", &stop);
    let (day, exit) = play(&path, &[]).unwrap();
    let summary = day.summary().unwrap();
    assert_eq!((exit, &summary["stopping"]), (11, &Value::Null), "{}", summary["reason"]);
    assert_eq!(summary["ended"], "completed");
}

#[test]
fn a_file_or_an_address_ends_the_run_healed_with_12() {
    let (url, is_good) = address();
    let keep = tempfile::tempdir().unwrap();
    let button = keep.path().join("STOP");
    let stop = format!(
        "[stop]\nfile = \"{}\"\nhttp = {{ url = \"{url}\", every = \"1s\", failures = 2 }}",
        button.display()
    );
    let (_keep, path) = with("silent.toml", &stop);
    for pressed in ["file", "address"] {
        let mut day = GameDay::start(&path, &["--set", "step.2.hold.for=2m"]).unwrap();
        day.until_it_says("Hold").unwrap();
        match pressed {
            "file" => fs::write(&button, "").unwrap(),
            _ => is_good.store(false, Relaxed),
        }
        let said = day.until_it_says("STOP:").unwrap();
        assert!(said.contains("healing and cleaning up"), "{said}");
        assert_eq!(day.exit().unwrap(), 12, "{pressed}");
        assert_stopped(
            &day,
            if pressed == "file" { "STOP is there" } else { "the answer was 503, 2 times in a row" },
        );
        assert_healed(&day);
        if pressed == "file" {
            fs::remove_file(&button).unwrap();
        }
    }
}

#[test]
fn what_would_end_a_run_at_once_refuses_it() {
    let keep = tempfile::tempdir().unwrap();
    let button = keep.path().join("STOP");
    fs::write(&button, "").unwrap();
    for (stop, said) in [
        (format!("file = \"{}\"", button.display()), "no run goes on while it is"),
        (format!("file = \"{}/no/STOP\"", keep.path().display()), "cannot be looked for"),
        ("http = { url = \"http://127.0.0.1:1/\", every = \"1s\" }".to_owned(), "no answer"),
        ("alarms = [\"orders-5xx\"]".to_owned(), "a twin has no CloudWatch"),
    ] {
        let (_keep, path) = with("silent.toml", &format!("[stop]\n{stop}"));
        let out = keep.path().join("runs");
        let arguments = ["run", path.to_str().unwrap(), "--out", out.to_str().unwrap()];
        let output = run(&arguments).unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(14), "{error}");
        assert!(error.contains("refused, nothing was changed") && error.contains(said), "{error}");
        assert!(!out.exists(), "a refused run leaves no folder");
    }
}

#[test]
fn conditions_that_make_no_sense_are_pointed_at() {
    for (stop, said) in [
        ("[stop.when]\n\"devices.awy\" = \"> 5\"", "did you mean \"devices.away\"?"),
        ("[stop.when]\n\"publish.ack.p99\" = \"<= 5s\"", "write > or >="),
        ("[stop]\nover = \"2m\"", "stop.over: must be 1s to 1m"),
        ("[stop]\nfyle = \"x\"", "did you mean `file`?"),
        ("[stop]\nhttp = { url = \"ftp://x\" }", "stop.http.url: must be an address"),
        ("[stop]\nhttp = { url = \"http://me:secret@x/\" }", "must not have a password"),
    ] {
        let (_keep, path) = with("silent.toml", stop);
        let output = run(&["validate", path.to_str().unwrap()]).unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(said) && error.contains("silent.toml:"), "{said}: {error}");
    }
}

/// `gameday` with the run folders of a day.
fn of(day: &GameDay, arguments: &[&str]) -> (Option<i32>, String) {
    let out = day.out.path().to_str().unwrap();
    let output = run(&[arguments, &["--out", out]].concat()).unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code(), said.concat())
}

fn status(day: &GameDay) -> Value {
    let (code, said) = of(day, &["status", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    serde_json::from_str(&said).unwrap()
}

#[test]
fn a_run_tells_how_it_stands_takes_notes_and_is_aborted_from_elsewhere() {
    let mut day = GameDay::start(&fixture("quick.toml"), &["--set", "step.5.hold.for=2m"]).unwrap();
    day.until_it_says("broken: primary Region dark").unwrap();
    let (code, said) = of(&day, &["note", "latest", "on-call <acknowledged>", "--by", "Ada"]);
    assert_eq!(code, Some(0), "{said}");
    let seen = day.until_it_says("note by Ada").unwrap();
    assert!(seen.contains("on-call <acknowledged>"), "{seen}");
    let standing = status(&day);
    assert_eq!((&standing["state"], &standing["step"]["name"]), (&"running".into(), &"break".into()));
    let broken: Vec<_> = standing["broken"].as_array().unwrap().iter().map(|b| b["fault"].clone()).collect();
    assert_eq!(broken, ["primary-health-check", "primary-region-dark"]);
    assert!(standing["left_ms_max"].as_u64().unwrap() > 120_000, "the hold is still to come: {standing}");
    assert!(standing["to_undo"].as_u64().unwrap() > 2, "{standing}");
    assert_eq!(standing["acts"][0]["by"], "Ada");
    assert_eq!(standing["devices"]["fleet"], 12);

    let run = standing["run"].as_str().unwrap().to_owned();
    let (code, said) = of(&day, &["abort", &run, "--why", "customers are calling", "--by", "Ben", "--wait"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(day.exit().unwrap(), 13);
    assert_healed(&day);
    let summary = day.summary().unwrap();
    assert_eq!(summary["stopping"]["detail"], "aborted by Ben: customers are calling");
    let kinds: Vec<_> = summary["acts"].as_array().unwrap().iter().map(|act| act["act"].clone()).collect();
    assert_eq!(kinds, ["note", "abort"]);
    let standing = status(&day);
    assert_eq!((&standing["state"], &standing["to_undo"]), (&"ended".into(), &0.into()), "{standing}");
    assert_eq!(standing["judged"]["exit_code"], 13);
    let (code, said) = of(&day, &["abort", "latest"]);
    assert!(code == Some(2) && said.contains("does not go on"), "{said}");

    // A note of afterwards comes into the report that is made again, and lengthens nothing.
    let (code, said) = of(&day, &["note", &run, "the pager was late"]);
    assert!(code == Some(0) && said.contains("gameday report"), "{said}");
    let folder = day.folder().unwrap();
    let again = gameday_tests::run(&["report", folder.to_str().unwrap()]).unwrap();
    assert_eq!(again.status.code(), Some(13));
    let late = day.summary().unwrap();
    assert_eq!(late["acts"][2]["text"], "the pager was late");
    assert_eq!((&late["duration_ms"], &late["exit"]), (&summary["duration_ms"], &summary["exit"]));
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("on-call &lt;acknowledged&gt;") && page.contains("the pager was late"));
}

#[test]
fn a_run_that_was_killed_is_known_as_such_with_what_it_left() {
    let mut day = GameDay::start(&fixture("quick.toml"), &[]).unwrap();
    day.until_it_says("broken: primary Region dark").unwrap();
    day.signal("-KILL").unwrap();
    assert!(day.exit().is_err(), "it was killed");
    let standing = status(&day);
    assert_eq!((&standing["state"], &standing["ended"]), (&"killed".into(), &Value::Null), "{standing}");
    assert!(standing["broken"].as_array().unwrap().iter().any(|b| b["fault"] == "primary-region-dark"));
    assert!(standing["to_undo"].as_u64().unwrap() > 2, "{standing}");
    let (_, said) = of(&day, &["status"]);
    assert!(said.contains("KILLED: the record breaks off") && said.contains("gameday restore"), "{said}");
    let (code, said) = of(&day, &["abort", "latest"]);
    assert!(code == Some(2) && said.contains("does not go on"), "{said}");
}

#[test]
fn what_makes_no_note_is_refused() {
    let mut day = GameDay::start(&fixture("silent.toml"), &[]).unwrap();
    day.until_it_says("Connect").unwrap();
    let long = "x".repeat(1_001);
    for (text, said) in
        [("", "nothing to write down"), ("a\nb", "more than one line"), (long.as_str(), "longer than")]
    {
        let (code, error) = of(&day, &["note", "latest", text]);
        assert!(code == Some(2) && error.contains(said), "{error}");
    }
    let (code, error) = of(&day, &["note", "nothing0", "x"]);
    assert!(code == Some(2) && error.contains("no run \"nothing0\""), "{error}");
    assert_eq!(day.exit().unwrap(), 11);
    assert!(!day.folder().unwrap().join("acts.ndjson").exists());
}

/// The first heals; what comes at once is the same one; a terminal that goes away changes nothing; the next gives up, says what is
/// left with the commands that undo it, and none after it does more.
#[test]
fn a_second_interrupt_gives_the_clean_up_up_and_says_what_is_left() {
    let more =
        ["--set", "fleet.devices=100", "--set", "twin.quota_scale=2", "--set", "step.0.provision.at_most=5m"];
    let mut day = GameDay::start(&fixture("quick.toml"), &more).unwrap();
    day.until(|line| line.contains("devices connectable") && !line.trim().starts_with("0 ")).unwrap();
    day.signal("-INT").unwrap();
    day.signal("-INT").unwrap();
    day.until_it_says("stopping: healing and cleaning up").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    day.signal("-HUP").unwrap();
    day.until_it_says("SIGHUP: still healing and cleaning up").unwrap();
    day.signal("-INT").unwrap();
    let said = day.until_it_says("NOT UNDONE: ").unwrap();
    day.signal("-INT").unwrap();
    assert!(said.contains("change"), "{said}");
    // A line of what, and a line of how.
    day.until_it_says("aws ").unwrap();
    assert_eq!(day.exit().unwrap(), 20);
    let summary = day.summary().unwrap();
    assert_eq!(summary["ended"], "operator");
    assert!(summary["undo"]["left"].as_u64().unwrap() > 0, "{}", summary["undo"]);
    let manual = summary["undo"]["left_items"][0]["manual"].as_str().unwrap();
    assert!(!manual.is_empty());
    assert_eq!(
        summary["acts"].as_array().unwrap().len(),
        2,
        "the two that did something: {}",
        summary["acts"]
    );
}

#[test]
fn progress_is_json_for_programs_and_a_page_for_people() {
    let more = ["--progress", "json", "--page", "--set", "step.2.hold.for=5s"];
    let mut day = GameDay::start(&fixture("silent.toml"), &more).unwrap();
    let parsed =
        |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    let said = day
        .until(|line| parsed(line)["line"].as_str().is_some_and(|text| text.starts_with("page ")))
        .unwrap();
    let said = parsed(&said);
    let address =
        said["line"].as_str().unwrap().trim_start_matches("page http://").trim_end_matches('/').to_owned();
    let get = |path: &str, host: &str| {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let page = get("/", &address);
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("status.json"), "{page}");
    assert!(get("/status.json", "evil.example").starts_with("HTTP/1.1 403"), "a name of somebody else's");
    let is_hold = |line: &str| parsed(line)["status"]["step"]["name"] == "hold";
    let hold = parsed(&day.until(is_hold).unwrap())["status"].clone();
    let status = get("/status.json", &address);
    let status = parsed(status.split("\r\n\r\n").nth(1).unwrap());
    assert_eq!((&status["run"], &status["step"]["number"]), (&hold["run"], &3.into()));
    let acked = |line: &str| parsed(line)["status"]["acknowledged_per_s"].as_u64().is_some_and(|n| n > 0);
    let live = parsed(&day.until(acked).unwrap())["status"].clone();
    assert_eq!(live["primary"]["connected"], 5, "{live}");
    assert!(live["publish_ack"]["p99_ms"].as_f64().unwrap() > 0.0, "{live}");
    let wait =
        day.until(|line| parsed(line)["line"].as_str().is_some_and(|text| text.contains("looking for")));
    assert!(wait.is_ok(), "every line is JSON to the end");
    assert_eq!(day.exit().unwrap(), 11);
}

/// An address that answers 200, or 503 once it is told to.
fn address() -> (String, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let is_good = Arc::new(AtomicBool::new(true));
    let told = is_good.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 1024]);
            let status = if told.load(Relaxed) { "200 OK" } else { "503 Service Unavailable" };
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (url, is_good)
}
