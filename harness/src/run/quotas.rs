//! What will be in the fleet's way, read before anything is made and kept in the record: what the plan asks of each quota beside
//! what Service Quotas says, the secondary's CONNECT quota, and how devices wait that it refuses. By these the report draws what
//! was possible.

use gameday_report::record::{Backoff, Event, Quota, QuotaReport};

use super::Game;
use crate::{
    cost::Dispatch,
    plan::{Aim, Limited},
    quota::{self, Applied, burst},
};

impl Game {
    /// Writes down what both Regions take. What cannot be read is said, and the report then has no bound to draw.
    pub(super) async fn record_quotas(&self) {
        let backoff = &self.scenario.fleet.backoff;
        let whole_ms = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.recorder.event(Event::Backoff(Backoff {
            min_ms: whole_ms(*backoff.min),
            max_ms: whole_ms(*backoff.max),
        }));
        let aim = Aim::of_twin(&self.target.endpoints);
        let applied = match Applied::read(&self.plan, &aim, &self.aws).await {
            Ok(applied) => applied,
            Err(error) => return self.note(format!("The quotas could not be read: {error:#}")),
        };
        // A run deploys the replicator as it is by default.
        let report = quota::report(&self.plan, &self.scenario, &applied, Dispatch::Direct);
        if let Err(error) = self.keep(&report) {
            self.note(format!("The quota report could not be written: {error:#}"));
        }
        if !self.target.endpoints.quotas_enforced {
            return self.note("The twin enforces no quotas: no CONNECT is throttled.".to_owned());
        }
        let region = self.target.secondary();
        let Some(quota) = applied.of(&Limited::Code(Quota::CONNECTS, "CONNECT"), region) else {
            return self.note(format!("{region} says no CONNECT quota"));
        };
        self.recorder.event(Event::Quota(Quota {
            region: region.to_owned(),
            service: quota.service,
            code: quota.code,
            name: quota.name,
            value: quota.value,
            burst: Some(burst(quota.value)),
            source: format!("{} when the run began", quota.source),
        }));
    }

    fn keep(&self, report: &QuotaReport) -> anyhow::Result<()> {
        std::fs::write(self.folder.quotas(), serde_json::to_string_pretty(report)?)?;
        Ok(std::fs::write(self.folder.quotas_csv(), report.csv())?)
    }

    fn note(&self, text: String) {
        self.recorder.event(Event::Note { text });
    }
}
