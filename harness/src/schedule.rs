//! Game days on a timer: files for review, in the words of whoever is to start them. Nothing is called and nothing is applied.
//!
//! What is scheduled plays on a twin of its own. What it may do beyond that is what its results and its notice need: the roles are
//! made of [`CALLS`], and a test holds that table against the code that calls.

mod eventbridge;
mod every;
mod github;
mod kubernetes;
mod systemd;

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use clap::ValueEnum;
use serde_json::{Value, json};

pub(crate) use every::Every;

use crate::{results::Bucket, scenario::Scenario};

/// Deployment and undo, which a plan has no time of: seconds on a twin, and bounded by this.
const AROUND: Duration = Duration::from_mins(10);
/// Names of Kubernetes are longer by what stands around this one, and end at 52 for a job on a timer.
const NAME_CHARS_MAX: usize = 40;
/// A task definition takes 64 KiB in all.
const SCENARIO_BYTES_MAX: usize = 32 * 1024;

/// Who starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// A CloudFormation template: EventBridge Scheduler starts a task of ECS.
    Eventbridge,
    /// A manifest: a `CronJob`.
    Kubernetes,
    /// A service and its timer.
    Systemd,
    /// A workflow of GitHub Actions.
    Github,
}

/// Where the run folders are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    Bucket(Bucket),
    Folder(PathBuf),
}

/// What is to be played, when, and where to.
#[derive(Debug)]
pub(crate) struct Order {
    /// What all that is made is called.
    pub(crate) name: String,
    /// The scenario's file, as it was given.
    pub(crate) path: PathBuf,
    pub(crate) scenario: Scenario,
    pub(crate) every: Every,
    pub(crate) kept: Option<Kept>,
    /// The container, where there is one.
    pub(crate) image: String,
    /// The executable, where there is no container.
    pub(crate) program: PathBuf,
    /// The scenario with all that holds in it, which stands by itself.
    text: String,
    longest: Duration,
}

/// A file that was written for review.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Every call that a run makes beyond its own twin, and what it is about.
const CALLS: [(&str, About); 2] = [("s3:PutObject", About::Bucket), ("sns:Publish", About::Topic)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Bucket,
    Topic,
}

impl Order {
    /// Checks what only all of it together shows; the error says what to do. `steps`: how long they take at the most.
    pub(crate) fn new(
        path: PathBuf,
        scenario: Scenario,
        steps: Duration,
        every: Every,
        kept: Option<Kept>,
        (image, program): (String, PathBuf),
    ) -> Result<Self, String> {
        let longest = steps + AROUND;
        if let Some(pool) = &scenario.fleet.pool {
            return Err(format!(
                "the scenario plays with the fleet that stays {pool:?}, and what is scheduled has a twin of its own, in which there \
                 is none: leave fleet.pool out"
            ));
        }
        if every.gap() < longest {
            return Err(format!(
                "a game day may take {} min with deployment and undo, and would begin {} min after the one before: begin less often",
                minutes(longest),
                minutes(every.gap())
            ));
        }
        let text = toml::to_string(&scenario).map_err(|error| error.to_string())?;
        if text.len() > SCENARIO_BYTES_MAX {
            return Err(format!("the scenario has more than {SCENARIO_BYTES_MAX} bytes"));
        }
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
        let name = stem.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let name: String = name.trim_matches('-').chars().take(NAME_CHARS_MAX).collect();
        let name = name.trim_end_matches('-').to_owned();
        if name.is_empty() {
            return Err(format!("{}: its name has no letter", path.display()));
        }
        Ok(Self { name, path, scenario, every, kept, image, program, text, longest })
    }

    /// The files, or why there are none.
    pub(crate) fn drafts(&self, engine: Engine) -> Result<Vec<Draft>, String> {
        match engine {
            Engine::Eventbridge => eventbridge::drafts(self),
            Engine::Kubernetes => kubernetes::drafts(self),
            Engine::Systemd => Ok(systemd::drafts(self)),
            Engine::Github => github::drafts(self),
        }
    }

    fn bucket(&self) -> Option<&Bucket> {
        match &self.kept {
            Some(Kept::Bucket(bucket)) => Some(bucket),
            _ => None,
        }
    }

    fn folder(&self) -> Option<&PathBuf> {
        match &self.kept {
            Some(Kept::Folder(folder)) => Some(folder),
            _ => None,
        }
    }

    /// The variable that has the address of the webhook.
    fn secret(&self) -> Option<&str> {
        self.scenario.notify.webhook_env.as_deref()
    }

    /// Calls with the ARNs that they are about: nothing of what the order does not do.
    fn grants(&self) -> Vec<(&'static str, String)> {
        let about = |about: About| match about {
            About::Bucket => self.bucket().map(|bucket| {
                let prefix =
                    if bucket.prefix.is_empty() { String::new() } else { format!("{}/", bucket.prefix) };
                format!("arn:aws:s3:::{}/{prefix}*", bucket.name)
            }),
            About::Topic => self.scenario.notify.sns.clone(),
        };
        CALLS.into_iter().filter_map(|(call, of)| Some((call, about(of)?))).collect()
    }

    /// The grants as a policy, for whoever gives the run a role.
    fn policy(&self) -> Option<Draft> {
        let grants = self.grants();
        let statement =
            |(call, arn): &(&str, String)| json!({"Effect": "Allow", "Action": call, "Resource": arn});
        let statements: Vec<Value> = grants.iter().map(statement).collect();
        let policy = json!({"Version": "2012-10-17", "Statement": statements});
        (!grants.is_empty()).then(|| Draft {
            name: format!("gameday-{}.policy.json", self.name),
            text: format!("{policy:#}\n"),
        })
    }

    /// What follows the scenario's path on a command line.
    fn arguments(&self, out: &str) -> Vec<String> {
        let mut arguments = vec!["--out".to_owned(), out.to_owned()];
        if let Some(bucket) = self.bucket() {
            arguments.push("--results".to_owned());
            arguments
                .push(format!("s3://{}/{}", bucket.name, bucket.prefix).trim_end_matches('/').to_owned());
        }
        arguments
    }

    /// A template with what all of them say.
    fn filled(&self, template: &str, more: &[(&str, &str)]) -> String {
        let (longest_s, longest_min) =
            (self.longest.as_secs().to_string(), minutes(self.longest).to_string());
        let (when, gap) = (self.every.words(), format!("{} min", minutes(self.every.gap())));
        let common = [
            ("NAME", self.name.as_str()),
            ("WHEN", when.as_str()),
            ("IMAGE", self.image.as_str()),
            ("LONGEST_S", longest_s.as_str()),
            ("LONGEST_MIN", longest_min.as_str()),
            ("GAP", gap.as_str()),
        ];
        let all = common.iter().chain(more);
        all.fold(template.to_owned(), |text, (key, value)| match key.strip_suffix('\n') {
            // It has its line for itself, which goes when there is nothing.
            Some(key) => text.replace(&format!("@{key}@\n"), value),
            None => text.replace(&format!("@{key}@"), value),
        })
    }

    /// The scenario as a block of YAML.
    fn indented(&self, spaces: usize) -> String {
        let mut block = String::new();
        for line in self.text.lines() {
            let line = if line.is_empty() { "\n".to_owned() } else { format!("{:spaces$}{line}\n", "") };
            let _ = write!(block, "{line}");
        }
        block.trim_end().to_owned()
    }
}

/// Whole minutes, upwards.
fn minutes(time: Duration) -> u64 {
    time.as_secs().div_ceil(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls of a file of the harness: `client.put_object()` is `PutObject`.
    fn called(code: &str, service: &str) -> Vec<String> {
        let name = |rest: &str| {
            let end = rest.find("()")?;
            let name = rest.get(..end)?;
            let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let camel = |part: &str| part[..1].to_uppercase() + &part[1..];
            is_name.then(|| format!("{service}:{}", name.split('_').map(camel).collect::<String>()))
        };
        code.split("client.").skip(1).filter_map(name).collect()
    }

    #[test]
    fn a_role_has_the_calls_that_the_code_makes() {
        let mut made = called(include_str!("results.rs"), "s3");
        made.extend(called(include_str!("run/notice.rs"), "sns"));
        assert_eq!(made, CALLS.map(|(call, _)| call.to_owned()));
    }

    pub(super) fn order(kept: Option<&str>, notify: &str) -> Order {
        let text = crate::library::Play::named("smoke").unwrap().text;
        let scenario = Scenario::parse(&format!("{text}\n{notify}"), "smoke", &[]).unwrap();
        let kept = kept.map(|kept| match kept.parse::<Bucket>() {
            Ok(bucket) => Kept::Bucket(bucket),
            Err(_) => Kept::Folder(kept.into()),
        });
        let every = "monday at 06:00".parse().unwrap();
        let run_by = ("registry.example/gameday:1".to_owned(), "/usr/local/bin/gameday".into());
        let steps = Duration::from_mins(9);
        Order::new("day/Smoke_Test.toml".into(), scenario, steps, every, kept, run_by).unwrap()
    }

    const TOPIC: &str = "[notify]\nsns = \"arn:aws:sns:us-east-1:123456789012:gameday\"\n";

    #[test]
    fn nothing_is_granted_that_is_not_done() {
        assert_eq!(order(None, "").grants(), []);
        assert_eq!(order(Some("/srv/runs"), "").grants(), []);
        assert!(order(None, "").policy().is_none());
        let both = order(Some("s3://game-days/weekly"), TOPIC);
        assert_eq!(
            both.grants(),
            [
                ("s3:PutObject", "arn:aws:s3:::game-days/weekly/*".to_owned()),
                ("sns:Publish", "arn:aws:sns:us-east-1:123456789012:gameday".to_owned()),
            ]
        );
        assert_eq!(order(Some("s3://game-days"), "").grants()[0].1, "arn:aws:s3:::game-days/*");
    }

    #[test]
    fn no_place_is_left_open_in_a_template() {
        let mut looked_at = 0;
        for kept in [Some("s3://game-days/weekly"), Some("/srv/runs"), None] {
            for notify in ["", TOPIC, "[notify]\nwebhook_env = \"HOOK\"\n"] {
                let order = order(kept, notify);
                assert_eq!(order.name, "smoke-test");
                for engine in Engine::value_variants() {
                    for draft in order.drafts(*engine).unwrap_or_default() {
                        let open = draft.text.split('@').any(|part| {
                            part.len() > 1 && part.chars().all(|c| c.is_ascii_uppercase() || c == '_')
                        });
                        assert!(!open, "{}:\n{}", draft.name, draft.text);
                        assert!(!draft.text.contains(" \n"), "{}: blanks at the end of a line", draft.name);
                        looked_at += 1;
                    }
                }
            }
        }
        assert!(looked_at >= 25, "{looked_at} files of four kinds");
    }

    #[test]
    fn what_would_meet_the_one_before_is_refused() {
        let scenario = order(None, "").scenario;
        let every: Every = "*/5 * * * *".parse().unwrap();
        let run_by = (String::new(), PathBuf::new());
        let steps = Duration::from_mins(2);
        let why = Order::new("a.toml".into(), scenario, steps, every, None, run_by).unwrap_err();
        assert!(why.contains("would begin 5 min after the one before: begin less often"), "{why}");
    }
}
