//! Watching the two things between a fault and the devices: what Route 53 says of the health checks, and what the
//! authoritative server answers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gameday_report::record::Event;

use super::Recorder;
use crate::{aws::Aws, fleet::Resolver, target::Target};

/// Route 53's API takes five calls a second of an account: one a second is ours.
const HEALTH_PERIOD: Duration = Duration::from_secs(1);
const ANSWER_PERIOD: Duration = Duration::from_millis(100);
/// More than this share of the checkers has to call an endpoint healthy.
const HEALTHY_SHARE: f64 = 0.18;

/// A health check to follow.
pub(crate) struct HealthWatch {
    pub(crate) check: String,
    pub(crate) region: String,
    /// The steps wait for what is said of the primary.
    pub(crate) is_primary: bool,
    /// Results in a row that turn a checker.
    pub(crate) threshold: u32,
}

/// Follows a Region's health check until dropped.
///
/// Route 53 shows each checker's last result and not what it makes of them, so its rule is applied here again: a checker
/// turns after `threshold` results in a row that differ, and the check is healthy while more than 18 % call it so.
pub(crate) async fn watch_health(recorder: Recorder, aws: Aws, watch: HealthWatch) {
    let mut checkers: BTreeMap<String, Checker> = BTreeMap::new();
    let mut known: Option<bool> = None;
    loop {
        if let Ok(status) = aws.route53.get_health_check_status().health_check_id(&watch.check).send().await {
            for observation in status.health_check_observations() {
                // A checker that has not probed yet says nothing.
                let Some(report) = observation.status_report() else { continue };
                let success = report.status().is_some_and(|text| text.starts_with("Success"));
                let checked = report
                    .checked_time()
                    .map(aws_sdk_iot::primitives::DateTime::as_nanos)
                    .unwrap_or_default();
                let place = observation
                    .region()
                    .map(aws_sdk_route53::types::HealthCheckRegion::as_str)
                    .unwrap_or_default();
                let key = format!("{place} {}", observation.ip_address().unwrap_or_default());
                checkers.entry(key).or_default().see(success, checked, watch.threshold);
            }
            let healthy = checkers.values().filter(|c| c.healthy).count();
            let verdict = healthy as f64 > checkers.len() as f64 * HEALTHY_SHARE;
            if known != Some(verdict) && !checkers.is_empty() {
                known = Some(verdict);
                recorder.event(Event::Health {
                    region: watch.region.clone(),
                    healthy: verdict,
                    checkers_healthy: u32::try_from(healthy).unwrap_or(u32::MAX),
                    checkers: u32::try_from(checkers.len()).unwrap_or(u32::MAX),
                });
                if watch.is_primary {
                    recorder.board().change(|board| board.primary_healthy = Some(verdict));
                }
            }
        }
        tokio::time::sleep(HEALTH_PERIOD).await;
    }
}

/// What one checker makes of its results.
#[derive(Debug)]
struct Checker {
    healthy: bool,
    /// Results in a row that differ from its opinion.
    streak: u32,
    last_checked: i128,
}

impl Default for Checker {
    /// A new checker calls its endpoint healthy.
    fn default() -> Self {
        Self { healthy: true, streak: 0, last_checked: 0 }
    }
}

impl Checker {
    fn see(&mut self, success: bool, checked: i128, threshold: u32) {
        if checked == self.last_checked {
            return;
        }
        self.last_checked = checked;
        self.streak = if success == self.healthy { 0 } else { self.streak + 1 };
        if self.streak >= threshold {
            self.healthy = success;
            self.streak = 0;
        }
    }
}

/// Follows the answer for the fleet's name until dropped.
pub(crate) async fn watch_answer(
    recorder: Recorder,
    resolver: Arc<Resolver>,
    target: Arc<Target>,
    name: String,
) {
    let mut known: Option<String> = None;
    loop {
        if let Ok(answer) = resolver.cname(&name).await
            && known.as_deref() != Some(&answer.host)
        {
            let region = target.region_of(&answer.host).unwrap_or("unknown").to_owned();
            recorder.event(Event::Answer {
                name: name.clone(),
                target: answer.host.clone(),
                region: region.clone(),
            });
            recorder.board().change(|board| board.answer_region = Some(region));
            known = Some(answer.host);
        }
        tokio::time::sleep(ANSWER_PERIOD).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checker_turns_after_the_threshold_of_new_results() {
        let mut checker = Checker::default();
        for (time, success, healthy) in [
            (1, false, true),
            (1, false, true),
            (2, false, true),
            (3, true, true),
            (4, false, true),
            (5, false, true),
            (6, false, false),
            (7, true, false),
            (8, true, false),
            (9, true, true),
        ] {
            checker.see(success, time, 3);
            assert_eq!(checker.healthy, healthy, "at {time}");
        }
    }
}
