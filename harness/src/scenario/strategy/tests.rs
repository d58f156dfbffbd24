//! Strategies as people write them, and what they are told when they slip.

use super::super::Scenario;
use super::*;

/// A scenario with this strategy, in its fourth line.
fn scenario(strategy: &str, devices: u32) -> Result<Scenario, String> {
    let text = format!(
        "title = \"t\"\nproves = \"p\"\n[fleet]\nstrategy = {strategy}\ndevices = {devices}\n\
         [[step]]\nprovision = {{ via = \"api\" }}\n"
    );
    Scenario::parse(&text, "f.toml", &[]).map_err(|error| error.to_string())
}

const MIX: &str = r#"[
  { share = 0.7, cname = { every = "5s" } },
  { share = 0.2, dual-endpoint = { failures = 2, probe = "4s" } },
  { share = 0.1, sticky = { every = "5s" } },
]"#;

#[test]
fn one_strategy_or_a_list_of_them() {
    let one = scenario("{ cname = { every = \"5s\" } }", 10).unwrap().fleet.strategy;
    assert_eq!(one, Strategies::All(Strategy::Cname(Cname { every: Span::seconds(5) })));
    assert_eq!(one.to_string(), "cname, asked every 5s");
    let mix = scenario(MIX, 10).unwrap().fleet.strategy;
    assert_eq!(mix.counts(10), [7, 2, 1]);
    assert_eq!(mix.probing(10), 2);
    assert_eq!(
        mix.to_string(),
        "70% cname, asked every 5s; 20% dual-endpoint, switches after 2 failures, probes every 4s, home after \
         3 answers; 10% sticky, asked every 5s, stays"
    );
}

#[test]
fn what_is_resolved_reads_back_the_same() {
    for strategy in [MIX, "{ dual-endpoint = {} }", "{ sticky = { failures = 3 } }"] {
        let read = scenario(strategy, 10).unwrap();
        let text = toml::to_string(&read).unwrap();
        assert_eq!(Scenario::parse(&text, "f.toml", &[]).unwrap(), read, "{text}");
    }
}

#[test]
fn the_record_tells_strategies_of_a_kind_apart() {
    let two = "[{ share = 0.5, cname = { every = \"5s\" } }, { share = 0.5, cname = { every = \"60s\" } }]";
    let recorded = scenario(two, 9).unwrap().fleet.strategy.recorded(9);
    let said: Vec<_> = recorded.iter().map(|each| (each.name.as_str(), each.devices)).collect();
    assert_eq!(said, [("cname 1", 5), ("cname 2", 4)]);
    let recorded = scenario(MIX, 10).unwrap().fleet.strategy.recorded(10);
    let said: Vec<_> =
        recorded.iter().map(|each| (each.name.as_str(), each.guide, each.fails_back)).collect();
    let expected = [
        ("cname", Guide::Name, true),
        ("dual-endpoint", Guide::Endpoints, true),
        ("sticky", Guide::Name, false),
    ];
    assert_eq!(said, expected);
}

#[test]
fn slips_are_pointed_at() {
    for (strategy, said) in [
        (MIX.replace("0.7", "0.6").as_str(), "f.toml:4:12: fleet.strategy: shares add up to 0.9"),
        (MIX.replace("0.7", "0").as_str(), "f.toml:5:13: fleet.strategy.0.share: is a part of the fleet"),
        (MIX.replace("\"4s\"", "\"1s\"").as_str(), "fleet.strategy.1.dual-endpoint.probe: must be 2s to 24h"),
        (MIX.replace("= 2,", "= 0,").as_str(), "f.toml:6:47: fleet.strategy.1.dual-endpoint.failures"),
        (
            MIX.replace("share = 0.1, ", "").as_str(),
            "f.toml:7:3: fleet.strategy.2: in a list each strategy has",
        ),
        (MIX.replace("sticky", "stiky").as_str(), "did you mean `sticky`?"),
        (MIX.replace("sticky = {", "sticky = { failures = 3,").as_str(), "fleet.strategy.2.sticky: follows"),
        ("{ sticky = {} }", "fleet.strategy.sticky: follows the fleet's name (every) or"),
        ("{ cname = { every = \"1ms\" } }", "fleet.strategy.cname.every: must be 100ms to 24h"),
        ("{ cname = { every = \"5s\" }, sticky = { every = \"5s\" } }", "several are a list"),
        ("{ share = 1, cname = { every = \"5s\" } }", "a share is of a list"),
        ("{}", "a strategy is one of `cname`, `dual-endpoint`, `sticky`"),
        ("[]", "a list has 1 to 6 strategies"),
        ("\"cname\"", "expected a strategy, or a list of strategies"),
    ] {
        let message = scenario(strategy, 10).unwrap_err();
        assert!(message.contains(said), "{said:?} is not in {message}");
    }
    let message = scenario(MIX, 3).unwrap_err();
    assert!(message.contains("fleet.strategy.2.share: is none of 3 devices"), "{message}");
}

#[test]
fn nobody_waits_for_devices_that_stay() {
    let text = |strategy: &str| {
        format!(
            "title = \"t\"\nproves = \"p\"\n[fleet]\ndevices = 10\nstrategy = {strategy}\n\
             [[step]]\nprovision = {{ via = \"api\" }}\n[[step]]\nconnect = {{ rate_per_s = 5 }}\n\
             [[step]]\nbreak = {{ faults = [\"primary-region-dark\"] }}\n\
             [[step]]\nheal = {{ until = \"failed-back\" }}\n"
        )
    };
    let message =
        Scenario::parse(&text("{ sticky = { failures = 3 } }"), "f.toml", &[]).unwrap_err().to_string();
    assert!(message.contains("step.3 (step 4): heal.until waits for devices to come home"), "{message}");
    Scenario::parse(&text(MIX), "f.toml", &[]).unwrap();
}
