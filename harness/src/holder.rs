//! Who works in a run folder: written beside the record, so that others can tell whose lock it is that they find. That the lock is
//! held says that its owner lives; this only says who that is. A process is told from a later one of its number by when it
//! started, and from one of another machine by what Linux calls this start of the machine.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// A process that works in a run folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    /// What it does: `run`, `restore`, `switch`.
    pub(crate) work: String,
    pub(crate) pid: u32,
    /// When it started, in the kernel's ticks since the machine did.
    started_ticks: u64,
    pub(crate) machine: String,
}

impl Holder {
    /// This process.
    pub(crate) fn this(work: &str) -> Self {
        let pid = std::process::id();
        Self {
            work: work.to_owned(),
            pid,
            started_ticks: started_ticks(pid).unwrap_or(0),
            machine: machine(),
        }
    }

    /// Writes it down; a reader never sees half of it.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let beside = path.with_extension("new");
        fs::write(&beside, serde_json::to_vec(self)?)
            .and_then(|()| fs::rename(&beside, path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Who wrote it last. It may have ended since.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Whether it lives on this machine.
    pub(crate) fn lives_here(&self) -> bool {
        self.machine == machine() && started_ticks(self.pid) == Some(self.started_ticks)
    }

    pub(crate) fn is_this(&self) -> bool {
        self.pid == std::process::id() && self.lives_here()
    }

    /// Sends it a signal, unless its number is another's by now.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        if !self.lives_here() {
            bail!("process {} is not on this machine, or has ended", self.pid);
        }
        let pid =
            i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("no process has this number")?;
        kill_process(pid, signal).with_context(|| format!("process {} takes no signal", self.pid))
    }
}

/// What Linux calls this start of this machine.
pub(crate) fn machine() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| "unknown".to_owned(), |id| id.trim().to_owned())
}

/// The 22nd field. One that has ended and that nobody has asked after is there no more.
fn started_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything; fields are counted behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_another_of_its_number() {
        let this = Holder::this("run");
        assert!(this.is_this() && this.started_ticks > 0);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("holder.json");
        assert_eq!(Holder::read(&path), None);
        this.write(&path).unwrap();
        assert_eq!(Holder::read(&path), Some(this.clone()));
        let before = Holder { started_ticks: this.started_ticks - 1, ..this.clone() };
        let elsewhere = Holder { machine: "another".into(), ..this };
        for other in [before, elsewhere] {
            assert!(!other.lives_here());
            assert!(other.signal(Signal::TERM).is_err(), "it would have ended this test");
        }
    }
}
