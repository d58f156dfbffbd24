//! A run's numbers beside what happened in the twin, and delays that are put in and have to be found. How small the errors are
//! where nothing else runs is the bench's (`--bench stopwatch`); here other tests share the processors.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "why it took so long")]

use gameday_tests::{
    GameDay, TwinProcess, fixture,
    site::{SECONDARY, Site},
    stopwatch::{self, Errors},
};
use serde_json::Value;

const DEVICES: usize = 40;
const RUNS_MAX: u32 = 4;
/// Of the fixture.
const REPLICATION_DELAY_MS: f64 = 1_500.0;
/// What a device sends arrives this much later in the secondary: few enough for its health check, which connects too.
const SLOW_MS: f64 = 150.0;
const ADDRESS_DELAY_MS: f64 = 250.0;
/// Errors of nine in ten: fifty times what the bench asks for, so that a busy machine passes, and less than each delay that is
/// put in, so that a number which does not follow the delay cannot.
const ERROR_MS_MAX: f64 = 100.0;
/// So much longer than what was put in a stage may take: both Regions, their functions and the devices share two cores.
const WORK_MS_MAX: f64 = 300.0;
/// A replicator's work on a busy machine, cold starts of its functions among it.
const REPLICATOR_MS_MAX: f64 = 3_000.0;

fn stage_p50_ms(summary: &Value, way: &str, stage: &str) -> f64 {
    let stages = summary[way]["stages"].as_array().unwrap();
    stages.iter().find(|row| row["stage"] == stage).unwrap()["p50_ms"].as_f64().unwrap()
}

fn named<'a>(errors: &'a [Errors], what: &str) -> &'a Errors {
    errors.iter().find(|errors| errors.what == what).unwrap()
}

/// A game day with delays put in while it goes on. A run whose harness says that it was kept from its processors proves nothing:
/// it is played again, on a new twin.
fn played() -> (Site, GameDay, Value) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..RUNS_MAX {
        let twin = TwinProcess::start_with(20, &["--replication-delay-ms", "1500"]).unwrap();
        let site = runtime.block_on(Site::of(twin));
        stopwatch::switch_on(&site.url()).unwrap();
        let mut day = GameDay::start(&fixture("accuracy.toml"), &["--target", &site.url()]).unwrap();
        day.until_it_says("Hold").unwrap();
        // Devices are connected to the primary; what comes now meets them in the secondary.
        let slow = format!("how={{\"slow\":{{\"delay_ms\":{SLOW_MS}}}}}");
        site.fault(&["connections", "--region", SECONDARY, "port=mqtt", &slow]).unwrap();
        let late = format!("how={{\"delay-ms\":{ADDRESS_DELAY_MS}}}");
        site.fault(&["dns", &format!("name=*.{SECONDARY}.*"), &late]).unwrap();
        let exit = day.exit().unwrap();
        let summary = day.summary().unwrap();
        let harness =
            summary["checks"].as_array().unwrap().iter().find(|row| row["name"] == "harness").unwrap();
        if harness["verdict"] == "pass" {
            assert_eq!(exit, 0, "{}", summary["reason"]);
            return (site, day, summary);
        }
        println!("played again: {}", harness["why"]);
    }
    panic!("this machine had no time for the harness in {RUNS_MAX} runs");
}

#[test]
fn what_is_measured_is_what_happened_and_delays_that_are_put_in_are_found() {
    let (site, day, summary) = played();
    for (stage, delay_ms) in
        [("dns", ADDRESS_DELAY_MS), ("tls", SLOW_MS), ("connack", SLOW_MS), ("publish", SLOW_MS)]
    {
        let (there, back) =
            (stage_p50_ms(&summary, "failover", stage), stage_p50_ms(&summary, "failback", stage));
        assert!(
            (delay_ms..delay_ms + WORK_MS_MAX).contains(&there),
            "{stage}: {there} ms, slow by {delay_ms}"
        );
        assert!(back < delay_ms, "{stage}: {back} ms, where nothing is slow");
    }
    // Fifty-seven updates a second are more than one observer is given.
    let observation = &summary["observation"];
    assert_eq!(
        (&observation["by"], &observation["observers"]),
        (&"names".into(), &2.into()),
        "{observation}"
    );
    assert_eq!(observation["observed"], DEVICES);
    let lag_ms = summary["latencies"]["replication.shadow"]["total"]["p50_ms"].as_f64().unwrap();
    let lag_ms_max = REPLICATION_DELAY_MS + REPLICATOR_MS_MAX;
    assert!((REPLICATION_DELAY_MS - ERROR_MS_MAX..lag_ms_max).contains(&lag_ms), "lag {lag_ms} ms");

    let found = stopwatch::compare(&day.folder().unwrap(), &site.url()).unwrap();
    assert_eq!(found.unmatched, [""; 0]);
    assert!(found.lag.count() > DEVICES * 3, "{}", found.lag);
    // Two faults come and go, health and answer go there and back.
    assert_eq!(found.common.len(), 8, "{:?}", found.common);
    for errors in [&found.lag].into_iter().chain(&found.lag_moments).chain(&found.common) {
        assert!(errors.percentile_ms(90) < ERROR_MS_MAX, "{errors}");
    }
    assert_eq!(found.devices.len(), 18, "six moments of three ways: {:?}", found.devices);
    for errors in &found.devices {
        assert_eq!(errors.count(), DEVICES, "{errors}");
        let late_ms = match errors.what.as_str() {
            // The secondary's side of a handshake ends when the device's last flight is there, which is late.
            "failover: TLS" => SLOW_MS,
            // An answer came after its question: of one that is slow nothing closer is known.
            "failover: address" => ADDRESS_DELAY_MS,
            _ => 0.0,
        };
        assert!(errors.percentile_ms(90) < late_ms + ERROR_MS_MAX, "{errors}");
    }
    let early = named(&found.devices, "failover: TLS");
    assert!(early.mean_ms() < 0.0, "a device is done before the secondary: {early}");
}
