//! Whether this machine's clock is that of both Regions. Signatures, leases and what people wrote down hang on it.

use futures::{FutureExt, future::ready};
use gameday_report::units;

use super::{Check, Finding, Ground, Stage};

pub(super) static CHECK: Check = Check {
    name: "clock",
    label: "The clock",
    stage: Stage::Heard,
    can_be_ignored: true,
    look: |ground| ready(look(ground)).boxed_local(),
};

/// A header of AWS tells whole seconds, and an answer takes its time.
const WARNED_US: i64 = 2_000_000;
/// Two hosts that are off by this in either direction still agree on when a lease ends.
const REFUSED_US: i64 = 7_000_000;

fn look(ground: &Ground<'_>) -> Finding {
    let mut worst: Option<(&str, i64)> = None;
    for clients in [&ground.aws.primary, &ground.aws.secondary] {
        let region = clients.region.as_str();
        let Some(ahead_us) = ground.aws.calls.clock_ahead_us(region) else {
            return Finding::unknown(format!("no answer of {region} said what time it is"));
        };
        if worst.is_none_or(|(_, other)| other.abs() < ahead_us.abs()) {
            worst = Some((region, ahead_us));
        }
    }
    worst
        .map_or_else(|| Finding::unknown("no Region was heard"), |(region, ahead_us)| judge(region, ahead_us))
}

fn judge(region: &str, ahead_us: i64) -> Finding {
    let by = units::duration(ahead_us.unsigned_abs() as f64);
    let side = if ahead_us > 0 { "ahead of" } else { "behind" };
    let off =
        format!("it is {by} {side} {region}'s: let it be set by NTP, as with `timedatectl set-ntp true`");
    match ahead_us.abs() {
        0..WARNED_US => {
            Finding::passed(format!("it is within {} of both Regions'", units::duration(WARNED_US as f64)))
        }
        WARNED_US..REFUSED_US => Finding::warned(off),
        _ => Finding::refused(off),
    }
}

#[cfg(test)]
mod tests {
    use gameday_report::record::PreflightOutcome as Outcome;

    use super::*;

    #[test]
    fn a_clock_that_is_off_is_warned_of_and_then_refused() {
        for (ahead_us, outcome) in [
            (0, Outcome::Passed),
            (-1_400_000, Outcome::Passed),
            (2_500_000, Outcome::Warned),
            (-2_500_000, Outcome::Warned),
            (7_100_000, Outcome::Refused),
            (-86_400_000_000, Outcome::Refused),
        ] {
            assert_eq!(judge("us-east-1", ahead_us).outcome, outcome, "{ahead_us}");
        }
        assert!(judge("us-east-1", 9_000_000).why.contains("9 s ahead of us-east-1's"));
    }
}
