//! Without quotas: how many devices and shadow updates a second the replicator brings over on this machine, from a standing
//! start with all of them waiting.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};

use gameday_tests::site::Site;

use crate::{calls, http::Http};

/// Quotas far above what is reached.
const SCALE: u32 = 100_000;
const WAIT_MAX: Duration = Duration::from_mins(10);
/// Updates of each device's shadow.
const UPDATES: usize = 5;

pub(crate) async fn without_quotas(dispatch: &str, devices: usize) -> Result<()> {
    let site = Site::deploy(SCALE, &["--dispatch", dispatch]).await?;
    let mut http = Http::connect(&site.url()).await?;
    site.primary.policy("device").await?;
    site.pause(true).await?;
    stream::iter(0..devices)
        .map(|number| {
            let site = &site;
            async move { site.primary.device(&format!("d-{number}"), None, "device").await.map(drop) }
        })
        .buffer_unordered(16)
        .try_collect::<Vec<()>>()
        .await?;
    let per_s = drain(&site, &mut http, "AttachThingPrincipal", devices).await?;
    println!("{dispatch}: {per_s:.0} devices a second ({devices} devices)");

    site.pause(true).await?;
    let updates = devices * UPDATES;
    stream::iter(0..updates)
        .map(|number| {
            let (site, state) = (&site, serde_json::json!({"reported": {"n": number}}));
            async move { site.primary.shadow(&format!("d-{}", number % devices), None, &state).await }
        })
        .buffer_unordered(16)
        .try_collect::<Vec<()>>()
        .await?;
    let per_s = drain(&site, &mut http, "UpdateThingShadow", updates).await?;
    println!("{dispatch}: {per_s:.0} shadow updates a second ({updates} updates)");
    Ok(())
}

/// Lets the replicator go on and waits until so many calls of the operation were done in the secondary.
async fn drain(site: &Site, http: &mut Http, operation: &str, count: usize) -> Result<f64> {
    calls::switch_on(http).await?;
    site.pause(false).await?;
    let began = Instant::now();
    loop {
        let counts = calls::list(http).await?;
        let here = counts.iter().filter(|c| c.region == "us-west-2" && c.operation == operation);
        let done: u64 = here.map(calls::Counted::done).sum();
        if done >= count as u64 {
            return Ok(count as f64 / began.elapsed().as_secs_f64());
        }
        ensure!(began.elapsed() < WAIT_MAX, "{done} of {count} {operation} after {WAIT_MAX:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
