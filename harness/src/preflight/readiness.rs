//! Whether the secondary would let a fleet that stays in: what `gameday readiness` asks, of a sample. Devices that a run makes
//! itself it looks at when they are there.

use std::time::Duration;

use futures::FutureExt;
use replicator::readiness::{self, Options, Report, Standing, Which};

use super::{Check, Finding, Ground, Stage};

pub(super) static CHECK: Check = Check {
    name: "readiness",
    label: "The secondary would let the fleet in",
    stage: Stage::There,
    can_be_ignored: true,
    look: |ground| look(ground).boxed_local(),
};

/// Devices that are looked at: AWS's quotas let eight a second pass.
pub(crate) const SAMPLE: u32 = 50;
/// What was not looked at by then is unknown.
const AT_MOST: Duration = Duration::from_secs(40);

async fn look(ground: &Ground<'_>) -> Finding {
    let Some(devices) = &ground.devices else {
        return Finding::passed("the run makes its devices itself");
    };
    let both = ground.aws.both(&ground.target.endpoints.account);
    let options = Options {
        which: Which::Named(devices.clone()),
        sample: Some(SAMPLE as usize),
        seed: ground.seed,
        rate_per_s: Some(ground.aws.pace.readiness_per_s()),
        deadline_ms: Some(both.deadline_ms(AT_MOST)),
        ..Options::default()
    };
    match Box::pin(readiness::sweep(&both.regions(), &options, &|_| {})).await {
        Ok(report) => judge(&report),
        Err(failure) => Finding::unknown(format!("{failure}")),
    }
}

fn judge(report: &Report) -> Finding {
    let ready = report.of(Standing::Ready);
    let not_ready = report.of(Standing::NotReady) + report.of(Standing::NoCertificate);
    let unknown = report.of(Standing::Unknown) + report.of(Standing::BringsIdentity);
    let looked = ready + not_ready + unknown;
    let first = report
        .devices
        .first()
        .map_or_else(String::new, |device| format!(" ({}: {})", device.thing, device.why()));
    let look = "gameday readiness says of each why";
    match (not_ready, unknown, ready) {
        (0, 0, 0) => Finding::unknown("no device was looked at"),
        (0, 0, _) => Finding::passed(format!("a sample of {looked} is ready")),
        (0, _, _) => {
            Finding::unknown(format!("{unknown} of {looked} devices could not be looked at{first}; {look}"))
        }
        _ => Finding::refused(format!("{not_ready} of {looked} devices are not ready there{first}; {look}")),
    }
}

#[cfg(test)]
mod tests {
    use gameday_report::record::PreflightOutcome as Outcome;

    use super::*;

    #[test]
    fn one_device_that_is_kept_out_refuses_and_one_that_was_not_seen_is_no_pass() {
        let outcome = |totals: &[(Standing, u64)]| {
            judge(&Report { totals: totals.iter().copied().collect(), ..Report::default() }).outcome
        };
        assert_eq!(outcome(&[(Standing::Ready, 9)]), Outcome::Passed);
        assert_eq!(outcome(&[(Standing::Ready, 9), (Standing::Unknown, 1)]), Outcome::Unknown);
        assert_eq!(outcome(&[(Standing::Unknown, 5), (Standing::NotReady, 1)]), Outcome::Refused);
        assert_eq!(outcome(&[]), Outcome::Unknown);
    }
}
