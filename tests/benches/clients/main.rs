//! What a simulated device costs, beside devices of others, in one run against a twin, and against mosquitto in its place if
//! it is installed: gameday's own, with an identity each, strategy, ledger and histograms; MQTT.js; and emqtt-bench, if it is
//! installed. The two others have one certificate for all and nothing but a client.
//!
//! `cargo bench --workspace --bench clients [-- --devices 2000 --per-s 500 --seconds 20]`
//!
//! Processor time and memory are those of the process that simulates, as the kernel counts them: connecting at a steady
//! pace over mutual TLS 1.3, then one QoS 1 message a second of each device. What is not installed is said to be skipped.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

#[path = "../broker/broker.rs"]
#[allow(dead_code, reason = "its own mosquitto is for clients of its own")]
mod broker;
mod emqtt_bench;
mod gameday;
#[path = "../http.rs"]
mod http;
#[path = "../broker/identity.rs"]
#[allow(dead_code, reason = "peers take files")]
mod identity;
mod mosquitto;
mod mqtt_js;
mod peer;

use anyhow::{Context, Result, bail};
use gameday_tests::process::Usage;
use rustix::process::{Resource, getrlimit, setrlimit};

use self::{broker::Broker, identity::Fleet, mosquitto::Stand};

/// Devices of one process: what its descriptors allow.
const DEVICES_MAX: usize = 9_000;

/// What the command line sets.
#[derive(Debug, Clone, Copy)]
struct Settings {
    devices: usize,
    /// Connects a second.
    per_s: usize,
    /// How long messages are sent.
    seconds: usize,
}

/// What a client's process had used: before it connected, when all were connected, and over so many messages.
#[derive(Debug, Clone, Copy)]
struct Cost {
    before: Usage,
    connected: Usage,
    sending: Usage,
    messages: f64,
}

impl Cost {
    fn connect_cpu_ms(&self, devices: usize) -> f64 {
        self.connected.since(self.before).cpu_s * 1e3 / devices as f64
    }

    fn device_kib(&self, devices: usize) -> f64 {
        self.connected.since(self.before).rss_kib / devices as f64
    }

    fn message_cpu_us(&self) -> f64 {
        self.sending.cpu_s * 1e6 / self.messages
    }
}

fn main() -> Result<()> {
    let settings = settings()?;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(compare(settings))
}

fn settings() -> Result<Settings> {
    let mut settings = Settings { devices: 2_000, per_s: 500, seconds: 20 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let field = match word.as_str() {
            "--bench" => continue,
            "--devices" => &mut settings.devices,
            "--per-s" => &mut settings.per_s,
            "--seconds" => &mut settings.seconds,
            other => bail!("{other}: not an option; there are --devices, --per-s and --seconds"),
        };
        *field = words.next().unwrap_or_default().parse()?;
    }
    let Settings { devices, per_s, seconds } = settings;
    if devices > DEVICES_MAX || devices == 0 || per_s == 0 || seconds == 0 {
        bail!("devices are 1 to {DEVICES_MAX}, and the others at least 1");
    }
    Ok(settings)
}

async fn compare(settings: Settings) -> Result<()> {
    let Settings { devices, per_s, seconds } = settings;
    println!("{devices} devices, {per_s} connects a second, then a message a second of each for {seconds} s");
    let twin = Broker::twin(&Fleet::make(0)?)?.context("no twin")?;
    beside(settings, &twin, None).await.context("against the twin")?;
    drop(twin);
    // A twin of its own: what one has gone through is no cost of the next.
    let twin = Broker::twin(&Fleet::make(0)?)?.context("no twin")?;
    if let Some(stand) = Stand::before(&twin).await? {
        beside(settings, &twin, Some(&stand)).await.context("against mosquitto")?;
    }
    Ok(())
}

/// All clients against one broker: the twin, or what stands before it.
async fn beside(settings: Settings, twin: &Broker, stand: Option<&Stand>) -> Result<()> {
    let devices = settings.devices;
    let target = match stand {
        Some(stand) => &stand.url,
        None => twin.api().context("a twin has an API")?,
    };
    let ours = gameday::cost(settings, target).context("gameday")?;
    let place = peer::Place::make(twin, stand).await?;
    let costs = [
        ("gameday", Some(ours)),
        ("MQTT.js", mqtt_js::cost(settings, &place).await.context("MQTT.js")?),
        ("emqtt-bench", emqtt_bench::cost(settings, &place).await.context("emqtt-bench")?),
    ];
    let broker = if stand.is_some() { "on mosquitto" } else { "on the twin" };
    println!("{broker:<14}{:>16}{:>16}{:>16}", "KiB a device", "ms a connect", "us a message");
    for (name, cost) in &costs {
        let Some(cost) = cost else { continue };
        println!(
            "{name:<14}{:>16.1}{:>16.2}{:>16.0}",
            cost.device_kib(devices),
            cost.connect_cpu_ms(devices),
            cost.message_cpu_us()
        );
    }
    let goal = |what: &str, figure: f64, most: f64| {
        let reached = if figure <= most { "reached" } else { "MISSED" };
        println!("    {what}: {figure:.2} (goal: at most {most:.2}: {reached})");
    };
    goal("KiB a device", ours.device_kib(devices), 40.0);
    let Some(theirs) = costs[2].1 else {
        println!("    beside emqtt-bench: unknown, it was skipped");
        return Ok(());
    };
    goal(
        "ms a connect, of emqtt-bench's",
        ours.connect_cpu_ms(devices) / theirs.connect_cpu_ms(devices),
        1.0 / 5.0,
    );
    goal("us a message, of emqtt-bench's", ours.message_cpu_us() / theirs.message_cpu_us(), 1.0 / 3.0);
    Ok(())
}
