//! The twin's AWS API beside MiniStack and moto, in one run: the same calls over ten keep-alive connections; and the twin
//! alone with 1,000 and with 100,000 things and certificates.
//!
//! `cargo bench -p gameday-tests --bench api [-- --calls 5000 --large 100000]`
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

async fn beside_peers(calls: usize) -> Result<()> {
    println!("{:<12}{:>10}{:>22}{:>22}", "", "start, ms", "CreateThing/s", "UpdateThingShadow/s");
    let mut rates = Vec::new();
    for start in [Server::twin, Server::ministack, Server::moto] {
        let (name, started) = start()?;
        let Some(server) = started else {
            println!("{name:<12} not installed: `.ci/tools` installs it");
            continue;
        };
        let things = Load::create_things(&server, 0..calls).await?;
        let shadows = Load::update_shadows(&server, 0..calls).await?;
        let cell = |load: &Load| format!("{:.0} ({:.2} ms CPU)", load.per_s, load.server_cpu_ms);
        println!("{name:<12}{:>10.0}{:>22}{:>22}", server.started_ms, cell(&things), cell(&shadows));
        rates.push((name, things.per_s, shadows.per_s));
    }
    let Some(((_, things, shadows), peers)) = rates.split_first() else { return Ok(()) };
    for (name, peer_things, peer_shadows) in peers {
        let goal = if *name == "moto" { 30.0 } else { 10.0 };
        let (a, b) = (things / peer_things, shadows / peer_shadows);
        let reached = if a.min(b) >= goal { "reached" } else { "MISSED" };
        println!("twin to {name}: {a:.1}x and {b:.1}x (goal: at least {goal:.0}x: {reached})");
    }
    Ok(())
}

async fn by_size(calls: usize, large: usize) -> Result<()> {
    let (_, started) = Server::twin()?;
    let Some(twin) = started else { return Ok(()) };
    println!(
        "{:<34}{:>14}{:>20}{:>24}{:>12}",
        "the twin, calls a second with", "CreateThing", "UpdateThingShadow", "RegisterCertificate", "MiB"
    );
    let mut first: Option<[f64; 3]> = None;
    let mut there = 0;
    for size in [SMALL, large] {
        Load::create_things(&twin, there..size).await?;
        Load::register_certificates(&twin, there..size).await?;
        let things = Load::create_things(&twin, size..size + calls).await?;
        let shadows = Load::update_shadows(&twin, size..size + calls).await?;
        let certificates = Load::register_certificates(&twin, size..size + calls).await?;
        there = size + calls;
        let rates = [things.per_s, shadows.per_s, certificates.per_s];
        println!(
            "{:<34}{:>14.0}{:>20.0}{:>24.0}{:>12.0}",
            format!("{size} things and certificates"),
            rates[0],
            rates[1],
            rates[2],
            twin.usage()?.rss_kib / 1024.0
        );
        if let Some(first) = first {
            let ratios: Vec<String> =
                rates.iter().zip(first).map(|(now, then)| format!("{:.2}x", now / then)).collect();
            println!("ratio (flat is 1): {}", ratios.join(", "));
        }
        first = Some(rates);
    }
    Ok(())
}
