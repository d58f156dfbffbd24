//! The comparison: medians of the rounds, the ratio of the twin to mosquitto, and the goal.

use crate::round::Round;

/// The rounds of both brokers.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rounds: Vec<(&'static str, Round)>,
}

/// What a figure has to reach.
#[derive(Clone, Copy)]
enum Goal {
    AtLeast(f64),
    AtMost(f64),
    RatioAtMost(f64),
    None,
}

impl Table {
    pub(crate) fn add(&mut self, broker: &'static str, round: Round) {
        self.rounds.push((broker, round));
    }

    /// One line a figure.
    pub(crate) fn print(&self) {
        println!("{:<34}{:>12}{:>12}{:>8}  goal (medians of the rounds)", "", "mosquitto", "twin", "ratio");
        self.line("connects a second", |r| r.connects_per_s, Goal::AtLeast(2_400.0));
        self.line("broker's CPU a handshake, ms", |r| r.connect_cpu_ms, Goal::RatioAtMost(0.4));
        self.line("memory of an idle connection, KiB", |r| r.idle_kib, Goal::AtMost(20.0));
        self.line("QoS 0 messages a second", |r| r.qos0_per_s, Goal::None);
        self.line("broker's CPU a QoS 0 message, us", |r| r.qos0_cpu_us, Goal::None);
        self.line("QoS 1 messages a second", |r| r.qos1_per_s, Goal::None);
        self.line("broker's CPU a QoS 1 message, us", |r| r.qos1_cpu_us, Goal::RatioAtMost(0.5));
        self.line("the same, 2 a second of a device", |r| r.paced_cpu_us, Goal::None);
    }

    fn line(&self, what: &str, figure: fn(&Round) -> f64, goal: Goal) {
        let median = |broker: &str| {
            let mut figures: Vec<f64> =
                self.rounds.iter().filter(|(name, _)| *name == broker).map(|(_, r)| figure(r)).collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied()
        };
        let (peer, twin) = (median("mosquitto"), median("twin"));
        let ratio = peer.zip(twin).map(|(peer, twin)| twin / peer);
        let text = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        let digits = if twin.is_some_and(|twin| twin < 100.0) { 2 } else { 0 };
        let reached = |met: Option<bool>| match met {
            Some(true) => "reached",
            Some(false) => "MISSED",
            None => "unknown",
        };
        let goal = match goal {
            Goal::AtLeast(goal) => {
                format!("at least {goal:.0}: {}", reached(twin.map(|twin| twin >= goal)))
            }
            Goal::AtMost(goal) => format!("at most {goal:.0}: {}", reached(twin.map(|twin| twin <= goal))),
            Goal::RatioAtMost(goal) => {
                format!("at most {goal}x: {}", reached(ratio.map(|ratio| ratio <= goal)))
            }
            Goal::None => String::new(),
        };
        println!(
            "{what:<34}{:>12}{:>12}{:>8}  {goal}",
            text(peer, digits),
            text(twin, digits),
            text(ratio, 2)
        );
    }
}
