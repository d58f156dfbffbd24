//! What the end-to-end tests share: the `gameday` binary as a child process, a twin of its own, and clients that nobody here
//! wrote. A client that is not installed makes its test say that it was skipped; it never passes for it.

pub mod process;
pub mod site;
pub mod stopwatch;

use std::{
    fs,
    io::{BufRead, BufReader, Lines, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A game day of the tests ends within this time.
const RUN_S_MAX: u64 = 240;

/// The `gameday` that was built with these tests.
pub fn gameday() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("a test runs in <profile>/deps")?;
    let binary = folder.join("gameday");
    if !binary.is_file() {
        bail!("{} is not built: run `cargo test --release --workspace`", binary.display());
    }
    Ok(binary)
}

/// A scenario of the tests.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A tool that `.ci/tools` installs, or that is on the path.
pub fn tool(name: &str) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
    let path = std::env::var_os("PATH").unwrap_or_default();
    ["bin", "peers/bin"]
        .into_iter()
        .map(|folder| tools.join(folder).join(name))
        .chain(std::env::split_paths(&path).map(|folder| folder.join(name)))
        .find(|candidate| candidate.is_file())
}

/// Says, on the terminal and past the test's capture, that something was not tested.
pub fn skipped(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}: {why}");
}

/// Runs `gameday` to its end.
pub fn run(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(gameday()?).args(arguments).stdin(Stdio::null()).output()?)
}

/// A game day in a folder of its own.
#[derive(Debug)]
pub struct GameDay {
    /// Holds the run folder; removed with this value.
    pub out: tempfile::TempDir,
    child: Child,
    said: Option<Lines<BufReader<ChildStderr>>>,
}

impl GameDay {
    /// Starts a scenario.
    pub fn start(scenario: &Path, more: &[&str]) -> Result<Self> {
        let out = tempfile::tempdir()?;
        let mut child = Command::new(gameday()?)
            .arg("run")
            .arg(scenario)
            .arg("--out")
            .arg(out.path())
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = child.stderr.take().map(|stderr| BufReader::new(stderr).lines());
        Ok(Self { out, child, said })
    }

    /// Reads on in what it says, to the first line of which something is true; the answer is that line.
    pub fn until(&mut self, mut is_mark: impl FnMut(&str) -> bool) -> Result<String> {
        let lines = self.said.as_mut().context("it is read no more")?;
        let found = lines.map_while(std::result::Result::ok).find(|line| is_mark(line));
        found.context("it ended without saying it")
    }

    /// The same to the first line that has `mark` in it.
    pub fn until_it_says(&mut self, mark: &str) -> Result<String> {
        self.until(|line| line.contains(mark)).with_context(|| format!("no word of {mark:?}"))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) -> Result<()> {
        Command::new("kill").args([signal, &self.child.id().to_string()]).status()?;
        Ok(())
    }

    /// Whether its process is gone.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits, within a bound, for its exit code.
    pub fn exit(&mut self) -> Result<i32> {
        self.exit_within(Duration::from_secs(RUN_S_MAX))
    }

    /// The same within a bound of the caller's.
    pub fn exit_within(&mut self, limit: Duration) -> Result<i32> {
        if let Some(lines) = self.said.take() {
            // The rest is read, so that it never waits for a reader.
            std::thread::spawn(move || lines.for_each(drop));
        }
        let began = Instant::now();
        while began.elapsed() < limit {
            if let Some(status) = self.child.try_wait()? {
                return status.code().context("it was killed");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.child.kill()?;
        bail!("it did not end within {} s", limit.as_secs())
    }

    /// Its run folder.
    pub fn folder(&self) -> Result<PathBuf> {
        let scenario = fs::read_dir(self.out.path())?.next().context("no run folder")??;
        Ok(fs::canonicalize(scenario.path().join("latest"))?)
    }

    /// Its summary.
    pub fn summary(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&fs::read(self.folder()?.join("summary.json"))?)?)
    }

    /// The events of one kind.
    pub fn events(&self, kind: &str) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.folder()?.join("events.ndjson"))?;
        let events = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
        Ok(events.into_iter().filter(|event| event["event"] == kind).collect())
    }
}

/// Runs a scenario to its end; the answer is the run and its exit code.
pub fn play(scenario: &Path, more: &[&str]) -> Result<(GameDay, i32)> {
    let mut day = GameDay::start(scenario, more)?;
    let exit = day.exit()?;
    Ok((day, exit))
}

/// A twin in a process of its own, with the variables that it printed. It ends with this value.
#[derive(Debug)]
pub struct TwinProcess {
    child: Child,
    variables: Vec<(String, String)>,
    /// For what a test keeps, for example certificates.
    pub folder: tempfile::TempDir,
}

impl TwinProcess {
    /// Starts a twin with twenty times AWS's quotas, and waits until it listens.
    pub fn start() -> Result<Self> {
        Self::start_scaled(20)
    }

    /// The same with another multiple of AWS's quotas.
    pub fn start_scaled(quota_scale: u32) -> Result<Self> {
        Self::start_with(quota_scale, &[])
    }

    /// The same with further arguments.
    pub fn start_with(quota_scale: u32, more: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let env = folder.path().join("twin.env");
        let child = Command::new(gameday()?)
            .args(["twin", "--quota-scale", &quota_scale.to_string(), "--env"])
            .arg(&env)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut twin = Self { child, variables: Vec::new(), folder };
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            let text = fs::read_to_string(&env).unwrap_or_default();
            // The last line that it writes.
            if text.contains("GAMEDAY_SECONDARY_HTTPS_PORT") {
                twin.variables = text
                    .split_whitespace()
                    .filter_map(|word| word.split_once('='))
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                return Ok(twin);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the twin did not start")
    }

    /// Its process: parent of the functions' processes.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A variable that it printed.
    pub fn variable(&self, name: &str) -> &str {
        self.variables.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// A command with its variables, and without what the environment says of AWS.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().cloned()).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }
}

impl Drop for TwinProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
