//! The step `readiness`: would the secondary let the devices in, now? What `gameday readiness` asks of a whole account, asked
//! of the run's own devices. The answer is in the record; what could not be looked at is unknown there, and never ready.

use gameday_report::record::{Event, NotReady, Readiness as Record};
use replicator::readiness::{self, Options, Report, Standing, Which};

use super::Game;
use crate::scenario::Readiness;

/// Devices that were not seen to be ready are named on the terminal up to this many.
const SAID_MAX: usize = 5;

/// Why a device is not ready that stands so.
const NO_CERTIFICATE: &str = "it has no active certificate in the primary";

impl Game {
    pub(super) async fn readiness(&self, step: &Readiness) -> anyhow::Result<Option<String>> {
        let both = self.aws.both(&self.target.endpoints.account);
        let options = Options {
            which: Which::Named(self.devices.iter().map(|device| device.name.clone()).collect()),
            sample: step.sample.map(|sample| sample as usize),
            seed: self.seed,
            rate_per_s: Some(self.aws.pace.readiness_per_s()),
            deadline_ms: Some(both.deadline_ms(*step.at_most)),
            ..Options::default()
        };
        let report = Box::pin(readiness::sweep(&both.regions(), &options, &|_| {})).await?;
        let record = record(&report);
        for device in record.devices.iter().take(SAID_MAX) {
            self.output.line(&format!("      NOT READY: {}: {}", device.device, device.why));
        }
        if record.not_ready + record.unknown > 0 {
            let (not_ready, unknown) = (record.not_ready, record.unknown);
            self.output
                .line(&format!("      {} ready, {not_ready} not ready, {unknown} unknown", record.ready));
        }
        let unknown = record.unknown;
        self.recorder.event(Event::Readiness(record));
        Ok((unknown > 0).then(|| format!("{unknown} devices could not be looked at")))
    }
}

/// A run's devices are let in by a certificate: one that has no active one in the primary is not let in by the secondary, and
/// of one whose certificate was not looked at nothing is known.
fn record(report: &Report) -> Record {
    let seen = report.devices.iter().map(|device| (&device.thing, device.why()));
    let without = report.without_certificate.iter().map(|thing| (thing, NO_CERTIFICATE.to_owned()));
    Record {
        fleet: report.fleet,
        sample: report.sample.map(|draw| draw.size as u64),
        ready: report.of(Standing::Ready),
        not_ready: report.of(Standing::NotReady) + report.of(Standing::NoCertificate),
        unknown: report.of(Standing::Unknown) + report.of(Standing::BringsIdentity),
        devices: seen.chain(without).map(|(thing, why)| NotReady { device: thing.clone(), why }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_seen_to_be_ready_is_ready() {
        let of = |standing| (standing, 2);
        let seen = [Standing::Ready, Standing::NoCertificate, Standing::NotReady];
        let unseen = [Standing::Unknown, Standing::BringsIdentity];
        let totals = seen.into_iter().chain(unseen).map(of).collect();
        let without_certificate = vec!["t-1".to_owned(), "t-2".to_owned()];
        let record = record(&Report { fleet: 10, totals, without_certificate, ..Report::default() });
        assert_eq!((record.ready, record.not_ready, record.unknown), (2, 4, 4));
        let named: Vec<_> = record.devices.iter().map(|device| device.device.as_str()).collect();
        assert_eq!(named, ["t-1", "t-2"], "what is counted as not ready is named");
    }
}
