//! The dead-man's switch: a process of its own that restores a run, should the run's process be gone, or not have ended when its
//! time is long over. It is there before anything is broken, and ended when everything is healed.
//!
//! It is for a twin in a process of its own. What is in the run's process ends with that.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use gameday_report::{ExitCode, record::Folder};
use jiff::Timestamp;
use rustix::process::{Signal, setsid};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    holder::{Holder, machine},
    journal::{Change, Journal},
    output::Output,
    restore::{self, OTHERS_MAX, Restore},
    stop::on_signal,
};

/// It has to be there within this time, or nothing is broken.
const READY_MAX: Duration = Duration::from_secs(10);
/// It has to be gone within this time when it is asked to, and once it was killed.
const END_MAX: Duration = Duration::from_secs(10);
/// How often it looks whether the run goes on.
const LOOK_PERIOD: Duration = Duration::from_millis(250);
const POLL: Duration = Duration::from_millis(20);
/// A run whose time is over is asked to end, and has this long to heal what it has broken.
const HEAL_MAX: Duration = Duration::from_mins(1);
/// How often it tries to restore, with this pause between.
const RESTORES_MAX: u32 = 5;
const RESTORE_AGAIN: Duration = Duration::from_secs(20);
/// In the run folder: its process, and what it says.
const HOLDER: &str = "switch.json";
const LOG: &str = "switch.log";

/// Starts it, once it is in the journal, and waits until it is there. `limit`: by then the run has ended.
pub(crate) async fn arm(journal: &Journal, folder: &Folder, limit: Duration) -> anyhow::Result<Holder> {
    let path = std::path::absolute(folder.path())?;
    // By then it has given up.
    let until = Timestamp::now() + limit + HEAL_MAX + (OTHERS_MAX + RESTORE_AGAIN) * RESTORES_MAX;
    journal.intend(Change::Switch { machine: machine(), folder: path.clone(), until })?;
    let log = File::options().create(true).append(true).open(path.join(LOG))?;
    let child = Command::new(std::env::current_exe().context("where this executable is")?)
        .arg("switch")
        .arg(&path)
        .args(["--limit-s", &limit.as_secs().to_string()])
        // It outlives whoever is in this folder, and says nothing on this terminal.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .context("the dead-man's switch could not be started")?;
    let began = Instant::now();
    loop {
        match read(&path).filter(|holder| holder.pid == child.id() && holder.lives_here()) {
            Some(holder) => return Ok(holder),
            None if began.elapsed() >= READY_MAX => {
                bail!("the dead-man's switch was not there within {} s", READY_MAX.as_secs())
            }
            None => sleep(POLL).await,
        }
    }
}

/// Ends the one of that run folder, and looks that it is gone.
pub(crate) async fn end(machine: &str, folder: &Path, until: Timestamp) -> anyhow::Result<()> {
    if machine != crate::holder::machine() {
        if Timestamp::now() < until {
            bail!(
                "it is on another machine, where this one cannot see it; by {until} it has ended by itself"
            );
        }
        return Ok(());
    }
    let Some(holder) = read(folder).filter(|holder| !holder.is_this()) else { return Ok(()) };
    for signal in [Signal::TERM, Signal::KILL] {
        if !holder.lives_here() {
            return Ok(());
        }
        // It may end at this moment.
        let _ = holder.signal(signal);
        let began = Instant::now();
        while holder.lives_here() && began.elapsed() < END_MAX {
            sleep(POLL).await;
        }
    }
    if holder.lives_here() {
        bail!("process {} does not end", holder.pid);
    }
    Ok(())
}

fn read(folder: &Path) -> Option<Holder> {
    Holder::read(&folder.join(HOLDER))
}

/// The switch itself: waits until the run's process is gone or the time is over, and restores; or until it is ended.
pub(crate) async fn watch(path: PathBuf, limit: Duration) -> anyhow::Result<ExitCode> {
    // A Ctrl-C on the run's terminal is not meant for it, nor does it go with the terminal.
    setsid().context("a session of its own")?;
    let stop = on_signal(|| {})?;
    let folder = Folder::open(&path)?;
    Holder::this("switch").write(&path.join(HOLDER))?;
    let output = Arc::new(Output::new());
    let began = Instant::now();
    let is_late = loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(ExitCode::Pass),
            () = sleep(LOOK_PERIOD) => {}
        }
        if !folder.is_open()? {
            break false;
        }
        if began.elapsed() >= limit {
            break true;
        }
    };
    if is_late {
        output.line("the run's time is over, and its process is there: it is asked to end");
        ask_to_end(&folder).await;
    } else {
        output.line("the run's process is gone");
    }
    restore_all(&folder, is_late, &output, &stop).await
}

/// A run that is asked to end heals; one that hangs does not.
async fn ask_to_end(folder: &Folder) {
    if let Some(run) = restore::holder(folder).filter(|holder| holder.work == "run") {
        let _ = run.signal(Signal::TERM);
        let began = Instant::now();
        while run.lives_here() && began.elapsed() < HEAL_MAX {
            sleep(LOOK_PERIOD).await;
        }
    }
}

async fn restore_all(
    folder: &Folder,
    takes_over: bool,
    output: &Arc<Output>,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    for _ in 1..RESTORES_MAX {
        let restored = restore_once(folder, takes_over, output).await;
        match restored {
            Ok(ExitCode::Pass) => return Ok(ExitCode::Pass),
            Ok(exit) => output.line(&format!("not restored ({}), again later", exit.name())),
            Err(error) => output.line(&format!("not restored: {error:#}; again later")),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(ExitCode::UndoIncomplete),
            () = sleep(RESTORE_AGAIN) => {}
        }
    }
    restore_once(folder, takes_over, output).await
}

async fn restore_once(folder: &Folder, takes_over: bool, output: &Arc<Output>) -> anyhow::Result<ExitCode> {
    let folder = folder.clone();
    Box::pin(
        Restore { folder, place: None, takes_over, others_max: OTHERS_MAX, output: output.clone() }.run(),
    )
    .await
}
