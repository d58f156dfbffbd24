//! Watching the two things between a fault and the devices: what Route 53 says of the health checks, and what the
//! authoritative server answers.

use std::{sync::Arc, time::Duration};

use gameday_report::record::Event;
use jiff::Timestamp;

use super::{
    Recorder,
    health::{Health, Seen, Turn},
};
use crate::{aws::Aws, fleet::Resolver, target::Target};

/// Route 53's API takes five calls a second of an account: one a second is ours.
const HEALTH_PERIOD: Duration = Duration::from_secs(1);
/// Within this and the time of a question a change of the answer is seen. Route 53 has no limit for questions.
const ANSWER_PERIOD: Duration = Duration::from_millis(10);

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
pub(crate) async fn watch_health(recorder: Recorder, aws: Aws, watch: HealthWatch) {
    let mut health = Health::new(watch.threshold);
    loop {
        if let Ok(status) = aws.route53.get_health_check_status().health_check_id(&watch.check).send().await {
            let read_us = recorder.now_us();
            let seen = status.health_check_observations().iter().filter_map(seen).collect();
            for turn in health.see(seen) {
                record(&recorder, &watch, turn, read_us);
            }
        }
        tokio::time::sleep(HEALTH_PERIOD).await;
    }
}

/// What a checker saw last. One that has not probed yet says nothing.
fn seen(observation: &aws_sdk_route53::types::HealthCheckObservation) -> Option<Seen> {
    let report = observation.status_report()?;
    let place = observation.region().map(aws_sdk_route53::types::HealthCheckRegion::as_str);
    Some(Seen {
        checker: format!("{} {}", place.unwrap_or_default(), observation.ip_address().unwrap_or_default()),
        success: report.status().is_some_and(|text| text.starts_with("Success")),
        checked: Timestamp::from_nanosecond(report.checked_time()?.as_nanos()).ok()?,
    })
}

fn record(recorder: &Recorder, watch: &HealthWatch, turn: Turn, read_us: u64) {
    let count = |checkers: usize| u32::try_from(checkers).unwrap_or(u32::MAX);
    // A checker's clock may be ahead of ours; nothing was read before it was.
    let checked_us = turn.checked.map(|checked| recorder.clock().us_at(checked).min(read_us));
    let event = Event::Health {
        region: watch.region.clone(),
        healthy: turn.healthy,
        checkers_healthy: count(turn.checkers_healthy),
        checkers: count(turn.checkers),
        read_us: checked_us.map(|_| read_us),
    };
    recorder.event_at(checked_us.unwrap_or(read_us), event);
    recorder.board().change(|board| {
        let known = if watch.is_primary { &mut board.primary_healthy } else { &mut board.secondary_healthy };
        *known = Some(turn.healthy);
    });
}

/// Follows the answer for the fleet's name until dropped.
pub(crate) async fn watch_answer(
    recorder: Recorder,
    resolver: Arc<Resolver>,
    target: Arc<Target>,
    name: String,
) {
    let mut known: Option<String> = None;
    // When the answer that is known was last asked for.
    let mut held_us = None;
    loop {
        let asked_us = recorder.now_us();
        if let Ok(answer) = resolver.cname(&name).await {
            let seen_us = recorder.now_us();
            if known.as_deref() != Some(&answer.host) {
                let region = target.region_of(&answer.host).unwrap_or("unknown").to_owned();
                let event = Event::Answer {
                    name: name.clone(),
                    target: answer.host.clone(),
                    region: region.clone(),
                    resolution_us: held_us.map(|held| seen_us.saturating_sub(held)),
                };
                recorder.event_at(seen_us, event);
                recorder.board().change(|board| board.answer_region = Some(region));
                known = Some(answer.host);
            }
            held_us = Some(asked_us);
        }
        tokio::time::sleep(ANSWER_PERIOD).await;
    }
}
