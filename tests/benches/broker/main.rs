//! The twin's broker beside mosquitto, in one run: the same generator, the same fleet, the same messages, each broker in a
//! process of its own, mutual TLS 1.3 with a certificate for each device and full handshakes.
//!
//! `cargo bench --workspace --bench broker [-- --devices 2000 --hold 19000 --rounds 3]`
//!
//! Generator and broker share the machine, so that rates are what both reach together; processor time is the broker's
//! alone. The twin enforces policies and counts its limits; a device keeps below 100 messages a second, as AWS demands.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

mod broker;
mod device;
#[path = "../http.rs"]
mod http;
mod identity;
mod round;
mod table;

use anyhow::{Result, bail};
use broker::Broker;
use identity::Fleet;
use round::Round;
use rustix::process::{Resource, getrlimit, setrlimit};
use table::Table;

/// Identities made at the most: what the descriptors of one process allow.
const DEVICES_MAX: usize = 19_500;

/// What the command line sets.
#[derive(Debug)]
struct Settings {
    /// Devices of the comparison.
    devices: usize,
    /// Devices that the twin alone holds.
    hold: usize,
    rounds: usize,
}

fn main() -> Result<()> {
    let settings = settings()?;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(compare(&settings))
}

fn settings() -> Result<Settings> {
    let mut settings = Settings { devices: 2_000, hold: 19_000, rounds: 3 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let field = match word.as_str() {
            "--bench" => continue,
            "--devices" => &mut settings.devices,
            "--hold" => &mut settings.hold,
            "--rounds" => &mut settings.rounds,
            other => bail!("{other}: not an option; there are --devices, --hold and --rounds"),
        };
        *field = words.next().unwrap_or_default().parse()?;
    }
    if settings.devices.max(settings.hold) > DEVICES_MAX || settings.rounds == 0 {
        bail!("at most {DEVICES_MAX} devices, and at least one round");
    }
    Ok(settings)
}

async fn compare(settings: &Settings) -> Result<()> {
    let fleet = Fleet::make(settings.devices.max(settings.hold))?;
    let mut table = Table::default();
    for number in 1..=settings.rounds {
        for start in [Broker::mosquitto, Broker::twin] {
            let Some(broker) = start(&fleet)? else {
                println!("mosquitto is not installed (Debian: mosquitto): no ratios");
                continue;
            };
            broker.admit(&fleet, settings.devices).await?;
            let round = Round::run(&broker, &fleet, settings.devices).await?;
            println!("round {number} {:<9} {round}", broker.name);
            table.add(broker.name, round);
        }
    }
    println!();
    table.print();
    if settings.hold > 0 {
        println!();
        let Some(twin) = Broker::twin(&fleet)? else { return Ok(()) };
        println!("the twin started in {:.0} ms (goal: under 300 ms)", twin.started_ms);
        twin.admit(&fleet, settings.hold).await?;
        round::hold(&twin, &fleet, settings.hold).await?;
    }
    Ok(())
}
