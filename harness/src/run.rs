//! One run from its first line to its report: prepare, play the steps, and whatever happened, heal, undo, prove that
//! nothing is left, and write the record.

mod acts;
mod armed;
mod finish;
mod guard;
mod halt;
mod interrupt;
mod lease;
mod notice;
mod onlooker;
mod page;
mod pooled;
mod quotas;
mod readiness;
mod shout;
mod status;
mod steady;
mod steps;
mod sweep;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use futures::FutureExt;
use gameday_report::{
    ExitCode,
    record::{EndReason, Event, Folder, Preflight, RunInfo},
};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::guard::ready as stops_ready;
use self::{halt::Halt, onlooker::Onlooker, page::Page, pooled::Pooled, steady::SteadyWatch};
use crate::{
    aws::Aws,
    clock::RunClock,
    deploy::Deployment,
    descriptors,
    fault::Breakage,
    fleet::{Assignment, Made, Resolver, Shared, Workshop},
    journal::Journal,
    measure::{Recorder, sample},
    names::{device_name, new_id},
    output::{Output, Progress},
    plan::Plan,
    preflight::{self, Ground},
    restore,
    results::Bucket,
    scenario::Scenario,
    target::Target,
};

/// What a run is told on the command line.
#[derive(Debug, Clone)]
pub(crate) struct RunOptions {
    pub(crate) scenario_path: PathBuf,
    pub(crate) scenario: Scenario,
    /// What `gameday plan` prints for the same scenario.
    pub(crate) plan: Plan,
    pub(crate) target: String,
    /// The accounts in which the target's file lets it go on, if there is a file.
    pub(crate) accounts: Option<Vec<String>>,
    /// Checks of pre-flight that are overlooked.
    pub(crate) ignored: Vec<String>,
    pub(crate) out: PathBuf,
    /// Where fleets are that stay.
    pub(crate) fleets: PathBuf,
    pub(crate) seed: u64,
    /// The command line that runs the same again.
    pub(crate) replay: String,
    /// Print the summary as JSON.
    pub(crate) json: bool,
    /// How progress is told, when that was said.
    pub(crate) progress: Option<Progress>,
    /// Where the page listens, when there is one.
    pub(crate) page: Option<SocketAddr>,
    /// Somebody else cures each fault as soon as it was applied, and says nothing: for tests of what a run makes of that.
    pub(crate) is_spoilt: bool,
    /// Where the run folder is kept, too.
    pub(crate) results: Option<Bucket>,
}

/// A run under way.
pub(crate) struct Game {
    id: String,
    scenario: Scenario,
    /// What is carried out.
    plan: Plan,
    folder: Folder,
    output: Arc<Output>,
    target: Arc<Target>,
    aws: Aws,
    recorder: Recorder,
    journal: Arc<Journal>,
    resolver: Arc<Resolver>,
    deployment: Option<Deployment>,
    /// The fleet that stays whose devices play.
    pooled: Option<Pooled>,
    devices: Vec<Made>,
    /// Which of them has which strategy.
    assignment: Arc<Assignment>,
    workshop: Option<Arc<Workshop>>,
    fleet: Option<Arc<Shared>>,
    /// The longest that the steps may take from here on.
    steps_left_max: Duration,
    /// Faults that are applied now.
    broken: Mutex<Vec<Breakage>>,
    /// Each fault is cured at once behind the run's back.
    is_spoilt: bool,
    /// The devices' tasks.
    device_tasks: TaskTracker,
    /// Ends observers and watchers.
    watch_stop: CancellationToken,
    seed: u64,
    /// What ends the run before its last step.
    halt: Halt,
    /// Whether it is steady, until the first fault.
    steady: Option<SteadyWatch>,
}

/// How the steps ended.
#[derive(Debug)]
pub(crate) enum Played {
    Completed,
    /// What ended it is in the record, and known to [`Halt`].
    Stopped,
    /// Before anything was broken, and it is no error.
    Ended(Ended),
    Failed(anyhow::Error),
}

/// Why a run ends before anything was broken.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Ended {
    reason: EndReason,
    why: String,
}

/// Runs a scenario.
///
/// # Errors
/// Only when there is no record to write into; everything later is in the record.
pub(crate) async fn run(options: RunOptions) -> anyhow::Result<ExitCode> {
    let descriptors = descriptors::raise();
    let name = scenario_name(&options.scenario_path);
    let id = new_id();
    let output = Arc::new(Output::told(options.progress));
    // A run that is refused leaves no folder behind.
    let (opened, looked, page) = match open(&options, descriptors, &output).await {
        Ok(opened) => opened,
        Err(error) => {
            output.finish();
            output.line(&format!("refused, nothing was changed: {error:#}"));
            notice::refused(&options, &name, &error, &output).await;
            return Ok(ExitCode::Refused);
        }
    };
    let clock = RunClock::start();
    let path = folder_path(&options.out, &name, clock, &id);
    let folder = Folder::create(&path).context("the run folder could not be made")?;
    crate::log::to_file(&folder.log())?;
    std::fs::write(folder.plan(), options.plan.json()?)?;
    std::fs::write(folder.scenario(), toml::to_string(&options.scenario)?)?;

    output.line(&format!("gameday {} | {}", env!("CARGO_PKG_VERSION"), options.scenario.title));
    output.line(&format!("      run {id}, seed {}, {}", options.seed, path.display()));
    let mut game = Game::new(&options, id, folder.clone(), clock, output.clone(), opened)?;
    game.recorder.event(Event::RunBegan(info(&options, &game, &name)));
    game.recorder.event(Event::Preflight(looked));
    let sampling = CancellationToken::new();
    let sampler = tokio::spawn(sample(game.recorder.clone(), folder.clone(), sampling.clone()));
    let halt = game.halt.clone();
    interrupt::watch(folder.clone(), halt.clone(), output.clone())?;
    // What goes on beside the run ends with this.
    let mut beside = JoinSet::new();
    beside.spawn(acts::follow(folder.clone(), game.recorder.clone(), halt.clone(), output.clone()));
    let onlooker = Arc::new(Onlooker {
        recorder: game.recorder.clone(),
        journal: game.journal.clone(),
        scenario: options.scenario.clone(),
    });
    if let Some(page) = page {
        output.line(&format!("      page http://{}/", page.address));
        if !page.address.ip().is_loopback() {
            output.line("      whoever can reach that address sees it");
        }
        beside.spawn(page.serve(onlooker.clone()));
    }
    beside.spawn(status::show(onlooker, output.clone()));
    let guards = guard::watch(
        &options.scenario.stop,
        game.recorder.clone(),
        game.aws.clone(),
        halt.clone(),
        output.clone(),
    );

    let target = game.target.clone();
    let played = tokio::select! {
        // A panic heals as an error does.
        played = AssertUnwindSafe(game.play()).catch_unwind() => {
            played.unwrap_or_else(|_| Played::Failed(anyhow::anyhow!("gameday panicked; see its output")))
        }
        () = halt.called() => Played::Stopped,
        why = target.gone() => Played::Failed(anyhow::anyhow!(why)),
    };
    drop(target);
    let (reason, detail) = tokio::select! {
        ended = game.finish(played, &halt, guards) => ended,
        () = halt.abandoned() => {
            halt.over();
            abandoned(&halt)
        }
    };
    let left = game.journal.left();
    beside.shutdown().await;
    sampling.cancel();
    // Its last sample is part of the record.
    let _ = sampler.await;
    game.recorder.event(Event::RunEnded { reason, detail });
    output.finish();
    let summary = gameday_report::write_results(&folder).context("the record could not be judged")?;
    point_latest(&path);
    shout::shout(&summary, &folder, options.json, reason == EndReason::Error);
    let kept = keep(options.results.as_ref(), &folder, &halt, &output).await;
    notice::ended(&options.scenario.notify, &summary, &folder, kept.as_deref(), &output).await;
    shout::left(&left);
    game.close().await;
    Ok(summary.exit)
}

/// Keeps the run folder where it was asked for; the answer is where it is. What cannot be kept is said, and is where it was written.
async fn keep(bucket: Option<&Bucket>, folder: &Folder, halt: &Halt, output: &Output) -> Option<String> {
    let bucket = bucket?;
    let kept = tokio::select! {
        kept = bucket.keep(folder) => kept,
        () = halt.abandoned() => Err(anyhow::anyhow!("a second signal ended it")),
    };
    match kept {
        Ok(place) => {
            output.line(&format!("      results: {place}/"));
            Some(place)
        }
        Err(error) => {
            let path = folder.path().display();
            output.line(&format!("RESULTS NOT KEPT in s3://{}: {error:#}; they are in {path}", bucket.name));
            None
        }
    }
}

/// How a run ended whose clean-up was given up.
fn abandoned(halt: &Halt) -> (EndReason, Option<String>) {
    let end = "a second signal ended the clean-up";
    match halt.why() {
        Some((reason, why)) => (reason, Some(format!("{why}; {end}"))),
        None => (EndReason::Operator, Some(end.to_owned())),
    }
}

/// What a run works with: the target, reached and looked at, and the fleet if it is one that stays.
type Opened = (Target, Aws, Option<Pooled>);

/// Looks at everything that a run looks at before it changes anything; the error says why it cannot be looked at.
pub(crate) async fn look(options: &RunOptions) -> anyhow::Result<Preflight> {
    let descriptors = descriptors::raise();
    let (target, aws, pooled) = reach(options).await?;
    let looked = preflight_of(options, descriptors, &target, &aws, pooled.as_ref()).await;
    target.close().await;
    looked
}

async fn preflight_of(
    options: &RunOptions,
    descriptors: Option<u64>,
    target: &Target,
    aws: &Aws,
    pooled: Option<&Pooled>,
) -> anyhow::Result<Preflight> {
    let ground = Ground {
        scenario: &options.scenario,
        target,
        aws,
        resolver: &Resolver::new(&target.endpoints)?,
        accounts: options.accounts.as_deref(),
        devices: pooled.map(|pooled| pooled.names(options.scenario.fleet.devices)),
        out: &options.out,
        descriptors,
        seed: options.seed,
    };
    Ok(preflight::look(&ground, &options.ignored).await)
}

async fn reach(options: &RunOptions) -> anyhow::Result<Opened> {
    let scenario = &options.scenario;
    notice::ready(&scenario.notify)?;
    let pooled = scenario.fleet.pool.as_ref().map(|name| Pooled::open(&options.fleets, name)).transpose()?;
    let target = Target::open(&options.target, &scenario.twin).await?;
    if let Some(pooled) = &pooled {
        pooled.check(&target.endpoints, scenario.fleet.devices)?;
    }
    let aws = Aws::connect(&target.endpoints).await;
    Ok((target, aws, pooled))
}

async fn open(
    options: &RunOptions,
    descriptors: Option<u64>,
    output: &Output,
) -> anyhow::Result<(Opened, Preflight, Option<Page>)> {
    let (target, aws, pooled) = reach(options).await?;
    let looked = preflight_of(options, descriptors, &target, &aws, pooled.as_ref()).await?;
    for line in preflight::lines(&looked) {
        output.line(&line);
    }
    if let Some(why) = preflight::refusal(&looked) {
        target.close().await;
        anyhow::bail!(why);
    }
    let page = match options.page {
        Some(address) => Some(Page::open(address).await?),
        None => None,
    };
    Ok(((target, aws, pooled), looked, page))
}

impl Game {
    fn new(
        options: &RunOptions,
        id: String,
        folder: Folder,
        clock: RunClock,
        output: Arc<Output>,
        (target, aws, pooled): Opened,
    ) -> anyhow::Result<Self> {
        let scenario = options.scenario.clone();
        let heat = steps::heat(&scenario, options.seed);
        let observation = options.plan.observation;
        let assigned =
            observation.map(|observation| observation.assign(options.seed, &heat)).unwrap_or_default();
        let observed: BTreeSet<u32> = assigned.iter().flatten().copied().collect();
        let devices = (0..scenario.fleet.devices).map(|n| {
            let name = match &pooled {
                Some(pooled) => pooled.pool.device(n + 1),
                None => device_name(&id, n),
            };
            (name, observed.contains(&n))
        });
        let assignment = Arc::new(Assignment::new(&scenario.fleet, options.seed));
        let over_us = u64::try_from(scenario.stop.over.as_micros()).unwrap_or(u64::MAX);
        let recorder =
            Recorder::create(&folder, clock, &[target.primary(), target.secondary()], over_us, devices)?;
        let halt = Halt::new(recorder.clone());
        Ok(Self {
            aws,
            resolver: Arc::new(Resolver::new(&target.endpoints)?),
            journal: Arc::new(journal(&folder)?),
            target: Arc::new(target),
            id,
            scenario,
            plan: options.plan.clone(),
            folder,
            output,
            recorder,
            deployment: None,
            pooled,
            devices: Vec::new(),
            assignment,
            workshop: None,
            fleet: None,
            steps_left_max: Duration::ZERO,
            broken: Mutex::default(),
            is_spoilt: options.is_spoilt,
            device_tasks: TaskTracker::new(),
            watch_stop: CancellationToken::new(),
            seed: options.seed,
            halt,
            steady: None,
        })
    }

    async fn close(self) {
        let Self { target, fleet, .. } = self;
        drop(fleet);
        if let Some(target) = Arc::into_inner(target) {
            target.close().await;
        }
    }
}

fn info(options: &RunOptions, game: &Game, name: &str) -> RunInfo {
    RunInfo {
        run: game.id.clone(),
        scenario: name.to_owned(),
        title: options.scenario.title.clone(),
        proves: options.scenario.proves.clone(),
        seed: options.seed,
        target: game.target.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        primary: game.target.primary().to_owned(),
        secondary: game.target.secondary().to_owned(),
        devices: options.scenario.fleet.devices,
        strategy: options.scenario.fleet.strategy.to_string(),
        strategies: options.scenario.fleet.strategy.recorded(options.scenario.fleet.devices),
        replay: options.replay.clone(),
        objectives: options.scenario.objectives.clone(),
    }
}

/// The undo journal, and beside it who writes it.
fn journal(folder: &Folder) -> anyhow::Result<Journal> {
    let journal = Journal::create(folder)?;
    restore::hold(folder, "run")?;
    Ok(journal)
}

fn scenario_name(path: &Path) -> String {
    path.file_stem().map_or_else(|| "scenario".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn folder_path(out: &Path, scenario: &str, clock: RunClock, id: &str) -> PathBuf {
    let time = clock.began_wall.strftime("%Y%m%dT%H%M%SZ").to_string();
    out.join(scenario).join(format!("{time}-{id}"))
}

/// Points `latest` beside the run folders at this one. A file system without links goes without.
fn point_latest(path: &Path) {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return;
    };
    let latest = parent.join("latest");
    if latest.is_symlink() || !latest.exists() {
        let _ = std::fs::remove_file(&latest);
        #[cfg(unix)]
        let _ = std::os::unix::fs::symlink(name, &latest);
    }
}
