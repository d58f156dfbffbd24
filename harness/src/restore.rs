//! Undoing a run that did not come to its end, from its run folder alone: every fault is healed that was not, every change undone
//! that was not, and a last look shows that nothing is left. What is done goes into the same journal and record, so that a
//! second call finds nothing to do. A run that still goes on is left alone.

mod record;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use gameday_report::{
    ExitCode,
    record::{Event, FaultState, Folder, RunInfo},
};
use gameday_twin::Endpoints;
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use self::record::Record;
use crate::{
    aws::Aws,
    deploy::remove_packages_of,
    holder::Holder,
    journal::{Change, Journal},
    output::Output,
    stop::on_signal,
    sweep::{Certificates, Sweep},
    target,
};

/// Somebody else who restores the same run is waited for this long: as long as undoing everything may take, and some more.
pub(crate) const OTHERS_MAX: Duration = Duration::from_mins(12);
const POLL: Duration = Duration::from_millis(100);
/// When something is left, the undo is gone through again after this pause, this often.
const SWEEP_AGAIN: Duration = Duration::from_secs(2);
const SWEEPS_MAX: u32 = 4;
/// In a run folder: who works in it.
const HOLDER: &str = "holder.json";

/// Where a run was.
#[derive(Debug)]
pub(crate) enum Place {
    /// There, and the twin's endpoints if it is one.
    Reached(Box<Aws>, Option<Box<Endpoints>>),
    /// In a world that is no more.
    Gone,
}

/// The undoing of one run.
#[derive(Debug)]
pub(crate) struct Restore {
    pub(crate) folder: Folder,
    /// Given by whoever calls; otherwise the record says where it was.
    pub(crate) place: Option<Place>,
    /// The run's process is killed if it still lives.
    pub(crate) takes_over: bool,
    /// Somebody else who restores it is waited for so long.
    pub(crate) others_max: Duration,
    pub(crate) output: Arc<Output>,
}

/// Says that this process works in a run folder.
pub(crate) fn hold(folder: &Folder, work: &str) -> anyhow::Result<()> {
    Holder::this(work).write(&folder.path().join(HOLDER))
}

/// Who works in it, or did.
pub(crate) fn holder(folder: &Folder) -> Option<Holder> {
    Holder::read(&folder.path().join(HOLDER))
}

impl Restore {
    pub(crate) async fn run(mut self) -> anyhow::Result<ExitCode> {
        let path = self.folder.path().display().to_string();
        if !self.folder.undo().is_file() {
            self.output
                .line(&format!("{path} has no undo journal: nothing was changed, nothing is to be done"));
            return Ok(ExitCode::Pass);
        }
        let journal = match self.take().await? {
            Ok(journal) => Arc::new(journal),
            Err(why) => {
                self.output.line(&format!("refused, nothing was changed: {why}"));
                return Ok(ExitCode::Refused);
            }
        };
        hold(&self.folder, "restore")?;
        let mut record = Record::open(&self.folder);
        let is_gone = matches!(self.place, Some(Place::Gone));
        if journal.remaining() == 0 && (is_gone || record.as_ref().is_none_or(Record::is_clean)) {
            self.output.line(&format!("{path}: nothing is to be done, everything is undone"));
            return Ok(ExitCode::Pass);
        }
        let info = record.as_ref().and_then(|record| record.info().cloned());
        let run =
            info.as_ref().map_or_else(String::new, |info| format!("run {} ({}), ", info.run, info.title));
        self.output.line(&format!("restoring {run}{} to undo, {path}", changes(journal.remaining())));
        let left = match self.place(info.as_ref()).await? {
            Place::Gone => {
                let count = journal.forget_all()?;
                self.output.line(&format!("      {} gone with the twin", changes(count)));
                if let Some(record) = &mut record {
                    record.note("Its twin is gone, and with it everything that the run made there; nothing was looked at.");
                }
                journal.foreign()
            }
            Place::Reached(aws, twin) => {
                watch_signals(&journal, &self.output)?;
                self.undo(&aws, twin.as_deref(), &journal, record.as_mut(), info.as_ref()).await
            }
        };
        self.output.finish();
        for left in &left {
            self.output.line(&format!("NOT UNDONE: {left}"));
        }
        if let Some(record) = record {
            record.close();
            self.report();
        }
        if left.is_empty() {
            self.output.line("nothing is left");
            return Ok(ExitCode::Pass);
        }
        Ok(ExitCode::UndoIncomplete)
    }

    /// The journal, once it is nobody else's; or why it is not to be had.
    async fn take(&self) -> anyhow::Result<Result<Journal, String>> {
        let began = Instant::now();
        loop {
            if let Some(journal) = Journal::take(&self.folder)? {
                return Ok(Ok(journal));
            }
            let holder = holder(&self.folder);
            let run = holder.as_ref().filter(|holder| holder.work == "run");
            let patience = match run {
                Some(run) if run.lives_here() && !self.takes_over => {
                    return Ok(Err(format!(
                        "the run goes on, in process {}; Ctrl-C there heals and cleans up, and --force kills it first",
                        run.pid
                    )));
                }
                Some(run) if run.lives_here() => {
                    self.output.line(&format!("killing process {}, which runs it", run.pid));
                    run.signal(Signal::KILL)?;
                    self.others_max.max(OTHERS_MAX)
                }
                _ => self.others_max,
            };
            if began.elapsed() >= patience {
                let who = holder.map_or_else(String::new, |other| {
                    format!(", process {} on machine {}", other.pid, other.machine)
                });
                return Ok(Err(format!("somebody else works in it{who}")));
            }
            self.output.status("somebody else works in it, waiting");
            sleep(POLL).await;
        }
    }

    async fn place(&mut self, info: Option<&RunInfo>) -> anyhow::Result<Place> {
        if let Some(given) = self.place.take() {
            return Ok(given);
        }
        let info = info.context("the record does not say where it was: give --target")?;
        Ok(match info.target.as_str() {
            // It ended with the run's process, and that has ended.
            "twin" => Place::Gone,
            "aws" => {
                Place::Reached(Box::new(Aws::connect_to_aws(&info.primary, &info.secondary).await), None)
            }
            url => {
                let endpoints = target::endpoints(url).await.context(
                    "the run's twin is not reached; should it be gone for good, --forget says so, and nothing of the run is left",
                )?;
                let regions: Vec<&str> =
                    endpoints.regions.iter().map(|region| region.region.as_str()).collect();
                if regions != [info.primary.as_str(), info.secondary.as_str()] {
                    bail!("the twin at {url} has {}, and not the Regions of the run", regions.join(" and "));
                }
                Place::Reached(Box::new(Aws::connect(&endpoints).await), Some(Box::new(endpoints)))
            }
        })
    }

    /// Heals, undoes and looks; the answer is what is left, each with what to do by hand.
    async fn undo(
        &self,
        aws: &Aws,
        twin: Option<&Endpoints>,
        journal: &Journal,
        mut record: Option<&mut Record>,
        info: Option<&RunInfo>,
    ) -> Vec<String> {
        for (fault, ended) in journal.cure(aws).await {
            let said = match &ended {
                Ok(_) => format!("      healed: {fault}"),
                Err(why) => format!("      NOT HEALED: {fault}: {why}"),
            };
            self.output.line(&said);
            if let Some(record) = &mut record {
                match ended {
                    Ok(_) => {
                        record.fault(&fault, FaultState::Cured, "it was undone from the journal");
                        record.fault(&fault, FaultState::CureProved, "it was read back");
                    }
                    Err(why) => record.fault(&fault, FaultState::CureFailed, &why),
                }
            }
        }
        let before = journal.left();
        let failed = journal.undo_all(aws, &self.output).await;
        let after = journal.left();
        for (undone, _) in before.iter().filter(|change| !after.contains(change)) {
            self.output.line(&format!("      undone: {undone}"));
        }
        let mut left: Vec<String> = failed.iter().map(|(change, why)| change.left(why)).collect();
        left.extend(journal.foreign());
        if let (Some(twin), Some(info)) = (twin, info)
            && let Err(error) = remove_packages_of(&twin.folder, &info.run)
        {
            left.push(format!("{error:#}"));
        }
        if let (Some(record), Some(info)) = (record, info) {
            left.extend(self.look(aws, journal, record, info).await);
            let state = if left.is_empty() { "everything" } else { "not everything" };
            record.note(&format!(
                "The run did not undo everything itself. gameday restore did it afterwards, from the undo journal: {state} is undone."
            ));
        }
        left
    }

    /// The last look; the answer is what is there.
    async fn look(&self, aws: &Aws, journal: &Journal, record: &mut Record, info: &RunInfo) -> Vec<String> {
        let mut pass = 1;
        loop {
            let sweep =
                Sweep { aws, run: &info.run, certificates: certificates(journal), output: &self.output };
            let unsaid = match sweep.run().await {
                Ok((events, left)) if left == 0 || pass == SWEEPS_MAX => {
                    let said = events.iter().flat_map(leftovers).collect();
                    for event in events {
                        record.event(event);
                    }
                    return said;
                }
                Ok(_) => None,
                Err(error) => Some(format!("what is left could not be listed: {error:#}; restore again")),
            };
            if let Some(unsaid) = unsaid.filter(|_| pass == SWEEPS_MAX) {
                return vec![unsaid];
            }
            pass += 1;
            sleep(SWEEP_AGAIN).await;
            // What the replicator had under way may have come after its devices were deleted.
            journal.repeat(aws).await;
        }
    }

    fn report(&self) {
        match gameday_report::write_results(&self.folder) {
            Ok(summary) => {
                let report = self.folder.report();
                self.output.line(&format!("      report: {} ({})", report.display(), summary.reason));
            }
            Err(error) => {
                self.output.line(&format!("      there is no report: {:#}", anyhow::Error::from(error)));
            }
        }
    }
}

/// What is there, each as a line.
fn leftovers(event: &Event) -> Vec<String> {
    match event {
        Event::Swept { region, leftovers, .. } => leftovers
            .iter()
            .map(|left| format!("{} {} in {region} is still there", left.kind, left.name))
            .collect(),
        _ => Vec::new(),
    }
}

/// Those that were asked for, from the journal.
fn certificates(journal: &Journal) -> Certificates {
    let asked = journal.changes().into_iter().filter_map(|change| match change {
        Change::Certificates { since, keys, .. } => Some((since, keys)),
        _ => None,
    });
    let (since, keys): (Vec<_>, Vec<_>) = asked.unzip();
    match since.into_iter().min() {
        Some(since) => Certificates::For { since, keys: keys.concat() },
        None => Certificates::Issued(Vec::new()),
    }
}

/// A signal ends nothing here: what is left is said, and it goes on.
fn watch_signals(journal: &Arc<Journal>, output: &Arc<Output>) -> anyhow::Result<()> {
    let (journal, output) = (journal.clone(), output.clone());
    on_signal(move || {
        let left = journal.left();
        output.line(&format!(
            "still undoing, {} left; should it be killed, gameday restore goes on:",
            changes(left.len())
        ));
        for (change, _) in left {
            output.line(&format!("      {change}"));
        }
    })
    .map(drop)
    .context("signals cannot be waited for")
}

fn changes(count: usize) -> String {
    gameday_report::units::plural(count as u64, "change")
}
