//! What an operator asks of a deployment, through the binary: `gameday shadow-compare`, `verify` and `pubsub` on a twin. Each finds
//! what is wrong and says so with its exit code, and leaves nothing, when it is interrupted either.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use aws_sdk_iot::types::CertificateStatus;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use gameday_tests::{
    gameday,
    site::{POLICY, Region, SECONDARY, Site, WAIT_MAX},
};
use serde_json::{Value, json};

/// AWS's quotas times this.
const QUOTA_SCALE: u32 = 20;

/// Runs it to its end, with this exit code, and reads what it printed as JSON.
fn json_of(site: &Site, code: i32, arguments: &[&str]) -> Value {
    let (exit, printed, said) = site.ends(&[arguments, &["--json"]].concat()).unwrap();
    assert_eq!(exit, Some(code), "{arguments:?}: {printed}{said}");
    serde_json::from_str(&printed).unwrap()
}

/// Runs it until it says `mark`, and sends an interrupt; the answer is its exit code and the line.
fn interrupted(site: &Site, arguments: &[&str], mark: &str) -> (Option<i32>, String) {
    let mut command = site.twin.command(&gameday().unwrap());
    let mut child = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains(mark)).unwrap();
    // What was just begun gets on its way.
    std::thread::sleep(Duration::from_millis(700));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    // The rest is read so that it never waits for a reader.
    lines.for_each(drop);
    (child.wait().unwrap().code(), line)
}

async fn has_shadow(region: &Region, thing: &str) -> bool {
    let got = region.data.get_thing_shadow().thing_name(thing).send().await;
    match got.map_err(aws_sdk_iotdataplane::error::SdkError::into_service_error) {
        Ok(_) => true,
        Err(error) if error.is_resource_not_found_exception() => false,
        Err(error) => panic!("{error:?}"),
    }
}

async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < WAIT_MAX, "not within {} s: {what}", WAIT_MAX.as_secs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A count of a comparison.
fn count(found: &Value, what: &str) -> u64 {
    found[what].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn written_shadows_arrive_and_go_and_one_that_does_not_is_found() {
    let site = Site::deploy(QUOTA_SCALE, &[]).await.unwrap();
    let written = json_of(&site, 0, &["shadow-compare", "--write", "120", "--workers", "40"]);
    assert_eq!((count(&written, "compared"), count(&written, "synced")), (120, 120), "{written}");
    assert_eq!(written["deletions"], json!({"arrived": 120, "missing": 0, "errors": 0}));
    for times in ["write", "lag", "lag_too_long_by_at_most", "deletion_lag"] {
        assert_eq!(written[times]["count"], 120, "{times}: {written}");
    }
    let ms = |times: &str, what: &str| written[times][what].as_f64().unwrap();
    // The twin's replication between the Regions alone takes 200 ms.
    assert!(ms("lag", "p50_ms") >= 200.0 && ms("lag", "p50_ms") <= ms("lag", "max_ms"), "{written}");
    assert!(ms("lag_too_long_by_at_most", "max_ms") <= ms("lag", "max_ms"), "{written}");
    let (_, printed, said) = site.ends(&["shadow-compare", "--write", "3", "--shadow", "config"]).unwrap();
    assert!(printed.contains("3 shadows compared: 3 in sync, 0 mismatched"), "{printed}");
    assert!(
        said.contains(&format!(
            "shadow config; should this be killed: gameday shadow-compare --target {} --write 3 --shadow 'config' --undo ",
            site.url()
        )),
        "{said}"
    );

    // Nothing travels: each is missing, and gone all the same.
    site.pause(true).await.unwrap();
    let lost = json_of(&site, 10, &["shadow-compare", "--write", "4", "--within", "1s"]);
    assert_eq!((count(&lost, "missing"), count(&lost, "synced")), (4, 0), "{lost}");
    assert_eq!(lost["told"][0]["finding"], "missing");
    let thing = lost["told"][0]["thing"].as_str().unwrap();
    assert!(!has_shadow(&site.primary, thing).await);

    // Stopped in the middle of its wait it deletes what it wrote, and what is under way goes after it.
    let (exit, line) =
        interrupted(&site, &["shadow-compare", "--write", "30", "--within", "1m"], "should this be killed");
    assert_eq!(exit, Some(13));
    let id = line.trim().rsplit(' ').next().unwrap().to_owned();
    let name = |number: u32| format!("gameday-shadow-{id}-{number:05}");
    for number in [1, 30] {
        assert!(!has_shadow(&site.primary, &name(number)).await, "{}", name(number));
    }
    site.pause(false).await.unwrap();
    // What was written last is told after what was written before: once it has travelled, so has all.
    json_of(&site, 0, &["shadow-compare", "--write", "1"]);
    for number in 1..=30 {
        eventually("the shadow is gone", async || !has_shadow(&site.secondary, &name(number)).await).await;
    }

    // Of one that was killed, what it said is enough to take away what it left.
    site.primary.shadow(&name(2), None, &json!({"reported": {"a": 1}})).await.unwrap();
    site.does(&["shadow-compare", "--write", "30", "--undo", &id]).unwrap();
    assert!(!has_shadow(&site.primary, &name(2)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn shadows_that_are_there_are_compared_whole_and_what_is_not_known_is_said() {
    let site = Site::deploy(QUOTA_SCALE, &[]).await.unwrap();
    let (primary, secondary) = (&site.primary, &site.secondary);
    assert_eq!(count(&json_of(&site, 11, &["shadow-compare"]), "compared"), 0, "nothing is not the same");
    for number in 1..=6 {
        let thing = format!("lamp-{number}");
        primary.iot.create_thing().thing_name(&thing).send().await.unwrap();
        primary.shadow(&thing, None, &json!({"reported": {"n": number}})).await.unwrap();
        primary
            .shadow(&thing, Some("config"), &json!({"desired": {"n": number}, "reported": null}))
            .await
            .unwrap();
    }
    primary.iot.create_thing().thing_name("bare").send().await.unwrap();
    site.converge(WAIT_MAX).await.unwrap();
    let same = json_of(&site, 0, &["shadow-compare"]);
    assert_eq!(
        (count(&same, "things"), count(&same, "compared"), count(&same, "synced")),
        (7, 12, 12),
        "{same}"
    );
    assert_eq!(same["look"]["count"], 7 * 2 - 1, "of the bare one there is no named one");

    // Each way in which one may differ, whoever did it.
    secondary.shadow("lamp-1", None, &json!({"reported": {"n": "other"}})).await.unwrap();
    secondary.shadow("lamp-2", Some("config"), &json!({"desired": {"more": 1}})).await.unwrap();
    secondary.delete_shadow("lamp-3", Some("config")).await.unwrap();
    secondary.shadow("lamp-4", Some("extra"), &json!({"reported": {"a": 1}})).await.unwrap();
    let found = json_of(&site, 10, &["shadow-compare", "--within", "1s"]);
    let told: Vec<[&str; 3]> = found["told"]
        .as_array()
        .unwrap()
        .iter()
        .map(|told| ["thing", "shadow", "finding"].map(|what| told[what].as_str().unwrap_or_default()))
        .collect();
    let wanted = [
        ["lamp-1", "", "mismatched"],
        ["lamp-2", "config", "mismatched"],
        ["lamp-3", "config", "missing"],
        ["lamp-4", "extra", "only_in_secondary"],
    ];
    assert_eq!(told, wanted, "{found}");
    assert_eq!(
        (count(&found, "mismatched"), count(&found, "missing"), count(&found, "synced")),
        (2, 1, 9),
        "{found}"
    );

    // Those that are named, and nothing else.
    site.does(&["shadow-compare", "--thing", "lamp-5", "--thing", "lamp-6", "--within", "1s"]).unwrap();
    json_of(&site, 10, &["shadow-compare", "--thing", "lamp-3", "--within", "1s"]);
    // One of no thing is in no list, and compared when it is named.
    secondary.shadow("nothing", None, &json!({"reported": {"a": 1}})).await.unwrap();
    let found = json_of(&site, 10, &["shadow-compare", "--thing", "nothing", "--within", "1s"]);
    assert_eq!(count(&found, "only_in_secondary"), 1, "{found}");

    // One that is on its way is not counted against anybody.
    site.pause(true).await.unwrap();
    primary.shadow("lamp-5", None, &json!({"reported": {"n": "new"}})).await.unwrap();
    let mut command = site.twin.command(&gameday().unwrap());
    let child = command
        .args(["shadow-compare", "--thing", "lamp-5", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    site.pause(false).await.unwrap();
    let output = child.wait_with_output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), count(&found, "settled"), count(&found, "synced")),
        (Some(0), 1, 2),
        "{found}"
    );

    // A Region that does not answer is not one that has nothing.
    site.fault(&["region-dark", "--region", SECONDARY]).unwrap();
    let unknown = json_of(&site, 11, &["shadow-compare", "--thing", "lamp-5", "--at-most", "3s"]);
    assert_eq!((count(&unknown, "errors"), count(&unknown, "missing")), (1, 0), "{unknown}");
    let unknown = json_of(&site, 11, &["shadow-compare", "--at-most", "3s"]);
    assert!(unknown["unlisted"].as_str().is_some_and(|why| !why.is_empty()), "{unknown}");
}

/// The verdicts of a verification, check by check.
fn verdicts(told: &Value) -> Vec<[&str; 3]> {
    let checks = told["checks"].as_array().unwrap();
    checks
        .iter()
        .map(|check| ["check", "region", "verdict"].map(|what| check[what].as_str().unwrap()))
        .collect()
}

/// What is there of verifications, in both Regions.
async fn left_of_verifications(site: &Site) -> Vec<String> {
    let all = site.leftovers().await.unwrap();
    all.into_iter().filter(|left| left.contains("gd-verify-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_verified_and_what_does_not_work_is_found() {
    let site = Site::deploy(QUOTA_SCALE, &[]).await.unwrap();
    let before = site.leftovers().await.unwrap();
    let told = json_of(&site, 0, &["verify"]);
    let wanted = [
        ["MATCH", "us-west-2", "pass"],
        ["PUBSUB", "us-east-1", "pass"],
        ["PUBSUB", "us-west-2", "pass"],
        ["SHADOW", "us-west-2", "pass"],
        ["DELETE", "us-west-2", "pass"],
        ["DELETE-IDENTITY", "us-west-2", "pass"],
    ];
    assert_eq!(verdicts(&told), wanted, "{told}");
    assert_eq!((&told["verdict"], &told["left"]), (&json!("pass"), &json!([])));
    assert_eq!(site.leftovers().await.unwrap(), before, "certificates are among what is compared here");
    assert!(!site.twin.folder.path().join("runs").exists(), "the journal went when all was undone");
    let (code, printed, _) = site.ends(&["verify"]).unwrap();
    assert_eq!(
        (code, printed.lines().filter(|line| line.starts_with("Pass")).count()),
        (Some(0), 6),
        "{printed}"
    );

    // AWS lets go what was detached only after a while: that is waited for.
    let held = r#"how={"error":{"status":409,"code":"DeleteConflictException","message":"it is attached"}}"#;
    let fault = ["api", "--region", "us-east-1", "service=iot", "operation=DeletePolicy", held];
    let fault = site.fault(&fault).unwrap();
    let mut command = site.twin.command(&gameday().unwrap());
    let mut child = command.arg("verify").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line.contains("DELETE-IDENTITY in")).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    site.does(&["twin", "fault", "clear", &fault]).unwrap();
    let said: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said:?}");

    // Nothing travels, so nothing arrives; what was made is gone all the same.
    site.pause(true).await.unwrap();
    let told = json_of(&site, 10, &["verify", "--within", "2s"]);
    let found = verdicts(&told);
    assert_eq!(found[0], ["MATCH", "us-west-2", "fail"], "{told}");
    assert!(told["checks"][0]["detail"].as_str().unwrap().contains("no such thing"), "{told}");
    assert_eq!(found[1], ["PUBSUB", "us-east-1", "pass"], "{told}");
    assert_eq!((found[2][2], found[3][2]), ("fail", "fail"), "{told}");
    assert_eq!((found[4][2], found[5][2]), ("unknown", "unknown"), "what never came was not deleted: {told}");
    assert!(told["checks"][2]["detail"].as_str().unwrap().contains("0 of 5 messages"), "{told}");

    // Stopped in the middle of its wait.
    let (code, _) = interrupted(&site, &["verify", "--within", "1m"], "MATCH in us-west-2");
    assert_eq!(code, Some(13));
    assert_eq!(left_of_verifications(&site).await, [""; 0]);
    site.pause(false).await.unwrap();
    // What was under way arrives and goes; another one shows that it did.
    json_of(&site, 0, &["verify"]);
    eventually("both Regions are as they were", async || site.leftovers().await.unwrap() == before).await;

    // A Region that does not answer is not one that lacks something.
    site.fault(&["region-dark", "--region", SECONDARY]).unwrap();
    let (code, _, said) = site.ends(&["verify", "--within", "2s"]).unwrap();
    assert_eq!(code, Some(11), "{said}");
    assert!(said.contains("it cannot be said"), "{said}");
}

/// A device that both Regions know, with a policy: its certificate and key are files in the twin's folder.
async fn known_device(site: &Site, name: &str, policy: &str) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem();
    for region in [&site.primary, &site.secondary] {
        let register = region.iot.register_certificate_without_ca().certificate_pem(&certificate);
        let made = register.status(CertificateStatus::Active).send().await.unwrap();
        region.iot.create_policy().policy_name(name).policy_document(policy).send().await.unwrap();
        let arn = made.certificate_arn().unwrap();
        region.iot.attach_policy().policy_name(name).target(arn).send().await.unwrap();
    }
    let folder = site.twin.folder.path();
    std::fs::write(folder.join(format!("{name}.pem")), certificate).unwrap();
    std::fs::write(folder.join(format!("{name}.key.pem")), key.serialize_pem()).unwrap();
}

/// Points a name of a zone to a Region's endpoint.
async fn point(site: &Site, zone: &str, name: &str, side: &str) {
    let host = site.twin.variable(&format!("GAMEDAY_{side}_HOST"));
    let record = ResourceRecordSet::builder()
        .name(name)
        .r#type(RrType::Cname)
        .ttl(1)
        .resource_records(ResourceRecord::builder().value(host).build().unwrap());
    let change = Change::builder().action(ChangeAction::Upsert).resource_record_set(record.build().unwrap());
    let batch = ChangeBatch::builder().changes(change.build().unwrap()).build().unwrap();
    site.names.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send().await.unwrap();
}

/// Its client id is another one each time: one may connect only once a second.
const DEVICE: [&str; 7] =
    ["pubsub", "--cert", "device.pem", "--key", "device.key.pem", "--interval", "200ms"];

/// One that may say what it likes, and hears nothing.
const DEAF: [&str; 7] = ["pubsub", "--cert", "deaf.pem", "--key", "deaf.key.pem", "--interval", "200ms"];
const DEAF_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
"Action":["iot:Connect","iot:Publish","iot:Subscribe"],"Resource":"*"}]}"#;

/// A device that talks until it is stopped.
struct Talking {
    child: Child,
    lines: mpsc::Receiver<String>,
    /// Every event so far, for whoever reads why a test failed.
    seen: Vec<Value>,
}

impl Talking {
    fn start(site: &Site, device: &[&str], more: &[&str]) -> Self {
        let mut command = site.twin.command(&gameday().unwrap());
        command.args(device).args(more).arg("--json").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (said, lines) = mpsc::channel();
        let from = BufReader::new(child.stdout.take().unwrap()).lines();
        // It is read apart, so that whoever waits for a line does not wait for ever.
        std::thread::spawn(move || from.map_while(Result::ok).try_for_each(|line| said.send(line)));
        Self { child, lines, seen: Vec::new() }
    }

    /// Reads on to the first event of that kind.
    fn until(&mut self, kind: &str) -> Value {
        let limit = Instant::now() + WAIT_MAX;
        while let Ok(line) = self.lines.recv_timeout(limit.saturating_duration_since(Instant::now())) {
            let event: Value = serde_json::from_str(&line).unwrap();
            self.seen.push(event.clone());
            if event["event"] == kind {
                return event;
            }
        }
        self.child.kill().unwrap();
        panic!("it ended, or went on for {} s, without {kind}: {:?}", WAIT_MAX.as_secs(), self.seen);
    }

    /// Stops it; the answer is its exit code, its summary, and all that it said.
    fn stop(mut self) -> (Option<i32>, Value, String) {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        let summary = self.until("summary");
        let seen: Vec<String> = self.seen.iter().map(Value::to_string).collect();
        (self.child.wait().unwrap().code(), summary, seen.join("\n"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_hears_itself_and_follows_the_name_although_the_resolver_fails() {
    let site = Site::start(QUOTA_SCALE).await.unwrap();
    known_device(&site, "device", POLICY).await;
    known_device(&site, "deaf", DEAF_POLICY).await;
    let host = |side: &str| site.twin.variable(&format!("GAMEDAY_{side}_HOST")).to_owned();
    let primary = host("PRIMARY");
    let endpoint = [&DEVICE[..], &["--endpoint", &primary, "--count", "3"]].concat();
    for qos in ["0", "1"] {
        let (printed, said) = site.does(&[&endpoint[..], &["--qos", qos]].concat()).unwrap();
        for number in 1..=3 {
            let line = format!("Received message from topic 'test/topic': Hello World! [{number} ");
            assert!(printed.contains(&line), "{printed}{said}");
        }
        let acknowledged = if qos == "1" { 3 } else { 0 };
        let summary = format!(
            "3 sent, {acknowledged} acknowledged, 0 unsent, 3 received, 3 of them its own, 0 reconnects"
        );
        assert!(printed.contains(&summary), "{printed}");
    }

    let zone =
        site.names.create_hosted_zone().name("fleet.test.").caller_reference("a").send().await.unwrap();
    let (zone, name) = (zone.hosted_zone().unwrap().id().to_owned(), "iot.fleet.test");
    point(&site, &zone, name, "PRIMARY").await;
    let mut device =
        Talking::start(&site, &DEVICE, &["--cname", name, "--dr-mode", "--every", "1s", "--count", "0"]);
    assert_eq!(device.until("resolved")["host"], primary);
    assert_eq!(device.until("connected")["host"], primary);
    let first = device.until("received");
    assert!(first["payload"].as_str().unwrap().starts_with("Hello World! [1 "), "{first}");
    // A resolver that fails is said, and takes no connection down.
    let fault = site.fault(&["dns", "how=servfail"]).unwrap();
    assert_eq!(device.until("dns-failed")["name"], name);
    device.until("received");
    site.does(&["twin", "fault", "clear", &fault]).unwrap();
    point(&site, &zone, name, "SECONDARY").await;
    let moved = device.until("moved");
    assert_eq!((&moved["from"], &moved["to"]), (&json!(primary), &json!(host("SECONDARY"))), "{moved}");
    assert_eq!(device.until("connected")["host"], host("SECONDARY"));
    device.until("received");
    point(&site, &zone, name, "PRIMARY").await;
    device.until("moved");
    device.until("received");
    let (code, summary, seen) = device.stop();
    let is = |what: &str| summary[what].as_u64().unwrap();
    // What was due while it moved was not sent.
    assert_eq!(code, Some(if is("unsent") > 0 { 10 } else { 0 }), "{seen}");
    assert_eq!((is("moves"), is("reconnects"), is("connects_failed")), (2, 2, 0), "{seen}");
    assert!(is("dns_errors") >= 1 && is("received") >= 4, "{seen}");
    // What was on its way when the name moved was waited for.
    assert_eq!((is("acknowledged"), is("returned")), (is("sent"), is("sent")), "{seen}");

    // Two that say the same do not take each other's messages for their own.
    let for_ever = ["--endpoint", &primary, "--count", "0"];
    let [mut one, mut other] = [(); 2].map(|()| Talking::start(&site, &DEVICE, &for_ever));
    for device in [&mut one, &mut other] {
        while device.until("received")["own"] == true {}
        while device.until("received")["own"] == false {}
    }
    for device in [one, other] {
        let (code, summary, seen) = device.stop();
        let is = |what: &str| summary[what].as_u64().unwrap();
        assert!(is("returned") == is("sent") && is("received") > is("returned"), "{seen}");
        assert_eq!((code, is("unsent")), (Some(0), 0), "{seen}");
    }

    // Whoever is stopped waits for what is on its way, and what would have been due meanwhile is nobody's.
    let mut deaf = Talking::start(&site, &DEAF, &for_ever);
    deaf.until("acknowledged");
    let (code, summary, seen) = deaf.stop();
    assert_eq!((code, summary["unsent"].as_u64()), (Some(10), Some(0)), "it heard nothing: {seen}");

    // Whoever is not let in is told so again and again, and ends when he is told to.
    std::fs::write(site.twin.folder.path().join("other.pem"), "no certificate").unwrap();
    let (code, _, said) = site.ends(&[&endpoint[..], &["--root-ca", "other.pem"]].concat()).unwrap();
    assert_eq!(code, Some(1), "{said}");
    site.fault(&["region-dark", "--region", "us-east-1"]).unwrap();
    let mut device = Talking::start(&site, &DEVICE, &["--endpoint", &primary, "--connect-timeout", "1s"]);
    let failed = device.until("connect-failed");
    assert_eq!(failed["host"], primary, "{failed}");
    device.until("connect-failed");
    let (code, summary, seen) = device.stop();
    assert_eq!((code, summary["sent"].as_u64()), (Some(13), Some(0)), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_never_connects_gives_up_although_the_name_is_followed() {
    let site = Site::start(QUOTA_SCALE).await.unwrap();
    known_device(&site, "device", POLICY).await;
    // It is mistyped.
    let mut device = Talking::start(&site, &DEVICE, &["--cname", "iot.flet.test", "--dr-mode"]);
    device.until("gave-up");
    let summary = device.until("summary");
    assert_eq!((&summary["gave_up"], count(&summary, "dns_errors")), (&json!(true), 10), "{summary}");
    assert_eq!(device.child.wait().unwrap().code(), Some(11), "nothing could be sent");
}

#[test]
fn what_makes_no_sense_ends_with_2() {
    let no_files = ["pubsub", "--cert", "a", "--key", "b"];
    for (arguments, why) in [
        (&["shadow-compare", "--write", "0"][..], "--write"),
        (&["shadow-compare", "--write", "1", "--thing", "a"], "--thing"),
        (&["shadow-compare", "--shadow", "a"], "--write"),
        (&["shadow-compare", "--write", "1", "--undo", "a"], "small letters"),
        (&["shadow-compare"], "AWS_ENDPOINT_URL"),
        (&["verify", "--within", "soon"], "is not a time"),
        (&no_files, "--endpoint"),
        (&[&no_files[..], &["--endpoint", "a", "--dr-mode"]].concat(), "--dr-mode"),
        (&[&no_files[..], &["--endpoint", "a", "--interval", "19ms"]].concat(), "20ms"),
        (&[&no_files[..], &["--cname", "a", "--dr-mode", "--every", "0s"]].concat(), "1s at the least"),
        (&[&no_files[..], &["--endpoint", "a", "--message", &"x".repeat(131_060)]].concat(), "at the most"),
    ] {
        let mut command = Command::new(gameday().unwrap());
        let output = command.args(arguments).env_remove("AWS_ENDPOINT_URL").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(why), "{arguments:?}: {said}");
    }
}
