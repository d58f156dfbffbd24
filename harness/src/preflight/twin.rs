//! Whether a twin is as the scenario asks, and nothing of it is broken before we break it.

use futures::{FutureExt, future::ready};
use gameday_twin::{Endpoints, FaultState};

use super::{Check, Finding, Ground, Stage};
use crate::{scenario::TwinSettings, target};

pub(super) static AS_ASKED: Check = Check {
    name: "target",
    label: "The target is as the scenario asks",
    stage: Stage::Here,
    can_be_ignored: false,
    look: |ground| ready(as_asked(ground)).boxed_local(),
};

pub(super) static UNBROKEN: Check = Check {
    name: "faults",
    label: "Nothing is broken yet",
    stage: Stage::Here,
    can_be_ignored: false,
    look: |ground| unbroken(ground).boxed_local(),
};

fn as_asked(ground: &Ground<'_>) -> Finding {
    // The embedded one was started so.
    if ground.target.is_embedded() {
        return Finding::passed("the twin was started so");
    }
    let wrong = differences(&ground.scenario.twin, &ground.target.endpoints);
    if wrong.is_empty() {
        return Finding::passed("quotas and replication delay are as [twin] asks");
    }
    Finding::refused(wrong.join("\n  "))
}

/// Asked of the twin's own control, since a dark Region answers nothing.
async fn unbroken(ground: &Ground<'_>) -> Finding {
    let url = &ground.target.endpoints.api_url;
    match target::fault_states(url).await {
        Ok(faults) if faults.is_empty() => Finding::passed("no fault of the twin is on"),
        Ok(faults) => Finding::refused(broken(&faults, url)),
        Err(error) => Finding::unknown(format!("{error:#}")),
    }
}

/// In what a twin is not as the scenario's `[twin]` asks.
fn differences(asked: &TwinSettings, twin: &Endpoints) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut differs = |asks: &str, has: &str, start: &str, set: &str| {
        wrong.push(format!(
            "the scenario asks for {asks}, this twin has {has}: start it with `gameday twin {start}`, or give --set twin.{set}"
        ));
    };
    match (asked.enforce_quotas, twin.quotas_enforced) {
        (true, false) => {
            let start = format!("--quota-scale {}", asked.quota_scale);
            differs("quotas ([twin] enforce_quotas)", "none", &start, "enforce_quotas=false");
        }
        (false, true) => {
            differs("no quotas ([twin] enforce_quotas)", "some", "--no-quotas", "enforce_quotas=true");
        }
        (true, true) if (asked.quota_scale - twin.quota_scale).abs() > f64::EPSILON => differs(
            &format!("quotas {} times AWS's ([twin] quota_scale)", asked.quota_scale),
            &twin.quota_scale.to_string(),
            &format!("--quota-scale {}", asked.quota_scale),
            &format!("quota_scale={}", twin.quota_scale),
        ),
        _ => {}
    }
    let delay_ms = asked.replication_delay.as_millis();
    if delay_ms != u128::from(twin.replication_delay_ms) {
        differs(
            &format!("a replication delay of {delay_ms} ms ([twin] replication_delay)"),
            &format!("{} ms", twin.replication_delay_ms),
            &format!("--replication-delay-ms {delay_ms}"),
            &format!("replication_delay={}ms", twin.replication_delay_ms),
        );
    }
    if !asked.quotas.is_empty() {
        wrong.push(
            "the scenario sets quotas of its own ([twin.quotas]), which only the embedded twin takes: run it without \
             --target, or set them with PUT /_twin/quotas and give --set 'twin.quotas={}'"
                .to_owned(),
        );
    }
    wrong
}

/// What is broken, where, and the command that mends it.
fn broken(faults: &[FaultState], url: &str) -> String {
    let said = |state: &FaultState| {
        let fault = serde_json::to_value(&state.fault).unwrap_or_default();
        let text = |name: &str| fault[name].as_str().map(str::to_owned);
        let kind = text("fault").unwrap_or_else(|| "a fault".to_owned());
        text("region").map_or(format!("{kind} is on"), |region| format!("{kind} is on in {region}"))
    };
    let which = match faults {
        [only] => only.id.to_string(),
        _ => "--all".to_owned(),
    };
    let said: Vec<String> = faults.iter().map(said).collect();
    format!("{}; `gameday twin fault clear {which} --url {url}`", said.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn twin(change: impl FnOnce(&mut Endpoints)) -> Endpoints {
        let mut endpoints = serde_json::from_value(json!({
            "api_url": "http://127.0.0.1:1", "dns": "127.0.0.1:2", "ca_pem": "", "account": "1", "quota_scale": 1.0,
            "quotas_enforced": true, "replication_delay_ms": 200, "folder": "/tmp/x", "regions": [],
        }))
        .unwrap();
        change(&mut endpoints);
        endpoints
    }

    #[test]
    fn a_twin_that_is_not_as_the_scenario_asks_is_named_with_what_to_do() {
        let plain = TwinSettings::default();
        assert_eq!(differences(&plain, &twin(|_| {})), [""; 0]);
        let fast = TwinSettings { quota_scale: 10.0, ..plain.clone() };
        assert_eq!(
            differences(&fast, &twin(|_| {})),
            [
                "the scenario asks for quotas 10 times AWS's ([twin] quota_scale), this twin has 1: start it with \
              `gameday twin --quota-scale 10`, or give --set twin.quota_scale=1"
            ]
        );
        assert_eq!(differences(&fast, &twin(|twin| twin.quota_scale = 10.0)), [""; 0]);
        let slow = differences(&plain, &twin(|twin| twin.replication_delay_ms = 900));
        assert!(
            slow[0].contains("--replication-delay-ms 200") && slow[0].contains("delay=900ms"),
            "{slow:?}"
        );
        let free = TwinSettings { enforce_quotas: false, ..fast };
        assert!(differences(&free, &twin(|_| {}))[0].contains("--no-quotas"));
        assert_eq!(differences(&free, &twin(|twin| twin.quotas_enforced = false)), [""; 0]);
        let own = TwinSettings { quotas: [("us-east-1".to_owned(), [].into())].into(), ..plain };
        assert!(differences(&own, &twin(|_| {}))[0].contains("'twin.quotas={}'"));
    }

    #[test]
    fn what_is_broken_is_said_with_the_command_that_mends_it() {
        let state = |id: u64| {
            let fault = json!({"fault": "region-dark", "region": "us-east-1"});
            let state =
                json!({"id": id, "fault": fault, "hits": 0, "since": "2026-01-01T00:00:00Z", "age_ms": 1});
            serde_json::from_value::<FaultState>(state).unwrap()
        };
        let url = "http://127.0.0.1:1";
        assert_eq!(
            broken(&[state(7)], url),
            "region-dark is on in us-east-1; `gameday twin fault clear 7 --url http://127.0.0.1:1`"
        );
        assert!(broken(&[state(7), state(8)], url).contains("clear --all --url"));
    }
}
