//! How a run stands, for people and for programs.

use std::fmt::Write as _;

use gameday_report::{
    record::{Act, EndReason, Histogram},
    units,
};
use serde::Serialize;

use super::{Live, Reading};
use crate::scenario::Scenario;

/// How a run stands. The types of `gameday status --json`, of `--progress json` and of the page; units come last in a name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Status {
    pub(crate) run: String,
    pub(crate) scenario: String,
    pub(crate) title: String,
    pub(crate) state: RunState,
    /// Since it began; of one that is over, how long its record is.
    pub(crate) elapsed_ms: u64,
    /// The step that goes on.
    pub(crate) step: Option<Step>,
    /// Every step left at its limit. Runs end their steps early.
    pub(crate) left_ms_max: Option<u64>,
    pub(crate) broken: Vec<Broken>,
    pub(crate) devices: Devices,
    pub(crate) primary: Region,
    pub(crate) secondary: Region,
    /// The Region that the fleet's name points to.
    pub(crate) answer: Option<String>,
    /// From the primary's acknowledgement to the secondary, in the last seconds.
    pub(crate) replication_lag: Option<Lag>,
    /// From the intended time of a publish to its acknowledgement, in the last seconds.
    pub(crate) publish_ack: Option<Lag>,
    pub(crate) acknowledged_per_s: u32,
    /// Sends that were due and could not be made.
    pub(crate) unsent_per_s: u32,
    pub(crate) connects_failed_per_s: u32,
    /// What ended it before its last step.
    pub(crate) stopping: Option<String>,
    pub(crate) ended: Option<EndReason>,
    /// Changes to the world that are not undone yet; absent where the journal was not looked at.
    pub(crate) to_undo: Option<u64>,
    /// The last of what people did.
    pub(crate) acts: Vec<Act>,
}

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RunState {
    Running,
    /// It was told to end, and heals and cleans up.
    Stopping,
    Ended,
    /// Its record breaks off: its process is gone.
    Killed,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Step {
    /// From 1; 0 is the deployment, and those above `of` are convergence and clean-up.
    pub(crate) number: u32,
    pub(crate) of: u32,
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) for_ms: u64,
    /// Absent when it has no limit of its own.
    pub(crate) at_most_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Broken {
    pub(crate) fault: String,
    pub(crate) label: String,
    pub(crate) for_ms: u64,
    /// It was seen to act.
    pub(crate) seen: bool,
    /// Why it could not be healed, if that was tried.
    pub(crate) not_healed: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Devices {
    pub(crate) fleet: u32,
    /// Seen to be connectable in the secondary.
    pub(crate) connectable: u32,
    /// Were there, and have no connection on which anything was acknowledged.
    pub(crate) away: u32,
    pub(crate) away_longest_ms: u64,
    /// Whose last acknowledged write the secondary was not seen to have.
    pub(crate) behind: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Region {
    pub(crate) region: String,
    /// Devices that believe they are connected there.
    pub(crate) connected: u32,
    /// What Route 53 says of the primary; absent for the secondary, and before it is known.
    pub(crate) healthy: Option<bool>,
}

/// Percentiles of a latency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Lag {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Lag {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let ms = |quantile| (histogram.value_at_quantile(quantile) as f64 / 1e3 * 10.0).round() / 10.0;
        Self { p50_ms: ms(0.5), p99_ms: ms(0.99), max_ms: ms(1.0) }
    }
}

impl Live {
    /// The status at `now_us`. `scenario` says how long steps may take.
    pub(crate) fn status(&self, now_us: u64, state: RunState, scenario: Option<&Scenario>) -> Status {
        let info = self.info.clone();
        let text = |of: fn(&gameday_report::record::RunInfo) -> &String| info.as_ref().map(of).cloned();
        let since = |then_us: u64| now_us.saturating_sub(then_us) / 1_000;
        let Reading { fleet, away, away_longest_us, behind, .. } = self.reading(now_us);
        let region = |name: Option<String>, healthy| {
            let region = name.unwrap_or_default();
            Region { connected: self.connected().get(&region).copied().unwrap_or(0), region, healthy }
        };
        let is_over = matches!(state, RunState::Ended | RunState::Killed);
        let sample = &self.sample;
        let acked = sample.telemetry_acked.values().chain(sample.shadow_acked.values());
        Status {
            run: text(|info| &info.run).unwrap_or_default(),
            scenario: text(|info| &info.scenario).unwrap_or_default(),
            title: text(|info| &info.title).unwrap_or_default(),
            state,
            elapsed_ms: now_us / 1_000,
            step: self.step.as_ref().map(|step| Step {
                number: step.index,
                of: scenario.map_or(0, |scenario| u32::try_from(scenario.step.len()).unwrap_or(u32::MAX)),
                name: step.name.clone(),
                label: step.label.clone(),
                for_ms: since(step.began_us),
                at_most_ms: scenario.and_then(|scenario| at_most_ms(scenario, step.index)),
            }),
            left_ms_max: scenario
                .filter(|_| !is_over)
                .and_then(|scenario| self.left_ms_max(scenario, now_us)),
            broken: self.broken(now_us),
            devices: Devices {
                fleet,
                connectable: self.connectable,
                away,
                away_longest_ms: away_longest_us / 1_000,
                behind,
            },
            primary: region(text(|info| &info.primary), self.primary_healthy),
            secondary: region(text(|info| &info.secondary), None),
            answer: self.answer.clone(),
            replication_lag: None,
            publish_ack: None,
            acknowledged_per_s: acked.sum(),
            unsent_per_s: sample.unsent,
            connects_failed_per_s: sample.connects_failed,
            stopping: self.stopping.clone(),
            ended: self.ended,
            to_undo: None,
            acts: self.acts.clone(),
        }
    }

    fn broken(&self, now_us: u64) -> Vec<Broken> {
        let broken = |fault: &super::FaultNow| Broken {
            fault: fault.name.clone(),
            label: fault.label.clone(),
            for_ms: now_us.saturating_sub(fault.applied_us) / 1_000,
            seen: fault.is_seen,
            not_healed: fault.cure_failed.clone(),
        };
        self.faults.iter().map(broken).collect()
    }

    /// What is left of this step at its limit, and all after it.
    fn left_ms_max(&self, scenario: &Scenario, now_us: u64) -> Option<u64> {
        if self.stopping.is_some() {
            return None;
        }
        let step = self.step.as_ref()?;
        let spent_ms = now_us.saturating_sub(step.began_us) / 1_000;
        let here_ms = at_most_ms(scenario, step.index).unwrap_or(0).saturating_sub(spent_ms);
        let last = u32::try_from(scenario.step.len()).unwrap_or(u32::MAX).saturating_add(1);
        let after = (step.index.saturating_add(1)..=last).filter_map(|index| at_most_ms(scenario, index));
        Some(here_ms + after.sum::<u64>())
    }
}

/// The limit of a step by its number in the record.
fn at_most_ms(scenario: &Scenario, index: u32) -> Option<u64> {
    let place = usize::try_from(index).ok()?.checked_sub(1)?;
    let span = match scenario.step.get(place) {
        Some(step) => step.time_max(),
        None if place == scenario.step.len() => scenario.converge_at_most,
        None => return None,
    };
    u64::try_from(span.as_millis()).ok()
}

impl Status {
    /// A few lines for a terminal.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self.state {
            // Nobody is connected, and nothing is on its way.
            RunState::Ended => vec![self.phase(), self.world()],
            RunState::Running | RunState::Stopping | RunState::Killed => {
                vec![self.phase(), self.world(), self.fleet(), self.loss()]
            }
        }
    }

    /// Times before words: a narrow terminal cuts off the words, which stand above already.
    fn phase(&self) -> String {
        let text = self.step.as_ref().map_or_else(|| "between two steps".to_owned(), |step| self.timed(step));
        match (self.state, &self.stopping) {
            (RunState::Ended, _) => self.end(),
            (RunState::Killed, _) => {
                format!("KILLED: the record breaks off {} into the run | {text}", short(self.elapsed_ms))
            }
            (_, Some(why)) => format!("STOPPING, {why} | {text}"),
            (_, None) => text,
        }
    }

    fn timed(&self, step: &Step) -> String {
        let mut text = if (1..=step.of).contains(&step.number) {
            format!("step {}/{}: {}", step.number, step.of, short(step.for_ms))
        } else {
            short(step.for_ms)
        };
        if let Some(at_most_ms) = step.at_most_ms {
            let _ = write!(text, " of at most {}", short(at_most_ms));
        }
        if let Some(left_ms) = self.left_ms_max {
            let _ = write!(text, " | at most {} to the end", short(left_ms));
        }
        format!("{text} | {}", step.label)
    }

    fn end(&self) -> String {
        let why = match self.ended {
            Some(EndReason::Completed) | None => "after its last step",
            Some(EndReason::Operator) => "by the operator",
            Some(EndReason::StopCondition) => "by a stop condition",
            Some(EndReason::Refused) => "before it began",
            Some(EndReason::Error) => "by an error",
            Some(EndReason::NotSteady) => "because it was not steady",
        };
        let detail = self.stopping.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        format!("ended after {}, {why}{detail}", short(self.elapsed_ms))
    }

    fn world(&self) -> String {
        let broken: Vec<String> = self.broken.iter().map(Broken::text).collect();
        match (broken.is_empty(), self.to_undo.filter(|left| *left > 0)) {
            (true, None) => "nothing is broken".to_owned(),
            (true, Some(left)) => format!("nothing is broken; {} to undo", units::plural(left, "change")),
            (false, left) => {
                let left = left.map(|left| format!("; {} to undo", units::plural(left, "change")));
                format!("broken: {}{}", broken.join(" and "), left.unwrap_or_default())
            }
        }
    }

    /// Devices by Region and state.
    fn fleet(&self) -> String {
        let health = match self.primary.healthy {
            Some(true) => "healthy",
            Some(false) => "UNHEALTHY",
            None => "health unknown",
        };
        let mut line = format!(
            "connected, as devices see it: {} {}, {health} | {} {} | name -> {}",
            self.primary.region,
            self.primary.connected,
            self.secondary.region,
            self.secondary.connected,
            self.answer.as_deref().unwrap_or("nothing yet"),
        );
        if self.devices.away > 0 {
            let longest = short(self.devices.away_longest_ms);
            let _ =
                write!(line, " | away {} of {}, longest {longest}", self.devices.away, self.devices.fleet);
        }
        if self.primary.connected + self.secondary.connected == 0 && self.devices.away == 0 {
            let (ready, there) = (self.devices.connectable, &self.secondary.region);
            line = format!("{ready} devices connectable in {there} | {line}");
        }
        line
    }

    /// Lag and loss now.
    fn loss(&self) -> String {
        let mut said = Vec::new();
        if let Some(lag) = self.replication_lag {
            let (p50, p99) = (units::duration_ms(lag.p50_ms), units::duration_ms(lag.p99_ms));
            said.push(format!("lag p50 {p50}, p99 {p99}"));
        }
        if let Some(ack) = self.publish_ack {
            said.push(format!("ack p99 {}", units::duration_ms(ack.p99_ms)));
        }
        if let Some(behind @ 1..) = self.devices.behind {
            said.push(format!("behind in {}: {behind}", self.secondary.region));
        }
        for (count, what) in [(self.unsent_per_s, "unsent"), (self.connects_failed_per_s, "connects failed")]
        {
            if count > 0 {
                said.push(format!("{what} {count}/s"));
            }
        }
        if said.is_empty() {
            said.push("no lag or loss is seen".to_owned());
        }
        said.join(" | ")
    }

    /// The same in one line, for a pipe.
    pub(crate) fn line(&self) -> String {
        let mut line = self.fleet();
        let _ =
            write!(line, " | {} | {} | {} into the run", self.loss(), self.world(), short(self.elapsed_ms));
        line
    }
}

impl Broken {
    fn text(&self) -> String {
        let seen = if self.seen { "" } else { ", not yet seen to act" };
        let not_healed = self.not_healed.as_ref().map(|why| format!(", NOT HEALED: {why}"));
        format!("{} for {}{seen}{}", self.label, short(self.for_ms), not_healed.unwrap_or_default())
    }
}

/// Whole seconds, as a clock of minutes beyond a minute.
fn short(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}
