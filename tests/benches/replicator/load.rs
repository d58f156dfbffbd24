//! What else the machine did during a measurement: a figure of wall time from a machine that was busy with something else is
//! one of that machine. In ticks of the kernel, of which only shares are told.

use std::fs;

/// The ticks so far.
#[derive(Debug, Clone, Copy)]
struct Ticks {
    /// Of all processors, idle ones too.
    all: u64,
    busy: u64,
    /// Of this bench, the twin and the functions.
    own: u64,
}

/// From a moment on.
#[derive(Debug)]
pub(crate) struct Load {
    twin: u32,
    began: Option<Ticks>,
}

impl Load {
    pub(crate) fn start(twin: u32) -> Self {
        Self { twin, began: ticks(twin) }
    }

    /// How busy the machine was with this, and with something else.
    pub(crate) fn told(&self) -> String {
        let (Some(began), Some(ended)) = (self.began, ticks(self.twin)) else {
            return "what else the machine did is not known: not Linux".to_owned();
        };
        let all = (ended.all - began.all).max(1) as f64;
        let own = ended.own.saturating_sub(began.own) as f64;
        let others = ((ended.busy - began.busy) as f64 - own).max(0.0);
        let share = |ticks: f64| 100.0 * ticks / all;
        format!(
            "of the machine's processors this took {:.0} %, something else {:.0} %",
            share(own),
            share(others)
        )
    }
}

fn ticks(twin: u32) -> Option<Ticks> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let all: Vec<u64> =
        stat.lines().next()?.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
    // User, nice, system, idle, waiting, interrupts of two kinds, stolen.
    let idle = all.get(3)? + all.get(4)?;
    let sum: u64 = all.iter().sum();
    let mut own = of(std::process::id(), false)? + of(twin, true)?;
    for process in fs::read_dir("/proc").ok()?.flatten() {
        if let Some(id) = process.file_name().to_str().and_then(|name| name.parse().ok())
            && parent(id) == Some(twin)
        {
            own += of(id, true).unwrap_or_default();
        }
    }
    Some(Ticks { all: sum, busy: sum - idle, own })
}

/// A process's own, and those of its children that have ended.
fn of(process: u32, children: bool) -> Option<u64> {
    let fields = fields(process)?;
    let ticks = |place: usize| fields.get(place).and_then(|n| n.parse::<u64>().ok());
    let own = ticks(11)? + ticks(12)?;
    Some(if children { own + ticks(13)? + ticks(14)? } else { own })
}

fn parent(process: u32) -> Option<u32> {
    fields(process)?.get(1)?.parse().ok()
}

/// What `/proc/<pid>/stat` says behind the name, which may hold anything: the state comes first.
fn fields(process: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}
