//! Without quotas: how many devices and shadow updates a second the replicator brings over on this machine, from a standing
//! start with all of them waiting to the last change in the secondary; and how much memory its functions took for that.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};

use gameday_tests::site::Site;

use crate::{
    calls::{self, Counted},
    http::Http,
    load::Load,
    memory, quiet,
};

/// Quotas far above what is reached.
const SCALE: u32 = 100_000;
/// Longer than the visibility timeout of the queue of API calls.
const WAIT_MAX: Duration = Duration::from_mins(10);
/// Updates of each device's shadow.
const UPDATES: usize = 5;

pub(crate) async fn without_quotas(dispatch: &str, devices: usize) -> Result<()> {
    let site = Site::deploy(SCALE, &["--dispatch", dispatch]).await?;
    let mut http = Http::connect(&site.url()).await?;
    let memory = memory::Watch::start(site.twin.id());
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
    let (took_s, load) = drain(&site, &mut http, "AttachThingPrincipal", devices).await?;
    println!("{dispatch}: {:.0} devices a second ({devices} devices); {load}", devices as f64 / took_s);

    site.pause(true).await?;
    let updates = devices * UPDATES;
    // In order within a device: of two that were under way at once the older one might come second.
    stream::iter(0..devices)
        .map(|device| {
            let site = &site;
            async move {
                for number in 0..UPDATES {
                    let state = serde_json::json!({"reported": {"n": number}});
                    site.primary.shadow(&format!("d-{device}"), None, &state).await?;
                }
                Ok::<(), anyhow::Error>(())
            }
        })
        .buffer_unordered(16)
        .try_collect::<Vec<()>>()
        .await?;
    // Of those that overtake each other only the newest is written.
    let (took_s, load) = drain(&site, &mut http, "UpdateThingShadow", devices).await?;
    println!(
        "{dispatch}: {:.0} shadow updates a second ({updates} updates); {load}",
        updates as f64 / took_s
    );
    memory.finish()
}

/// Lets the replicator go on until it is done; the answer is the time to the last change in the secondary, where the
/// operation must have been done at least so often, and what the machine did meanwhile.
async fn drain(site: &Site, http: &mut Http, operation: &str, count: usize) -> Result<(f64, String)> {
    calls::switch(http, true).await?;
    let load = Load::start(site.twin.id());
    let began = Instant::now();
    site.pause(false).await?;
    let quiet = quiet::wait(site, http, WAIT_MAX).await?;
    calls::switch(http, false).await?;
    let load = load.told();
    quiet::verify(site).await?;
    let here = quiet.counts.iter().filter(|c| c.region == "us-west-2" && c.operation == operation);
    let done: u64 = here.map(Counted::done).sum();
    ensure!(done >= count as u64, "the Regions are equal after {done} of {count} {operation}");
    let took = quiet.changed.checked_duration_since(began).context("nothing was changed")?;
    Ok((took.as_secs_f64(), load))
}
