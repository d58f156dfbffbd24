//! Shadow lag at 500 updates a second, by the twin's ground truth: from the version in the primary to the same version in the
//! secondary.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use gameday_tests::site::Site;

use crate::http::Http;

const PER_S: u32 = 500;
const THINGS: u32 = 1_000;
const SCALE: u32 = 100_000;
/// How long stragglers are waited for.
const WAIT: Duration = Duration::from_secs(15);

pub(crate) async fn at_500_a_second(dispatch: &str, seconds: usize) -> Result<()> {
    let site = Site::deploy(SCALE, &["--dispatch", dispatch]).await?;
    let mut http = Http::connect(&site.url()).await?;
    http.call("twin", "PUT", "/_twin/truth", r#"{"on":true}"#.to_owned()).await?;
    let count = PER_S * u32::try_from(seconds)?;
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
    tokio::time::sleep(WAIT).await;
    let mut at = [BTreeMap::new(), BTreeMap::new()];
    let mut after = 0;
    loop {
        let path = format!("/_twin/truth?kind=shadow&max=50000&after={after}");
        let body = http.call("twin", "GET", &path, String::new()).await?;
        let lines: Vec<Value> = body
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
            .map(serde_json::from_slice)
            .collect::<Result<_, _>>()?;
        let Some(last) = lines.last() else { break };
        after = last["seq"].as_u64().context("a number")?;
        for fact in &lines {
            let index = usize::from(fact["region"] == "us-west-2");
            let key = (fact["thing"].as_str().unwrap_or_default().to_owned(), fact["version"].as_u64());
            at[index].insert(key, fact["mono_ns"].as_u64().context("a time")?);
        }
    }
    let [primary, secondary] = at;
    let mut lags: Vec<f64> = primary
        .iter()
        .filter_map(|(key, from)| secondary.get(key).map(|to| to.saturating_sub(*from) as f64 / 1e6))
        .collect();
    lags.sort_by(f64::total_cmp);
    ensure!(!lags.is_empty(), "nothing was replicated");
    let lag_ms = |percent: usize| lags.get((lags.len() - 1) * percent / 100).copied().unwrap_or_default();
    println!(
        "{dispatch}: shadow lag at {PER_S} a second: p50 {:.0} ms, p99 {:.0} ms, max {:.0} ms ({} of {} versions seen; the \
         twin delays replication by 200 ms)",
        lag_ms(50),
        lag_ms(99),
        lag_ms(100),
        lags.len(),
        primary.len()
    );
    Ok(())
}
