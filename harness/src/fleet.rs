//! The fleet: devices with an identity each, made through the IoT API, connected over mutual TLS, moving as their strategy
//! has them move.

mod assignment;
mod connection;
mod course;
mod device;
mod dialer;
mod follow;
mod heat;
mod load;
mod probe;
mod provision;
mod recipe;
mod refusal;
mod resolver;
mod schedule;
mod trust;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use assignment::Assignment;
pub(crate) use connection::leave;
pub(crate) use dialer::{Dialer, Tls};
pub(crate) use follow::{Name, Pointed};
pub(crate) use heat::{Heat, hottest};
pub(crate) use provision::{Workshop, look_for, provision};
pub(crate) use recipe::{Issued, Recipe};
pub(crate) use refusal::Refusal;
pub(crate) use resolver::Resolver;
pub(crate) use schedule::Schedule;

use crate::{measure::Recorder, scenario::Scenario, target::Target};
use device::Device;

/// A device that was made: its name, certificate and key.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) certificate_arn: String,
    pub(crate) identity: crate::identity::Identity,
    /// When the last call of its provisioning was acknowledged.
    pub(crate) provisioned_us: u64,
}

/// What all devices share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) run: String,
    pub(crate) scenario: Scenario,
    pub(crate) assignment: Arc<Assignment>,
    pub(crate) target: Arc<Target>,
    pub(crate) recorder: Recorder,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) tls: Tls,
    /// The name that devices ask for.
    pub(crate) fleet_name: String,
    /// Ends the load: devices stay connected and send nothing new.
    pub(crate) load_stop: CancellationToken,
    /// When the load ended, on the run's clock; the far future until then.
    pub(crate) load_until_us: AtomicU64,
    /// Ends the devices.
    pub(crate) stop: CancellationToken,
    pub(crate) seed: u64,
    /// Who writes more than others.
    pub(crate) heat: Heat,
}

/// Starts devices at `rate_per_s`. They run until `shared.stop`.
pub(crate) async fn start(
    shared: &Arc<Shared>,
    devices: &[Made],
    rate_per_s: u32,
    tasks: &TaskTracker,
) -> anyhow::Result<()> {
    let pause = Duration::from_secs(1) / rate_per_s.max(1);
    let mut ticks = tokio::time::interval(pause);
    // A tick that was late does not move those after it.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    for made in devices {
        ticks.tick().await;
        // One stream of random numbers a device, so that one more draw here shifts nothing there.
        let mut rng = ChaCha8Rng::seed_from_u64(shared.seed);
        rng.set_stream(u64::from(made.number) + 1);
        let device = Device::new(shared, made, rng.random())?;
        tasks.spawn(device.run());
    }
    Ok(())
}
