//! What a function did, as one line that Amazon `CloudWatch` reads metrics from (its "embedded metric
//! format"): no call, no agent.

use serde_json::{Value, json};

use crate::tables::Stream;

/// The namespace of the metrics.
pub const NAMESPACE: &str = "gameday";

/// How many values of one metric a line may have.
const VALUES_MAX: usize = 100;

/// What a batch was like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Milliseconds from the row's arrival in the Region's replica to its being settled, one a record.
    pub lag_ms: Vec<u64>,
    /// Records that are to be delivered again.
    pub again: usize,
    /// Rows written to the error table.
    pub error_rows: usize,
    /// Records that asked for nothing.
    pub skipped: usize,
    /// Heartbeats that came through the event table's stream.
    pub event_heartbeats: usize,
    /// Heartbeats that came through the documents' stream.
    pub document_heartbeats: usize,
}

impl Metrics {
    /// Counts a record that is settled.
    pub fn settled(&mut self, lag_ms: u64) {
        self.lag_ms.push(lag_ms);
    }

    /// Counts a heartbeat.
    pub fn beat(&mut self, stream: Stream) {
        match stream {
            Stream::Events => self.event_heartbeats += 1,
            Stream::Documents => self.document_heartbeats += 1,
        }
    }

    /// Adds what others counted.
    pub fn add(&mut self, other: Self) {
        self.lag_ms.extend(other.lag_ms);
        self.again += other.again;
        self.error_rows += other.error_rows;
        self.skipped += other.skipped;
        self.event_heartbeats += other.event_heartbeats;
        self.document_heartbeats += other.document_heartbeats;
    }

    /// The line.
    pub fn line(&self, function: &str, now_ms: u64) -> String {
        // A metric costs for each hour in which it has a value.
        let some = |count: usize| if count == 0 { json!([]) } else { json!(count) };
        let values = [
            ("lag_ms", "Milliseconds", json!(spread(&self.lag_ms))),
            ("settled", "Count", json!(self.lag_ms.len())),
            ("again", "Count", json!(self.again)),
            ("error_rows", "Count", json!(self.error_rows)),
            ("skipped", "Count", json!(self.skipped)),
            ("event_heartbeats", "Count", some(self.event_heartbeats)),
            ("document_heartbeats", "Count", some(self.document_heartbeats)),
        ];
        line(function, now_ms, &values)
    }
}

/// A line with metrics of a function: name, unit, value or values. A metric without any value is left
/// out.
pub fn line(function: &str, now_ms: u64, values: &[(&str, &str, Value)]) -> String {
    let values = values.iter().filter(|(_, _, value)| *value != json!([]));
    let mut line = json!({"function": function});
    let mut declared = Vec::new();
    for (name, unit, value) in values {
        declared.push(json!({"Name": name, "Unit": unit}));
        line[*name] = value.clone();
    }
    line["_aws"] = json!({"Timestamp": now_ms, "CloudWatchMetrics": [
        {"Namespace": NAMESPACE, "Dimensions": [["function"]], "Metrics": declared}]});
    line.to_string()
}

/// As many values as a line may have, from the smallest to the largest in even steps.
fn spread(values: &[u64]) -> Vec<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    if sorted.len() <= VALUES_MAX {
        return sorted;
    }
    let last = sorted.len() - 1;
    (0..VALUES_MAX).filter_map(|step| sorted.get(step * last / (VALUES_MAX - 1)).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_declares_each_metric_that_it_has() {
        let mut metrics = Metrics { again: 2, ..Metrics::default() };
        metrics.settled(30);
        metrics.add(Metrics { lag_ms: vec![10], error_rows: 1, ..Metrics::default() });
        let line: Value = serde_json::from_str(&metrics.line("replicate", 1_700_000_000_000)).unwrap();
        let told = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(line["_aws"]["Timestamp"], 1_700_000_000_000_u64);
        assert_eq!((&told["Namespace"], &told["Dimensions"]), (&json!("gameday"), &json!([["function"]])));
        assert_eq!(line["function"], "replicate");
        let declared: Vec<_> = told["Metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|metric| metric["Name"].as_str().unwrap())
            .collect();
        assert_eq!(declared, ["lag_ms", "settled", "again", "error_rows", "skipped"]);
        let values = declared.iter().map(|name| line[*name].clone()).collect::<Vec<_>>();
        assert_eq!(values, [json!([10, 30]), json!(2), json!(2), json!(1), json!(0)]);
    }

    #[test]
    fn a_metric_without_a_value_is_not_declared() {
        let line = Metrics::default().line("replicate", 1);
        assert!(!line.contains("lag_ms") && line.contains("error_rows") && !line.contains('\n'));
    }

    #[test]
    fn heartbeats_are_told_apart_by_their_stream() {
        let mut metrics = Metrics::default();
        metrics.beat(Stream::Documents);
        let line = metrics.line("replicate", 1);
        assert!(line.contains("\"document_heartbeats\":1") && !line.contains("event_heartbeats"), "{line}");
    }

    #[test]
    fn many_values_keep_their_ends_and_their_shape() {
        let values: Vec<u64> = (0..1_000).rev().collect();
        let spread = spread(&values);
        assert_eq!((spread.len(), spread.first(), spread.last()), (VALUES_MAX, Some(&0), Some(&999)));
        assert!((495..=505).contains(&spread[50]));
    }
}
