//! Capacity units: what reads and writes consume, and the buckets of tables with provisioned throughput.

use std::{collections::BTreeMap, ops};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{index::Kind, item::invalid};
use crate::error::AwsError;

const WRITE_BYTES: usize = 1024;
const READ_BYTES: usize = 4096;
/// Unused capacity is kept that long, as AWS has it.
const BURST_S: f64 = 300.0;

/// Capacity units, counted in halves: an eventually consistent read of 4 KB takes half of one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Units {
    halves: usize,
}

impl Units {
    /// Of writing so many bytes.
    pub(crate) fn write(bytes: usize) -> Self {
        Self { halves: 2 * bytes.div_ceil(WRITE_BYTES).max(1) }
    }

    /// Of reading so many bytes.
    pub(crate) fn read(bytes: usize, consistent: bool) -> Self {
        let blocks = bytes.div_ceil(READ_BYTES).max(1);
        Self { halves: if consistent { 2 * blocks } else { blocks } }
    }

    /// A transaction prepares and commits.
    pub(crate) fn doubled(self) -> Self {
        Self { halves: self.halves * 2 }
    }

    fn number(self) -> f64 {
        // No request consumes anywhere near 2^52 halves.
        self.halves as f64 / 2.0
    }
}

impl ops::Add for Units {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { halves: self.halves + other.halves }
    }
}

/// What a request consumed of one table and its indexes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Consumed {
    pub(crate) table: Units,
    pub(crate) indexes: BTreeMap<(Kind, String), Units>,
}

impl Consumed {
    pub(crate) fn add(&mut self, other: Self) {
        self.table = self.table + other.table;
        for (index, units) in other.indexes {
            let sum = self.indexes.entry(index).or_default();
            *sum = *sum + units;
        }
    }

    pub(crate) fn doubled(mut self) -> Self {
        self.table = self.table.doubled();
        for units in self.indexes.values_mut() {
            *units = units.doubled();
        }
        self
    }

    /// What global indexes are charged, by name.
    pub(crate) fn of_global(&self) -> impl Iterator<Item = (&str, Units)> {
        self.indexes.iter().filter(|((kind, _), _)| *kind == Kind::Global).map(|((_, n), u)| (n.as_str(), *u))
    }

    /// What the table's own capacity is charged: its own and that of local indexes.
    pub(crate) fn of_table(&self) -> Units {
        let local = self.indexes.iter().filter(|((kind, _), _)| *kind == Kind::Local);
        local.fold(self.table, |sum, (_, units)| sum + *units)
    }

    fn total(&self) -> Units {
        self.indexes.values().fold(self.table, |sum, units| sum + *units)
    }

    fn to_json(&self, table: &str, detail: Detail, direction: Option<Direction>) -> Json {
        let capacity = |units: Units| {
            let mut capacity = json!({"CapacityUnits": units.number()});
            if let Some(direction) = direction {
                capacity[direction.member()] = json!(units.number());
            }
            capacity
        };
        let mut answer = capacity(self.total());
        answer["TableName"] = json!(table);
        if detail == Detail::Indexes {
            answer["Table"] = capacity(self.table);
            for (kind, member) in
                [(Kind::Global, "GlobalSecondaryIndexes"), (Kind::Local, "LocalSecondaryIndexes")]
            {
                let of_kind = self.indexes.iter().filter(|((k, _), units)| *k == kind && units.halves > 0);
                let list: serde_json::Map<String, Json> =
                    of_kind.map(|((_, name), units)| (name.clone(), capacity(*units))).collect();
                if !list.is_empty() {
                    answer[member] = Json::Object(list);
                }
            }
        }
        answer
    }
}

/// Which of a table's two capacities a request takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl Direction {
    fn member(self) -> &'static str {
        match self {
            Self::Read => "ReadCapacityUnits",
            Self::Write => "WriteCapacityUnits",
        }
    }
}

/// How much a request wants to know of what it consumed: its `ReturnConsumedCapacity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    None,
    Total,
    Indexes,
}

impl Detail {
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, AwsError> {
        match text.unwrap_or("NONE") {
            "NONE" => Ok(Self::None),
            "TOTAL" => Ok(Self::Total),
            "INDEXES" => Ok(Self::Indexes),
            other => Err(invalid(format!(
                "1 validation error detected: Value '{other}' at 'returnConsumedCapacity' failed to satisfy \
                 constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"
            ))),
        }
    }

    /// Adds `ConsumedCapacity` to the answer of a request on one table.
    pub(crate) fn tell(self, answer: &mut Json, table: &str, consumed: &Consumed) {
        if self != Self::None {
            answer["ConsumedCapacity"] = consumed.to_json(table, self, None);
        }
    }

    /// Adds `ConsumedCapacity` to the answer of a request on several tables.
    pub(crate) fn tell_all(
        self,
        answer: &mut Json,
        consumed: &BTreeMap<String, Consumed>,
        direction: Option<Direction>,
    ) {
        if self != Self::None {
            let list = consumed.iter().map(|(table, c)| c.to_json(table, self, direction));
            answer["ConsumedCapacity"] = list.collect();
        }
    }
}

/// Provisioned throughput of a table or a global index.
#[derive(Debug, Clone)]
pub(crate) struct Throughput {
    pub(crate) read: Bucket,
    pub(crate) write: Bucket,
}

impl Throughput {
    pub(crate) fn new((read, write): (u32, u32), now: Timestamp) -> Self {
        Self { read: Bucket::new(read, now), write: Bucket::new(write, now) }
    }

    /// Units a second to read and to write.
    pub(crate) fn rates(&self) -> (u32, u32) {
        (self.read.rate, self.write.rate)
    }

    pub(crate) fn bucket(&mut self, direction: Direction) -> &mut Bucket {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        }
    }

    /// New rates; what was saved stays.
    pub(crate) fn set(&mut self, (read, write): (u32, u32), now: Timestamp) {
        self.read.refill(now);
        self.read.rate = read;
        self.write.refill(now);
        self.write.rate = write;
    }
}

/// A bucket that fills with so many units a second and keeps those of five minutes. It starts with those of a second. A
/// request passes while anything is in it and may leave a debt, since what a read takes is known only afterwards.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    rate: u32,
    level: f64,
    filled: Timestamp,
}

impl Bucket {
    fn new(rate: u32, now: Timestamp) -> Self {
        Self { rate, level: f64::from(rate), filled: now }
    }

    fn refill(&mut self, now: Timestamp) {
        let passed_s = now.duration_since(self.filled).as_secs_f64().max(0.0);
        let rate = f64::from(self.rate);
        self.level = (self.level + passed_s * rate).min(rate * BURST_S);
        self.filled = self.filled.max(now);
    }

    /// Whether a request may pass.
    pub(crate) fn is_open(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        self.level > 0.0
    }

    pub(crate) fn take(&mut self, units: Units) {
        self.level -= units.number();
    }
}

/// The refusal of a request for want of capacity.
pub(crate) fn exceeded() -> AwsError {
    AwsError::new(
        400,
        "ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded. Consider increasing your \
         provisioning level with the UpdateTable API.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

    fn later(s: i64) -> Timestamp {
        NOW + SignedDuration::from_secs(s)
    }

    #[test]
    fn units_round_up_as_aws_has_it() {
        for (units, expected) in [
            (Units::write(0), 1.0),
            (Units::write(1024), 1.0),
            (Units::write(1025), 2.0),
            (Units::read(0, true), 1.0),
            (Units::read(1, false), 0.5),
            (Units::read(4097, false), 1.0),
            (Units::read(8192, true), 2.0),
            (Units::write(1500).doubled(), 4.0),
        ] {
            assert!((units.number() - expected).abs() < 1e-9, "{units:?}");
        }
    }

    #[test]
    fn a_bucket_saves_five_minutes_and_no_more() {
        let mut bucket = Bucket::new(5, NOW);
        bucket.take(Units::write(5 * 1024));
        assert!(!bucket.is_open(NOW));
        assert!(bucket.is_open(later(1)));
        assert!(bucket.is_open(later(100_000)));
        bucket.take(Units::write(1499 * 1024));
        assert!(bucket.is_open(later(100_000)), "one unit is left of 1,500");
        bucket.take(Units::write(1024));
        assert!(!bucket.is_open(later(100_000)));
    }

    #[test]
    fn a_debt_is_paid_before_the_next_request() {
        let mut bucket = Bucket::new(2, NOW);
        bucket.take(Units::read(40 * 4096, true));
        assert!(!bucket.is_open(later(19)));
        assert!(bucket.is_open(later(20)));
    }
}
