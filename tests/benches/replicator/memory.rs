//! How much memory the functions' processes take at the most, while something else loads them: the twin's children are
//! looked at now and then, as Linux has counted their peaks.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use anyhow::Result;
use tokio::task::JoinHandle;

/// What a function may take.
const GOAL_MIB: f64 = 64.0;
/// Often enough to see each process before it has been idle for a minute and is ended; a peak is never missed by it.
const LOOK_PERIOD: Duration = Duration::from_millis(250);

/// The peak of each function, by its name as the deployment says it to Lambda.
type Peaks = BTreeMap<String, Peak>;

#[derive(Debug, Clone)]
struct Peak {
    mib: f64,
    executable: PathBuf,
}

/// Looks at the functions of one twin.
#[derive(Debug)]
pub(crate) struct Watch {
    looking: JoinHandle<()>,
    peaks: tokio::sync::watch::Receiver<Peaks>,
}

impl Watch {
    /// From now on.
    pub(crate) fn start(twin: u32) -> Self {
        let (sender, peaks) = tokio::sync::watch::channel(Peaks::new());
        let looking = tokio::spawn(async move {
            loop {
                sender.send_modify(|peaks| look(twin, peaks));
                tokio::time::sleep(LOOK_PERIOD).await;
            }
        });
        Self { looking, peaks }
    }

    /// Says what was seen.
    pub(crate) fn finish(self) -> Result<()> {
        self.looking.abort();
        let peaks = self.peaks.borrow().clone();
        let Some(executable) = peaks.values().next().map(|peak| peak.executable.clone()) else {
            anyhow::ensure!(!cfg!(target_os = "linux"), "no process of a function was seen");
            println!("memory of functions: skipped, peaks are read from Linux's /proc");
            return Ok(());
        };
        let of: Vec<String> = peaks.iter().map(|(name, peak)| format!("{name} {:.1}", peak.mib)).collect();
        let most = peaks.values().map(|peak| peak.mib).fold(0.0, f64::max);
        let reached = if most < GOAL_MIB { "reached" } else { "MISSED" };
        println!("memory of functions at most, MiB: {}", of.join(", "));
        println!(
            "    {most:.1} of {GOAL_MIB} MiB: {:.2}x ({reached}); measured: {}",
            most / GOAL_MIB,
            executable.display()
        );
        Ok(())
    }
}

/// A process that ends meanwhile is not looked at.
fn look(twin: u32, peaks: &mut Peaks) {
    let Ok(processes) = fs::read_dir("/proc") else { return };
    for process in processes.flatten() {
        let folder = process.path();
        let seen = || -> Option<(String, Peak)> {
            let status = fs::read_to_string(folder.join("status")).ok()?;
            let field = |name: &str| {
                status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next())
            };
            if field("PPid:")?.parse() != Ok(twin) {
                return None;
            }
            let environment = fs::read(folder.join("environ")).ok()?;
            let name = environment
                .split(|byte| *byte == 0)
                .find_map(|line| line.strip_prefix(b"_HANDLER=".as_slice()))
                .map(|name| String::from_utf8_lossy(name).into_owned())?;
            let executable = fs::read_link(folder.join("exe")).ok()?;
            // Before the package's script has handed over it is a shell.
            let is_shell = !executable.ends_with("gameday") && !executable.ends_with("bootstrap");
            let kib: f64 = field("VmHWM:")?.parse().ok()?;
            (!is_shell).then_some((name, Peak { mib: kib / 1_024.0, executable }))
        };
        if let Some((name, peak)) = seen()
            && peaks.get(&name).is_none_or(|before| before.mib < peak.mib)
        {
            peaks.insert(name, peak);
        }
    }
}
