//! What a scenario asks of the quotas of both Regions, beside the quotas: `quota.json`, and as a table `quota.csv`.

use serde::{Deserialize, Serialize};

use super::Backoff;

/// The quota report of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuotaReport {
    /// The scenario's title.
    pub title: String,
    /// Devices in the fleet.
    pub devices: u64,
    /// The Region in which devices live.
    pub primary: String,
    /// The Region that is kept ready.
    pub secondary: String,
    /// Where the quotas are from, for a reader.
    pub source: String,
    /// All rows in one.
    pub verdict: QuotaVerdict,
    /// The row that takes most of its quota, by its place in `rows`; none if no row has a quota.
    pub tightest: Option<usize>,
    /// By phase, those that take most of their quota first.
    pub rows: Vec<QuotaRow>,
    /// What becomes of the fleet when all of it moves at once.
    pub storms: Vec<QuotaStorm>,
    /// What to ask AWS for.
    pub requests: Vec<QuotaRequest>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// What is asked of one quota in one phase and Region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuotaRow {
    /// `steady`, `provisioning`, `failover`, `failback`, or `game day`: calls that only the rehearsal makes.
    pub phase: String,
    /// What is limited: an operation, `CONNECT`, `inbound messages`.
    pub what: String,
    /// The Region.
    pub region: String,
    /// `per second` or `at a time`.
    pub unit: String,
    /// The mean of the phase; absent where nobody plans its time.
    pub sustained: Option<f64>,
    /// The most.
    pub peak: f64,
    /// The peak is no rate but all that there is of it in the phase: no second has more.
    pub is_count: bool,
    /// What applies in the Region; absent: AWS has none, or nobody knows it.
    pub quota: Option<QuotaValue>,
    /// What applies in the other Region.
    pub quota_elsewhere: Option<f64>,
    /// The peak as a share of the quota.
    pub share: Option<f64>,
    /// The verdict.
    pub verdict: QuotaVerdict,
    /// Why, where the numbers do not say it.
    pub why: String,
}

/// A quota as it applies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuotaValue {
    /// Service Quotas' code of the service.
    pub service: String,
    /// AWS's code.
    pub code: String,
    /// AWS's name.
    pub name: String,
    /// What applies.
    pub value: f64,
    /// Whether AWS raises it when asked to.
    pub adjustable: bool,
    /// Where the number is from.
    pub source: String,
}

/// What is said of a row. The worst of all rows is that of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaVerdict {
    /// AWS sets no limit.
    Unlimited,
    /// At most four fifths of the quota.
    Ok,
    /// More than four fifths.
    Tight,
    /// No quota is known, or nobody knows how fast it is called.
    Unknown,
    /// More than the quota.
    Exceeded,
}

/// A fleet that comes to a Region at once, and the bound that its CONNECT quota draws.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuotaStorm {
    /// `failover` or `failback`.
    pub phase: String,
    /// The Region that they come to.
    pub region: String,
    /// How many.
    pub devices: u64,
    /// CONNECTs a second, if nobody were refused.
    pub offered_per_s: f64,
    /// CONNECTs a second that the Region takes; absent if nobody knows.
    pub quota_per_s: Option<f64>,
    /// What its bucket holds; AWS publishes none, and a second's worth is taken for it.
    pub burst: f64,
    /// CONNECTs a second of health checks, which the same quota counts.
    pub others_per_s: f64,
    /// How devices that are refused wait.
    pub backoff: Backoff,
    /// From the first CONNECT until the last device is in: the bound of the quota, which nothing can be above.
    pub time_least_s: Option<f64>,
    /// The same when all CONNECTs of others are taken first and the last device has just begun its longest wait; absent: the
    /// quota is used up by the others.
    pub time_most_s: Option<f64>,
    /// The mean wait of a device by the bound.
    pub wait_mean_s: Option<f64>,
}

/// A request for more of a quota, ready to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuotaRequest {
    /// The Region.
    pub region: String,
    /// Service Quotas' code of the service.
    pub service: String,
    /// AWS's code.
    pub code: String,
    /// AWS's name.
    pub name: String,
    /// What applies now.
    pub applied: f64,
    /// What to ask for; absent: AWS does not raise it.
    pub desired: Option<f64>,
    /// For AWS, and for who reads it.
    pub reason: String,
}

impl QuotaVerdict {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unlimited => "unlimited",
            Self::Ok => "ok",
            Self::Tight => "tight",
            Self::Unknown => "unknown",
            Self::Exceeded => "exceeded",
        }
    }
}

impl QuotaReport {
    /// The row that takes most of its quota.
    pub fn tightest_row(&self) -> Option<&QuotaRow> {
        self.rows.get(self.tightest?)
    }

    /// The rows as comma-separated values, with a header (RFC 4180).
    pub fn csv(&self) -> String {
        let mut text = String::from(
            "phase,what,region,unit,sustained,peak,is_count,quota,quota_elsewhere,share,verdict,service,code,name,adjustable,source,why\n",
        );
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        for row in &self.rows {
            let quota = row.quota.as_ref();
            let of = |text: fn(&QuotaValue) -> &str| quota.map(text).unwrap_or_default().to_owned();
            let cells = [
                row.phase.clone(),
                row.what.clone(),
                row.region.clone(),
                row.unit.clone(),
                number(row.sustained),
                row.peak.to_string(),
                row.is_count.to_string(),
                number(quota.map(|quota| quota.value)),
                number(row.quota_elsewhere),
                number(row.share),
                row.verdict.name().to_owned(),
                of(|quota| &quota.service),
                of(|quota| &quota.code),
                of(|quota| &quota.name),
                quota.map(|quota| quota.adjustable.to_string()).unwrap_or_default(),
                of(|quota| &quota.source),
                row.why.clone(),
            ];
            text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
            text.push('\n');
        }
        text
    }
}

/// A cell; in quotes where it has to be.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::quota_report;

    #[test]
    fn the_worst_verdict_is_an_exceeded_quota_and_unknown_is_worse_than_ok() {
        use QuotaVerdict::{Exceeded, Ok, Tight, Unknown, Unlimited};
        assert!(Unlimited < Ok && Ok < Tight && Tight < Unknown && Unknown < Exceeded);
    }

    #[test]
    fn a_row_is_a_line_and_commas_stay_in_their_cell() {
        let mut report = quota_report();
        report.rows[0].why = "a, \"b\"".to_owned();
        let csv = report.csv();
        assert_eq!(csv.lines().count(), report.rows.len() + 1);
        assert!(csv.lines().nth(1).is_some_and(|line| line.ends_with(",\"a, \"\"b\"\"\"")), "{csv}");
        let columns = csv.lines().next().map(|line| line.split(',').count());
        assert!(csv.lines().skip(2).all(|line| Some(line.split(',').count()) == columns), "{csv}");
    }
}
