//! Latencies as HdrHistogram V2 interval logs: the format that every HdrHistogram tool reads, and that merges without
//! loss of meaning. Percentiles are taken from merged histograms and never averaged.
//!
//! Values are microseconds with three significant digits, from 1 us to 1 h; a longer value counts as 1 h. The format
//! keeps the start and the length of an interval to the millisecond.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{
    IntervalLogHistogram, IntervalLogIterator, IntervalLogWriterBuilder, IntervalLogWriterError, LogEntry,
};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};
use jiff::Timestamp;

use super::RecordError;
use super::log::create_new;

/// The longest value that a histogram holds: one hour.
pub const HISTOGRAM_MAX_US: u64 = 3_600_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// A histogram as every record holds them: microseconds to one hour, three significant digits. Record with
/// `saturating_record`.
pub fn new_histogram() -> Result<Histogram<u64>, RecordError> {
    Histogram::new_with_bounds(1, HISTOGRAM_MAX_US, SIGNIFICANT_DIGITS)
        .map_err(|source| RecordError::HistogramBounds { source })
}

/// Writes the log of one metric, an interval at a time.
pub struct HistogramLog {
    path: PathBuf,
    file: File,
    serializer: V2DeflateSerializer,
}

impl std::fmt::Debug for HistogramLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistogramLog").field("path", &self.path).finish_non_exhaustive()
    }
}

impl HistogramLog {
    /// A new log. Interval times count from `run_start`.
    pub fn create(path: &Path, run_start: Timestamp) -> Result<Self, RecordError> {
        let mut file = create_new(path)?;
        let mut serializer = V2DeflateSerializer::new();
        let start = SystemTime::from(run_start);
        IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment("Values are microseconds")
            .with_start_time(start)
            .with_base_time(start)
            .begin_log_with(&mut file, &mut serializer)
            .map_err(|e| RecordError::io("write", path, e))?;
        Ok(Self { path: path.to_path_buf(), file, serializer })
    }

    /// Appends what was measured between `start_us` and `start_us + duration_us` on the run's clock.
    pub fn interval(
        &mut self,
        start_us: u64,
        duration_us: u64,
        histogram: &Histogram<u64>,
    ) -> Result<(), RecordError> {
        let mut line = Vec::new();
        IntervalLogWriterBuilder::new()
            .begin_log_with(&mut line, &mut self.serializer)
            .map_err(|e| RecordError::io("write", &self.path, e))?
            .write_histogram(
                histogram,
                Duration::from_micros(start_us),
                Duration::from_micros(duration_us),
                None,
            )
            .map_err(|error| match error {
                IntervalLogWriterError::IoError(e) => RecordError::io("write", &self.path, e),
                IntervalLogWriterError::SerializeError(source) => {
                    RecordError::HistogramEncode { path: self.path.clone(), source }
                }
            })?;
        // One call, so that a killed run leaves at most one torn line.
        self.file.write_all(&line).map_err(|e| RecordError::io("write", &self.path, e))
    }
}

/// What was measured in one interval.
#[derive(Debug, Clone)]
pub struct Interval {
    /// Where it begins on the run's clock.
    pub start_us: u64,
    /// How long it is.
    pub duration_us: u64,
    /// The values, in microseconds.
    pub histogram: Histogram<u64>,
}

/// The log of one metric.
#[derive(Debug, Clone, Default)]
pub struct HistogramSeries {
    /// Its intervals, in the order written.
    pub intervals: Vec<Interval>,
}

impl HistogramSeries {
    /// Reads a log, and a note when a torn last line was dropped.
    pub fn read(path: &Path) -> Result<(Self, Option<String>), RecordError> {
        let bytes = std::fs::read(path).map_err(|e| RecordError::io("read", path, e))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let note = (whole < bytes.len()).then(|| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            format!("The last interval of {name} was cut off and is not part of this report.")
        });
        let mut series = Self::default();
        let mut deserializer = Deserializer::new();
        for entry in IntervalLogIterator::new(bytes.get(..whole).unwrap_or_default()) {
            let number = series.intervals.len() + 1;
            let broken = |why| RecordError::Histogram { path: path.to_path_buf(), interval: number, why };
            match entry {
                Ok(LogEntry::Interval(line)) => {
                    series.intervals.push(interval(&line, &mut deserializer).map_err(broken)?);
                }
                Ok(_) => {}
                Err(_) => return Err(broken("not a line of a histogram log")),
            }
        }
        Ok((series, note))
    }

    /// All intervals in one histogram; `None` when there is no value in them.
    pub fn merged(&self) -> Option<Histogram<u64>> {
        merge(self.intervals.iter().map(|interval| &interval.histogram))
    }
}

/// Several histograms in one; `None` when there is no value in them.
pub fn merge<'a>(histograms: impl IntoIterator<Item = &'a Histogram<u64>>) -> Option<Histogram<u64>> {
    let mut merged = new_histogram().ok()?;
    for histogram in histograms {
        // `add` refuses a histogram with values beyond our range, from another tool: count those as the maximum.
        if merged.add(histogram).is_err() {
            for step in histogram.iter_recorded() {
                merged.saturating_record_n(step.value_iterated_to(), step.count_at_value());
            }
        }
    }
    (!merged.is_empty()).then_some(merged)
}

fn interval(
    line: &IntervalLogHistogram<'_>,
    deserializer: &mut Deserializer,
) -> Result<Interval, &'static str> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(line.encoded_histogram())
        .map_err(|_| "its histogram is not base64")?;
    let histogram = deserializer
        .deserialize(&mut std::io::Cursor::new(bytes))
        .map_err(|_| "its histogram is not an HdrHistogram V2")?;
    Ok(Interval { start_us: micros(line.start_timestamp()), duration_us: micros(line.duration()), histogram })
}

/// The log keeps milliseconds as a decimal fraction, which a float does not hold exactly: round to them again.
fn micros(duration: Duration) -> u64 {
    let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    us.saturating_add(500) / 1000 * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[u64]) -> Histogram<u64> {
        let mut histogram = new_histogram().unwrap();
        for value in values {
            histogram.saturating_record(*value);
        }
        histogram
    }

    #[test]
    fn a_log_reads_back_and_a_torn_interval_is_dropped() {
        let keep = tempfile::tempdir().unwrap();
        let path = keep.path().join("replication.shadow.hlog");
        let start = "2026-05-01T10:00:00Z".parse().unwrap();
        let mut log = HistogramLog::create(&path, start).unwrap();
        log.interval(1_001_000, 1_000_000, &histogram(&[250_000, 300_000])).unwrap();
        log.interval(2_003_000, 1_000_000, &histogram(&[9_000_000_000])).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("#[BaseTime: 1777629600.000"), "{text}");
        std::fs::write(&path, format!("{text}3.000,1.000,0.1,HIST")).unwrap();

        let (series, note) = HistogramSeries::read(&path).unwrap();
        assert!(note.unwrap().contains("replication.shadow.hlog"));
        let starts: Vec<_> = series.intervals.iter().map(|i| (i.start_us, i.duration_us)).collect();
        assert_eq!(starts, [(1_001_000, 1_000_000), (2_003_000, 1_000_000)]);
        let merged = series.merged().unwrap();
        assert_eq!(merged.len(), 3);
        // Three significant digits at an hour is a unit of about two seconds.
        assert!(merged.max().abs_diff(HISTOGRAM_MAX_US) < 4_000_000);
    }

    #[test]
    fn no_values_merge_to_nothing() {
        assert!(HistogramSeries::default().merged().is_none());
        assert!(merge([&histogram(&[])]).is_none());
    }

    #[test]
    fn damage_names_the_file_and_the_interval() {
        let keep = tempfile::tempdir().unwrap();
        let path = keep.path().join("publish.ack.hlog");
        std::fs::write(&path, "1.0,1.0,1.0,not-base64!\n").unwrap();
        let error = HistogramSeries::read(&path).unwrap_err().to_string();
        assert!(error.contains("publish.ack.hlog, interval 1"), "{error}");
    }
}
