//! Shadow lag at 500 updates a second, by the twin's ground truth: from a version in the primary to the first one in the
//! secondary that has its state or a later one's.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use gameday_tests::site::Site;

use crate::{http::Http, load::Load};

const PER_S: u32 = 500;
const THINGS: u32 = 1_000;
const SCALE: u32 = 100_000;
/// How long the last versions are waited for.
const ARRIVAL_MAX: Duration = Duration::from_mins(2);
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// Error rows are looked for when nothing can be on its way any more: later than the first row of a failure that may pass.
const ERRORS_WAIT: Duration = Duration::from_secs(25);
const PAGE: usize = 50_000;

/// One version, as ground truth tells it. Versions are counted in each Region; states are told from each other.
#[derive(Debug, Deserialize)]
struct Fact {
    seq: u64,
    mono_ns: u64,
    region: String,
    thing: String,
    state: String,
}

/// The versions of one thing in the order of their time.
#[derive(Debug, Default)]
struct Versions {
    /// When, and which state.
    primary: Vec<(u64, String)>,
    secondary: Vec<(u64, String)>,
}

/// What became of the versions of one thing.
#[derive(Debug, Default)]
struct Arrivals {
    lags_ms: Vec<f64>,
    /// Never seen themselves, but a later one.
    overtaken: usize,
    /// Those after the last one that was seen.
    missing: usize,
}

impl Versions {
    fn arrivals(&self) -> Result<Arrivals> {
        let places: BTreeMap<&str, usize> =
            self.primary.iter().enumerate().map(|(place, (_, state))| (state.as_str(), place)).collect();
        let mut arrivals = Arrivals::default();
        let mut next = 0;
        for (at_ns, state) in &self.secondary {
            let place = *places.get(state.as_str()).context("a state that the primary never had")?;
            if place < next {
                ensure!(place + 1 == next, "a version went backwards");
                continue;
            }
            arrivals.overtaken += place - next;
            let arrived = self.primary[next..=place].iter();
            arrivals.lags_ms.extend(arrived.map(|(from_ns, _)| at_ns.saturating_sub(*from_ns) as f64 / 1e6));
            next = place + 1;
        }
        arrivals.missing = self.primary.len() - next;
        Ok(arrivals)
    }
}

pub(crate) async fn at_500_a_second(dispatch: &str, seconds: usize) -> Result<()> {
    let site = Site::deploy(SCALE, &["--dispatch", dispatch]).await?;
    let mut http = Http::connect(&site.url()).await?;
    http.call("twin", "PUT", "/_twin/truth", r#"{"on":true}"#.to_owned()).await?;
    let count = PER_S * u32::try_from(seconds)?;
    let load = Load::start(site.twin.id());
    let began = tokio::time::Instant::now();
    let mut sent = Vec::new();
    // Open loop: each has its own time, whatever became of the one before.
    for number in 0..count {
        tokio::time::sleep_until(began + Duration::from_secs(1) / PER_S * number).await;
        let region = site.primary.clone();
        sent.push(tokio::spawn(async move {
            let state = serde_json::json!({"reported": {"n": number}});
            region.shadow(&format!("s-{}", number % THINGS), None, &state).await
        }));
    }
    for update in sent {
        update.await??;
    }
    let reached_per_s = f64::from(count) / began.elapsed().as_secs_f64();
    let (ended, load) = (tokio::time::Instant::now(), load.told());
    let (mut things, mut after) = (BTreeMap::new(), 0);
    let (mut lags_ms, overtaken) = loop {
        read(&mut http, &mut after, &mut things).await?;
        let seen: usize = things.values().map(|versions| versions.primary.len()).sum();
        ensure!(seen == count as usize, "ground truth has {seen} of {count} updates");
        let (mut lags_ms, mut overtaken, mut missing) = (Vec::new(), 0, 0);
        for (thing, versions) in &things {
            let of_thing = versions.arrivals().with_context(|| thing.clone())?;
            lags_ms.extend(of_thing.lags_ms);
            overtaken += of_thing.overtaken;
            missing += of_thing.missing;
        }
        if missing == 0 {
            break (lags_ms, overtaken);
        }
        if ended.elapsed() > ARRIVAL_MAX {
            bail!(
                "{missing} of {count} versions did not arrive within {ARRIVAL_MAX:?}, the last of things among them"
            );
        }
        tokio::time::sleep(LOOK_PERIOD).await;
    };
    tokio::time::sleep(ERRORS_WAIT).await;
    let errors = site.errors().await?;
    ensure!(errors.is_empty(), "rows in the error table:\n{errors}");
    lags_ms.sort_by(f64::total_cmp);
    let lag_ms =
        |percent: usize| lags_ms.get((lags_ms.len() - 1) * percent / 100).copied().unwrap_or_default();
    println!(
        "{dispatch}: shadow lag at {reached_per_s:.0} a second (offered {PER_S}): p50 {:.0} ms, p99 {:.0} ms, max {:.0} ms",
        lag_ms(50),
        lag_ms(99),
        lag_ms(100)
    );
    println!(
        "    all {count} versions arrived, {overtaken} of them with a later one; the twin delays replication by 200 ms"
    );
    println!("    {load}");
    Ok(())
}

/// Reads what was stamped since the last time.
async fn read(http: &mut Http, after: &mut u64, things: &mut BTreeMap<String, Versions>) -> Result<()> {
    loop {
        let path = format!("/_twin/truth?kind=shadow&max={PAGE}&after={after}");
        let body = http.call("twin", "GET", &path, String::new()).await?;
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let facts: Vec<Fact> = lines.map(serde_json::from_slice).collect::<Result<_, _>>()?;
        let Some(last) = facts.last() else { return Ok(()) };
        *after = last.seq;
        for fact in facts {
            let versions = things.entry(fact.thing).or_default();
            let versions =
                if fact.region == "us-west-2" { &mut versions.secondary } else { &mut versions.primary };
            versions.push((fact.mono_ns, fact.state));
        }
    }
}
