//! What is drawn for a history before it begins.

use serde_json::Value;

use super::Step;
use super::operator::{Focus, Saying, shadow_update};
use crate::simulation::network::Weather;
use crate::simulation::random::Random;
use crate::tables::Stream;

/// By how much a clock may be wrong.
const SKEW_MS_MAX: u64 = 500;

/// Makes another seed of a history's.
const BESIDE: u64 = 0x646f_6375_6d65_6e74;

/// In how many of a thousand histories that lose API-call events others are lost, too.
const LOSES_ROWS: u64 = 500;

/// What of what is said may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Nothing,
    /// API-call events.
    Calls,
    /// These and the events of registry and shadows.
    Anything,
}

impl Loss {
    fn draw(lost: u64, random: &mut Random) -> Self {
        match lost {
            0 => Self::Nothing,
            _ if random.chance(LOSES_ROWS) => Self::Anything,
            _ => Self::Calls,
        }
    }
}

/// What is out of order for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The primary Region cannot be reached: nobody works there, and nothing comes from it.
    PrimaryGone,
    /// A global table does not replicate.
    TablePaused(Stream),
    /// A stream is not read.
    StreamPaused(Stream),
}

impl Trouble {
    const FIRST: [Self; 3] =
        [Self::PrimaryGone, Self::TablePaused(Stream::Events), Self::StreamPaused(Stream::Events)];

    /// Of the documents: drawn beside the rest, so that seeds whose histories have none stay what they were.
    const OF_DOCUMENTS: [Self; 2] =
        [Self::TablePaused(Stream::Documents), Self::StreamPaused(Stream::Documents)];

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::FIRST.into_iter().chain(Self::OF_DOCUMENTS)
    }
}

/// The plan.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(crate) struct Plan {
    pub(crate) focus: Focus,
    /// One execution an event, all at once, instead of batches in order.
    pub(crate) workflow: bool,
    pub(crate) weather: Weather,
    /// How many functions in a thousand are ended.
    pub(crate) killed: u64,
    /// How many functions in a thousand are given up and run on nevertheless.
    pub(crate) abandoned: u64,
    /// How many messages in a thousand come twice.
    pub(crate) twice: u64,
    /// How many rows in a thousand a rule could not write.
    pub(crate) failing: u64,
    /// How many API-call events in a thousand come minutes late.
    pub(crate) late: u64,
    /// How many events in a thousand are lost, while faults run.
    lost: u64,
    /// Which.
    loses: Loss,
    /// How long a row of the event table lives; 0: longer than the history.
    pub(crate) life_ms: u64,
    /// By how much the clocks of functions are ahead.
    clocks_ms: [i64; 4],
    /// By how much the clock of the secondary Region is ahead of the primary's.
    pub(crate) region_ms: i64,
    devices_write: bool,
    operations: u64,
    /// How often the walk through both Regions begins while faults run.
    walks: u64,
    /// The end of the faults, after the beginning.
    pub(crate) end_ms: u64,
    /// The seed of what is drawn beside the rest.
    beside: u64,
}

/// Clocks that disagree a little, in half of the histories.
fn clocks_ms(random: &mut Random) -> [i64; 4] {
    let max_ms = if random.chance(500) { 2 * SKEW_MS_MAX } else { 0 };
    std::array::from_fn(|_| random.between(0, max_ms).cast_signed() - (max_ms / 2).cast_signed())
}

impl Plan {
    pub(crate) fn draw(seed: u64, random: &mut Random) -> Self {
        let rough = random.chance(600);
        let mut up_to = |rate: u64| if rough && random.chance(700) { random.below(rate) } else { 0 };
        let weather =
            Weather { throttled: up_to(200), lost: up_to(60), slow: up_to(100), primary_gone: false };
        let (killed, abandoned, twice, failing) = (up_to(300), up_to(100), up_to(300), up_to(200));
        let lost = if random.chance(150) { 300 } else { 0 };
        Self {
            focus: random.one(&Focus::ALL),
            workflow: random.chance(400),
            weather,
            killed,
            abandoned,
            twice,
            failing,
            lost,
            late: if random.chance(250) { 300 } else { 0 },
            loses: Loss::draw(lost, random),
            life_ms: if random.chance(150) { random.between(20, 60) * 60_000 } else { 0 },
            clocks_ms: clocks_ms(random),
            region_ms: clocks_ms(random)[0],
            devices_write: random.chance(500),
            operations: random.between(2, 24),
            walks: if random.chance(300) { random.between(1, 2) } else { 0 },
            end_ms: 0,
            beside: seed ^ BESIDE,
        }
    }

    /// Whether what was said is lost.
    pub(crate) fn loses(&self, saying: &Saying, random: &mut Random) -> bool {
        (self.loses == Loss::Anything || matches!(saying, Saying::Call(_))) && random.chance(self.lost)
    }

    /// Whether every event of registry and shadows is told.
    pub(crate) fn tells_all(&self) -> bool {
        self.loses != Loss::Anything
    }

    /// By how much the clock of an environment is ahead.
    pub(crate) fn skew_ms(&self, environment: usize) -> i64 {
        self.clocks_ms[environment % self.clocks_ms.len()]
    }

    /// By how much one of the functions' clocks is ahead at the most.
    pub(crate) fn skew_ms_max(&self) -> u64 {
        self.clocks_ms.iter().map(|ms| ms.unsigned_abs()).max().unwrap_or_default()
    }

    /// Whether some may have been, so that the primary must be looked at as a whole.
    pub(crate) fn loses_any(&self) -> bool {
        self.loses != Loss::Nothing
    }

    /// The faults have ended.
    pub(crate) fn calm(&mut self) {
        (self.killed, self.abandoned, self.twice, self.failing, self.lost) = (0, 0, 0, 0, 0);
    }

    /// What a device writes in the secondary: it never takes a leaf away, for that leaves no time.
    pub(crate) fn device_update(random: &mut Random, number: u64) -> Value {
        loop {
            let update = shadow_update(random, number);
            if !update.to_string().contains("null") {
                return update;
            }
        }
    }

    fn gap_ms(random: &mut Random) -> u64 {
        match random.below(100) {
            0..50 => random.between(1, 40),
            50..75 => random.between(40, 1_500),
            75..92 => random.between(1_500, 20_000),
            92..97 => random.between(20_000, 90_000),
            _ => 310_000,
        }
    }

    /// When what begins, after the beginning.
    pub(crate) fn steps(&mut self, random: &mut Random) -> Vec<(u64, Step)> {
        let (mut steps, mut at_ms) = (Vec::new(), 0);
        for _ in 0..self.operations {
            at_ms += Self::gap_ms(random);
            steps.push((at_ms, Step::Operate));
            if self.devices_write && random.chance(250) {
                steps.push((at_ms + random.between(1, 5_000), Step::DeviceWrites));
            }
        }
        for trouble in Trouble::FIRST {
            if random.chance(250) {
                let from_ms = random.below(at_ms + 1);
                let to_ms = from_ms + random.between(100, 120_000);
                steps.push((from_ms, Step::Begin(trouble)));
                steps.push((to_ms, Step::End(trouble)));
                if trouble == Trouble::PrimaryGone && self.devices_write {
                    for _ in 0..random.below(4) {
                        steps.push((random.between(from_ms, to_ms), Step::DeviceWrites));
                    }
                }
            }
        }
        let mut beside = Random::new(self.beside);
        for trouble in Trouble::OF_DOCUMENTS {
            if beside.chance(250) {
                let from_ms = beside.below(at_ms + 1);
                steps.push((from_ms, Step::Begin(trouble)));
                steps.push((from_ms + beside.between(100, 120_000), Step::End(trouble)));
            }
        }
        let mut repair_ms = random.between(1, 60_000);
        while repair_ms < at_ms {
            steps.push((repair_ms, Step::Repair));
            repair_ms += 60_000;
        }
        for _ in 0..self.walks {
            steps.push((random.below(at_ms + 1), Step::Reconcile));
        }
        self.end_ms = at_ms + random.between(0, 30_000);
        steps.push((self.end_ms, Step::Calm));
        steps
    }
}
