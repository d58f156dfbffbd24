//! Who was late at a failover, and why, by the evidence that the record has. What it does not say is Unknown: a cause that is
//! guessed sends somebody to look in the wrong place.

use std::collections::BTreeMap;

use crate::record::Guide;
use crate::summary::{Cause, CauseRow, Straggler, Stragglers};
use crate::units::{duration_ms, plural};

use super::journeys::{Absent, Journey, Journeys};
use super::spread::{at, ms};
use super::stage::Stage;
use super::timeline::Timeline;
use super::trace::{Failed, Trace};

/// A device that took this much more than the median device of its strategy is late. Half as long again is more than what
/// periods and jitter spread, and a healthy fleet has nobody who is.
const LATE_PERCENT: u64 = 150;
const STRAGGLERS_LISTED: usize = 20;

/// TLS alerts by which an endpoint refuses a certificate: `bad_certificate` to `certificate_unknown`, `unknown_ca`,
/// `access_denied`, `certificate_required`.
const CERTIFICATE_ALERTS: [u8; 8] = [42, 43, 44, 45, 46, 48, 49, 116];
/// CONNACK of a broker that has no room now.
const UNAVAILABLE: u8 = 3;
/// CONNACK of a broker that knows the certificate and does not let it in: MQTT's, and AWS IoT's own.
const NOT_AUTHORIZED: [u8; 2] = [5, 7];

/// What is known of a device that was late.
#[derive(Debug, Clone, Default)]
struct Late {
    guide: Guide,
    /// Where it lost most time against its like; none: it did not come.
    stage: Option<Stage>,
    /// Its attempts in the secondary that failed, by what the secondary said.
    refused: BTreeMap<Refused, u64>,
    /// Whether it let go of the primary.
    has_left: bool,
    /// Whether the answer for the fleet's name changed.
    is_answer_changed: bool,
}

/// What became of an attempt in the secondary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Refused {
    /// By a TLS alert.
    Certificate(u8),
    /// After TLS and without a CONNACK: so AWS IoT ends the connection of a certificate that it does not know, or that is
    /// not active.
    Unheard,
    NotAuthorized(u8),
    /// It was let in, and cut off before anything was acknowledged: so AWS IoT ends what a policy does not allow.
    CutOff,
    Unavailable,
    /// By an answer that says nothing of the causes here, or without one.
    Otherwise,
}

/// The stragglers of the failovers.
pub(crate) fn stragglers(
    failovers: &Journeys<'_>,
    traces: &BTreeMap<&str, Trace<'_>>,
    timeline: &Timeline,
) -> Stragglers {
    let typical = typical(failovers);
    let late = failovers.ways.iter().filter(|journey| {
        let median_us =
            typical.get(journey.way.strategy.as_str()).map_or(u64::MAX, |typical| typical.total_us);
        journey.total_us().saturating_mul(100) >= median_us.saturating_mul(LATE_PERCENT)
    });
    let absent = failovers.absent.iter().map(|absent| absentee(absent, traces, timeline));
    // Fastest first, so that they are gone through from the end.
    let came = late.rev().map(|journey| latecomer(journey, &typical, traces));
    let all: Vec<Straggler> = absent.chain(came).collect();
    let mut counts: BTreeMap<Cause, u64> = BTreeMap::new();
    for straggler in &all {
        *counts.entry(straggler.cause).or_default() += 1;
    }
    let row = |(cause, devices): (Cause, u64)| CauseRow { cause, label: cause.label().to_owned(), devices };
    let mut causes: Vec<CauseRow> = counts.into_iter().map(row).collect();
    causes.sort_by_key(|row| std::cmp::Reverse(row.devices));
    Stragglers {
        devices: all.len() as u64,
        causes,
        slowest: all.into_iter().take(STRAGGLERS_LISTED).collect(),
    }
}

/// What is usual among the devices of a strategy.
#[derive(Debug, Default)]
struct Typical {
    total_us: u64,
    stages_us: BTreeMap<Stage, u64>,
}

fn typical<'a>(failovers: &'a Journeys<'_>) -> BTreeMap<&'a str, Typical> {
    let mut by_strategy: BTreeMap<&str, Vec<&Journey<'_>>> = BTreeMap::new();
    for journey in &failovers.ways {
        by_strategy.entry(journey.way.strategy.as_str()).or_default().push(journey);
    }
    let median = |mut values: Vec<u64>| {
        values.sort_unstable();
        at(&values, 0.5).unwrap_or(0)
    };
    let typical = |journeys: Vec<&Journey<'_>>| {
        let mut stages: BTreeMap<Stage, Vec<u64>> = BTreeMap::new();
        for (stage, took_us) in journeys.iter().flat_map(|journey| journey.stages_us()) {
            stages.entry(stage).or_default().push(took_us);
        }
        Typical {
            total_us: median(journeys.iter().map(|journey| journey.total_us()).collect()),
            stages_us: stages.into_iter().map(|(stage, values)| (stage, median(values))).collect(),
        }
    };
    by_strategy.into_iter().map(|(name, journeys)| (name, typical(journeys))).collect()
}

fn latecomer(
    journey: &Journey<'_>,
    typical: &BTreeMap<&str, Typical>,
    traces: &BTreeMap<&str, Trace<'_>>,
) -> Straggler {
    let way = journey.way;
    let usual = |stage: Stage| {
        let typical = typical.get(way.strategy.as_str());
        typical.and_then(|typical| typical.stages_us.get(&stage)).copied().unwrap_or(0)
    };
    let stages = journey.stages_us();
    let held = stages.iter().max_by_key(|(stage, took_us)| took_us.saturating_sub(usual(*stage)));
    let trace = traces.get(way.device.as_str());
    let late = Late {
        guide: journey.guide,
        stage: held.map(|(stage, _)| *stage),
        refused: trace.map(|trace| refused(trace, journey.origin_us, way.first_ack_us)).unwrap_or_default(),
        has_left: true,
        is_answer_changed: journey.answer_us.is_some(),
    };
    let (cause, mut evidence) = cause(&late);
    if let Some((stage, took_us)) = held {
        let (took, usual) = (duration_ms(ms(*took_us)), duration_ms(ms(usual(*stage))));
        let numbers = format!("{}: {took}, of the median device {usual}.", stage.label());
        evidence = if evidence.is_empty() { numbers } else { format!("{numbers} {evidence}") };
    }
    Straggler {
        device: way.device.clone(),
        strategy: way.strategy.clone(),
        took_ms: Some(ms(journey.total_us())),
        cause,
        evidence,
    }
}

fn absentee(absent: &Absent<'_>, traces: &BTreeMap<&str, Trace<'_>>, timeline: &Timeline) -> Straggler {
    let trace = traces.get(absent.device);
    let inside = |at_us: u64| at_us >= absent.origin_us && at_us <= absent.until_us;
    let each = timeline.breaks.iter().find(|each| each.began_us == absent.origin_us);
    let late = Late {
        guide: trace.map(Trace::guide).unwrap_or_default(),
        stage: None,
        refused: trace.map(|trace| refused(trace, absent.origin_us, absent.until_us)).unwrap_or_default(),
        has_left: trace
            .is_some_and(|trace| trace.left.iter().any(|left| left.from_primary && inside(left.at_us))),
        is_answer_changed: each.is_some_and(|each| each.answer_us.is_some()),
    };
    let (cause, evidence) = cause(&late);
    Straggler {
        device: absent.device.to_owned(),
        strategy: trace.and_then(|trace| trace.strategy).map_or_else(String::new, |each| each.name.clone()),
        took_ms: None,
        cause,
        evidence,
    }
}

/// What the secondary said to a device in a time.
fn refused(trace: &Trace<'_>, from_us: u64, to_us: u64) -> BTreeMap<Refused, u64> {
    let inside = |at_us: u64| at_us >= from_us && at_us <= to_us;
    let failed = trace.failed.iter().filter(|failed| !failed.in_primary && inside(failed.at_us)).map(said);
    let left = trace.left.iter().filter(|left| !left.from_primary && inside(left.at_us));
    let mut counts = BTreeMap::new();
    for said in failed.chain(left.map(|_| Refused::CutOff)) {
        *counts.entry(said).or_default() += 1;
    }
    counts
}

fn said(failed: &Failed) -> Refused {
    match (failed.alert, failed.connack) {
        (Some(alert), _) if CERTIFICATE_ALERTS.contains(&alert) => Refused::Certificate(alert),
        (_, Some(code)) if NOT_AUTHORIZED.contains(&code) => Refused::NotAuthorized(code),
        (_, Some(UNAVAILABLE)) => Refused::Unavailable,
        (None, None) if failed.is_cut_off => Refused::Unheard,
        _ => Refused::Otherwise,
    }
}

/// What held a device up, and the evidence where the stage is not enough.
fn cause(late: &Late) -> (Cause, String) {
    let by_itself = |cause| (cause, String::new());
    match (late.stage, late.guide) {
        (Some(Stage::Resolver), _) => by_itself(Cause::StaleDns),
        (Some(Stage::Notice), _) => by_itself(Cause::HalfOpenSocket),
        (Some(Stage::Attempts), _) => by_itself(Cause::ClientBackOff),
        (Some(Stage::Leave), _) if late.refused.is_empty() => by_itself(Cause::ClientBackOff),
        (Some(Stage::Leave), _) => by_refusal(late),
        (Some(_), _) => by_itself(Cause::Unknown),
        (None, _) if !late.refused.is_empty() => by_refusal(late),
        (None, Guide::Name) if late.is_answer_changed => {
            (Cause::StaleDns, "The answer changed, and it never tried the secondary.".to_owned())
        }
        (None, Guide::Name) => {
            (Cause::Unknown, "The answer never changed, and it never tried the secondary.".to_owned())
        }
        (None, Guide::Endpoints) if late.has_left => {
            (Cause::ClientBackOff, "It never stopped trying the primary.".to_owned())
        }
        (None, Guide::Endpoints) => {
            (Cause::HalfOpenSocket, "It never let go of its connection to the primary.".to_owned())
        }
    }
}

/// The cause that most attempts in the secondary speak for. Attempts that speak for none leave it open.
fn by_refusal(late: &Late) -> (Cause, String) {
    // Of as many of two kinds, what does not pass by itself: from the end, since the last of the largest is taken.
    let worst = late
        .refused
        .iter()
        .rev()
        .filter(|(refused, _)| **refused != Refused::Otherwise)
        .max_by_key(|(_, count)| **count)
        .or_else(|| late.refused.iter().next());
    let Some((refused, count)) = worst else { return (Cause::Unknown, String::new()) };
    let times = plural(*count, "attempt");
    match refused {
        Refused::Certificate(alert) => {
            (Cause::CertificateMissing, format!("{times} in the secondary ended with TLS alert {alert}."))
        }
        Refused::Unheard => (
            Cause::CertificateMissing,
            format!("{times} in the secondary ended after TLS and without a CONNACK."),
        ),
        Refused::NotAuthorized(code) => (
            Cause::PolicyMissing,
            format!("{times} in the secondary ended with CONNACK {code}, not authorized."),
        ),
        Refused::CutOff => (
            Cause::PolicyMissing,
            format!("{times} in the secondary got a CONNACK and ended before a publish was acknowledged."),
        ),
        Refused::Unavailable => (
            Cause::ThrottledConnect,
            format!("{times} in the secondary ended with CONNACK {UNAVAILABLE}, unavailable."),
        ),
        Refused::Otherwise => {
            (Cause::Unknown, format!("{times} in the secondary failed, and no answer says why."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(late: &Late) -> Cause {
        cause(late).0
    }

    fn failed(connack: Option<u8>, alert: Option<u8>) -> Failed {
        Failed { at_us: 5, in_primary: false, connack, alert, is_cut_off: false }
    }

    #[test]
    fn the_stage_that_held_a_device_up_says_why() {
        for (stage, expected) in [
            (Stage::Resolver, Cause::StaleDns),
            (Stage::Notice, Cause::HalfOpenSocket),
            (Stage::Attempts, Cause::ClientBackOff),
            (Stage::Leave, Cause::ClientBackOff),
            (Stage::Tls, Cause::Unknown),
            (Stage::Detection, Cause::Unknown),
        ] {
            assert_eq!(of(&Late { stage: Some(stage), ..Late::default() }), expected, "{stage:?}");
        }
    }

    #[test]
    fn what_the_secondary_said_says_why() {
        for (connack, alert, expected) in [
            (None, Some(46), Cause::CertificateMissing),
            (None, Some(40), Cause::Unknown),
            (Some(7), None, Cause::PolicyMissing),
            (Some(5), None, Cause::PolicyMissing),
            (Some(3), None, Cause::ThrottledConnect),
            (Some(2), None, Cause::Unknown),
            (None, None, Cause::Unknown),
        ] {
            let refused = BTreeMap::from([(said(&failed(connack, alert)), 4)]);
            let late = Late { refused, has_left: true, ..Late::default() };
            assert_eq!(of(&late), expected, "did not come: {connack:?} {alert:?}");
            assert_eq!(of(&Late { stage: Some(Stage::Leave), ..late.clone() }), expected, "came late");
            let elsewhere = Late { stage: Some(Stage::Resolver), ..late };
            assert_eq!(of(&elsewhere), Cause::StaleDns, "refusals that cost less than the resolver");
        }
    }

    #[test]
    fn a_connection_that_ends_before_a_connack_is_one_of_a_certificate_that_is_not_known() {
        let cut_off = Failed { is_cut_off: true, ..failed(None, None) };
        assert_eq!(said(&cut_off), Refused::Unheard);
        assert_eq!(
            said(&Failed { connack: Some(7), ..cut_off }),
            Refused::NotAuthorized(7),
            "it was answered"
        );
        let refused = BTreeMap::from([(Refused::Unheard, 2)]);
        assert_eq!(of(&Late { refused, ..Late::default() }), Cause::CertificateMissing);
    }

    #[test]
    fn an_attempt_without_an_answer_does_not_hide_one_that_has_one() {
        let refused = BTreeMap::from([(Refused::Otherwise, 9), (Refused::Unavailable, 1)]);
        assert_eq!(of(&Late { refused, ..Late::default() }), Cause::ThrottledConnect);
        let refused = BTreeMap::from([(Refused::Certificate(46), 3), (Refused::Unavailable, 3)]);
        assert_eq!(of(&Late { refused, ..Late::default() }), Cause::CertificateMissing);
    }

    #[test]
    fn a_device_that_never_tried_the_secondary_is_told_by_what_should_have_sent_it() {
        let name = Late { is_answer_changed: true, has_left: true, ..Late::default() };
        assert_eq!(of(&name), Cause::StaleDns);
        assert_eq!(of(&Late { is_answer_changed: false, ..name.clone() }), Cause::Unknown);
        let endpoints = Late { guide: Guide::Endpoints, ..name };
        assert_eq!(of(&endpoints), Cause::ClientBackOff);
        assert_eq!(of(&Late { has_left: false, ..endpoints }), Cause::HalfOpenSocket);
    }

    #[test]
    fn only_what_was_in_the_secondary_and_in_time_is_evidence() {
        let left = |at_us, from_primary| super::super::trace::Left { at_us, from_primary };
        let trace = Trace {
            failed: vec![
                failed(Some(3), None),
                Failed { in_primary: true, ..failed(Some(7), None) },
                Failed { at_us: 50, ..failed(None, Some(46)) },
            ],
            left: vec![left(4, true), left(6, false), left(60, false)],
            ..Trace::default()
        };
        let counted: Vec<_> = refused(&trace, 1, 20).into_iter().collect();
        assert_eq!(counted, [(Refused::CutOff, 1), (Refused::Unavailable, 1)]);
    }
}
