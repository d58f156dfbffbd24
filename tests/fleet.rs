//! `gameday fleet` through the binary, on a twin with the replicator: fleets made call by call, by bulk registration and with an
//! authority of their own, compared, gone on with after an interrupt, and deleted without a trace.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use gameday_tests::{fixture, gameday, play, site::Site, skipped, tool};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A state is waited for this long.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// A site and a folder of fleets.
struct Fleets {
    site: Site,
    folder: tempfile::TempDir,
}

impl Fleets {
    async fn on(quota_scale: u32, more: &[&str]) -> Self {
        Self { site: Site::deploy(quota_scale, more).await.unwrap(), folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.site.twin.command(&gameday().unwrap());
        command.arg("fleet").args(arguments).current_dir(self.folder.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// It must end with this exit code; the answer is what it printed and said.
    fn ends(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let [printed, said] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {printed}{said}");
        (printed, said)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ends(0, arguments).0).unwrap()
    }

    /// Runs until it says `mark`, tries to delete the fleet that is worked on, and sends an interrupt; the answer is its exit code.
    fn interrupted(&self, arguments: &[&str], mark: &str) -> i32 {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.by_ref().any(|line| line.unwrap().contains(mark)), "{arguments:?}: no word of {mark}");
        let locked = self.ends(1, &["delete", arguments[1], "--yes"]).1;
        assert!(locked.contains("another gameday"), "{locked}");
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        // The rest is read so that it never waits for a reader.
        lines.for_each(drop);
        child.wait().unwrap().code().unwrap()
    }

    fn path(&self, fleet: &str) -> PathBuf {
        self.folder.path().join("fleets").join(fleet)
    }

    /// Compares again and again until the replicator is done.
    fn same(&self, fleet: &str) {
        let began = Instant::now();
        loop {
            let output = self.run(&["compare", fleet]);
            if output.status.code() == Some(0) {
                return;
            }
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(began.elapsed() < WAIT_MAX, "{said}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Neither Region has a thing, a certificate or a policy of a fleet, once the replicator has caught up.
    async fn assert_empty(&self, policies_of_others: &[&str]) {
        let began = Instant::now();
        loop {
            let left = self.left(policies_of_others).await;
            if left.is_empty() {
                return;
            }
            assert!(began.elapsed() < WAIT_MAX, "{left:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What is there, but for policies of others and the equipment of the health checks.
    async fn left(&self, policies_of_others: &[&str]) -> Vec<String> {
        let is_mine =
            |name: &str| !name.starts_with("gameday-health-") && !policies_of_others.contains(&name);
        let mut left = Vec::new();
        for region in [&self.site.primary, &self.site.secondary] {
            let things = region.iot.list_things().send().await.unwrap();
            left.extend(things.things().iter().map(|thing| thing.thing_name().unwrap().to_owned()));
            let policies = region.iot.list_policies().page_size(250).send().await.unwrap();
            let names = policies.policies().iter().map(|policy| policy.policy_name().unwrap().to_owned());
            left.extend(names.filter(|name| is_mine(name)));
            for certificate in
                region.iot.list_certificates().page_size(250).send().await.unwrap().certificates()
            {
                let arn = certificate.certificate_arn().unwrap();
                let policies = region.iot.list_attached_policies().target(arn).send().await.unwrap();
                let mut names = policies.policies().iter().filter_map(|policy| policy.policy_name());
                if !names.any(|name| name.starts_with("gameday-health-")) {
                    left.push(arn.to_owned());
                }
            }
        }
        left
    }
}

/// Every file below, with its mode.
fn files(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let mode = fs::metadata(&entry).unwrap().permissions().mode() & 0o777;
        if entry.is_dir() {
            assert_eq!(mode, 0o700, "{}", entry.display());
            found.extend(files(&entry));
        } else {
            found.push((entry, mode));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_made_compared_grown_looked_at_and_deleted() {
    let fleets = Fleets::on(50, &[]).await;
    let primary = &fleets.site.primary.iot;
    primary.create_thing_type().thing_type_name("lamp").send().await.unwrap();
    let error =
        fleets.ends(1, &["create", "lamps", "--devices", "12", "--type", "lamp", "--group", "berlin"]).1;
    assert!(error.contains("there is no group berlin") && error.contains("create-thing-group"), "{error}");
    primary.create_thing_group().thing_group_name("berlin").send().await.unwrap();

    let create =
        ["create", "lamps", "--type", "lamp", "--group", "berlin", "--attribute", "site=b", "--json"];
    let made = fleets.json(&create);
    assert_eq!(
        (&made["keys"], &made["made"], &made["new_keys"]),
        (&12.into(), &12.into(), &0.into()),
        "{made}"
    );
    for (file, mode) in files(&fleets.path("lamps")) {
        assert_eq!(mode, 0o600, "{}", file.display());
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.contains("PRIVATE KEY"), file.ends_with("keys.pem"), "{}", file.display());
    }
    let keys = fs::read_to_string(fleets.path("lamps").join("shards/000001/keys.pem")).unwrap();
    assert_eq!(keys.matches("BEGIN PRIVATE KEY").count(), 12);
    fleets.same("lamps");

    // By AWS's own SDK: the thing has what it was to have.
    let thing = primary.describe_thing().thing_name("lamps-00007").send().await.unwrap();
    assert_eq!(thing.thing_type_name(), Some("lamp"));
    assert_eq!(thing.attributes().unwrap().get("site").map(String::as_str), Some("b"));
    let groups = primary.list_thing_groups_for_thing().thing_name("lamps-00007").send().await.unwrap();
    assert_eq!(groups.thing_groups()[0].group_name(), Some("berlin"));

    // What differs is named; 10 says so.
    let secondary = &fleets.site.secondary.iot;
    let principals = secondary.list_thing_principals().thing_name("lamps-00003").send().await.unwrap();
    let arn = principals.principals()[0].clone();
    let id = arn.rsplit('/').next().unwrap();
    let inactive = aws_sdk_iot::types::CertificateStatus::Inactive;
    secondary.update_certificate().certificate_id(id).new_status(inactive).send().await.unwrap();
    let compared: Value = serde_json::from_str(&fleets.ends(10, &["compare", "lamps", "--json"]).0).unwrap();
    assert_eq!((&compared["same"], &compared["differ"]), (&11.into(), &1.into()), "{compared}");
    assert_eq!(compared["told"][0]["thing"], "lamps-00003");
    assert_eq!(compared["told"][0]["why"][0]["what"], "status_differs", "{compared}");
    let active = aws_sdk_iot::types::CertificateStatus::Active;
    secondary.update_certificate().certificate_id(id).new_status(active).send().await.unwrap();
    fleets.same("lamps");

    // It grows, and nothing that is there is made again.
    let grown = fleets.json(&["create", "lamps", "--devices", "15", "--json"]);
    assert_eq!(
        (&grown["made"], &grown["new_keys"], &grown["new_devices"]),
        (&15.into(), &3.into(), &3.into())
    );
    let now = fs::read_to_string(fleets.path("lamps").join("shards/000001/keys.pem")).unwrap();
    assert!(now == keys, "a key that has a certificate is never made anew");
    fleets.same("lamps");
    for (arguments, why) in [
        (&["create", "lamps", "--devices", "14"][..], "has 15 devices"),
        (&["create", "lamps", "--type", "pump"], "--type"),
        (&["create", "Lamps", "--devices", "1"], "small letters"),
        (&["create", "pumps"], "--devices"),
        (&["show", "pumps"], "no fleet pumps"),
        (&["show", "lamps", "--device", "16"], "no device 16"),
    ] {
        let said = fleets.ends(2, arguments).1;
        assert!(said.contains(why), "{arguments:?}: {said}");
    }

    let list = fleets.json(&["list", "--json"]);
    assert_eq!(
        (&list[0]["name"], &list[0]["made"], &list[0]["by"]),
        (&"lamps".into(), &15.into(), &"api".into())
    );
    let shown = fleets.ends(0, &["show", "lamps", "--device", "lamps-00007"]).0;
    for word in ["us-east-1", "us-west-2", "type         lamp", "site=b", "ACTIVE", "gameday-fleet-lamps"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert_eq!(fleets.json(&["show", "lamps", "--json"])["recipe"]["thing_type"], "lamp");

    search(&fleets).await;

    // A dry run deletes nothing.
    let doomed = fleets.ends(0, &["delete", "lamps"]).0;
    for word in ["15 things, lamps-00001 to lamps-00015", "15 certificates", "policy gameday-fleet-lamps"] {
        assert!(doomed.contains(word), "{word}: {doomed}");
    }
    assert_eq!(primary.list_things().send().await.unwrap().things().len(), 15);

    // What others have attached stays; a policy that they use is named.
    let foreign = primary.create_keys_and_certificate().set_as_active(true).send().await.unwrap();
    let foreign = foreign.certificate_arn().unwrap();
    primary.attach_policy().policy_name("gameday-fleet-lamps").target(foreign).send().await.unwrap();
    primary.attach_thing_principal().thing_name("lamps-00001").principal(foreign).send().await.unwrap();
    let said = fleets.ends(20, &["delete", "lamps", "--yes"]).1;
    assert!(said.contains("NOT DELETED: policy gameday-fleet-lamps in us-east-1"), "{said}");
    let id = foreign.rsplit('/').next().unwrap();
    let kept = primary.describe_certificate().certificate_id(id).send().await.unwrap();
    assert_eq!(kept.certificate_description().unwrap().status(), Some(&active_status()));
    assert!(primary.list_things().send().await.unwrap().things().is_empty());
    primary.detach_policy().policy_name("gameday-fleet-lamps").target(foreign).send().await.unwrap();
    primary
        .update_certificate()
        .certificate_id(id)
        .new_status(aws_sdk_iot::types::CertificateStatus::Inactive)
        .send()
        .await
        .unwrap();
    primary.delete_certificate().certificate_id(id).send().await.unwrap();
    gone(&fleets.site.secondary.iot, id).await;
    fleets.ends(0, &["delete", "lamps", "--yes"]);
    assert!(!fleets.path("lamps").exists());
    fleets.assert_empty(&[]).await;
}

/// What the fleet index knows is found, once there is one.
async fn search(fleets: &Fleets) {
    let query = ["search", "attributes.site:b", "--json"];
    let said = fleets.ends(1, &query).1;
    assert!(said.contains("the fleet index of us-east-1 cannot be searched"), "{said}");
    let registry = aws_sdk_iot::types::ThingIndexingMode::Registry;
    let registry = aws_sdk_iot::types::ThingIndexingConfiguration::builder().thing_indexing_mode(registry);
    let update = fleets.site.primary.iot.update_indexing_configuration();
    update.thing_indexing_configuration(registry.build().unwrap()).send().await.unwrap();
    let (printed, said) = fleets.ends(0, &query);
    assert!(said.contains("15 things in us-east-1"), "{said}");
    let first: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    assert_eq!((&first["thing_type"], &first["groups"][0]), (&"lamp".into(), &"berlin".into()));
    assert_eq!(printed.lines().count(), 15);
}

fn active_status() -> aws_sdk_iot::types::CertificateStatus {
    aws_sdk_iot::types::CertificateStatus::Active
}

/// Waits until the replicator has taken a certificate away.
async fn gone(iot: &aws_sdk_iot::Client, id: &str) {
    let began = Instant::now();
    while iot.describe_certificate().certificate_id(id).send().await.is_ok() {
        assert!(began.elapsed() < WAIT_MAX, "certificate {id} is still there");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_loses_nothing_and_the_next_call_goes_on() {
    let fleets = Fleets::on(2, &[]).await;
    let exit = fleets.interrupted(&["create", "lamps", "--devices", "100"], "devices: 10 of 100");
    assert_eq!(exit, 13);
    let shown = fleets.json(&["show", "lamps", "--json"]);
    let (made, certificates) = (shown["made"].as_u64().unwrap(), shown["certificates"].as_u64().unwrap());
    assert!((10..100).contains(&made), "it was in the middle: {made}");
    assert_eq!(made, certificates, "what was under way was finished");

    let rest = fleets.json(&["create", "lamps", "--json"]);
    assert_eq!(rest["made"], 100);
    assert_eq!(rest["new_devices"].as_u64().unwrap(), 100 - made);
    // As many certificates as devices: none was issued twice.
    let ours = fleets
        .site
        .primary
        .iot
        .list_targets_for_policy()
        .policy_name("gameday-fleet-lamps")
        .page_size(250)
        .send()
        .await
        .unwrap();
    assert_eq!(ours.targets().len(), 100);
    fleets.ends(0, &["delete", "lamps", "--yes"]);

    // A bulk registration goes on in AWS, and its devices are found.
    let arguments = ["create", "pumps", "--devices", "60", "--by", "bulk"];
    assert_eq!(fleets.interrupted(&arguments, "bulk registration "), 13);
    assert_eq!(fleets.json(&["create", "pumps", "--json"])["made"], 60);
    let ours = fleets
        .site
        .primary
        .iot
        .list_targets_for_policy()
        .policy_name("gameday-fleet-pumps")
        .page_size(250)
        .send()
        .await;
    assert_eq!(ours.unwrap().targets().len(), 60);
    // One that is under way is stopped, and what it made goes, too.
    assert_eq!(
        fleets.interrupted(&["create", "cars", "--devices", "60", "--by", "bulk"], "bulk registration "),
        13
    );
    assert!(fleets.ends(0, &["delete", "cars"]).0.contains("a bulk registration is under way"));
    fleets.ends(0, &["delete", "cars", "--yes"]);
    fleets.ends(0, &["delete", "pumps", "--yes"]);
    fleets.assert_empty(&[]).await;
}

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
    let writes = fs::read_to_string(day.folder().unwrap().join("ledger.ndjson")).unwrap_or_default();
    assert!(!writes.contains("PRIVATE KEY"));
    fleets.same("lamps");

    // Another twin is another place, and refused before anything is changed.
    let (_, exit) = play(&fixture("pooled.toml"), &["--fleets", &folder]).unwrap();
    assert_eq!(exit, 14);
    fleets.ends(0, &["delete", "lamps", "--yes"]);
    fleets.assert_empty(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_registration_names_what_failed_and_finishes_it_later() {
    let fleets = Fleets::on(50, &[]).await;
    let primary = &fleets.site.primary.iot;
    primary.create_thing_group().thing_group_name("berlin").send().await.unwrap();
    let keys = fleets.json(&["create", "pumps", "--devices", "1100", "--keys-only", "--json"]);
    assert_eq!((&keys["keys"], &keys["made"]), (&1_100.into(), &0.into()));
    assert_eq!(files(&fleets.path("pumps")).iter().filter(|(path, _)| path.ends_with("keys.pem")).count(), 2);

    // One of those names is somebody else's; another is of a call that got no further.
    let (foreign, begun) = ("pumps-00007", "pumps-01003");
    primary.create_thing().thing_name(foreign).send().await.unwrap();
    let ours = aws_sdk_iot::types::AttributePayload::builder().attributes("gameday-fleet", "pumps").build();
    primary.create_thing().thing_name(begun).attribute_payload(ours).send().await.unwrap();
    let create = ["create", "pumps", "--by", "bulk", "--group", "berlin", "--json"];
    let (printed, said) = fleets.ends(1, &create);
    let made: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(made["made"], 1_099, "{said}");
    assert!(said.contains("NOT MADE: pumps-00007: a thing of that name is there already"), "{said}");
    assert!(said.contains("1 devices failed and are tried again"), "{said}");
    let groups = primary.list_thing_groups_for_thing().thing_name(begun).send().await.unwrap();
    assert_eq!(groups.thing_groups()[0].group_name(), Some("berlin"), "it got what it lacked");

    primary.delete_thing().thing_name(foreign).send().await.unwrap();
    assert_eq!(fleets.json(&["create", "pumps", "--json"])["made"], 1_100);
    fleets.same("pumps");
    if let Some(aws) = tool("aws") {
        let url = fleets.site.url();
        let list = ["s3api", "list-buckets", "--query", "Buckets[].Name", "--endpoint-url", &url];
        let output = fleets.site.twin.command(&aws).args(list).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let names: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        assert_eq!(names.as_array().map_or(0, Vec::len), 0, "the input's bucket went with it: {names}");
    } else {
        skipped("the bucket of a bulk registration", "no AWS CLI to look with; see .ci/tools");
    }
    fleets.ends(0, &["delete", "pumps", "--yes"]);
    fleets.assert_empty(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_of_the_fleets_own_ca_register_themselves_in_both_regions() {
    let fleets = Fleets::on(50, &["--just-in-time", "gameday-jitr"]).await;
    let made = fleets.json(&["create", "cars", "--devices", "3", "--by", "just-in-time", "--json"]);
    assert_eq!((&made["certificates"], &made["made"]), (&3.into(), &3.into()), "{made}");
    for region in [&fleets.site.primary, &fleets.site.secondary] {
        let authorities = region.iot.list_ca_certificates().send().await.unwrap();
        assert_eq!(authorities.certificates().len(), 1);
        assert!(region.iot.list_things().send().await.unwrap().things().is_empty(), "nobody has connected");
    }
    fleets.ends(0, &["show", "cars", "--device", "2", "--export", "identity"]);
    let folder = fleets.folder.path().join("identity");
    let mode = |file: &str| fs::metadata(folder.join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("cars-00002.pem"), mode("cars-00002.key.pem")), (0o600, 0o600));
    for side in ["PRIMARY", "SECONDARY"] {
        let began = Instant::now();
        while !connects(&fleets, side, &folder, "cars-00002").await {
            assert!(began.elapsed() < WAIT_MAX, "it is not let in by the {side}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let shown = fleets.ends(0, &["show", "cars", "--device", "2"]).0;
    assert_eq!(shown.matches("ACTIVE").count(), 2, "{shown}");
    assert_eq!(shown.matches("gameday-jitr").count(), 2, "{shown}");
    fleets.ends(10, &["show", "cars", "--device", "1"]);
    fleets.ends(0, &["delete", "cars", "--yes"]);
    fleets.assert_empty(&["gameday-jitr"]).await;
    for region in [&fleets.site.primary, &fleets.site.secondary] {
        assert!(region.iot.list_ca_certificates().send().await.unwrap().certificates().is_empty());
    }
}

/// Whether a device is let in with its own certificate: MQTT 3.1.1, CONNECT and CONNACK.
async fn connects(fleets: &Fleets, side: &str, folder: &Path, device: &str) -> bool {
    let variable = |name: &str| fleets.site.twin.variable(&format!("GAMEDAY_{side}_{name}")).to_owned();
    let read = |file: String| fs::read(folder.join(file)).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    let ca = fs::read(fleets.site.twin.variable("GAMEDAY_CA")).unwrap();
    roots.add(CertificateDer::from_pem_slice(&ca).unwrap()).unwrap();
    let certificate = CertificateDer::from_pem_slice(&read(format!("{device}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&read(format!("{device}.key.pem"))).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .unwrap();
    let address = format!("{}:{}", variable("ADDRESS"), variable("MQTT_PORT"));
    let name = ServerName::try_from(variable("HOST")).unwrap();
    let connect = async {
        let stream = tokio::net::TcpStream::connect(&address).await?;
        let mut stream =
            tokio_rustls::TlsConnector::from(std::sync::Arc::new(config)).connect(name, stream).await?;
        let length = u8::try_from(device.len()).unwrap();
        let mut packet = vec![0x10, 12 + length, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 30, 0, length];
        packet.extend(device.as_bytes());
        stream.write_all(&packet).await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(answer == [0x20, 2, 0, 0])
    };
    tokio::time::timeout(WAIT_MAX, connect).await.unwrap().unwrap_or(false)
}
