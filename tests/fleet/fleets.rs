//! A deployment on a twin, a folder of fleets, and `gameday fleet` on both.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use gameday_tests::{gameday, site::Site};
use serde_json::Value;

/// A state is waited for this long.
pub(crate) const WAIT_MAX: Duration = Duration::from_mins(1);

/// A site and a folder of fleets.
pub(crate) struct Fleets {
    pub(crate) site: Site,
    pub(crate) folder: tempfile::TempDir,
}

impl Fleets {
    pub(crate) async fn on(quota_scale: u32, more: &[&str]) -> Self {
        Self { site: Site::deploy(quota_scale, more).await.unwrap(), folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.site.twin.command(&gameday().unwrap());
        command.arg("fleet").args(arguments).current_dir(self.folder.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// It must end with this exit code; the answer is what it printed and said.
    pub(crate) fn ends(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let [printed, said] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {printed}{said}");
        (printed, said)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ends(0, arguments).0).unwrap()
    }

    /// Runs until it says `mark`, tries to delete the fleet that is worked on, and sends an interrupt; the answer is its exit code.
    pub(crate) fn interrupted(&self, arguments: &[&str], mark: &str) -> i32 {
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

    pub(crate) fn path(&self, fleet: &str) -> PathBuf {
        self.folder.path().join("fleets").join(fleet)
    }

    /// Compares again and again until the replicator is done.
    pub(crate) fn same(&self, fleet: &str) {
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
    pub(crate) async fn assert_empty(&self, policies_of_others: &[&str]) {
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
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, u32)> {
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
