//! One round with one broker: connect, rest, bursts at `QoS` 0 and 1, a paced load at `QoS` 1.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use futures::future::try_join_all;
use gameday_tests::process::Usage;
use tokio::{sync::Semaphore, time::sleep};

use crate::{broker::Broker, device::Device, identity::Fleet};

/// Handshakes under way at a time.
const CONNECTING_MAX: usize = 64;
/// Messages of a device in one burst: AWS takes 100 a second of a connection, and more are discarded.
const BURST: usize = 90;
/// Messages at `QoS` 0 in one burst; one at `QoS` 1 follows them.
const BURST_QOS0: usize = 80;
const WINDOW: usize = 20;
/// After this a device may burst again.
const REST: Duration = Duration::from_millis(1_200);
/// The paced load: each device sends once in this period.
const PACE: Duration = Duration::from_millis(500);
const PACED_MESSAGES: usize = 10;
/// Devices are held this long before their memory is read again and each proves to be alive.
const HOLD: Duration = Duration::from_secs(30);

/// What one round measured. Times of processors are the broker's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) connects_per_s: f64,
    pub(crate) connect_cpu_ms: f64,
    pub(crate) idle_kib: f64,
    pub(crate) qos0_per_s: f64,
    pub(crate) qos0_cpu_us: f64,
    pub(crate) qos1_per_s: f64,
    pub(crate) qos1_cpu_us: f64,
    pub(crate) paced_cpu_us: f64,
    /// The generator's, of one connect.
    pub(crate) generator_connect_cpu_ms: f64,
}

impl Round {
    pub(crate) async fn run(broker: &Broker, fleet: &Fleet, devices: usize) -> Result<Self> {
        let own = Usage::own()?;
        let (mut connected, connecting) = connect(broker, fleet, devices).await?;
        let generator_connect_cpu_ms = Usage::own()?.since(own).cpu_s * 1e3 / devices as f64;
        let messages = devices * BURST;
        let qos0 = burst(broker, &mut connected, |mut device| async {
            device.burst_qos0(BURST_QOS0).await.map(|()| device)
        })
        .await?;
        sleep(REST).await;
        let qos1 = burst(broker, &mut connected, |mut device| async {
            device.burst_qos1(BURST, WINDOW).await.map(|()| device)
        })
        .await?;
        sleep(REST).await;
        let paced = burst(broker, &mut connected, |mut device| async {
            for _ in 0..PACED_MESSAGES {
                device.burst_qos1(1, 1).await?;
                sleep(PACE).await;
            }
            Ok(device)
        })
        .await?;
        let qos0_messages = (devices * (BURST_QOS0 + 1)) as f64;
        Ok(Self {
            connects_per_s: devices as f64 / connecting.elapsed_s,
            connect_cpu_ms: connecting.used.cpu_s * 1e3 / devices as f64,
            idle_kib: connecting.used.rss_kib / devices as f64,
            qos0_per_s: qos0_messages / qos0.elapsed_s,
            qos0_cpu_us: qos0.used.cpu_s * 1e6 / qos0_messages,
            qos1_per_s: messages as f64 / qos1.elapsed_s,
            qos1_cpu_us: qos1.used.cpu_s * 1e6 / messages as f64,
            paced_cpu_us: paced.used.cpu_s * 1e6 / (devices * PACED_MESSAGES) as f64,
            generator_connect_cpu_ms,
        })
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>5.0} connects/s, {:.2} ms (generator {:.2} ms), {:>4.1} KiB idle; QoS 0 {:>7.0}/s, {:.2} us; QoS 1 \
             {:>7.0}/s, {:.2} us; paced {:.1} us",
            self.connects_per_s,
            self.connect_cpu_ms,
            self.generator_connect_cpu_ms,
            self.idle_kib,
            self.qos0_per_s,
            self.qos0_cpu_us,
            self.qos1_per_s,
            self.qos1_cpu_us,
            self.paced_cpu_us,
        )
    }
}

/// What a step cost.
struct Step {
    elapsed_s: f64,
    used: Usage,
}

async fn connect(broker: &Broker, fleet: &Fleet, devices: usize) -> Result<(Vec<Device>, Step)> {
    let (before, began) = (broker.usage()?, Instant::now());
    let room = Arc::new(Semaphore::new(CONNECTING_MAX));
    let mut connecting = Vec::with_capacity(devices);
    for identity in &fleet.devices[..devices] {
        let permit = room.clone().acquire_owned().await?;
        let (identity, address, server) = (identity.clone(), broker.address, broker.server.clone());
        connecting.push(tokio::spawn(async move {
            let device = Device::connect(&identity, address, server).await;
            drop(permit);
            device
        }));
    }
    let mut connected = Vec::with_capacity(devices);
    for task in connecting {
        connected.push(task.await??);
    }
    let step = Step { elapsed_s: began.elapsed().as_secs_f64(), used: broker.usage()?.since(before) };
    Ok((connected, step))
}

/// Lets every device do its part at once.
async fn burst<F>(broker: &Broker, devices: &mut Vec<Device>, part: fn(Device) -> F) -> Result<Step>
where
    F: Future<Output = Result<Device>> + Send + 'static,
{
    let (before, began) = (broker.usage()?, Instant::now());
    let tasks: Vec<_> = devices.drain(..).map(|device| tokio::spawn(part(device))).collect();
    for done in try_join_all(tasks).await? {
        devices.push(done?);
    }
    Ok(Step { elapsed_s: began.elapsed().as_secs_f64(), used: broker.usage()?.since(before) })
}

/// Connects as many devices as one process may, holds them, and lets each prove that it is still connected.
pub(crate) async fn hold(broker: &Broker, fleet: &Fleet, devices: usize) -> Result<()> {
    let before = broker.usage()?;
    let (mut connected, connecting) = connect(broker, fleet, devices).await?;
    sleep(HOLD).await;
    let idle = broker.usage()?.since(before);
    burst(broker, &mut connected, |mut device| async { device.burst_qos1(1, 1).await.map(|()| device) })
        .await?;
    println!(
        "{} devices connected at {:.0}/s and held {} s by a twin in its own process; all of them published after that",
        connected.len(),
        devices as f64 / connecting.elapsed_s,
        HOLD.as_secs(),
    );
    println!(
        "{:.1} KiB a device (goal: at most 20), {:.0} MiB in all; {:.0} ms of a core a second while they rest",
        idle.rss_kib / devices as f64,
        broker.usage()?.rss_kib / 1024.0,
        (idle.cpu_s - connecting.used.cpu_s) * 1e3 / HOLD.as_secs_f64(),
    );
    Ok(())
}
