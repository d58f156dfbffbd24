//! A bulk registered fleet under AWS's quotas times twenty: the time to replicate it beside the time that the tightest quota
//! dictates, and what the quotas themselves make of it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gameday_tests::site::Site;

use crate::{
    bulk,
    calls::{self, Counted},
    http::Http,
};

const QUOTAS: &str = include_str!("../../../harness/twin/data/aws-quotas.csv");
const SCALE: u32 = 20;
const WAIT_MAX: Duration = Duration::from_mins(20);
/// What the time may be of the bound.
const GOAL: f64 = 1.05;

/// AWS's default of an operation, a second.
fn quota_per_s(operation: &str) -> Option<f64> {
    let name = format!("{operation} API TPS");
    let mut fields = QUOTAS.lines().map(|line| line.split(',').collect::<Vec<_>>());
    fields.find(|f| f.first() == Some(&"iotcore") && f.get(2) == Some(&name.as_str()))?.get(3)?.parse().ok()
}

pub(crate) async fn bulk_fleet(devices: usize) -> Result<()> {
    let site = Site::deploy(SCALE, &[]).await?;
    site.primary.policy("device").await?;
    let mut http = Http::connect(&site.url()).await?;
    site.pause(true).await?;
    let began = Instant::now();
    bulk::register(&site.primary, &mut http, devices).await?;
    println!(
        "{devices} devices, bulk registered in {:.0} s; quotas: AWS's times {SCALE}",
        began.elapsed().as_secs_f64()
    );
    calls::switch_on(&mut http).await?;
    let began = Instant::now();
    site.pause(false).await?;
    let attached = |counts: &[Counted]| -> u64 {
        let attach = |c: &&Counted| c.region == "us-west-2" && c.operation == "AttachThingPrincipal";
        counts.iter().filter(attach).map(Counted::done).sum()
    };
    let counts = loop {
        let counts = calls::list(&mut http).await?;
        if attached(&counts) >= devices as u64 {
            break counts;
        }
        ensure!(began.elapsed() < WAIT_MAX, "{} of {devices} after {WAIT_MAX:?}", attached(&counts));
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let took_s = began.elapsed().as_secs_f64();
    println!("{:<12}{:<32}{:>10}{:>11}{:>11}{:>12}", "", "", "done", "throttled", "a second", "at least, s");
    let mut bound: Option<(f64, &Counted)> = None;
    for count in counts.iter().filter(|c| c.service == "iot") {
        let Some(quota) = quota_per_s(&count.operation) else { continue };
        let least_s = count.done() as f64 / (quota * f64::from(SCALE));
        println!(
            "{:<12}{:<32}{:>10}{:>11}{:>11.0}{:>12.1}",
            count.region,
            count.operation,
            count.done(),
            count.throttled,
            quota * f64::from(SCALE),
            least_s
        );
        if bound.is_none_or(|(most_s, _)| least_s > most_s) {
            bound = Some((least_s, count));
        }
    }
    if let Some((bound_s, tightest)) = bound {
        let ratio = took_s / bound_s;
        let reached = if ratio <= GOAL { "reached" } else { "MISSED" };
        println!(
            "replicated in {took_s:.1} s; {} in {} dictates {bound_s:.1} s: {ratio:.2}x (goal: at most {GOAL}x: {reached})",
            tightest.operation, tightest.region
        );
        println!("with AWS's own quotas: {:.0} s at least", bound_s * f64::from(SCALE));
        // What it calls once for each device, by its code; GetPolicy even of a policy that is there.
        let archived =
            ["DescribeCertificate", "GetPolicy", "RegisterCertificateWithoutCA", "ListThingPrincipals"];
        let slowest = archived.into_iter().filter_map(|name| Some((quota_per_s(name)?, name)));
        if let Some((per_s, name)) = slowest.min_by(|a, b| a.0.total_cmp(&b.0)) {
            println!("the archived solution's {name} alone: {:.0} s", devices as f64 / per_s);
        }
    }
    site.no_errors(Duration::from_mins(2)).await?;
    Ok(())
}
