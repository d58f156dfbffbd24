//! What `gameday schedule` writes, checked by those who are to read it: CloudFormation's linter, schemas of Kubernetes and of GitHub's
//! workflows, and systemd. Each of them is also shown something wrong, so that it is known to look.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use gameday_tests::{gameday, skipped, tool};

const NOTIFY: &str = "\n[notify]\nwebhook_env = \"GAMEDAY_WEBHOOK\"\n\
                      sns = \"arn:aws:sns:us-east-1:123456789012:gameday\"\n";

/// Files of a schedule of the smoke test in a folder of their own: once with all that can be asked for, once with the least.
struct Drafts {
    folder: tempfile::TempDir,
}

impl Drafts {
    fn of(engine: &str, notify: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let smoke = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/smoke.toml");
        let text = fs::read_to_string(smoke).unwrap() + notify;
        fs::write(folder.path().join("smoke.toml"), text).unwrap();
        let output = Command::new(gameday().unwrap())
            .args([
                "schedule",
                "smoke.toml",
                "--on",
                engine,
                "--every",
                "weekday at 06:00",
                "--out",
                "review",
            ])
            .args(more)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("review").join(name)
    }

    /// The file, and the same one with something wrong in it.
    fn with_wrong(&self, name: &str, right: &str, wrong: &str) -> [PathBuf; 2] {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(right), "{text}");
        let folder = self.folder.path().join("wrong");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), text.replace(right, wrong)).unwrap();
        [self.path(name), folder.join(name)]
    }
}

/// Whether a validator finds a file right, and what it said.
fn judged(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The right one is right, and the wrong one is not.
fn assert_judged(files: [PathBuf; 2], judge: impl Fn(&Path) -> (bool, String)) {
    let [right, wrong] = files;
    let (is_right, said) = judge(&right);
    assert!(is_right, "{said}\n{}", fs::read_to_string(right).unwrap());
    let (is_right, said) = judge(&wrong);
    assert!(!is_right, "what is wrong is taken for right: {said}");
}

const BUCKET: [&str; 2] = ["--results", "s3://game-days/smoke"];

#[test]
fn a_template_for_eventbridge_is_clean() {
    let Some(lint) = tool("cfn-lint") else {
        return skipped("a_template_for_eventbridge_is_clean", "no cfn-lint; see .ci/tools");
    };
    let image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/gameday:1";
    for (notify, more) in [(NOTIFY, &[BUCKET[0], BUCKET[1], "--image", image][..]), ("", &BUCKET[..])] {
        let drafts = Drafts::of("eventbridge", notify, more);
        let name = "gameday-smoke.eventbridge.yaml";
        let files = drafts.with_wrong(name, "LaunchType: FARGATE", "LaunchKind: FARGATE");
        assert_judged(files, |file| {
            judged(Command::new(&lint).args(["--regions", "us-east-1", "--"]).arg(file))
        });
        let text = fs::read_to_string(drafts.path(name)).unwrap();
        assert!(text.contains("ScheduleExpression: cron(0 6 ? * MON,TUE,WED,THU,FRI *)"), "{text}");
        assert_eq!(
            text.contains("Action: sns:Publish"),
            !notify.is_empty(),
            "nothing that is not done is granted"
        );
        assert_eq!(text.contains("secretsmanager:GetSecretValue"), !notify.is_empty());
    }
}

#[test]
fn a_manifest_for_kubernetes_is_valid() {
    let Some(validate) = tool("kubernetes-validate") else {
        return skipped("a_manifest_for_kubernetes_is_valid", "no kubernetes-validate; see .ci/tools");
    };
    let claim = ["--results", "gameday-runs"];
    for (notify, more) in [(NOTIFY, &BUCKET[..]), ("", &claim[..])] {
        let drafts = Drafts::of("kubernetes", notify, more);
        let files = drafts.with_wrong("gameday-smoke.cronjob.yaml", "backoffLimit: 0", "backoffLimit: none");
        assert_judged(files, |file| judged(Command::new(&validate).arg("--strict").arg(file)));
        let text = fs::read_to_string(drafts.path("gameday-smoke.cronjob.yaml")).unwrap();
        assert!(text.contains("concurrencyPolicy: Forbid") && text.contains("runAsNonRoot: true"), "{text}");
    }
}

#[test]
fn units_for_systemd_are_verified() {
    let Some(analyze) = tool("systemd-analyze") else {
        return skipped("units_for_systemd_are_verified", "no systemd-analyze");
    };
    let program = gameday().unwrap();
    let program = program.to_str().unwrap();
    for (notify, more) in [(NOTIFY, &BUCKET[..]), ("", &["--results", "/srv/game-days"][..]), ("", &[])] {
        let drafts = Drafts::of("systemd", notify, &[more, &["--program", program]].concat());
        let timer = drafts.path("gameday-smoke.timer");
        let calendar = fs::read_to_string(&timer).unwrap();
        let calendar = calendar.lines().find_map(|line| line.strip_prefix("OnCalendar=")).unwrap();
        let (is_right, said) = judged(Command::new(&analyze).args(["calendar", calendar]));
        assert!(is_right, "{said}");
        let files = drafts.with_wrong("gameday-smoke.service", "Type=oneshot", "Type=twoshot");
        fs::copy(&timer, files[1].with_file_name("gameday-smoke.timer")).unwrap();
        assert_judged(files, |file| {
            let timer = file.with_file_name("gameday-smoke.timer");
            let (is_right, said) = judged(Command::new(&analyze).arg("verify").arg(file).arg(timer));
            // Of what is not understood it only says so.
            (is_right && !said.contains("gameday-smoke"), said)
        });
    }
}

#[test]
fn a_workflow_for_github_is_valid() {
    let Some(check) = tool("check-jsonschema") else {
        return skipped("a_workflow_for_github_is_valid", "no check-jsonschema; see .ci/tools");
    };
    for (notify, more) in [(NOTIFY, &BUCKET[..]), ("", &[])] {
        let drafts = Drafts::of("github", notify, more);
        let files = drafts.with_wrong("gameday-smoke.yml", "runs-on:", "runs-in:");
        assert_judged(files, |file| {
            judged(Command::new(&check).args(["--builtin-schema", "vendor.github-workflows"]).arg(file))
        });
        let text = fs::read_to_string(drafts.path("gameday-smoke.yml")).unwrap();
        assert!(text.contains("cancel-in-progress: false"), "{text}");
        assert_eq!(text.contains("id-token: write"), !notify.is_empty());
    }
}

#[test]
fn what_makes_no_sense_is_refused_and_nothing_is_written_over() {
    let drafts = Drafts::of("systemd", "", &[]);
    for (arguments, why) in [
        (&["--on", "systemd", "--every", "monday at 06:00", "--out", "review"][..], "is not written over"),
        (&["--on", "systemd", "--every", "*/5 * * * *"], "begin less often"),
        (&["--on", "systemd", "--every", "soon"], "monday at 06:00"),
        (&["--on", "eventbridge", "--every", "monday at 06:00"], "--results s3://"),
        (
            &["--on", "kubernetes", "--every", "monday at 06:00", "--results", "/srv/x"],
            "PersistentVolumeClaim",
        ),
        (&["--on", "github", "--every", "monday at 06:00", "--results", "/srv/x"], "artifact"),
        (&["--on", "github", "--every", "monday at 06:00", "--image", "a b"], "no name of an image"),
    ] {
        let output = Command::new(gameday().unwrap())
            .args(["schedule", "smoke.toml"])
            .args(arguments)
            .current_dir(drafts.folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(why), "{arguments:?}: {said}");
    }
}
