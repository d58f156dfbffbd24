//! A bulk registered fleet under AWS's quotas times a scale: the time to replicate it beside the time that the tightest
//! quota dictates, and what AWS's own quotas make of it, of ours and of the archived solution's calls.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gameday_tests::site::Site;

use crate::{
    archived, bulk,
    calls::{self, Counted},
    http::Http,
    load::Load,
    quiet::{self, Quiet},
    quotas::{Quota, Quotas},
};

/// For the whole replication, and longer than the visibility timeout of the queue of API calls.
const WAIT_MAX: Duration = Duration::from_mins(40);
/// What the time may be of the bound.
const GOAL: f64 = 1.05;

/// What the twin's buckets hold at the start, in seconds of their rate; AWS publishes nothing of it for AWS IoT.
const BURST_S: f64 = 1.0;

/// So many calls of an operation, and how long its quota makes them last.
#[derive(Debug, Clone)]
struct Bound<'a> {
    region: &'a str,
    operation: &'a str,
    count: f64,
    quota: Quota,
}

impl Bound<'_> {
    fn applied_s(&self) -> f64 {
        (self.count / self.quota.applied_per_s - BURST_S).max(0.0)
    }

    fn default_s(&self) -> f64 {
        (self.count / self.quota.default_per_s - BURST_S).max(0.0)
    }
}

/// The one that dictates most.
fn tightest<'a>(bounds: impl IntoIterator<Item = Bound<'a>>, by: fn(&Bound<'a>) -> f64) -> Option<Bound<'a>> {
    bounds.into_iter().max_by(|a, b| by(a).total_cmp(&by(b)))
}

pub(crate) async fn bulk_fleet(devices: usize, scale: u32) -> Result<()> {
    let site = Site::deploy(scale, &[]).await?;
    let mut http = Http::connect(&site.url()).await?;
    let quotas = Quotas::read(&mut http).await?;
    site.primary.policy("device").await?;
    site.pause(true).await?;
    let began = Instant::now();
    bulk::register(&site.primary, &mut http, devices).await?;
    println!(
        "{devices} devices, bulk registered in {:.0} s; quotas: AWS's times {scale}",
        began.elapsed().as_secs_f64()
    );
    calls::switch(&mut http, true).await?;
    let load = Load::start(site.twin.id());
    let began = Instant::now();
    site.pause(false).await?;
    let quiet = quiet::wait(&site, &mut http, WAIT_MAX).await?;
    calls::switch(&mut http, false).await?;
    let took_s = quiet.changed.duration_since(began).as_secs_f64();
    let load = load.told();
    quotas.lift(&mut http).await?;
    quiet::verify(&site).await?;

    let counts = &quiet.counts;
    println!("{:<12}{:<32}{:>10}{:>11}{:>11}{:>12}", "", "", "done", "throttled", "a second", "at least, s");
    let bounds: Vec<Bound<'_>> = counts
        .iter()
        .filter_map(|count| {
            let (region, operation, quota) = (&count.region, &count.operation, quotas.of_count(count)?);
            Some(Bound { region, operation, count: count.done() as f64, quota })
        })
        .collect();
    for bound in &bounds {
        let throttled = counts
            .iter()
            .find(|c| c.region == bound.region && c.service == "iot" && c.operation == bound.operation)
            .map_or(0, |count| count.throttled);
        println!(
            "{:<12}{:<32}{:>10}{:>11}{:>11.0}{:>12.1}",
            bound.region,
            bound.operation,
            bound.count,
            throttled,
            bound.quota.applied_per_s,
            bound.applied_s()
        );
    }
    unlimited(counts, &quotas);
    let tight = tightest(bounds.clone(), Bound::applied_s).context("no call has a quota")?;
    let (bound_s, ratio) = (tight.applied_s(), took_s / tight.applied_s());
    let reached = if ratio <= GOAL { "reached" } else { "MISSED" };
    println!(
        "replicated in {took_s:.1} s, to the last change; {} in {} dictates {bound_s:.1} s: {ratio:.2}x (goal: at most \
         {GOAL}x: {reached})",
        tight.operation, tight.region
    );
    println!("    {load}");
    use_of(&bounds, &quiet);
    with_defaults(devices, bounds, &quotas)
}

/// How much of the tightest quotas was used, slice by slice: where time was lost.
fn use_of(bounds: &[Bound<'_>], quiet: &Quiet) {
    let most_s = bounds.iter().map(Bound::applied_s).fold(0.0, f64::max);
    for bound in bounds.iter().filter(|bound| bound.applied_s() > most_s / 2.0) {
        let done = |counts: &[Counted]| {
            let mut of = counts.iter().filter(|c| c.region == bound.region && c.operation == bound.operation);
            of.next().map_or(0, Counted::done)
        };
        let shares = quiet.slices.windows(2).filter(|pair| pair[0].0 < quiet.changed).map(|pair| {
            let count = done(&pair[1].1) - done(&pair[0].1);
            let could = pair[1].0.duration_since(pair[0].0).as_secs_f64() * bound.quota.applied_per_s;
            format!("{:.0}", 100.0 * count as f64 / could)
        });
        let shares: Vec<String> = shares.collect();
        println!("    {} {}, % of its quota, by 10 s: {}", bound.region, bound.operation, shares.join(" "));
    }
}

/// What the twin answers without a quota.
fn unlimited(counts: &[Counted], quotas: &Quotas) {
    let free = counts.iter().filter(|count| quotas.of_count(count).is_none());
    let free: Vec<String> = free
        .map(|count| format!("{} {} {} {}", count.region, count.service, count.operation, count.done()))
        .collect();
    println!("calls of which no quota is known: {}", free.join(", "));
}

/// Both solutions, as AWS's own quotas have it.
fn with_defaults(devices: usize, ours: Vec<Bound<'_>>, quotas: &Quotas) -> Result<()> {
    let archived = archived::operations().filter_map(|(region, operation, calls)| {
        let quota = quotas.of(region, operation)?;
        Some(Bound { region, operation, count: (calls * devices) as f64, quota })
    });
    println!("with AWS's own quotas, at least:");
    for (who, bounds) in [("this one", ours), ("the archived solution", archived.collect())] {
        let tight = tightest(bounds, Bound::default_s).context("no call has a quota")?;
        println!(
            "    {who:<24}{:>8.0} s: {:.2} {} a device in {}, {} a second",
            tight.default_s(),
            tight.count / devices as f64,
            tight.operation,
            tight.region,
            tight.quota.default_per_s
        );
    }
    println!(
        "    the archived solution's calls are as read from its source ({}); it sleeps {} s a device besides",
        archived::SOURCE,
        archived::SLEEP_S
    );
    Ok(())
}
