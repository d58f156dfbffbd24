//! The twin's AWS API beside MiniStack and moto, in one run: the same calls over ten keep-alive connections; and the twin
//! alone with 1,000 and with 100,000 things and certificates.
//!
//! `cargo bench --workspace --bench api [-- --calls 5000 --large 100000]`
//!
//! MiniStack and moto come from PyPI; `.ci/tools` installs them. One that is missing is said to be.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

#[path = "../http.rs"]
mod http;
mod load;
mod server;

use anyhow::{Result, bail};
use load::Load;
use server::Server;

/// Things of the small registry.
const SMALL: usize = 1_000;
/// Rounds in which the servers are measured.
const PEER_ROUNDS: usize = 3;
/// Rounds in which both sizes are measured.
const ROUNDS: usize = 7;

fn main() -> Result<()> {
    let (mut calls, mut large) = (5_000, 100_000);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let field = match word.as_str() {
            "--bench" => continue,
            "--calls" => &mut calls,
            "--large" => &mut large,
            other => bail!("{other}: not an option; there are --calls and --large"),
        };
        *field = words.next().unwrap_or_default().parse()?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        beside_peers(calls).await?;
        println!();
        by_size(calls, large).await
    })
}

/// All servers in turns: what else runs on the machine slows each of them, and medians are left.
async fn beside_peers(calls: usize) -> Result<()> {
    let mut servers = Vec::new();
    for start in [Server::twin, Server::ministack, Server::moto] {
        let (name, started) = start()?;
        match started {
            Some(server) => servers.push((name, server, Vec::new())),
            None => println!("{name:<12} not installed: `.ci/tools` installs it"),
        }
    }
    for round in 0..PEER_ROUNDS {
        for (_, server, loads) in &mut servers {
            let range = round * calls..(round + 1) * calls;
            let things = Load::create_things(server, range.clone()).await?;
            loads.push([things, Load::update_shadows(server, range).await?]);
        }
    }
    println!("{:<12}{:>10}{:>22}{:>22}", "", "start, ms", "CreateThing/s", "UpdateThingShadow/s");
    for (name, server, loads) in &servers {
        let of = |value: fn(&Load) -> f64, call: usize| median(loads.iter().map(|load| value(&load[call])));
        let cell = |call| {
            format!("{:.0} ({:.2} ms CPU)", of(|load| load.per_s, call), of(|load| load.server_cpu_ms, call))
        };
        println!("{name:<12}{:>10.0}{:>22}{:>22}", server.started_ms, cell(0), cell(1));
    }
    let Some(((_, _, twin), peers)) = servers.split_first() else { return Ok(()) };
    for (name, _, peer) in peers {
        let goal = if *name == "moto" { 30.0 } else { 10.0 };
        let ratio = |call: usize| median(twin.iter().zip(peer).map(|(a, b)| a[call].per_s / b[call].per_s));
        let (things, shadows) = (ratio(0), ratio(1));
        let reached = if things.min(shadows) >= goal { "reached" } else { "MISSED" };
        println!("twin to {name}: {things:.1}x and {shadows:.1}x (goal: at least {goal:.0}x: {reached})");
    }
    Ok(())
}

/// A small registry and a large one in turns: what else runs on the machine slows both, and medians are left.
async fn by_size(calls: usize, large: usize) -> Result<()> {
    let Some(large_twin) = filled(large).await? else { return Ok(()) };
    let (mut small_rates, mut large_rates, mut small_mib) = (Vec::new(), Vec::new(), 0.0);
    for round in 0..ROUNDS {
        let Some(small_twin) = filled(SMALL).await? else { return Ok(()) };
        small_rates.push(loads(&small_twin, SMALL, calls).await?);
        large_rates.push(loads(&large_twin, large + round * calls, calls).await?);
        small_mib = small_twin.usage()?.rss_kib / 1024.0;
    }
    println!(
        "{:<34}{:>14}{:>20}{:>24}{:>12}",
        "the twin, calls a second with", "CreateThing", "UpdateThingShadow", "RegisterCertificate", "MiB"
    );
    let large_mib = large_twin.usage()?.rss_kib / 1024.0;
    for (size, rates, mib) in [(SMALL, &small_rates, small_mib), (large, &large_rates, large_mib)] {
        let of = |call: usize| median(rates.iter().map(|rates| rates[call].per_s));
        let label = format!("{size} things and certificates");
        println!("{label:<34}{:>14.0}{:>20.0}{:>24.0}{mib:>12.0}", of(0), of(1), of(2));
    }
    let pairs = || small_rates.iter().zip(&large_rates);
    let ratio = |call: usize| median(pairs().map(|(small, large)| large[call].per_s / small[call].per_s));
    println!("ratio (flat is 1): {:.2}x, {:.2}x, {:.2}x", ratio(0), ratio(1), ratio(2));
    // The kernel counts hundredths of a second: of all rounds together.
    let cpu_ms = |rates: &[[Load; 3]], call: usize| rates.iter().map(|r| r[call].server_cpu_ms).sum::<f64>();
    let ratio = |call: usize| cpu_ms(&small_rates, call) / cpu_ms(&large_rates, call);
    println!("by processor time: {:.2}x, {:.2}x, {:.2}x", ratio(0), ratio(1), ratio(2));
    Ok(())
}

/// A twin that has so many things and certificates.
async fn filled(size: usize) -> Result<Option<Server>> {
    let (_, started) = Server::twin()?;
    if let Some(twin) = &started {
        Load::create_things(twin, 0..size).await?;
        Load::register_certificates(twin, 0..size).await?;
    }
    Ok(started)
}

/// Calls a second beyond those that are there: `CreateThing`, `UpdateThingShadow`, `RegisterCertificateWithoutCA`.
async fn loads(twin: &Server, there: usize, calls: usize) -> Result<[Load; 3]> {
    let range = there..there + calls;
    let things = Load::create_things(twin, range.clone()).await?;
    let shadows = Load::update_shadows(twin, range.clone()).await?;
    let certificates = Load::register_certificates(twin, range).await?;
    Ok([things, shadows, certificates])
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
