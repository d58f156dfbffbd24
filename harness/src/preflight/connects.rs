//! Whether the secondary can let the fleet in: its quota of CONNECTs, as Service Quotas tells it, says how long that takes.

use futures::FutureExt;
use gameday_report::{record::Quota, units};

use super::{Check, Finding, Ground, Stage};
use crate::aws::applied_quotas;

pub(super) static CHECK: Check = Check {
    name: "connects",
    label: "The secondary's CONNECT quota",
    stage: Stage::There,
    can_be_ignored: true,
    look: |ground| look(ground).boxed_local(),
};

/// Service Quotas' code of AWS IoT's data plane.
const SERVICE: &str = "iotcore";

async fn look(ground: &Ground<'_>) -> Finding {
    if !ground.target.endpoints.quotas_enforced {
        return Finding::passed("the twin enforces no quotas");
    }
    let region = &ground.aws.secondary.region;
    match applied_quotas(&ground.aws.secondary, SERVICE).await {
        Err(error) => {
            Finding::unknown(format!("{error:#}: let the credentials call servicequotas:ListServiceQuotas"))
        }
        Ok(quotas) => match quotas.get(Quota::CONNECTS) {
            Some(quota) => judge(region, ground.scenario.fleet.devices, quota.value),
            None => Finding::unknown(format!("{region} says no CONNECT quota")),
        },
    }
}

/// A full bucket holds a second of the rate; the rest comes as it fills.
fn judge(region: &str, devices: u32, per_s: f64) -> Finding {
    let devices = f64::from(devices);
    if per_s <= 0.0 {
        return Finding::refused(format!("{region} takes no CONNECT at all: ask for a quota there"));
    }
    let takes = format!("{region} takes {} CONNECTs a second", units::number(per_s));
    if devices <= per_s {
        return Finding::passed(format!("{takes}, and the fleet is {}", units::number(devices)));
    }
    let least = units::duration((devices - per_s) / per_s * 1e6);
    Finding::warned(format!(
        "{takes}: the fleet of {} needs {least} at the least to come over; ask for a higher quota there if that is too long",
        units::number(devices)
    ))
}

#[cfg(test)]
mod tests {
    use gameday_report::record::PreflightOutcome as Outcome;

    use super::*;

    #[test]
    fn a_fleet_that_is_larger_than_the_quota_is_told_its_time() {
        assert_eq!(judge("us-west-2", 500, 500.0).outcome, Outcome::Passed);
        let slow = judge("us-west-2", 5_500, 500.0);
        assert_eq!(slow.outcome, Outcome::Warned);
        assert!(
            slow.why.contains("500 CONNECTs a second") && slow.why.contains("needs 10 s"),
            "{}",
            slow.why
        );
        assert_eq!(judge("us-west-2", 1, 0.0).outcome, Outcome::Refused);
    }
}
