//! A run that a test kills, and what can be seen of it then.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use gameday_tests::{GameDay, fixture, gameday, site::Site};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// What is waited for comes within this time.
const WAIT_MAX: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(3);

/// A run against a twin of its own process.
#[derive(Debug)]
pub(crate) struct Killed {
    day: GameDay,
    is_over: bool,
}

/// Where a run was: a step of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Phase {
    pub(crate) index: u64,
    pub(crate) name: String,
    pub(crate) began_us: u64,
}

impl Killed {
    /// Starts the fixture.
    pub(crate) fn start(site: &Site, more: &[&str]) -> Result<Self> {
        let url = site.url();
        let day = GameDay::start(&fixture("killed.toml"), &[&["--target", &url][..], more].concat())?;
        Ok(Self { day, is_over: false })
    }

    /// Its folder, as soon as there is one.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        let scenario = self.day.out.path().join("killed");
        let mut folders = fs::read_dir(scenario)?.filter_map(Result::ok).map(|entry| entry.path());
        folders.find(|path| !path.is_symlink()).context("no run folder")
    }

    /// Its id.
    pub(crate) fn id(&self) -> Result<String> {
        let folder = self.folder()?;
        let name = folder.file_name().context("a folder without a name")?.to_string_lossy();
        Ok(name.rsplit('-').next().unwrap_or_default().to_owned())
    }

    /// Where run folders go.
    pub(crate) fn out(&self) -> String {
        self.day.out.path().to_string_lossy().into_owned()
    }

    fn read(&self, file: &str) -> Option<Vec<u8>> {
        fs::read(self.folder().ok()?.join(file)).ok()
    }

    /// The events so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = self.read("events.ndjson").unwrap_or_default();
        text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    /// The steps that have begun so far.
    pub(crate) fn phases(&self) -> Vec<Phase> {
        let events = self.events();
        let begun = events.iter().filter(|event| event["event"] == "step" && event["state"] == "began");
        begun
            .map(|event| Phase {
                index: event["index"].as_u64().unwrap_or_default(),
                name: event["name"].as_str().unwrap_or_default().to_owned(),
                began_us: event["at_us"].as_u64().unwrap_or_default(),
            })
            .collect()
    }

    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<()> {
        let began = Instant::now();
        while !holds(self) {
            ensure!(began.elapsed() < WAIT_MAX, "{what}: not within {WAIT_MAX:?}");
            if !self.is_alive()? {
                bail!("it ended before {what}");
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Waits until a step of that name has begun.
    pub(crate) fn until_step(&mut self, name: &str) -> Result<()> {
        self.until(name, |run| run.phases().iter().any(|phase| phase.name == name))
    }

    /// The same by its place.
    pub(crate) fn until_index(&mut self, index: u64) -> Result<()> {
        self.until("that step", |run| run.phases().iter().any(|phase| phase.index == index))
    }

    /// Waits until all three faults are applied.
    pub(crate) fn until_fault(&mut self) -> Result<()> {
        let is_applied = |event: &&Value| event["event"] == "fault" && event["state"] == "applied";
        self.until("the faults", |run| run.events().iter().filter(is_applied).count() == 3)
    }

    pub(crate) fn is_alive(&mut self) -> Result<bool> {
        if !self.is_over {
            self.is_over = self.day.has_ended()?;
        }
        Ok(!self.is_over)
    }

    /// Kills it, and its dead-man's switch as well if told to. The answer is whether it was still there.
    pub(crate) fn kill(&mut self, with_switch: bool) -> Result<bool> {
        let was_alive = self.is_alive()?;
        self.day.signal("-KILL")?;
        if with_switch && let Some(pid) = self.switch() {
            // It may end at this moment.
            let _ = kill_process(pid, Signal::KILL);
        }
        let began = Instant::now();
        while self.is_alive()? {
            ensure!(began.elapsed() < WAIT_MAX, "it was not killed");
            std::thread::sleep(POLL);
        }
        Ok(was_alive)
    }

    /// The process of its dead-man's switch, as long as there is one.
    pub(crate) fn switch(&self) -> Option<Pid> {
        let holder: Value = serde_json::from_slice(&self.read("switch.json")?).ok()?;
        let pid = i32::try_from(holder["pid"].as_u64()?).ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let ticks = holder["started_ticks"].as_u64()?.to_string();
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let lives = fields.first().is_some_and(|state| !matches!(*state, "Z" | "X"));
        (lives && fields.get(19) == Some(&ticks.as_str())).then(|| Pid::from_raw(pid)).flatten()
    }

    /// A line of which only the beginning was written.
    pub(crate) fn tear(&self, file: &str) -> Result<()> {
        use std::io::Write as _;
        let mut file = fs::File::options().append(true).open(self.folder()?.join(file))?;
        Ok(file.write_all(b"{\"id\":999,\"wall\":\"2026-")?)
    }

    pub(crate) fn summary(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.read("summary.json").context("no summary")?)?)
    }

    /// A command about its run folder; the answer is its exit code and what it said.
    pub(crate) fn command(&self, site: &Site, arguments: &[&str]) -> Result<(Option<i32>, String)> {
        // Not the twin's variables: the record says where it was.
        let mut command = std::process::Command::new(gameday()?);
        let output =
            command.args(arguments).arg(self.folder()?).current_dir(site.twin.folder.path()).output()?;
        Ok((output.status.code(), String::from_utf8(output.stderr)?))
    }

    /// `gameday restore`, which has to end with that code; the answer is the code and what it said.
    pub(crate) fn restore(&self, site: &Site, expected: i32) -> Result<(i32, String)> {
        // Killed before it had a folder: nothing was changed.
        if self.folder().is_err() {
            return Ok((expected, String::new()));
        }
        let (code, said) = self.command(site, &["restore"])?;
        ensure!(code == Some(expected), "restore ended with {code:?}: {said}");
        Ok((expected, said))
    }

    /// That the twin has nothing of it: no fault, device, deployment, record or schedule, and no process is there for it.
    pub(crate) async fn assert_nothing_is_left(&self, site: &Site) -> Result<()> {
        let (faults, _) = site.does(&["twin", "fault", "list", "--json"])?;
        let faults: Value = serde_json::from_str(&faults).unwrap_or_default();
        ensure!(faults == serde_json::json!([]), "faults: {faults}");
        let left = site.leftovers().await?;
        ensure!(left.is_empty(), "left: {left:?}");
        for region in [&site.primary, &site.secondary] {
            let on = region.events_on().await?;
            ensure!(on.is_empty(), "registry events are on: {on:?}");
        }
        let lease = site.secondary.iot.describe_thing_group().thing_group_name("gameday-health-lease").send();
        ensure!(lease.await.is_err(), "the lease is still there");
        let twin = Path::new(site.twin.variable("GAMEDAY_CA")).parent().context("the twin's folder")?;
        for entry in fs::read_dir(twin)? {
            let path = entry?.path();
            let is_package =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("gameday-code-"));
            ensure!(!is_package, "{} is in the twin's folder", path.display());
        }
        let began = Instant::now();
        while let Some(pid) = self.switch() {
            ensure!(began.elapsed() < Duration::from_secs(5), "the switch is still there: {pid:?}");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}
