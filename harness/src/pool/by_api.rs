//! Making devices call by call through the IoT API, at the pace that the quotas allow.

use futures::{StreamExt, stream};
use parking_lot::Mutex;
use replicator::policy::certificate_arn;

use super::{
    State,
    create::{Creation, Failed},
    states::{self, Fact, States},
};
use crate::fleet::Recipe;

/// Devices that are made at once.
const PARALLEL: usize = 64;
/// After so many failures something is wrong with more than a device.
const FAILED_MAX: usize = 50;

/// Makes every device that is not made, shard by shard.
pub(super) async fn make(creation: &Creation<'_>) -> anyhow::Result<Failed> {
    let (manifest, counts) = (&creation.pool.manifest, creation.pool.counts()?);
    creation.progress.begin("devices", counts.made, manifest.devices);
    let mut failed = Failed::new();
    for shard in creation.pool.shards()? {
        let mut states = states::read(&shard.states())?;
        let csrs = shard.csr_pems()?;
        let todo = (shard.first..).zip(csrs).filter_map(|(number, csr)| {
            let state = states.remove(&number).unwrap_or_default();
            (!matches!(state, State::Made(_))).then_some((number, csr, state))
        });
        let maker = Maker {
            creation,
            recipe: &creation.making()?.recipe,
            states: Mutex::new(States::open(&shard.states())?),
        };
        let mut making = stream::iter(todo)
            .map(|(number, csr, state)| {
                let maker = &maker;
                async move { (number, maker.make(number, csr, state).await) }
            })
            .buffer_unordered(PARALLEL);
        while let Some((number, made)) = making.next().await {
            match made {
                Ok(true) => creation.progress.step(),
                Ok(false) => {}
                Err(error) => {
                    failed.insert(number, format!("{error:#}"));
                    if failed.len() >= FAILED_MAX && !creation.stop.is_cancelled() {
                        creation
                            .output
                            .line(&format!("{FAILED_MAX} devices could not be made: giving up for now"));
                        creation.stop.cancel();
                    }
                }
            }
        }
        drop(making);
        maker.states.lock().sync()?;
        if creation.stop.is_cancelled() {
            break;
        }
    }
    Ok(failed)
}

/// Makes the devices of a shard.
struct Maker<'a> {
    creation: &'a Creation<'a>,
    recipe: &'a Recipe,
    states: Mutex<States>,
}

impl Maker<'_> {
    /// Makes a device, or goes on with it. `false`: it was not begun, to stop.
    async fn make(&self, number: u32, csr: String, state: State) -> anyhow::Result<bool> {
        let Creation { aws, home, pool, stop, .. } = self.creation;
        if stop.is_cancelled() {
            return Ok(false);
        }
        let name = pool.device(number);
        let arn = if let Some(certificate) = state.certificate() {
            certificate_arn(&home.primary, &home.account, &certificate.id)
        } else {
            let issued = self.recipe.issue(aws, &name, csr).await?;
            let (certificate_id, certificate_pem) = (issued.id, issued.pem);
            self.states.lock().add(&Fact::Issued { device: number, certificate_id, certificate_pem })?;
            issued.arn
        };
        self.recipe.equip(aws, &name, &arn).await?;
        self.states.lock().add(&Fact::Made { device: number })?;
        Ok(true)
    }
}
